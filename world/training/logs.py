"""Logs of training, as `train` writes them: reading them, and what their measures come to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from g2u.errors import WorldError

Line = Mapping[str, Any]
"""One line of a log: `step`, `seconds`, losses by name, and `measures` now and then."""
Measures = Mapping[str, Mapping[str, float]]
"""`task/case` to the figures of `measures.measure`."""

LOSSES: tuple[str, ...] = ("read", "answer", "verdict", "decision", "drawing")
"""Names of the losses in a log."""

Cells = Callable[[str], bool]
"""Says of a case, its conditions joined by `+` or `none`, whether it counts."""


def is_plain(case: str) -> bool:
    """Whether nothing is in the way."""
    return case == "none"


def is_single(case: str) -> bool:
    """Whether just one condition is in the way."""
    return not is_plain(case) and "+" not in case


def is_faulty(case: str) -> bool:
    """Whether anything is in the way."""
    return not is_plain(case)


def read_log(path: Path) -> list[Line]:
    """The lines of a log; a last line that a stopped run has torn is left out.

    Raises:
        WorldError: The file cannot be read, holds no line, or one that is none of a log.
    """
    hint = "`python -m g2u.world.training.train --out DIR` writes one, DIR/log.jsonl."
    try:
        texts = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise WorldError(f"The log {str(path)!r} cannot be read: {reason}.", hint) from error
    lines: list[Line] = []
    for number, text in enumerate(texts, 1):
        line = _parsed(text)
        if line is not None:
            lines.append(line)
        elif number < len(texts) or text.endswith("\n"):
            raise WorldError(f"Line {number} of {str(path)!r} is none of a log of training.", hint)
    if not lines:
        raise WorldError(f"The log {str(path)!r} holds no line.", hint)
    return lines


def measures_of(lines: list[Line]) -> list[tuple[float, Measures]]:
    """Seconds and measures of the lines that have some."""
    return [(line["seconds"], line["measures"]) for line in lines if line.get("measures")]


def mean(measures: Measures, figure: str, cells: Cells) -> float | None:
    """Mean of a figure over the cells that count and have it; `None` where there is no such cell."""
    values = [row[figure] for name, row in measures.items() if figure in row and cells(name.rpartition("/")[2])]
    return fmean(values) if values else None


FIGURES: dict[str, tuple[str, Cells]] = {
    "plain_direct": ("direct", is_plain),
    "direct": ("direct", is_single),
    "gold": ("gold", is_single),
    "wrong": ("wrong", is_single),
    "decide": ("decide", is_faulty),
    "psnr": ("psnr", is_faulty),
}
"""What an ablation is judged by: the figure of a measure, and the cells that count."""


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """The last measures of one run; accuracies are shares of right answers."""

    name: str
    seconds: float
    """Time that the run had taken."""
    plain_direct: float | None
    """Direct answers to pictures that need nothing."""
    direct: float | None
    """Direct answers to pictures with one condition, and so are `gold` and `wrong`."""
    gold: float | None
    """With the own drawing of the gold edit."""
    wrong: float | None
    """With the own drawing of an edit that does not fit."""
    decide: float | None
    """First decisions that are right, on pictures with conditions."""
    psnr: float | None
    """Of own drawings of gold edits, dB, on pictures with conditions."""

    @property
    def gain(self) -> float | None:
        """What the gold edit brings over the direct answers."""
        return None if self.gold is None or self.direct is None else self.gold - self.direct

    @property
    def wrong_share(self) -> float | None:
        """Share of that gain which an edit that does not fit brings as well; `None` where there is no gain."""
        if self.gain is None or self.gain <= 0 or self.wrong is None or self.direct is None:
            return None
        return (self.wrong - self.direct) / self.gain


def ablation(name: str, lines: list[Line]) -> Ablation:
    """Judge a run by its last measures.

    Raises:
        WorldError: It has none.
    """
    measured = measures_of(lines)
    if not measured:
        raise WorldError(f"The log of {name!r} has no measures.", "Let its run come to an end, which measures.")
    seconds, last = measured[-1]
    return Ablation(name=name, seconds=seconds, **{key: mean(last, *what) for key, what in FIGURES.items()})


def ablations(folder: Path) -> list[Ablation]:
    """Judge the runs whose logs lie in a folder as `NAME.jsonl`, by name, `nothing` first.

    Raises:
        WorldError: There is no log, or one that cannot be judged.
    """
    logs = sorted(folder.glob("*.jsonl"), key=lambda path: (path.stem != "nothing", path.stem))
    if not logs:
        raise WorldError(f"There is no log in {str(folder)!r}: a file NAME.jsonl for each ablation was expected.")
    return [ablation(path.stem, read_log(path)) for path in logs]


def _parsed(text: str) -> Line | None:
    """A line of a log; `None` for any other text."""
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        return None
    good = isinstance(line, dict) and isinstance(line.get("seconds"), (int, float))
    return line if good and isinstance(line.get("measures", {}), dict) else None
