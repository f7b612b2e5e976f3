"""What `g2u study run --dry-run` tells."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from .output import duration, say

if TYPE_CHECKING:
    from g2u.study.running.forecast import Forecast


def forecast_json(found: Forecast) -> dict[str, Any]:
    """What a study will take, for programs; of one engine."""
    return asdict(found) | {"left": found.left}


def print_forecast(found: Forecast, actors: int) -> None:
    """Print what a study will take, and on what that was measured.

    Args:
        found: For one engine.
        actors: Engines that will share it.
    """
    measured = found.measured
    table = Table("", "left", "measured", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("answers", f"{found.left:,} of {found.answers:,}", f"{measured.answers:,}")
    table.add_row("drawings", f"{found.drawings:,}", f"{measured.drawings:,}")
    table.add_row("written tokens", f"{found.tokens:,}", f"{measured.tokens:,}")
    table.add_row("time", duration(3600 * found.hours), duration(measured.seconds))
    table.add_row("memory, GB", "", f"{found.memory / 1e9:.1f}")
    if found.device_memory is not None:
        table.add_row("memory of the GPU, GB", "", f"{found.device_memory / 1e9:.1f}")
    Console().print(table)
    if measured.items:
        say(f"Measured on one engine here, on all answers of {', '.join(measured.items)}; nothing of it was kept.")
    if measured.failed:
        say(f"{measured.failed} of {measured.answers} measured answers failed: the run would tell why.")
    if actors > 1 and found.left:
        say(f"{actors} actors share the time, so about {duration(3600 * found.hours / actors)}; each takes the memory.")
    if found.left_out:
        say(f"The model cannot be asked: {', '.join(found.left_out)}.")
