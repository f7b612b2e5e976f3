"""Small drawings as SVG that take the colours of the page and keep the size of their text on any screen.

Places are percentages of the plot, so that a drawing is as wide as the page lets it be; texts, dots and strokes are in
pixels. What lies outside of the plot, such as the numbers of an axis, is shown too: the page leaves room for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from ..tables.table import Kind, show


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers, the first not above `low` and the last not below `high`."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"an axis needs finite ends, and these are {low} and {high}")
    if high <= low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 12) for number in range(first, last + 1)]


@dataclass(frozen=True)
class Axis:
    """One direction of a plot."""

    title: str
    kind: Kind
    """How its numbers are shown."""
    values: Sequence[float]
    """Of its ticks, rising; the first and the last are its ends."""

    @classmethod
    def over(cls, title: str, kind: Kind, values: Sequence[float], count: int = 5) -> Axis:
        """An axis that holds all the values."""
        return cls(title, kind, ticks(min(values), max(values), count))

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high one; ends are not passed."""
        low, high = self.values[0], self.values[-1]
        return min(1.0, max(0.0, (value - low) / (high - low)))

    def label(self, value: float) -> str:
        """The number beside a tick."""
        if self.kind in ("points", "percent") and all(
            abs(100 * tick - round(100 * tick)) < 1e-9 for tick in self.values
        ):
            return f"{100 * value:+.0f}".replace("+0", "0") if self.kind == "points" else f"{100 * value:.0f}"
        return f"{value:g}" if self.kind in ("number", "probability") else show(value, self.kind)


@dataclass
class Plot:
    """A plot with two axes, to which marks are added in the order in which they are painted."""

    across: Axis
    up: Axis
    label: str
    """What a screen reader says of it."""
    _marks: list[Markup] = field(default_factory=list)

    def place(self, x: float, y: float) -> tuple[str, str]:
        """Where a pair of values lies, as percentages."""
        return percent(self.across.share(x)), percent(1 - self.up.share(y))

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        """A straight line between two pairs of values; `kind` is its CSS class."""
        (x1, y1), (x2, y2) = self.place(*start), self.place(*end)
        self._add('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>', kind, x1, y1, x2, y2)

    def bar(self, low: float, high: float, value: float) -> None:
        """A bar of a histogram from `low` to `high` across, as tall as its value."""
        x, y = self.place(low, value)
        width = percent(self.across.share(high) - self.across.share(low))
        self._add(
            '<rect class="fill" x="{}" y="{}" width="{}" height="{}"/>', x, y, width, percent(self.up.share(value))
        )

    def interval(self, x: float, low: float, high: float) -> None:
        """An upright 95 % interval."""
        self.line((x, low), (x, high), "interval")
        for end in (low, high):
            self._add('<svg x="{}" y="{}"><path class="interval" d="M-4 0H4"/></svg>', *self.place(x, end))

    def interval_across(self, y: float, low: float, high: float) -> None:
        """A 95 % interval that lies flat."""
        self.line((low, y), (high, y), "interval")
        for end in (low, high):
            self._add('<svg x="{}" y="{}"><path class="interval" d="M0-4V4"/></svg>', *self.place(end, y))

    def dot(self, x: float, y: float, told: str) -> None:
        """A dot; `told` is shown under the pointer."""
        self._add('<svg x="{}" y="{}"><circle r="4.5"><title>{}</title></circle></svg>', *self.place(x, y), told)

    def draw(self) -> Markup:
        """The whole plot."""
        marks, self._marks = self._marks, []
        for value in self.up.values:
            self.line((self.across.values[0], value), (self.across.values[-1], value), "grid")
            y = self.place(self.across.values[0], value)[1]
            self._add('<text x="0" dx="-8" y="{}" dy="4" class="upright">{}</text>', y, self.up.label(value))
        for value in self.across.values:
            x = self.place(value, self.up.values[0])[0]
            self._add('<text x="{}" y="100%" dy="18" class="flat">{}</text>', x, self.across.label(value))
        self._add('<text x="50%" y="100%" dy="36" class="flat">{}</text>', self.across.title)
        self._add('<text x="0" dx="-40" y="0" dy="-12">{}</text>', self.up.title)
        drawn = Markup("").join([*self._marks, *marks])
        self._marks = marks
        return Markup('<svg class="plot" role="img" aria-label="{}">{}</svg>').format(self.label, drawn)

    def _add(self, template: str, *values: object) -> None:
        self._marks.append(Markup(template).format(*map(escape, values)))


def percent(share: float) -> str:
    """A share as SVG writes it."""
    return f"{100 * share:.4g}%"
