"""The figures of lmms-eval's tasks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from statistics import fmean
from typing import Final, TypeVar

from .measures import CIRCLE, Figures, Marked, Measure, NoFigureError, circular
from .scored import NO_SPLIT, Metrics

_PERCEPTION: Final = (
    "existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR",
)  # fmt: skip
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def mean(name: str, scale: float = 1.0) -> Measure:
    """Share of right answers, by the name of the task's metric."""

    def measure(marked: Sequence[Marked]) -> Figures:
        share = _mean(reading.hit for _, reading in marked)
        return Figures({NO_SPLIT: {name: scale * share}}, {"accuracy": 100 * share})

    return measure


def mmstar(marked: Sequence[Marked]) -> Figures:
    """The mean over the finer categories, of all and of each coarse one: not the mean over the questions."""
    found = {"average": _mean_of_means(marked, "l2-category")}
    for name in dict.fromkeys(case.cell("category") for case, _ in marked):
        found[name] = _mean_of_means([one for one in marked if one[0].cell("category") == name], "l2-category")
    return Figures({NO_SPLIT: found}, {"accuracy": 100 * found["average"]})


def blink(marked: Sequence[Marked]) -> Figures:
    """The mean over the tasks, each of which counts alike."""
    found = {name: _mean(reading.hit for _, reading in some) for name, some in _by(marked, "category").items()}
    average = _mean(found.values())
    return Figures({NO_SPLIT: {"blink_acc": average, **found}}, {"accuracy": 100 * average})


def mmvp(marked: Sequence[Marked]) -> Figures:
    """Right answers and right pairs; a pair of which one answer is missing is in the first alone."""
    share = _mean(reading.hit for _, reading in marked)
    try:
        pairs = _grouped((max(int(case.index) - 1, 0) // 2, (case.index, reading.hit)) for case, reading in marked)
    except ValueError:
        raise NoFigureError("Pairs are told by whole numbers, and there are other indices.") from None
    groups = {some[0][0]: all(hit for _, hit in some) for some in pairs.values() if len(some) == 2}
    both = fmean(groups.values()) if groups else 0.0
    metrics = {NO_SPLIT: {"mmvp_accuracy": share, "mmvp_pair_accuracy": both}}
    return Figures(metrics, {"pairs": 100 * both, "accuracy": 100 * share}, groups)


def mmbench(marked: Sequence[Marked]) -> Figures:
    """Groups of copies, as in VLMEvalKit; figures of categories are shares of groups, too."""
    found = circular([one for one in marked if _is_number(one[0].index)])
    right = {case.index: found.groups[case.index] for case, _ in marked if case.index in found.groups}
    firsts = [case for case, _ in marked if case.index in right and int(case.index) < CIRCLE]
    metrics: Metrics = {NO_SPLIT: {"gpt_eval_score": 100 * _mean(right[case.index] for case in firsts)}}
    for column in ("category", "l2-category"):
        groups = _grouped((case.cell(column), right[case.index]) for case in firsts)
        metrics[NO_SPLIT] |= {name: 100 * fmean(some) for name, some in groups.items() if name}
    return Figures(metrics, {"accuracy": metrics[NO_SPLIT]["gpt_eval_score"]}, found.groups)


def mme(marked: Sequence[Marked]) -> Figures:
    """Of each category the mean over pictures of acc and acc+; sums over the categories that are there."""
    sums = {"perception": 0.0, "reasoning": 0.0}
    groups: dict[str, bool] = {}
    metrics: Metrics = {NO_SPLIT: {}}
    for category, inside in _by(marked, "category").items():
        points = []
        for some in _by(inside, "image_path").values():
            if len(some) != 2:
                where = f"row {some[0][0].index} has {len(some)}"
                raise NoFigureError(f"A picture has two answers, and that of {where}.")
            right = sum(reading.hit for _, reading in some)
            groups[some[0][0].index] = right == 2
            points.append(50 * right + 100 * (right == 2))
        metrics[NO_SPLIT][category] = _mean(points)
        sums["perception" if category in _PERCEPTION else "reasoning"] += metrics[NO_SPLIT][category]
    _mean(groups.values())
    scores = {"mme_perception_score": sums["perception"], "mme_cognition_score": sums["reasoning"]}
    return Figures({NO_SPLIT: scores | metrics[NO_SPLIT]}, {**sums, "total": sum(sums.values())}, groups)


def pope(marked: Sequence[Marked]) -> Figures:
    """F1 and its parts, each row once; what is neither yes nor no is in accuracy alone."""
    accuracy = _mean(reading.hit for _, reading in marked)
    pairs = [(case.cell("answer").lower().strip(), reading.label) for case, reading in marked]
    right = pairs.count(("yes", "yes"))
    said, wanted = right + pairs.count(("no", "yes")), right + pairs.count(("yes", "no"))
    precision, recall = (right / total if total else 0.0 for total in (said, wanted))
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    yes = _mean(answer == "yes" for answer, _ in pairs)
    found = {"accuracy": accuracy, "precision": precision, "recall": recall, "f1_score": f1, "yes_ratio": yes}
    main = {"F1": f1, "accuracy": accuracy, "precision": precision, "recall": recall}
    return Figures(
        {NO_SPLIT: {f"pope_{name}": value for name, value in found.items()}},
        {name: 100 * value for name, value in main.items()},
    )


def hallusion(marked: Sequence[Marked]) -> Figures:
    """As VLMEvalKit's three, but that sets of VD and of VS are apart and pictures without a figure have no fAcc."""
    parts = [(case.index.split("_"), reading.hit) for case, reading in marked]
    if strange := next((one for one, _ in parts if len(one) < 6), None):
        raise NoFigureError(
            f"Sets, figures and questions are parts of an index, and {'_'.join(strange)!r} has too few."
        )
    figures = _grouped(
        ((kind, part, one, figure), hit)
        for (kind, part, _, one, figure, *_), hit in parts
        if (kind, figure) != ("VS", "0")
    )
    questions = _grouped(((kind, part, one, question), hit) for (kind, part, _, one, _, question, *_), hit in parts)
    three = {
        "aAcc": 100 * _mean(hit for _, hit in parts),
        "fAcc": 100 * _mean(all(some) for some in figures.values()),
        "qAcc": 100 * _mean(all(some) for some in questions.values()),
    }
    return Figures({NO_SPLIT: three}, {**three, "mean of the three": fmean(three.values())})


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    if not found:
        raise NoFigureError("There is no answer to score.")
    return fmean(found)


def _grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    found: dict[Key, list[Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _by(marked: Sequence[Marked], column: str) -> dict[str, list[Marked]]:
    return _grouped((one[0].cell(column), one) for one in marked)


def _mean_of_means(marked: Sequence[Marked], column: str) -> float:
    return _mean(_mean(reading.hit for _, reading in some) for some in _by(marked, column).values())


def _is_number(text: str) -> bool:
    return text.isdecimal()
