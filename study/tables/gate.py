"""What reflection is worth: verdicts against what the thoughts really are, and answers with and without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from g2u.loop.verdicts import ACTIONS
from g2u.state import Round, Verdict
from g2u.world.judging.fidelity import FAITHFUL_DB
from g2u.world.judging.metrics import reliability as bins

from ..grid.arms import Arm
from ..grid.records import Line
from ..running.results import Results
from ..statistics import judge_verdicts
from .choices import next_gold, twin
from .pairing import arm_pairs, difference
from .table import Column, Table, Value, cells, counted, ranged, sentences


@dataclass(frozen=True)
class Judged:
    """A verdict on a thought."""

    item: str
    verdict: Verdict
    good: bool | None
    """`None` where nobody knows."""


def gate(results: Results) -> Table | None:
    """The verdicts of each arm that has any."""
    rows: list[dict[str, Value]] = []
    unknown = 0
    for arm in results.arms:
        judged = _judged(results, arm)
        if not judged:
            continue
        known = _known(judged)
        unknown += len(judged) - len(known)
        found = judge_verdicts(
            [one.verdict.action == "keep" for one, _ in known],
            [one.verdict.keep for one, _ in known],
            [good for _, good in known],
            [results.cluster(one.item) for one, _ in known],
        )
        other = twin(results, arm, reflect=False) if arm.reflect else None
        pairs = arm_pairs(results, arm.name, other.name) if other else {}
        rows.append(
            {
                "arm": arm.name,
                "n": len(judged),
                **{action: sum(one.verdict.action == action for one in judged) for action in ACTIONS},
                "known": len(known),
                **cells("good", found.good if found else None),
                **cells("precision", found.precision if found else None),
                **cells("recall", found.recall if found else None),
                "auroc": found.auroc if found else None,
                "calibration_error": found.calibration_error if found else None,
                "unjudged": other.name if other else None,
                "unjudged_accuracy": fmean(score for _, score in pairs.values()) if pairs else None,
                **cells("worth", difference(results, pairs)),
            }
        )
    about = sentences(
        "A thought is good if it helps and is faithful: its edit is the next gold one, where gold edits are known, and "
        f"its PSNR against the true result is {FAITHFUL_DB:g} dB at least. Thoughts of one item count as a cluster in "
        "the intervals.",
        f"{counted(unknown, 'thought')} without a known true result: counted among the verdicts alone." * bool(unknown),
        "The calibration error is over ten bins of the probability of keep, see the table of reliability.",
        "What verdicts are worth for the answers is seen against the arm that differs in keeping every thought.",
    )
    return Table("gate", "Verdicts", about, _COLUMNS, rows) if rows else None


def reliability(results: Results) -> Table | None:
    """Probability of keep against the share of good thoughts, a row for each arm and bin that has any."""
    rows: list[dict[str, Value]] = []
    for arm in results.arms:
        known = _known(_judged(results, arm))
        sure = [one.verdict.keep for one, _ in known]
        rows += [{"arm": arm.name, **row} for row in bins(sure, [good for _, good in known]) if row["n"]]
    columns = (
        Column("arm", "arm"),
        Column("low", "from", "number", about="Of the probability of keep."),
        Column("high", "to", "number"),
        Column("n", "thoughts", "count"),
        Column("confidence", "mean, %", "percent", about="Mean probability of keep."),
        Column("good", "good, %", "percent", about="Share of good thoughts."),
    )
    about = "Thoughts by the probability of keep: one that can be taken at its word equals the share of good ones."
    return Table("reliability", "Reliability of verdicts", about, columns, rows) if rows else None


_COLUMNS = (
    Column("arm", "arm"),
    Column("n", "verdicts", "count"),
    *(Column(action, action, "count") for action in ACTIONS),
    Column("known", "known", "count", about="Thoughts of which it is known whether they are good."),
    ranged("good", "good, %", "percent", "Share of good thoughts."),
    ranged("precision", "precision, %", "percent", "Share of good ones among those kept."),
    ranged("recall", "recall, %", "percent", "Share of those kept among the good ones."),
    Column("auroc", "AUROC", "number", about="How often a good thought is given more probability of keep."),
    Column("calibration_error", "calibration error", "number"),
    Column("unjudged", "unjudged", about="Arm that differs in keeping every thought."),
    Column("unjudged_accuracy", "its right, %", "percent", about="On the items of both."),
    ranged("worth", "worth", "points", "Right answers more than that arm, points."),
)


def _judged(results: Results, arm: Arm) -> list[Judged]:
    return [
        Judged(line.item, turn.verdict, _good(results, line, turn))
        for line in results.by_arm[arm.name]
        for turn in line.rounds
        if turn.verdict is not None and turn.thought is not None
    ]


def _known(judged: Sequence[Judged]) -> list[tuple[Judged, bool]]:
    return [(one, one.good) for one in judged if one.good is not None]


def _good(results: Results, line: Line, turn: Round) -> bool | None:
    item = results.items[line.item]
    if item.gold_edits is not None:
        before = [other for other in line.rounds if other.number < turn.number]
        if turn.decision.edit != next_gold(item, before):
            return False
    near = line.fidelity.get(turn.number, {}).get("psnr")
    return None if near is None else near >= FAITHFUL_DB
