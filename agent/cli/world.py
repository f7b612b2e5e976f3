"""`g2u world`: pictures of which everything is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from g2u.cli.output import Json, print_json, progress

if TYPE_CHECKING:
    from rich.table import Table

world = typer.Typer(help="The picture world: pictures of which everything is known.", no_args_is_help=True)


@world.command()
def sample(
    task: Annotated[str, typer.Option(help="scene, maze or rotated.")] = "scene",
    seed: Annotated[int, typer.Option(help="Of the item, within its split.")] = 0,
    split: Annotated[str, typer.Option(help="train, development or held-out.")] = "held-out",
    fault: Annotated[str | None, typer.Option(help="One that the task has; left out: one by the seed.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the picture.")] = Path("."),
    json: Json = False,
) -> None:
    """Make one picture with a question and all that is known of it."""
    import io

    from g2u.files import check_folder, write_atomic
    from g2u.world.items import sample as make

    check_folder(out)
    item = make(task, seed, split, fault)
    picture = out / f"{item.task}-{item.fault}-{item.split}-{item.seed}.png"
    buffer = io.BytesIO()
    item.picture.save(buffer, "PNG")
    write_atomic(picture, buffer.getvalue())
    known = {
        "picture": str(picture),
        "question": item.question,
        "options": item.options,
        "answer": item.answer,
        "gold_edits": item.gold_edits,
        "fault": item.fault,
    }
    if json:
        print_json(known)
        return
    for name, value in known.items():
        typer.echo(f"{name}: {', '.join(value) if isinstance(value, list) else value}")


@world.command(name="eval")
def evaluation(
    model: Annotated[str, typer.Option(help="`g2u models` lists them.")] = "mini",
    weights: Annotated[str, typer.Option(help="Folder of weights; left out: the model's own.")] = "",
    split: Annotated[str, typer.Option(help="train, development or held-out.")] = "held-out",
    items: Annotated[int, typer.Option(help="How many, tasks and faults in turn.")] = 200,
    arms: Annotated[str, typer.Option(help="Comma-separated.")] = "direct,gold,self,score,random,wrong,none",
    steps: Annotated[int, typer.Option(help="Sampler steps per drawing.")] = 2,
    json: Json = False,
) -> None:
    """Answer held-out items with several arms and compare them."""
    from rich.console import Console

    from g2u.world.evaluate import evaluate

    names = [arm.strip() for arm in arms.split(",")]
    with progress() as bars:
        tasks = {arm: bars.add_task(arm, total=items) for arm in names}
        report = evaluate(
            model,
            weights=weights,
            split=split,
            items=items,
            arms=names,
            steps=steps,
            on_progress=lambda arm, done, total: bars.update(tasks[arm], completed=done),
        )
    if json:
        print_json(report)
        return
    Console().print(_table(report, names))


def _table(report: dict[str, Any], arms: list[str]) -> Table:
    """Rows of task and fault, columns of arms, accuracies in percent with their 95 % intervals."""
    from rich.table import Table

    table = Table("task", "fault", *arms)
    summary = report["summary"]
    cells = [
        (task, fault, row) for task, faults in report.items() if task != "summary" for fault, row in faults.items()
    ]
    for task, fault, row in [*cells, ("all", "", summary)]:
        shown = (
            f"{100 * row[arm]['accuracy']:.1f} [{100 * row[arm]['low']:.0f}-{100 * row[arm]['high']:.0f}]"
            for arm in arms
        )
        table.add_row(task, fault, *shown)
    names = {"gain": "gain", "share_of_gold": "share of gold's gain", "clean_cost": "cost on clean scenes"}
    for name, title in names.items():
        if any(name in row for row in summary.values()):
            table.add_row("", title, *(f"{100 * summary[arm].get(name, 0):.1f}" for arm in arms))
    return table
