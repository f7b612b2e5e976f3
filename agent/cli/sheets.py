"""`g2u world sheet|matrix|curve|ablations`: what the world and the training of mini look like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Json, figure, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from g2u.world.training.logs import Ablation

Png = Annotated[Path, typer.Option(help="PNG file to write.")]
Seed = Annotated[int, typer.Option(help="Of the picture, or of the first, within the split.")]
Split = Annotated[str, typer.Option(help="Key of the split.")]


def sheet(
    out: Png,
    tasks: Annotated[
        str, typer.Option(help="Comma-separated; `g2u world sample --help` lists them; left out: all.")
    ] = "",
    seed: Seed = 0,
    split: Split = "held-out",
) -> None:
    """Draw a contact sheet: a picture of every case of every task, with its question and answer."""
    from g2u.world.sheets.sheets import contact_sheet, png

    _check(out, ".png")
    _write(out, png(contact_sheet([name.strip() for name in tasks.split(",") if name.strip()], seed, split)))


def matrix(
    out: Png,
    task: Annotated[str, typer.Option(help="Of the picture.")] = "shapes",
    seed: Seed = 0,
    split: Split = "held-out",
    model: Annotated[str, typer.Option(help="Show what this model draws, in place of the true results.")] = "",
    weights: Annotated[str, typer.Option(help="Folder of weights; left out: the model's own.")] = "",
    steps: Annotated[int, typer.Option(min=1, help="Sampler steps per drawing of the model.")] = 1,
) -> None:
    """Draw every edit on one picture under each of its conditions; the edits that fit have a frame."""
    import asyncio
    import tempfile

    from g2u.world.sheets.matrix import edit_matrix, own_drawings
    from g2u.world.sheets.sheets import png

    from ..pictures.store import get_store

    _check(out, ".png")
    if not model:
        _write(out, png(edit_matrix(task, seed, split)))
        return
    with tempfile.TemporaryDirectory(prefix="g2u-") as folder:
        store = get_store(folder)
        drawn = edit_matrix(
            task, seed, split, lambda pairs: asyncio.run(own_drawings(pairs, store, model, weights, steps))
        )
    _write(out, png(drawn))


def curve(
    logs: Annotated[list[Path], typer.Argument(help="Logs of training, one for each run.", show_default=False)],
    out: Annotated[Path, typer.Option(help="SVG file to write.")],
) -> None:
    """Draw losses and measures of training runs against their seconds."""
    from g2u.world.sheets.curves import training_curve
    from g2u.world.training.logs import read_log

    _check(out, ".svg")
    names = [path.parent.name if path.stem == "log" else path.stem for path in logs]
    unique = names if len(set(names)) == len(names) else [str(path) for path in logs]
    _write(out, training_curve({name: read_log(path) for name, path in zip(unique, logs, strict=True)}))


def ablations(
    folder: Annotated[Path, typer.Argument(help="Holds a log NAME.jsonl for each ablation.")],
    json: Json = False,
) -> None:
    """Compare training runs by the means of their last measures."""
    from dataclasses import asdict

    from rich.console import Console

    from g2u.world.training.logs import ablations as judge

    rows = judge(folder)
    if json:
        print_json([asdict(row) | {"gain": row.gain, "wrong_share": row.wrong_share} for row in rows])
        return
    Console().print(_table(rows))


def _table(rows: list[Ablation]) -> Table:
    """Rows of figures, a column for each ablation."""
    from rich import box
    from rich.table import Table

    shown: dict[str, Callable[[Ablation], str]] = {
        "direct, plain, %": lambda row: figure(row.plain_direct, 100),
        "direct, one condition, %": lambda row: figure(row.direct, 100),
        "gold edit, %": lambda row: figure(row.gold, 100),
        "wrong edit, %": lambda row: figure(row.wrong, 100),
        "gain of gold, points": lambda row: figure(row.gain, 100),
        "share of it by wrong, %": lambda row: figure(row.wrong_share, 100),
        "right decisions, %": lambda row: figure(row.decide, 100),
        "PSNR, dB": lambda row: figure(row.psnr),
        "seconds of training": lambda row: f"{row.seconds:.0f}",
    }
    table = Table("", box=box.SIMPLE)
    for row in rows:
        table.add_column(row.name, justify="right")
    for title, show in shown.items():
        table.add_row(title, *(show(row) for row in rows))
    return table


def _check(out: Path, suffix: str) -> None:
    """Refuse what cannot be written before anything is drawn."""
    from ..errors import OutputError
    from ..files import check_folder

    if out.suffix.lower() != suffix:
        raise OutputError(f"{str(out)!r} has another ending than what is written, {suffix}.", f"Give a file *{suffix}.")
    check_folder(out.parent)


def _write(out: Path, data: bytes) -> None:
    from ..files import write_atomic

    write_atomic(out, data)
    typer.echo(f"{out}")
