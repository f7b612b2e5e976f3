"""Our rules beside what a kit itself computed: `python -m g2u.study.benchmarks.check_golden DIR --kit NAME --json`.

DIR holds one folder for each case, `DATASET` or `DATASET__WHAT`: `DATASET.tsv`, `predictions.jsonl`, and
`expected.json` with the kit's `metrics` and its reading of each item; beside them what a judge replied,
`extractions.jsonl` or `judge_replies.jsonl`. Every figure and every item that differs is told.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from g2u.errors import BenchmarkError, G2UError

from .kits.judging import Asked
from .kits.kits import Kit, get_kit
from .kits.scored import NO_SPLIT, Metrics, Scored
from .predictions.reading import read_predictions
from .rows import FAILED, Row
from .tsv import TsvFile

NEAR = 1e-9
"""Figures that differ by less are the same: they are sums in another order."""


@dataclass(frozen=True)
class Disagreement:
    """Something that the kit sees in another way."""

    case: str
    """Folder."""
    what: str
    """An item and what of it, or a figure."""
    theirs: Any
    ours: Any


class _Replies:
    """A judge that says what a file has for each row, one reply for each time that it is asked."""

    name = "of the golden files"

    def __init__(self, replies: Mapping[str, list[str]]) -> None:
        self._replies = replies

    def __call__(self, asked: Asked) -> str:
        told = self._replies.get(asked.index, [])
        return told[asked.attempt] if asked.attempt < len(told) else FAILED


def check(folder: Path, kit: Kit) -> list[Disagreement]:
    """All disagreements between a folder of cases and a kit of ours.

    Raises:
        BenchmarkError: There is no case in it, or one lacks a file or has one of another form.
    """
    cases = sorted(path.parent for path in folder.glob("*/expected.json"))
    if not cases:
        hint = "Expected DATASET/expected.json, DATASET.tsv and predictions.jsonl in folders below it."
        raise BenchmarkError(f"There is no case in {str(folder)!r}.", hint)
    return [found for case in cases for found in _checked(case, kit)]


def _checked(case: Path, kit: Kit) -> list[Disagreement]:
    try:
        return list(_of_case(case, kit))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:  # of JSON of another form
        told = f"{type(error).__name__}: {error}"
        hint = "See what this module says of the files of a case."
        raise BenchmarkError(f"The case {str(case)!r} cannot be read: {told}.", hint) from error


def _of_case(folder: Path, kit: Kit) -> Iterator[Disagreement]:
    name = folder.name.partition("__")[0]
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    rows, predictions = _rows(folder / f"{name}.tsv"), read_predictions(folder / "predictions.jsonl")
    extractions, grades = folder / "extractions.jsonl", folder / "judge_replies.jsonl"
    if grades.exists():
        replies = {str(one["index"]): [str(reply) for reply in one["replies"]] for one in _lines(grades)}
        scored = kit.score(name, rows, predictions, _Replies(replies))
    else:
        scored = kit.score(name, rows, predictions)
    yield from _of_metrics(folder.name, expected["metrics"], scored)
    yield from _of_items(folder.name, expected, scored)
    if extractions.exists():
        told = {
            str(one["index"]): [one["extraction"]] * 5 for one in _lines(extractions) if one["extraction"] is not None
        }
        judged = kit.score(name, rows, predictions, _Replies(told))
        yield from _of_metrics(f"{folder.name}, with a judge", expected["metrics_with_extractions"], judged)
        yield from _of_results(f"{folder.name}, with a judge", expected["items"], "with_extraction", judged)


def _of_metrics(case: str, theirs: Mapping[str, Any], scored: Scored) -> Iterator[Disagreement]:
    wanted: Metrics = (
        dict(theirs) if all(isinstance(one, dict) for one in theirs.values()) else {NO_SPLIT: dict(theirs)}
    )
    for split in dict.fromkeys((*wanted, *scored.metrics)):
        one, other = wanted.get(split, {}), scored.metrics.get(split, {})
        for name in dict.fromkeys((*one, *other)):
            if not math.isclose(one.get(name, math.nan), other.get(name, math.nan), rel_tol=NEAR, abs_tol=NEAR):
                yield Disagreement(case, f"figure {split}: {name}", one.get(name), other.get(name))


def _of_items(case: str, expected: Mapping[str, Any], scored: Scored) -> Iterator[Disagreement]:
    items = expected.get("items", [])
    ours = {item.index: item for item in scored.items}
    for told in items:
        index = str(told["index"])
        if index not in ours:
            yield Disagreement(case, f"item {index}", "scored", "not scored")
            continue
        mine = {
            "extracted": ours[index].extracted,
            "hit": ours[index].hit,
            "copy_hit": ours[index].hit,
            "score": ours[index].hit,
        }
        for key in (key for key in mine if key in told):
            if told[key] != mine[key]:
                yield Disagreement(case, f"item {index}: {key}", told[key], mine[key])
    for group in expected.get("groups", []):
        index = str(group["g_index"])
        theirs = None if group["hit"] is None else bool(group["hit"])
        if theirs != scored.groups.get(index):
            yield Disagreement(case, f"group {index}", theirs, scored.groups.get(index))
    unread = sum(item.extracted is None for item in scored.items)
    if expected.get("unparsed", unread) != unread:
        yield Disagreement(case, "unreadable answers", expected["unparsed"], unread)
    if items and "rules_only" in items[0]:
        yield from _of_results(case, items, "rules_only", scored)


def _of_results(case: str, items: list[Mapping[str, Any]], key: str, scored: Scored) -> Iterator[Disagreement]:
    """Of MathVista, whose items are told without a judge and with one."""
    ours = {item.index: item for item in scored.items}
    for told in items:
        mine, index = ours[str(told["index"])], str(told["index"])
        pairs = {"result": (told[key]["result"], mine.extracted), "hit": (told[key]["hit"], mine.hit)}
        for what, (one, other) in pairs.items():
            if (what == "hit" and one != other) or (what == "result" and mine.hit and str(one) != str(other)):
                yield Disagreement(case, f"item {index}: {what}", one, other)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _rows(path: Path) -> list[Row]:
    return list(TsvFile(path).rows(pictures=False))


def main(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of cases.", show_default=False)],
    kit: Annotated[str, typer.Option(help="The kit of ours that is checked.")] = "vlmevalkit-2026-08",
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")] = False,
) -> None:
    """Tell every disagreement; the exit code is 1 where there is one."""
    try:
        found = check(folder, get_kit(kit))
    except G2UError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    if json_:
        typer.echo(json.dumps({"kit": kit, "disagreements": [asdict(one) for one in found]}, indent=2))
    else:
        for one in found:
            typer.echo(f"{one.case}, {one.what}: {one.theirs!r} in the kit, {one.ours!r} here")
        typer.echo(f"{len(found)} disagreements with {kit}.")
    sys.exit(bool(found))


if __name__ == "__main__":
    typer.run(main)
