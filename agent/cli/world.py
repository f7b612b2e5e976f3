"""`g2u world`: pictures of which everything is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from g2u.cli.output import Json, print_json

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

    from g2u.files import write_atomic
    from g2u.world.items import sample as make

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
