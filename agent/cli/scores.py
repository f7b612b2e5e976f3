"""`g2u bench score`, `export` and `import`: answers by the rules of the kits, and to and from their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import layout
from .output import NOTHING, Json, figure, print_json, say

if TYPE_CHECKING:
    from g2u.study.benchmarks.kits.comparing import Difference
    from g2u.study.benchmarks.kits.judging import Judge
    from g2u.study.benchmarks.kits.kits import Kit
    from g2u.study.benchmarks.kits.scored import Scored
    from g2u.study.benchmarks.subjects import Data, Subject

Kits = Annotated[str, typer.Option(help="Names of kits, with commas; `all` for every one.")]
Named = Annotated[
    list[str] | None,
    typer.Option(
        help="Name or file of the benchmark; NAME=FILE for another file of one that is known, such as one with other "
        "answers. Several are scored beside each other. Left out: what the file or the study is called by."
    ),
]
Arms = Annotated[str, typer.Option(help="Of a study: names of arms, with commas; left out: all.")]
SHOWN = 20
"""Rows on which kits differ that are printed; `--json` has all."""
WIDTH = 60
"""Characters of a reply that are printed."""


def score(
    predictions: Annotated[Path, typer.Argument(help="A file of answers, or the folder of a study.")],
    kit: Kits = "vlmevalkit-2026-08,lmms-eval-0.7.3",
    benchmark: Named = None,
    arm: Arms = "",
    judge: Annotated[
        str, typer.Option(help="A chat model that reads what rules cannot, PROVIDER:MODEL: a column beside theirs.")
    ] = "",
    json: Json = False,
) -> None:
    """Score answers by the rules of evaluation kits, side by side, and tell item by item where they differ."""
    from g2u.study.benchmarks.kits.comparing import as_record, differences, odd_rows
    from g2u.study.benchmarks.kits.judging import ChatJudge, KeptJudge
    from g2u.study.benchmarks.kits.kits import KITS, get_kit
    from g2u.study.benchmarks.subjects import answers_in, data_of_file, data_of_study, said_in

    kits = [get_kit(name) for name in (KITS if kit == "all" else _parts(kit) or [kit])]
    study, why = predictions.is_dir(), ""
    if study:
        data, why = data_of_study(predictions, benchmark or [])
        subjects = said_in(predictions, data, _parts(arm))
    else:
        data = data_of_file(predictions, benchmark or [])
        subjects = answers_in(predictions, data)
    if why:
        say(why)
    kept = predictions / "judge.jsonl" if study else predictions.with_name(f"{predictions.stem}.judge.jsonl")
    judged = KeptJudge(ChatJudge(judge), kept) if judge else None
    records: list[dict[str, Any]] = []
    for one in data:
        columns: list[str] = []
        lines: list[tuple[Subject, dict[str, Scored], list[Difference]]] = []
        for subject in (subject for subject in subjects if subject.benchmark == one.name):
            found = _scored(kits, judged, one, subject)
            columns = list(found)
            lines.append((subject, found, differences(one.rows, subject.predictions, found)))
            for name, scored in found.items():
                records.append({**_keys(one, subject), "kit": name, **as_record(scored), "failed": subject.failed})
        if not json and lines:
            _print_scores(one, columns, lines)
            _print_differences(columns, lines)
            for line in odd_rows(one.rows):
                say(line)
        for subject, _, differing in lines if json else ():
            records.append({**_keys(one, subject), "differences": [_told(difference) for difference in differing]})
    if json:
        scores = [record for record in records if "kit" in record]
        print_json({"scores": scores, "differences": [record for record in records if "differences" in record]})


def export(
    study: Annotated[Path, typer.Argument(help="Folder of a study.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the files.", show_default=False)],
    form: Annotated[
        str, typer.Option(help="xlsx, tsv, json (VLMEvalKit), lmms (samples of lmms-eval), jsonl.")
    ] = "xlsx",
    benchmark: Named = None,
    arm: Arms = "",
) -> None:
    """Write the answers of a study as files that the kits score: one for each arm, reading and seed."""
    from g2u.study.benchmarks.predictions.writing import write_predictions
    from g2u.study.benchmarks.subjects import data_of_study, said_in

    data, why = data_of_study(study, benchmark or [])
    if why:
        say(why)
    for subject in said_in(study, data, _parts(arm)):
        rows = next(one.rows for one in data if one.name == subject.benchmark)
        who = {"model": subject.model, **subject.names}
        name = "-".join(who.values())
        typer.echo(str(write_predictions(out, name, subject.benchmark, rows, subject.predictions, form)))
        if subject.failed:
            say(f"{subject.failed} answers of it failed, and stand there as the kits write a failure.")


def import_(
    predictions: Annotated[Path, typer.Argument(metavar="FILE", help="A file of answers.", show_default=False)],
    benchmark: Annotated[str, typer.Option(help="Name or file of the benchmark.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the study, a new one.", show_default=False)],
    model: Annotated[str, typer.Option(help="Who answered; left out: what the file is called.")] = "",
    scorer: Annotated[str, typer.Option(help="Of the questions whose benchmark names none.")] = "",
) -> None:
    """Make a study of answers that were had elsewhere, to report it and to compare it with one of your own."""
    from g2u.study.benchmarks.exchange import import_answers
    from g2u.study.benchmarks.predictions.names import named
    from g2u.study.benchmarks.predictions.reading import read_predictions
    from g2u.study.benchmarks.subjects import opened
    from g2u.study.grid.arms import Items

    (one,) = opened([benchmark])
    found = named(predictions, [one.name], {})
    who = model or (found.model if found and found.model else predictions.stem)
    answers = read_predictions(predictions, one.rows)
    there, without = import_answers(out, Items(source=benchmark, scorer=scorer), answers, who)
    say(f"{there:,} answers of {who}; {without:,} questions without one are not in the study.")
    say(f"Compare it: g2u study compare STUDY {out}")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _scored(kits: Sequence[Kit], judge: Judge | None, data: Data, subject: Subject) -> dict[str, Scored]:
    """Kit to its score; with a judge each has a second one."""
    found = {}
    for kit in kits:
        found[kit.name] = kit.score(data.name, data.rows, subject.predictions)
        rule = kit.rule(data.name)
        if judge and rule and rule.judging:
            found[f"{kit.name}, judged"] = kit.score(data.name, data.rows, subject.predictions, judge)
    return found


def _keys(data: Data, subject: Subject) -> dict[str, Any]:
    return {"benchmark": data.name, "data": data.told, **subject.names}


def _told(difference: Difference) -> dict[str, Any]:
    kits = {kit: {"extracted": item.extracted, "hit": item.hit} for kit, item in difference.items.items()}
    return {"index": difference.index, "answer": difference.answer, "prediction": difference.prediction, "kits": kits}


def _print_scores(
    data: Data, columns: Sequence[str], lines: Sequence[tuple[Subject, dict[str, Scored], list[Difference]]]
) -> None:
    kits = [kit for kit in columns if any(not found[kit].problem or found[kit].items for _, found, _ in lines)]
    figures = list(dict.fromkeys(name for _, found, _ in lines for scored in found.values() for name in scored.main))
    names = list(lines[0][0].names)
    if names:  # of a study: a row for each arm and reading
        _print_arms(data, kits, figures, names, lines)
    else:
        _print_file(data, kits, figures, lines[0][1])
    notes: dict[str, list[str]] = {}
    for subject, found, _ in lines:
        for line in dict.fromkeys(line for scored in found.values() for line in _notes(scored, subject)):
            notes.setdefault(line, []).append(" ".join(subject.names.values()))
    for line, whose in notes.items():  # what is so of all is said once
        for who in whose if len(whose) < len(lines) else [f"All {len(whose)}" if len(whose) > 1 else whose[0]]:
            say(f"{who}: {line}" if who else line)
    for name, problem in dict.fromkeys((name, one.problem) for _, found, _ in lines for name, one in found.items()):
        if problem:
            say(f"{name} gives no figure: {problem}")
    rules = dict.fromkeys(scored.rule for _, found, _ in lines for scored in found.values() if not scored.problem)
    say(f"Rules: {'; '.join(rules)}.")


def _print_arms(
    data: Data,
    kits: Sequence[str],
    figures: Sequence[str],
    names: Sequence[str],
    lines: Sequence[tuple[Subject, dict[str, Scored], list[Difference]]],
) -> None:
    headings = [layout.Heading(name, words=True) for name in names]
    numbers = [f"{name}, {kit}" for name in (*figures, "unparsed", "unjudged") for kit in kits]
    table = layout.Table([*headings, layout.Heading("answers"), *map(layout.Heading, numbers)])
    for subject, found, _ in lines:
        shown = [found[kit] for kit in kits]
        values = [figure(one.main.get(name)) for name in figures for one in shown]
        counts = [str(one.unparsed) for one in shown] + [str(one.unjudged or NOTHING) for one in shown]
        table.add(*subject.names.values(), str(len(subject.predictions)), *values, *counts)
    layout.print_table(data.told, table, names=len(names))


def _print_file(data: Data, kits: Sequence[str], figures: Sequence[str], found: Mapping[str, Scored]) -> None:
    table = layout.Table([layout.Heading("figure", words=True), *map(layout.Heading, kits)])
    for name in figures:
        table.add(name, *(figure(found[kit].main.get(name)) for kit in kits))
    table.add("answers", *(str(len(found[kit].items)) for kit in kits))
    table.add("unparsed", *(str(found[kit].unparsed) for kit in kits))
    if any(found[kit].unjudged for kit in kits):
        table.add("unjudged", *(str(found[kit].unjudged) for kit in kits))
    layout.print_table(data.told, table)


def _notes(scored: Scored, subject: Subject) -> list[str]:
    said = []
    if scored.missing:
        said.append(
            f"{len(scored.missing):,} rows have no answer and are not counted; the first is {scored.missing[0]!r}."
        )
    if scored.strange:
        said.append(
            f"{len(scored.strange):,} answers are for no row and not counted; the first is {scored.strange[0]!r}."
        )
    if subject.failed:
        said.append(f"{subject.failed:,} answers failed; they count as unreadable.")
    if waiting := next((item.unjudged for item in scored.items if item.unjudged), ""):
        said.append(
            f"{scored.unjudged:,} answers are unjudged and in no figure: {waiting} The same command asks again."
        )
    return said


def _print_differences(
    kits: Sequence[str], lines: Sequence[tuple[Subject, dict[str, Scored], list[Difference]]]
) -> None:
    names = list(lines[0][0].names)
    columns = [kit for kit in kits if any(found[kit].metrics for _, found, _ in lines)]
    words = [layout.Heading(name, words=True) for name in (*names, "row", "answer", "reply")]
    table = layout.Table([*words, *(layout.Heading(column) for column in columns)])
    total = sum(len(differing) for _, _, differing in lines)
    for subject, _, differing in lines:
        for one in differing[: max(0, SHOWN - len(table.rows))]:
            reply = " ".join(one.prediction.split())
            cells = (_mark(one.items[column]) if column in one.items else NOTHING for column in columns)
            table.add(*subject.names.values(), one.index, one.answer, _short(reply), *cells)
    if not total:
        if len(columns) > 1:
            say("They agree on every item.")
        return
    layout.print_table("where they differ: what is read, and a plus where it is right", table, names=len(words))
    if total > len(table.rows):
        say(f"{total - len(table.rows):,} more; `--json` has all.")


def _short(reply: str) -> str:
    return reply if 0 < len(reply) <= WIDTH else f"{reply[: WIDTH - 1]}…" if reply else "(empty)"


def _mark(item: Any) -> str:
    """What a kit read, with a plus where that is right, or with the grade."""
    label = "?" if item.extracted is None else str(item.extracted)
    return f"{label} +" if item.hit == 1 else label if item.hit == 0 else f"{label} {item.hit:g}"
