"""`g2u demo`: the shipped model on pictures that it has never seen."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Json, print_json, progress

if TYPE_CHECKING:
    from rich.table import Table

    from g2u.world.items.items import Item

    from ..state import Context
    from ..traces.page import DemoCase


def demo(
    model: Annotated[str, typer.Option(help="`g2u models` lists them.")] = "mini",
    policy: Annotated[str, typer.Option(help="Who picks the edit.")] = "self",
    seed: Annotated[int, typer.Option(help="Of the drawings' noise.")] = 0,
    out: Annotated[Path, typer.Option(help="Where traces and index.html are written.")] = Path("runs/demo"),
    json: Json = False,
) -> None:
    """Let a model imagine and answer on held-out pictures, one of every task, beside its direct answers."""
    from rich.console import Console

    from ..files import write_atomic
    from ..state import Context
    from ..traces.page import render_demo, tally
    from ..traces.trace import store_of

    cases = asyncio.run(_run_all(Context(model=model, policy=policy, seed=seed), out))
    page = out / "index.html"
    write_atomic(page, render_demo(cases, store_of(cases[0].trace)).encode())
    if json:
        print_json({"items": [_row(case) for case in cases], "page": str(page), "summary": tally(cases)})
        return
    Console().print(_table(cases))
    typer.echo(f"Page: {page}")
    typer.echo(tally(cases))


async def _run_all(context: Context, out: Path) -> list[DemoCase]:
    """All items at once, so that the engine can batch them."""
    from ..asking import aask, store_for
    from ..files import check_folder
    from ..loop.admission import admit
    from ..traces.page import DemoCase
    from ..traces.trace import read_trace

    items = _items()
    check_folder(out)
    for item in items:
        await admit(context, item.question, item.options, item.gold_edits)
    store = store_for(context, out)
    with progress() as bars:
        bar = bars.add_task("imagine and answer", total=len(items))

        async def run(item: Item) -> DemoCase:
            done = await aask(
                store.add_image(item.picture),
                item.question,
                options=item.options,
                gold_edits=item.gold_edits,
                context=context,
                out=out,
            )
            bars.advance(bar)
            assert done.trace is not None, "a folder was given"
            return DemoCase(trace=read_trace(done.trace), task=item.task, fault=item.fault, truth=item.answer)

        return list(await asyncio.gather(*(run(item) for item in items)))


def _items() -> list[Item]:
    """One held-out picture of every task, each under another condition, and one under two; never picked by hand."""
    from g2u.world.items.items import case_name, sample
    from g2u.world.items.tasks import TASKS, Case

    alone = {name: [case for case in task.cases if len(case) == 1] for name, task in TASKS.items()}
    wanted: list[tuple[str, Case]] = [
        (name, cases[number % len(cases)]) for number, (name, cases) in enumerate(alone.items())
    ]
    wanted.append(("shapes", next(case for case in TASKS["shapes"].cases if len(case) == 2)))
    return [sample(task, seed, fault=case_name(case)) for seed, (task, case) in enumerate(wanted)]


def _row(case: DemoCase) -> dict[str, str]:
    """What is shown of a run; several thoughts in order. `read` are the pictures that the final answer is from."""
    drawn, direct, answer = case.trace.drawn, case.trace.direct, case.trace.answer
    assert direct and answer, "the run is done"
    return {
        "task": case.task,
        "fault": case.fault,
        "edit": ", ".join(turn.decision.edit for turn in drawn) or "none",
        "verdict": ", ".join(turn.verdict.action for turn in drawn if turn.verdict),
        "direct": direct.text,
        "imagined": answer.text,
        "read": ", ".join(map(case.trace.name_of, answer.pictures)),
        "truth": case.truth,
        "trace": str(case.trace.folder),
    }


def _table(cases: list[DemoCase]) -> Table:
    """A line for each run; where no thought was kept it says that the final answer is the direct one."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    columns = ("task", "fault", "edit", "verdict", "direct", "imagined", "truth")
    table = Table("#", *columns, box=box.SIMPLE, padding=(0, 1, 0, 0))
    for number, case in enumerate(cases, 1):
        row = _row(case)
        marks = {"direct": case.direct_right, "imagined": case.imagined_right}
        if not case.trace.imagined:
            row["imagined"] = "= direct"
        for column, right in marks.items():
            row[column] = f"[{'green' if right else 'red'}]{escape(row[column])}[/]"
        table.add_row(str(number), *(row[column] for column in columns))
    return table
