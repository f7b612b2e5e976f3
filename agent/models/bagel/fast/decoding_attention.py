"""Attention of single tokens over long contexts, a Triton kernel: each context is cut into parts that run at once.

A single query leaves a GPU nearly idle if one program goes through all keys of a head. Here many programs each go
through some of them, and a second step puts their sums together, as in Flash-Decoding (Dao and others, 2023). Lengths
are read on the GPU, so that a recorded graph serves a text that grows.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...replaying import compiled

BLOCK = 64
"""Keys that a program looks at together."""
PROGRAMS = 512
"""About how many there are in all."""
LEAST_ROWS = 16
"""Rows that a matrix product of Triton has at least; a group of query heads is filled up to it."""


def attend_parts(q: Tensor, keys: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
    """See `decoding.attend_last`."""
    sequences, heads, size = q.shape
    key_heads = keys.shape[2]
    parts = max(1, min(64, PROGRAMS // (sequences * key_heads)))
    sums = q.new_empty(sequences, heads, parts, size, dtype=torch.float32)
    peaks, totals = (q.new_empty(sequences, heads, parts, dtype=torch.float32) for _ in range(2))
    _attend_part[(sequences, key_heads, parts)](
        q,
        keys,
        values,
        lengths,
        sums,
        peaks,
        totals,
        1.0 / math.sqrt(size),
        keys.stride(0),
        keys.stride(1),
        keys.stride(2),
        key_heads=key_heads,
        group=heads // key_heads,
        rows=max(LEAST_ROWS, triton.next_power_of_2(heads // key_heads)),
        size=size,
        parts=parts,
        block=BLOCK,
    )
    return _together(sums, peaks, totals).to(q.dtype).flatten(1)


@compiled
def _together(sums: Tensor, peaks: Tensor, totals: Tensor) -> Tensor:
    """Weighted means `[sequences, heads, size]` from those of the parts."""
    scale = torch.exp(peaks - peaks.amax(dim=-1, keepdim=True))
    return (sums * scale[..., None]).sum(dim=2) / (totals * scale).sum(dim=-1, keepdim=True)


@triton.jit  # type: ignore[untyped-decorator]  # Triton has no types
def _attend_part(  # type: ignore[no-untyped-def]  # pointers and constants of a kernel
    q,
    keys,
    values,
    lengths,
    sums,
    peaks,
    totals,
    scale,
    sequence_stride,
    token_stride,
    head_stride,
    key_heads: tl.constexpr,
    group: tl.constexpr,
    rows: tl.constexpr,
    size: tl.constexpr,
    parts: tl.constexpr,
    block: tl.constexpr,
):
    sequence, head, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    length = tl.load(lengths + sequence).to(tl.int32)
    each = tl.cdiv(tl.cdiv(length, parts), block) * block
    start = part * each
    end = tl.minimum(start + each, length)
    row, column, place = tl.arange(0, rows), tl.arange(0, size), tl.arange(0, block)
    own = (sequence * key_heads + head) * group + row  # query heads of this key head
    real = row < group
    queries = tl.load(q + own[:, None] * size + column[None, :], mask=real[:, None], other=0.0)
    base = sequence.to(tl.int64) * sequence_stride + head * head_stride
    peak = tl.full([rows], float("-inf"), tl.float32)
    total = tl.zeros([rows], tl.float32)
    summed = tl.zeros([rows, size], tl.float32)
    for first in range(start, end, block):
        at = first + place
        inside = at < end
        where = base + at[:, None].to(tl.int64) * token_stride + column[None, :]
        key = tl.load(keys + where, mask=inside[:, None], other=0.0)
        score = tl.dot(queries, tl.trans(key)) * scale
        score = tl.where(inside[None, :], score, float("-inf"))
        higher = tl.maximum(peak, tl.max(score, axis=1))
        weight = tl.exp(score - higher[:, None])
        shrink = tl.exp(peak - higher)
        value = tl.load(values + where, mask=inside[:, None], other=0.0)
        summed = summed * shrink[:, None] + tl.dot(weight.to(value.dtype), value)
        total = total * shrink + tl.sum(weight, axis=1)
        peak = higher
    at_part = own * parts + part
    tl.store(sums + at_part[:, None] * size + column[None, :], summed, mask=real[:, None])
    tl.store(peaks + at_part, peak, mask=real)
    tl.store(totals + at_part, total, mask=real)
