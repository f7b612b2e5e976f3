"""How the tasks of lmms-eval find a letter in a reply: each family of tasks in a way of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ..rows import FAILED

_AROUND: Final = (("(", ")", 6), ("", ".", 5), ("", ":", 4), ("", ")", 3), ("", " ", 2))
"""What may stand around a letter, and how much that counts; the last place in the reply is taken."""
_SAID, _FIRST, _LAST = 7, 10, 9
"""How much it counts behind a phrase, as the first and as the last character."""
_PHRASES: Final = (
    *(f"{article}{kind}{noun} is"
      for article, kind, noun in (
          ("the ", "", "answer"), ("", "", "answer"), ("the ", "correct ", "answer"), ("", "correct ", "answer"),
          ("the ", "best ", "answer"), ("", "best ", "answer"), ("the ", "correct ", "option"),
          ("", "correct ", "option"), ("the ", "best ", "option"), ("", "best ", "option"), ("the ", "", "choice"),
          ("", "", "choice"), ("the ", "correct ", "choice"), ("", "correct ", "choice"), ("my ", "", "answer"),
          ("my ", "", "choice"),
      )),
    "i choose", "i select", "i pick", "옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは",
)  # fmt: skip


def weighed(reply: str, labels: Sequence[str]) -> str | None:
    """The letter in the form that counts most, and of several the last one; any letter in a word where there is none.

    As the tasks do that share one reader: MMStar, RealWorldQA, the static one of MMBench.
    """
    text = reply.strip()
    if not text:
        return None
    for mark in ",.!?;:'\"":
        text = text.strip(mark)
    bare, text = text.strip(), f" {text} "
    found: list[tuple[int, int, str]] = []
    for before, after, weight in _AROUND:
        places = ((text.rfind(f"{before}{label}{after}"), label) for label in labels)
        found += [(weight, place, label) for place, label in places if place >= 0]
    lower = text.lower()
    for phrase in _PHRASES:
        if phrase in lower:
            start = lower.find(phrase) + len(phrase)
            found += [(_SAID, text.find(label, start), label) for label in labels if text.find(label, start) >= 0]
    for label in labels:
        if bare.startswith(label) and not bare[1:2].isalpha():
            found.append((_FIRST, 0, label))
    for label in labels:
        if bare.endswith(label) and not bare[-2:-1].isalpha():
            found.append((_LAST, len(text) - 1, label))
    found = found or [(0, text.rfind(label), label) for label in labels if label in text]
    return max(found, key=lambda one: one[:2])[2] if found else None


_WORDS_AROUND: Final = (
    ("", ""), ("", "."), ("", ","), ("", ":"), ("", ")"), ("", ")."), ("(", ")"), ("(", ")."), (":", ""), (":", ","),
    (":", "."), (":", ")"), (":", ")."),
)  # fmt: skip


def matched(reply: str, options: Mapping[str, str]) -> str | None:
    """One letter of A to E that is a word, marks of one form aside; else the one option whose text is in the reply.

    As the tasks of MMBench do before they ask a judge; a word A among more than three makes the bare letters unread.
    """
    if letter := _one_word(reply):
        return letter
    told = reply.lower()
    found = [label for label, option in options.items() if option.lower() in told]
    return found[0] if len(found) == 1 else None


def _one_word(reply: str) -> str | None:
    if FAILED.rstrip(".") in reply:
        return None
    words = reply.split()
    for before, after in _WORDS_AROUND:
        found = [letter for letter in "ABCDE" if f"{before}{letter}{after}" in words]
        article = not before and not after and "A" in words and len(words) > 3
        if len(found) == 1 and not article:
            return found[0]
    return None


def vstar(reply: str) -> str | None:
    """The first of some forms that is found anywhere, whatever the case; a word that begins so is a letter, too."""
    return _first(
        reply.strip().upper(),
        (
            r"^([A-D])\s*[\.)\]]*",
            r"(?:THE\s+)?(?:ANSWER|CHOICE|OPTION)(?:\s+IS)?[\s:]+([A-D])",
            r"\(([A-D])\)",
            r"([A-D])\s*(?:\.|\)|])",
            r"(?:^|\s)([A-D])(?:\s|$)",
            r"^[^A-D]*([A-D])[^A-D]*$",
        ),
    )


def mmvp(reply: str) -> str | None:
    """The same for two letters."""
    return _first(
        reply.strip(),
        (
            r"^\s*\(?([AB])\)?\.?\s*$",
            r"^\s*\(?([AB])\)?[\.\s]",
            r"answer\s+is\s+\(?([AB])\)?",
            r"option\s+\(?([AB])\)?",
            r"\(?([AB])\)?(?:\s|$)",
            r"^([AB])",
        ),
    )


def blink(reply: str, labels: Iterable[str]) -> str | None:
    """A short first line, what is said to be the answer, a letter in brackets, the first letter of the reply."""
    text, letters = reply.strip(), re.escape("".join(labels))
    line = text.split("\n", 1)[0].strip()
    if len(line) <= 4 and (short := re.match(rf"^\(?([{letters}])\)?[\.\s:,)]*$", line, re.IGNORECASE)):
        return short[1].upper()
    said = rf"answers?(?:\s+is)?\s*[:\-]?\s*\(?([{letters}])\)?(?![A-Za-z])"
    for found in (re.findall(said, text, re.IGNORECASE), re.findall(rf"\(([{letters}])\)", text)):
        if found:
            return str(found[-1]).upper()
    leading = re.match(rf"[\(\s]*([{letters}])", text, re.IGNORECASE)
    return leading[1].upper() if leading else None


def ai2d(reply: str) -> str:
    """The letter before a full stop that a reply begins with, else all of it; marks and case do not count."""
    leading = re.match(r"\s*([A-Z])\.", reply)
    told = leading[1] if leading else reply
    return re.sub(r"[!-/:-@\[-`{-~]", "", told.lower())


def _first(text: str, patterns: Iterable[str]) -> str | None:
    found = (re.search(pattern, text, re.IGNORECASE) for pattern in patterns)
    return next((match[1].upper() for match in found if match), None)
