"""The headline: what each arm gets right, what it gains over direct answers, and on how much of it tables rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from g2u.loop.rounds import is_kept

from ..grid.arms import DIRECT, Arm
from ..grid.records import Line
from ..running.results import Results
from ..statistics import holm
from .choices import gave_up, gold_arm
from .pairing import Pairing, share
from .table import Column, Table, Value, cells, counted, ranged, sentences

APART = ("sweep", "ladder")
"""Sets whose arms are corrected among themselves: they ask a question of their own, with many arms."""

COLUMNS = (
    Column("arm", "arm"),
    Column("n", "items", "count", about="Items answered, failures among them."),
    ranged("accuracy", "right, %", "percent", "Share of right answers, mean over seeds; a failure is wrong."),
    ranged("gain", "gain", "points", "Right answers more than direct, points, on the items of both."),
    ranged(
        "of_gold",
        "of gold's, %",
        "percent",
        "That gain as a share of what the edits known to help gain, on the items of all three.",
    ),
    Column("p", "p", "probability", about="Exact test of the gain: McNemar's, with several seeds the sign test."),
    Column(
        "p_holm",
        "p, Holm",
        "probability",
        about="Corrected for the number of arms, those of the sweep and of the ladder apart.",
    ),
    Column("fixed", "fixed", "count", about="Items with a higher score than direct."),
    Column("broken", "broken", "count", about="Items with a lower score than direct."),
    Column("detectable", "detectable", "points", about="Smallest gain that so many items find in 80 % of studies."),
    Column("drawn", "drawn", "number", about="Visual thoughts per answer."),
    Column("kept", "kept", "number", about="Those of them that were kept."),
    Column("failed", "failed", "count", about="Answers that failed; scored as wrong."),
    Column(
        "unscored",
        "not scored",
        "count",
        about="Answers without a value yet; in no share.",
    ),
    Column("left_out", "left out", "count", about="Questions that are none for the arm; not scored."),
    Column("reasked", "re-asked, %", "percent", about="Share of decisions that took more than one attempt."),
    Column("unparsed", "unparsed, %", "percent", about="Share of decisions of which no attempt could be parsed."),
)


_USED = (
    Column("arm", "arm"),
    Column("items", "items", "count", about="Asked, those in other words among them."),
    Column("seeds", "seeds", "count", about="Asked, of an item at most."),
    Column("asked", "asked", "count", about="Answers that are to be had."),
    Column("used", "used", "count", about="Answers that the tables rest on, failures among them."),
    Column("left_out", "left out", "count", about="Questions that are none for the arm."),
    Column("unscored", "not scored", "count", about="Answers without a value yet."),
    Column("missing", "missing", "count", about="Answers that were not had yet."),
    Column("why", "why not asked", about="What the model lacks; empty for an arm that was asked."),
)


def arms(results: Results) -> Table | None:
    """Every arm of the study in a row."""
    pairing, left_out = Pairing.of(results), _left_out(results)
    rows = []
    for arm in results.arms:
        lines = results.by_arm[arm.name]
        if lines or left_out.get(arm.name):
            rows.append(_row(results, pairing, arm, lines) | {"left_out": left_out.get(arm.name, 0)})
    if not rows:
        return None
    _correct(results, rows)
    about = sentences(
        "Shares of right answers with 95 % intervals: Wilson's where each item stands for itself and was answered "
        "once, else a bootstrap over items or clusters.",
        pairing.about,
        "Intervals of gains are of a paired bootstrap over items; p is of McNemar's exact test with one seed, of the "
        "exact sign test over the items' mean differences with several. Holm's correction is over all arms; those "
        "of the sweep and of the ladder are families of their own.",
        "Where few items changed, intervals are widened by what might have changed unseen.",
        "Drawings are reimaginings: made anew from what the model had read, not edits of the picture."
        if results.header.edits == "reimagine"
        else "",
        f"The study is not done: {counted(lacking, 'answer')} missing." if (lacking := results.missing) else "",
        _out_of_time(results),
    )
    return Table("arms", "Arms", about, COLUMNS, rows)


def used(results: Results) -> Table | None:
    """Every arm of a study with how much of it there is, those that the model cannot be asked among them.

    `None` where nothing was asked.
    """
    had: dict[str, list[tuple[bool, bool]]] = {}
    for line in results.lines:
        had.setdefault(line.arm, []).append((bool(line.left_out), bool(line.unscored)))
    rows: list[dict[str, Value]] = []
    for arm, asked in results.asked.items():
        lines = had.get(arm, [])
        left_out, unscored = (sum(line[place] for line in lines) for place in (0, 1))
        rows.append(
            {
                "arm": arm,
                "items": len({item for item, _ in asked}),
                "seeds": len({seed for _, seed in asked}),
                "asked": len(asked),
                "used": len(lines) - left_out - unscored,
                "left_out": left_out,
                "unscored": unscored,
                "missing": len(asked) - len(lines),
                "why": results.header.skipped.get(arm),
            }
        )
    items = sum(not item.paraphrase_of for item in results.items.values())
    told = [f"{counted(len(results.arms), 'arm')}", counted(items, "item"), counted(results.header.study.seeds, "seed")]
    ragged = len(results.header.asked) > 1
    about = sentences(
        f"The tables rest on {', '.join(told[:-1])} and {told[-1]}.",
        "Arms differ in what they were asked; two are compared on the items and seeds that both have."
        if ragged
        else "",
    )
    return Table("used", "What was used", about, _USED, rows) if any(results.asked.values()) else None


def _row(results: Results, pairing: Pairing, arm: Arm, lines: Sequence[Line]) -> dict[str, Value]:
    scores = results.scores(arm.name)
    gain, gold = pairing.gain(arm.name) if arm.name != DIRECT else None, gold_arm(results)
    answered = [line for line in lines if not line.error]
    decisions = [turn.decision for line in lines for turn in line.rounds]
    drawn = [sum(turn.thought is not None for turn in line.rounds) for line in answered]
    kept = [sum(map(is_kept, line.rounds)) for line in answered]
    return {
        "arm": arm.name,
        "n": len(scores),
        **cells("accuracy", share(results, scores)),
        **cells("gain", gain),
        **cells("of_gold", pairing.share_of(arm.name, gold.name) if gold and gold != arm and gain else None),
        "p": gain.p if gain else None,
        "p_holm": None,
        "fixed": gain.fixed if gain else None,
        "broken": gain.broken if gain else None,
        "detectable": gain.detectable if gain else None,
        "drawn": fmean(drawn) if drawn else None,
        "kept": fmean(kept) if kept else None,
        "failed": len(lines) - len(answered),
        "unscored": sum(bool(line.unscored) for line in lines),
        "reasked": fmean(one.attempts > 1 for one in decisions) if decisions else None,
        "unparsed": fmean(map(gave_up, decisions)) if decisions else None,
    }


def _correct(results: Results, rows: Sequence[dict[str, Value]]) -> None:
    """Fill in `p_holm`: over all arms at once, but for the sweep and the ladder, each a question of its own."""
    families = {arm.name: arm.set if arm.set in APART else "" for arm in results.arms}
    tested = [row for row in rows if row["p"] is not None]
    for name in set(families.values()):
        members = [row for row in tested if families[str(row["arm"])] == name]
        for row, p in zip(members, holm([float(row["p"] or 0) for row in members]), strict=True):
            row["p_holm"] = p


def _left_out(results: Results) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for line in results.lines:
        if line.left_out and not results.items[line.item].paraphrase_of:
            found[line.arm] = found.get(line.arm, 0) + 1
    return found


def _out_of_time(results: Results) -> str:
    """How many answers were cut short by the clock, and may thus be the direct one."""
    found = Counter(line.arm for line in results.lines if line.stopped == "seconds")
    told = ", ".join(f"{name} {count}" for name, count in found.items())
    return f"Answers whose budget of seconds was over before they had imagined all they wanted: {told}." if told else ""
