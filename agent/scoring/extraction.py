"""Finding the answer in what a model wrote; where there is none, or more than one, that is what is said.

Nothing is guessed: no letter stands in for an answer that could not be found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .texts import plain

_TAGGED: Final = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.IGNORECASE | re.DOTALL)
_THOUGHT: Final = re.compile(r"<think>.*?(?:</think>|$)", re.IGNORECASE | re.DOTALL)
_TEXT: Final = re.compile(r"\\(?:text|mathrm|textbf)\{([^{}]*)\}")
_BOXED: Final = re.compile(r"\\boxed\{([^{}]*)\}")
_SAID: Final = re.compile(r"\b(?:the\s+)?(?:final\s+|correct\s+|right\s+)?answer(?:\s+is|\s*:)\s*", re.IGNORECASE)
_LETTER: Final = re.compile(
    r"[(\[]([A-Za-z])[)\]]"  # (B)
    r"|(?m:^)[*\s]*([A-Z])[*\s]*(?:[)\].:,;*]|(?m:$)|(?=\s(?:is|because|since)\b))"  # B. at the beginning of a line
    r"|(?<![\w'.-])([A-Z])(?=[.*\s\u3002]*(?m:$))"  # B at the end of one
    r"|\b[Oo]ption\s+([A-Z])\b"
    r"|(?<![\w'.-])([A-Z])(?=\s*(?:or|and|/)\s*[A-Z]\b)"  # A or B
)
_LEADING: Final = re.compile(
    r"[(\[*\s]*(?:[Oo]ption\s+)?([A-Z])(?=\s*[)\].:,;*\u3002]|\s*$|\s+[^\w\s]|\s+(?!\w\s)[a-z])"
)
"""A letter at the beginning of what is marked as the answer, before a mark or a word in small letters."""
_ANOTHER: Final = re.compile(r"[)\].:,*\s]*(?:or\b|and\b|/)")
"""What goes on to a second letter."""
_DENIED: Final = re.compile(r"(?:\bnot|n't|\bnor|\bnever)\s+(?:(?:the|a|an|option)\s+)?[(\[]?$", re.IGNORECASE)
"""What stands before an option that is said not to be the answer."""


def extract_value(text: str) -> str | None:
    """The free answer in a text: what is tagged, boxed or said to be the answer; else the text, if it is one line.

    Returns:
        `None` where the text is empty, or goes over several lines and says nowhere what the answer is.
    """
    text = _told(text)
    marked = _marked(text)
    if marked is not None:
        return marked or None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if len(lines) == 1 else None


def extract_option(text: str, options: Sequence[str]) -> str | None:
    """The one option that a text names: as the whole of its answer, by its letter, or by its words.

    Args:
        text: What a model wrote.
        options: In the order shown, so that the first has the letter A.

    Returns:
        `None` where none is named, or several.
    """
    text = _told(text)
    marked = _marked(text)
    if marked is None:
        found = _whole(text, options) or _named(text, options)
    else:  # what is marked is the answer, whatever else was said
        found = _whole(marked, options) or _leading(marked, options) or _named(marked, options)
    return found.pop() if len(found) == 1 else None


def letters(options: Sequence[str]) -> dict[str, str]:
    """Letter to option, from A on."""
    return {chr(ord("A") + place): option for place, option in enumerate(options) if place < 26}


def _told(text: str) -> str:
    """What was said, without the thought before it and without what sets it in type."""
    return _TEXT.sub(r"\1", _THOUGHT.sub("", text)).replace("\u2212", "-").strip()


def _marked(text: str) -> str | None:
    """What a text marks as its answer, the last time that it does; `None` where it does not."""
    tagged = _TAGGED.findall(text) or _BOXED.findall(text)
    if tagged:
        return str(tagged[-1]).strip()
    said = list(_SAID.finditer(text))
    if not said:
        return None
    rest = text[said[-1].end() :].strip()
    return rest.splitlines()[0].strip() if rest else ""


def _whole(text: str, options: Sequence[str]) -> set[str]:
    """The options that the whole text is, as they are, as words or as a letter."""
    if text in options:
        return {text}
    told = plain(text)
    found = {option for option in options if plain(option) == told}
    return found or {option for letter, option in letters(options).items() if letter.casefold() == told}


def _leading(text: str, options: Sequence[str]) -> set[str]:
    """The option whose letter a marked answer begins with: `B because the dog barks`."""
    begin, known = _LEADING.match(text), _letters_apart(options)
    if begin is None or begin[1] not in known or _ANOTHER.match(text, begin.end(1)):
        return set()
    return {known[begin[1]]}


def _letters_apart(options: Sequence[str]) -> dict[str, str]:
    """Letter to option, without letters that are options themselves: those are words."""
    words = {plain(option) for option in options}
    return {letter: option for letter, option in letters(options).items() if letter.casefold() not in words}


def _named(text: str, options: Sequence[str]) -> set[str]:
    """The options that a text names; a letter counts more than words about several of them."""
    by_letter, by_words = _by_letter(text, options), _by_words(text, options)
    if len(by_words) == 1:  # the letter of "vitamin C" is one of its words
        words = plain(next(iter(by_words))).split()
        by_letter = {
            option
            for letter, option in letters(options).items()
            if option in by_letter and letter.casefold() not in words
        }
    return by_letter if len(by_letter) == 1 and len(by_words) != 1 else by_letter | by_words


def _by_letter(text: str, options: Sequence[str]) -> set[str]:
    """The options whose letters stand in a text as letters of options do, see `_LETTER`, and are not denied."""
    known = _letters_apart(options)
    found = set()
    for match in _LETTER.finditer(text):
        letter = next(filter(None, match.groups())).upper()
        if letter in known and not _DENIED.search(text, 0, match.start()):
            found.add(known[letter])
    return found


def _by_words(text: str, options: Sequence[str]) -> set[str]:
    """The options whose words stand in a text, but for those that are part of a longer one that does."""
    told = plain(text)
    found = {option: spans for option in options if (spans := _spans(plain(option), told))}
    return {
        option
        for option, spans in found.items()
        if any(
            not any(
                start <= begin and end <= stop and stop - start > end - begin
                for other in found.values()
                if other is not spans
                for start, stop in other
            )
            for begin, end in spans
        )
    }


def _spans(words: str, text: str) -> list[tuple[int, int]]:
    """Where words stand in a text and are not denied; digits only where they are no part of another number."""
    number = r"(?<!\d[.,/-])(?<![-$])" if words[:1].isdigit() else "", r"(?![.,/-]\d)" if words[-1:].isdigit() else ""
    found = re.finditer(rf"(?<!\w){number[0]}{re.escape(words)}{number[1]}(?!\w)", text)
    return [match.span() for match in found if not _DENIED.search(text, 0, match.start())]
