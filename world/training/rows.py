"""Rows: what one step of training consists of, as tensors; `curriculum` makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from .lessons import Texts

Record = TypeVar("Record")


@dataclass(frozen=True)
class ReadRows:
    """Pictures that show what is asked, and questions."""

    picture: Tensor
    """`[rows, 3, 128, 128]`, uint8."""
    texts: Texts
    """`[rows, texts, words]`."""


@dataclass(frozen=True)
class PairRows:
    """Pictures, thoughts about them, questions and verdicts."""

    picture: Tensor
    """`[rows, 3, 128, 128]`, uint8."""
    thought: Tensor
    """Same shape; overwritten where `drawn`."""
    source: Tensor
    """What a thought is drawn from: the picture, or what an earlier edit made of it."""
    truth: Tensor
    """The true result, against which a drawn thought is measured."""
    instructions: Texts
    """`[rows, words]`, of the edit that the thought comes from."""
    drawn: Tensor
    """`[rows]`, bool: the thought is to be drawn by the model itself."""
    answered: Tensor
    """`[rows]`, bool: whether answers are taught, that is whether the pair shows what is asked."""
    judged: Tensor
    """`[rows]`, bool: whether the verdict is taught."""
    texts: Texts
    """`[rows, texts, words]`, the answers."""
    verdicts: Texts
    """`[rows, verdicts, words]`, the same text with each verdict."""
    verdict: Tensor
    """`[rows]`, the right one; for drawn thoughts that of a faithful one."""


@dataclass(frozen=True)
class DrawRows:
    """Pictures, decisions and drawings."""

    picture: Tensor
    """`[rows, 3, 128, 128]`, uint8."""
    decisions: Texts
    """`[rows, decisions, words]`."""
    instructions: Texts
    """`[rows, drawings, words]`."""
    target: Tensor
    """`[rows, drawings, 3, 128, 128]`, uint8."""


@dataclass(frozen=True)
class Step:
    """All rows of one step."""

    read: ReadRows
    pair: PairRows
    draw: DrawRows


def joined(parts: Sequence[Record]) -> Record:
    """Join records along their rows, field by field."""
    first: Any = parts[0]
    if isinstance(first, Tensor):
        return cast(Record, torch.cat(cast(list[Tensor], parts)))
    return cast(Record, type(first)(**{name: joined([vars(part)[name] for part in parts]) for name in vars(first)}))


def copied(record: Record) -> Record:
    """A copy of every tensor of a record."""
    kept: Any = record
    if isinstance(kept, Tensor):
        return cast(Record, kept.clone())
    return cast(Record, type(kept)(**{name: copied(value) for name, value in vars(kept).items()}))
