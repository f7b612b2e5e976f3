"""The gallery as data: every answer with its pictures, what it can be filtered by, and how much of it fits a page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from g2u.loop.verdicts import ACTIONS
from g2u.pictures.store import ImageStore
from g2u.state import Answer, Round

from ..grid.records import ItemRecord
from ..tables.choices import shown_drawing
from ..tables.table import show
from .cards import OUTCOMES, RESERVED, VERDICTS, Card, Side
from .thumbnails import Thumbnails

BYTES: Final = 52 * 2**20
"""Of pictures and answers at most; the tables beside them are small."""
_FIRST: Final = {"fixed": 0, "broken": 0, "A better": 0, "B better": 0, "failed": 1, "both wrong": 2}
"""Which answers come first where not all of them fit."""
_WORDS: Final = 800
"""Characters of a long text, such as a plan, that the gallery shows."""
_BATCH: Final = 64
_BUTTONS: Final = 100
"""Values of a group that has a filter at most; the search finds those of others."""


@dataclass(frozen=True)
class Gallery:
    """What a page needs to show cards."""

    data: Markup
    """JSON that no text in it can end the element of; `page.js` tells its shape."""
    shown: int
    total: int
    missing: int
    """Pictures that could not be read."""


def build_gallery(cards: Sequence[Card], stores: Sequence[ImageStore], limit: int = BYTES) -> Gallery:
    """The cards as data; where they are more than `limit` bytes, those that changed first, over all items evenly.

    Args:
        cards: In the order to show them.
        stores: Where the pictures are.
        limit: Of pictures and answers together, in bytes.
    """
    pictures, texts, items = Thumbnails(stores), _Table(), _Table()
    lookup = _Lookup(pictures, texts)
    kept: dict[int, list[Any]] = {}
    spent = 0
    for batch in _batches(sorted(range(len(cards)), key=lambda place: _order(cards[place]))):
        pictures.add(sha256 for place in batch for sha256 in _pictures(cards[place]))
        for place in batch:
            card = cards[place]
            sides = [lookup.side(side) for side in card.sides]
            entry = [items.add(_dump(lookup.item(card.item))), sides, texts.add(card.outcome)]
            spent += len(_dump(entry))
            if pictures.bytes + spent + texts.bytes + items.bytes > limit and kept:
                break
            kept[place] = entry
        else:
            continue
        break
    facets = _Facets([cards[place] for place in sorted(kept)])
    entries = [[*kept[place][:2], facets.of(cards[place])] for place in sorted(kept)]
    data = {
        "pictures": pictures.addresses,
        "texts": texts.values,
        "items": [json.loads(item) for item in items.values],
        "facets": facets.described,
        "cards": entries,
    }
    return Gallery(Markup(_safe(_dump(data))), len(kept), len(cards), pictures.missing)


class _Table:
    """Texts by number, each of them once."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self.bytes = 0
        self._numbers: dict[str, int] = {}

    def add(self, text: str) -> int:
        number = self._numbers.setdefault(text, len(self.values))
        if number == len(self.values):
            self.values.append(text)
            self.bytes += len(text) + 3
        return number


class _Facets:
    """The filters: those by which the cards differ."""

    def __init__(self, cards: Sequence[Card]) -> None:
        found: dict[str, dict[str, None]] = {"outcome": {}}
        for card in cards:
            for name, values in card.facets.items():
                found.setdefault(name, {}).update(dict.fromkeys(values))
        found = {name: values for name, values in found.items() if name in RESERVED or len(values) <= _BUTTONS}
        order = (
            "outcome",
            *(name for name in found if name not in RESERVED),
            "edit",
            "arm",
            "verdict",
            "seed",
            "wording",
        )
        self._values = {name: _ordered(name, list(found.get(name, {}))) for name in order}
        self._numbers = {
            name: {value: number for number, value in enumerate(values)} for name, values in self._values.items()
        }
        self.described = [
            {"name": name, "title": name.removeprefix("group.").replace("_", " "), "values": values}
            for name, values in self._values.items()
        ]

    def of(self, card: Card) -> list[list[int]]:
        values = card.facets
        return [[numbers[value] for value in values.get(name, [])] for name, numbers in self._numbers.items()]


class _Lookup:
    """Records as short lists with numbers of pictures and texts."""

    def __init__(self, pictures: Thumbnails, texts: _Table) -> None:
        self._pictures = pictures
        self._texts = texts

    def item(self, item: ItemRecord) -> list[Any]:
        gold = "" if item.gold_edits is None else ", ".join(item.gold_edits) or "none"
        groups = ", ".join(f"{name} {value}" for name, value in item.groups.items())
        if item.paraphrase_of:
            groups += f"; {item.paraphrase_of} in other words"
        pictures = [self._pictures.number(picture.sha256) for picture in item.pictures]
        return [item.id, item.question, item.options, item.answer, gold, groups, pictures]

    def side(self, side: Side) -> list[Any]:
        line = side.line
        note = f"Failed: {line.error}" if line.error else f"Left out: {line.left_out}" if line.left_out else ""
        return [
            self._texts.add(side.title),
            self._texts.add(side.outcome),
            self._answer(line.answer, line.right),
            self._answer(side.before, side.before_right),
            [self._round(turn, line.fidelity.get(turn.number, {})) for turn in line.rounds],
            self._texts.add(_short(note)),
            line.rounds.index(shown) if (shown := shown_drawing(line)) else -1,
        ]

    def _answer(self, answer: Answer | None, right: bool) -> list[Any] | None:
        if answer is None:
            return None
        share = answer.probabilities.get(answer.text)
        sure = -1 if share is None else round(1000 * share)
        return [self._texts.add(_short(answer.text)), int(right), sure, self._texts.add(_short(answer.reasoning))]

    def _round(self, turn: Round, fidelity: Mapping[str, float]) -> list[Any]:
        decision, verdict, thought = turn.decision, turn.verdict, turn.thought
        measured = ", ".join(f"{name} {show(value, 'number')}" for name, value in fidelity.items())
        return [
            *(self._texts.add(text) for text in (decision.edit, decision.instruction, decision.policy)),
            self._texts.add(_short(decision.reason)),
            self._texts.add(_short(turn.plan)),
            self._pictures.number(turn.source.sha256),
            self._pictures.number(thought.sha256) if thought else None,
            [
                self._texts.add(verdict.action),
                [round(1000 * verdict.probabilities[action]) for action in ACTIONS if verdict.probabilities],
                self._texts.add(_short(verdict.reason)),
                round(1000 * verdict.change),
            ]
            if verdict
            else None,
            self._texts.add(measured),
            decision.on or 0,
        ]


def _ordered(name: str, values: list[str]) -> list[str]:
    if name == "arm":
        return values  # as in the study
    if name in ("outcome", "verdict"):
        known = OUTCOMES if name == "outcome" else VERDICTS
        return [value for value in known if value in values] + sorted(set(values) - set(known))
    return sorted(values, key=lambda value: (not value.isdigit(), int(value) if value.isdigit() else 0, value))


def _order(card: Card) -> tuple[int, str, str]:
    """Cards that changed first; within them items in an order that has nothing to do with their tasks."""
    return _FIRST.get(card.outcome, 3), hashlib.sha256(card.item.id.encode()).hexdigest(), card.item.id


def _pictures(card: Card) -> Iterator[str]:
    yield from (picture.sha256 for picture in card.item.pictures)
    for side in card.sides:
        for turn in side.line.rounds:
            yield from (ref.sha256 for ref in (turn.source, turn.thought) if ref)


def _batches(places: Sequence[int]) -> Iterator[Sequence[int]]:
    return (places[start : start + _BATCH] for start in range(0, len(places), _BATCH))


def _short(text: str) -> str:
    return text if len(text) <= _WORDS else text[: _WORDS - 3] + "..."


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _safe(text: str) -> str:
    """JSON without the characters that mean something in HTML."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
