"""The kits, and the one way in: rows and answers to scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from g2u.errors import BenchmarkError, UnknownNameError

from ..rows import Row
from . import lmms, strict
from .judging import Judge, judged
from .measures import NoFigureError
from .rules import SAID, UNREAD, Rule, vlmevalkit
from .scored import Case, Item, Reading, Scored


@dataclass(frozen=True)
class Kit:
    """An evaluation kit of one version.

    Attributes:
        name: With the version: `vlmevalkit-2026-08`.
        about: Which program and which commit or release that is.
        rules: By VLMEvalKit's name of the benchmark; `""` and `circular` are those of files that it does not know.
    """

    name: str
    about: str
    rules: Mapping[str, Rule] = field(repr=False)

    def rule(self, benchmark: str) -> Rule | None:
        """The rule of a benchmark; `None`: the kit has none.

        A name that the kit does not know is that of a file of one's own: with `circular` or `mmbench` in it copies of
        questions, as VLMEvalKit has it, else questions with options.
        """
        if benchmark in self.rules or "" not in self.rules or benchmark in benchmarks():
            return self.rules.get(benchmark)
        own = benchmark.casefold()
        return self.rules["circular" if "circular" in own or "mmbench" in own else ""]

    def score(
        self, benchmark: str, rows: Sequence[Row], predictions: Mapping[str, str], judge: Judge | None = None
    ) -> Scored:
        """Score the answers to a benchmark.

        Args:
            benchmark: VLMEvalKit's name of it; of a file of one's own, any other.
            rows: Of its file, in order.
            predictions: Answer by the index of its row. Rows without one are not counted, as in the kits; `missing` has
                them.
            judge: Who reads what the rule cannot; `None`: nobody. What nobody can read counts as wrong and is counted;
                no option is ever put in its place.

        Raises:
            BenchmarkError: A column is missing, two rows have one index, or no prediction is for any row.
            MissingExtraError: The rule needs the extra `benchmarks`.
        """
        rule = self.rule(benchmark)
        missing = [row.index for row in rows if row.index not in predictions]
        known = {row.index for row in rows}
        strange = [index for index in predictions if index not in known]
        if rule is None:
            problem = f"It has no task for {benchmark}, or none whose rule is here."
            return Scored(f"{self.name}: none", {}, {}, (), problem=problem, missing=missing, strange=strange)
        _check(rule, benchmark, rows, predictions)
        cases = rule.see(rows, predictions)
        readings = {case.index: rule.read(case) for case in cases}
        unjudged: dict[str, str] = {}
        named = f"{self.name}: {rule.name}"
        if judge and rule.judging:
            named += f", judge {judge.name}"
            asked = [case for case in cases if not readings[case.index].prefetched]
            for index, found in judged(asked, rule.judging, judge).items():
                if isinstance(found, Reading):
                    readings[index] = found
                else:
                    unjudged[index] = str(found)
        items = [_item(case, readings[case.index], unjudged.get(case.index, "")) for case in cases]
        marked = [(case, readings[case.index]) for case in cases if case.index not in unjudged]
        try:
            if rule.graded and not judge:
                raise NoFigureError(f"Every figure of {benchmark} is a judge's, and none is named.")
            found_figures = rule.measure(marked)
        except NoFigureError as error:
            return Scored(named, {}, {}, items, problem=str(error), missing=missing, strange=strange)
        return Scored(
            named,
            found_figures.metrics,
            found_figures.main,
            items,
            groups=found_figures.groups,
            missing=missing,
            strange=strange,
        )


def _item(case: Case, reading: Reading, unjudged: str) -> Item:
    unparsed = reading.label in UNREAD and not unjudged
    return Item(case.index, reading.label, 0.0 if unjudged else reading.hit, unparsed, unjudged)


def _check(rule: Rule, benchmark: str, rows: Sequence[Row], predictions: Mapping[str, str]) -> None:
    """Refuse what the kit would fail on or score as something else."""
    seen: set[str] = set()
    for row in rows:
        if row.index in seen:
            raise BenchmarkError(
                f"{benchmark} has two rows with the index {row.index!r}.", "`g2u bench check` looks at all."
            )
        seen.add(row.index)
    columns = {name if len(name) == 1 else name.lower() for row in rows for name in row.cells}
    if absent := [name for name in ("answer", *rule.columns) if name not in columns]:
        hint = f"Name the file of {benchmark} that has them."
        raise BenchmarkError(f"The rows of {benchmark} have no column {', '.join(absent)}.", hint)
    if not seen & set(predictions):
        first = next(iter(predictions), None)
        what = f"such as {first!r}" if first is not None else "and there is none"
        raise BenchmarkError(
            f"No prediction is for a row of {benchmark}, {what}.", "Name the benchmark that was asked."
        )


KITS: Final[Mapping[str, Kit]] = {
    kit.name: kit
    for kit in (
        Kit("vlmevalkit-2025-10", "VLMEvalKit ca9a644, on which the paper's code rests", vlmevalkit(None, pairs=False)),
        Kit("vlmevalkit-2026-08", "VLMEvalKit e8e78f0", vlmevalkit(SAID, pairs=True)),
        Kit("lmms-eval-0.7.3", "lmms-eval 0.7.3, by the task of each benchmark", lmms.rules()),
        Kit("strict", "VLMEvalKit's figures over a careful reading of our own", strict.rules()),
    )
}
"""By name."""


def get_kit(name: str) -> Kit:
    """The kit of a name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in KITS:
        raise UnknownNameError("kit", name, KITS)
    return KITS[name]


def benchmarks() -> list[str]:
    """Names of the benchmarks that some kit has a rule for."""
    return sorted({name for kit in KITS.values() for name in kit.rules} - {"", "circular"})
