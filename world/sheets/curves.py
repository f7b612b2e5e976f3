"""Curves of training, drawn from its logs; needs matplotlib, of the extra `study`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Literal

from g2u.errors import MissingExtraError

from ..training.logs import LOSSES, Cells, Line, is_faulty, mean, measures_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLOOR = 1e-4
"""Losses below are drawn here, since a logarithmic axis has no nought."""
MEASURED: dict[str, Cells] = {"direct": is_faulty, "gold": is_faulty, "decide": is_faulty, "psnr": is_faulty}
"""Measured figures to the cells over which their mean is taken; `psnr` has an axis of its own."""
COLOURS: dict[str, str] = {
    "read": "#2563eb",
    "answer": "#7c3aed",
    "verdict": "#d97706",
    "decision": "#dc2626",
    "drawing": "#059669",
    "direct": "#71717a",
    "gold": "#059669",
    "decide": "#dc2626",
    "psnr": "#2563eb",
}
"""Of losses and of measured figures; runs differ by dashes and marks."""

Dashes = Literal["-", "--", ":", "-."]

_LABELS = {"psnr": "PSNR (right)"}
_RUNS: tuple[tuple[Dashes, str], ...] = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))


def training_curve(logs: Mapping[str, list[Line]]) -> bytes:
    """Losses and measures of some runs against their seconds: an SVG picture, the same bytes for the same logs.

    Args:
        logs: Lines of each run, by the name to show.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("A curve of training", "matplotlib", "study") from error
    with matplotlib.rc_context(
        {
            "svg.hashsalt": "g2u",  # ids are random otherwise
            "axes.spines.top": False,
            "axes.grid": True,
            "grid.color": "#e4e4e7",
            "legend.frameon": False,
            "legend.fontsize": 9,
        }
    ):
        figure = Figure(figsize=(9.0, 6.4), layout="constrained")
        losses, shares = figure.subplots(2, 1, sharex=True)
        decibels = shares.twinx()
        for lines, run in zip(logs.values(), cycle(_RUNS), strict=False):
            _draw_losses(losses, lines, run)
            _draw_measures(shares, decibels, lines, run)
        losses.set(yscale="log", ylabel="loss")
        losses.set_ylim(bottom=FLOOR)
        losses.set_title("Losses", loc="left")
        shares.set(xlabel="seconds of training", ylabel="share that is right", ylim=(0, 1.02))
        shares.set_title("Means over the cells with conditions", loc="left")
        decibels.set(ylabel="PSNR of own drawings, dB", ylim=(0, 1.02 * max(40.0, decibels.dataLim.y1)))
        decibels.grid(False)
        _explain(losses, LOSSES, "upper right")
        _explain(shares, list(MEASURED), "lower right")
        if len(logs) > 1:
            _name_runs(losses, list(logs))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "g2u"})
    return buffer.getvalue()


def _draw_losses(axes: Axes, lines: list[Line], run: tuple[Dashes, str]) -> None:
    for loss in LOSSES:
        points = [(line["seconds"], max(FLOOR, line[loss])) for line in lines if loss in line]
        if points:
            axes.plot(*zip(*points, strict=True), run[0], color=COLOURS[loss], linewidth=1.3)


def _draw_measures(shares: Axes, decibels: Axes, lines: list[Line], run: tuple[Dashes, str]) -> None:
    measured = measures_of(lines)
    dashes, marker = run
    for name, cells in MEASURED.items():
        means = [(seconds, mean(measures, name, cells)) for seconds, measures in measured]
        points = [(seconds, value) for seconds, value in means if value is not None]
        axes = decibels if name == "psnr" else shares
        if points:
            axes.plot(*zip(*points, strict=True), dashes, color=COLOURS[name], marker=marker, markersize=4)


def _explain(axes: Axes, names: Sequence[str], place: Literal["upper right", "lower right"]) -> None:
    """Say which colour is what."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=COLOURS[name], label=_LABELS.get(name, name)) for name in names]
    axes.add_artist(axes.legend(handles=handles, ncols=len(handles), loc=place))


def _name_runs(axes: Axes, names: Sequence[str]) -> None:
    """Say which dashes and marks are which run."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color="#71717a", linestyle=dashes, marker=marker, markersize=4, label=name)
        for name, (dashes, marker) in zip(names, cycle(_RUNS), strict=False)
    ]
    axes.legend(handles=handles, ncols=len(_RUNS), loc="lower left", bbox_to_anchor=(0.12, 1.0), borderaxespad=0.3)
