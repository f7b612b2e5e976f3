"""Cells and columns of numbers with intervals, and small words about counts."""

from __future__ import annotations

from ..statistics import Difference, Estimate
from .table import Column, Kind, Value


def cells(key: str, found: Estimate | Difference | None) -> dict[str, Value]:
    """A number and its bounds, under `key`, `key_low` and `key_high`; all `None` where there is no number."""
    if found is None:
        return {key: None, f"{key}_low": None, f"{key}_high": None}
    return {key: found.value, f"{key}_low": found.low, f"{key}_high": found.high}


def ranged(key: str, title: str, kind: Kind, about: str = "") -> Column:
    """The column of such cells."""
    return Column(key, title, kind, f"{key}_low", f"{key}_high", about)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 item`, `3 items`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sentences(*parts: str) -> str:
    """Join what there is to say."""
    return " ".join(part for part in parts if part)
