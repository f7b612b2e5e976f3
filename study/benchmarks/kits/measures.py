"""From what each answer is worth to the figures of a kit; those of VLMEvalKit that no judge is needed for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from .scored import NO_SPLIT, Case, Metrics, Reading

Marked = tuple[Case, Reading]
CIRCLE: Final = 1_000_000
"""Copies of a question with its options in another order are this far from each other."""
_SHORT: Final = {
    "coarse_perception": "CP",
    "finegrained_perception (instance-level)": "FP-S",
    "finegrained_perception (cross-instance)": "FP-C",
    "logic_reasoning": "LR",
    "relation_reasoning": "RR",
    "attribute_reasoning": "AR",
}
"""How the kit prints these categories."""
_MME: Final = {
    "perception": (
        "OCR", "artwork", "celebrity", "color", "count", "existence", "landmark", "position", "posters", "scene",
    ),
    "reasoning": ("code_reasoning", "commonsense_reasoning", "numerical_calculation", "text_translation"),
}  # fmt: skip


class NoFigureError(Exception):
    """The kit gives no figure for these answers; says why, as a sentence."""


@dataclass(frozen=True)
class Figures:
    """What a measure finds."""

    metrics: Metrics
    main: Mapping[str, float]
    """See `Scored.main`."""
    groups: Mapping[str, bool] = field(default_factory=dict)
    """See `Scored.groups`."""


Measure = Callable[[Sequence[Marked]], Figures]


def accuracy(marked: Sequence[Marked]) -> Figures:
    """Share of right answers, of each split: over all, and by `l2-category` and `category`."""
    if not marked:
        raise NoFigureError("There is no answer to score.")
    metrics: Metrics = {}
    for split in _values(marked, "split") or [NO_SPLIT]:
        inside = [one for one in marked if one[0].cell("split") == split or split == NO_SPLIT]
        found = metrics[split] = {"Overall": _share(inside)}
        for column in ("l2-category", "category"):
            for name in sorted(_values(marked, column)):
                if some := [one for one in inside if one[0].cell(column) == name]:
                    found[_SHORT.get(name, name)] = _share(some)
    of = {split: f"accuracy, {split}" if len(metrics) > 1 else "accuracy" for split in metrics}
    return Figures(metrics, {of[split]: 100 * found["Overall"] for split, found in metrics.items()})


def circular(marked: Sequence[Marked]) -> Figures:
    """As `accuracy`, of questions: one is right when all its copies that are there are; without its first copy none."""
    copies: dict[int, list[Marked]] = {}
    for case, reading in marked:
        try:
            copies.setdefault(int(case.index) % CIRCLE, []).append((case, reading))
        except ValueError:
            raise NoFigureError(f"Copies are told by whole numbers, and there is a row {case.index!r}.") from None
    first = {
        number: next((one for one in some if int(one[0].index) == number), None) for number, some in copies.items()
    }
    right = {number: all(reading.hit for _, reading in copies[number]) for number, one in first.items() if one}
    counted = [
        (one[0], Reading(one[1].label, float(right[number])))
        for number, one in sorted(first.items())
        if one is not None
    ]
    found = accuracy(counted)
    return Figures(found.metrics, found.main, {str(number): value for number, value in sorted(right.items())})


def pairs(marked: Sequence[Marked]) -> Figures:
    """Share of right answers, and of pairs that are right: of rows in the order of their numbers, two and two."""
    try:
        ordered = sorted(marked, key=lambda one: int(one[0].index))
    except ValueError:
        raise NoFigureError("Pairs are told by whole numbers, and there are other indices.") from None
    if not marked or len(marked) % 2:
        raise NoFigureError(f"Rows are scored in pairs, and there are {len(marked)} answers.")
    groups = {}
    for one, other in zip(ordered[::2], ordered[1::2], strict=True):
        if one[0].cell("question") != other[0].cell("question"):
            where = f"{one[0].index} and {other[0].index}"
            raise NoFigureError(f"The rows {where} are no pair: their questions differ, so a row between is missing.")
        groups[one[0].index] = bool(one[1].hit and other[1].hit)
    items, both = _share(marked), fmean(groups.values())
    metrics = {NO_SPLIT: {"Average": items, "Overall": both}}
    return Figures(metrics, {"pairs": 100 * both, "accuracy": 100 * items}, groups)


def mme(marked: Sequence[Marked]) -> Figures:
    """Of each category 100 times the share of right answers and 100 times that of pictures with both right."""
    scores: dict[str, float] = {}
    groups: dict[str, bool] = {}
    for category in _values(marked, "category"):
        inside = [one for one in marked if one[0].cell("category") == category]
        pictures: dict[str, list[Marked]] = {}
        for one in inside:
            pictures.setdefault(one[0].cell("image_path"), []).append(one)
        for some in pictures.values():
            if len(some) < 2:
                raise NoFigureError(f"A picture has two questions, and that of row {some[0][0].index} has one answer.")
            groups[some[0][0].index] = bool(some[0][1].hit and some[1][1].hit)
        plus = fmean(groups[some[0][0].index] for some in pictures.values())
        scores[category] = 100 * _share(inside) + 100 * plus
    if absent := [name for names in _MME.values() for name in names if name not in scores]:
        raise NoFigureError(f"All 14 categories count, and there is no answer of {', '.join(absent)}.")
    sums = {name: sum(scores[one] for one in names) for name, names in _MME.items()}
    main = {**sums, "total": sum(sums.values())}
    return Figures({NO_SPLIT: sums | dict(sorted(scores.items()))}, main, groups)


def hallusion(marked: Sequence[Marked]) -> Figures:
    """Right answers, figures whose every question is right, and questions that are right of every figure."""
    names = [case.index.split("_") for case, _ in marked]
    if strange := next((case.index for (case, _), parts in zip(marked, names, strict=True) if len(parts) < 6), None):
        raise NoFigureError(f"Sets, figures and questions are parts of an index, and {strange!r} has too few.")
    if not marked:
        raise NoFigureError("There is no answer to score.")
    metrics = {"Overall": _three(marked)}
    for column in ("category", "l2-category"):
        for name in _values(marked, column):
            metrics[name] = _three([one for one in marked if one[0].cell(column) == name])
    three = metrics["Overall"]
    return Figures(metrics, {**three, "mean of the three": fmean(three.values())})


def pope(marked: Sequence[Marked]) -> Figures:
    """F1, precision and recall of yes, and right answers; a row counts in each of its categories, and so over all."""
    spread = [(name, one) for one in marked for name in one[0].cell("category").split(",")]
    if not marked:
        raise NoFigureError("There is no answer to score.")
    metrics = {"Overall": _detection([one for _, one in spread])}
    for name in dict.fromkeys(name for name, _ in spread if name):
        metrics[name] = _detection([one for own, one in spread if own == name])
    found = metrics["Overall"]
    main = {
        "F1": found["Overall"],
        "accuracy": found["acc"],
        "precision": found["precision"],
        "recall": found["recall"],
    }
    return Figures(metrics, main)


def _values(marked: Iterable[Marked], column: str) -> list[str]:
    """What stands in a column, each once; blank cells left out."""
    return [name for name in dict.fromkeys(case.cell(column) for case, _ in marked) if name]


def _share(marked: Sequence[Marked]) -> float:
    return fmean(reading.hit for _, reading in marked)


def _three(marked: Sequence[Marked]) -> dict[str, float]:
    figures: dict[tuple[str, ...], bool] = {}
    questions: dict[tuple[str, ...], bool] = {}
    for case, reading in marked:
        _, _, _, drawn, figure, question = case.index.split("_")[:6]
        for keys, last in ((figures, figure), (questions, question)):
            key = (case.cell("l2-category"), drawn, last)
            keys[key] = keys.get(key, True) and bool(reading.hit)
    return {
        "aAcc": 100 * _share(marked),
        "fAcc": 100 * fmean(figures.values()),
        "qAcc": 100 * fmean(questions.values()),
    }


def _detection(marked: Sequence[Marked]) -> dict[str, float]:
    wanted = [case.answer == "Yes" for case, _ in marked]
    said = [reading.label == "Yes" for _, reading in marked]
    both = sum(one and other for one, other in zip(wanted, said, strict=True))
    precision = both / sum(said) if any(said) else 0.0
    recall = both / sum(wanted) if any(wanted) else 0.0
    f1 = 2 * precision * recall / (precision + recall) if both else 0.0
    return {"Overall": 100 * f1, "acc": 100 * _share(marked), "precision": 100 * precision, "recall": 100 * recall}
