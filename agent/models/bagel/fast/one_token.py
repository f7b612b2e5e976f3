"""Matrix products of a single token, a Triton kernel: each program reads one row of the weight, as fast as it comes.

A word that is written needs every weight once and computes next to nothing, so that the rate of the memory is all that
counts; kernels for several tokens leave up to a tenth of it.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

WIDTH = 256
"""Weights that a program reads at once."""
WARPS = 2


def multiply_one(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`x @ weight.T + bias`, summed in float32.

    Args:
        x: `[1, inputs]`.
        weight: `[outputs, inputs]`.
        bias: `[outputs]`.
    """
    outputs, inputs = weight.shape
    out = x.new_empty(1, outputs)
    with torch.cuda.device_of(x):
        _multiply[(outputs,)](
            x, weight, x if bias is None else bias, out, inputs, biased=bias is not None, width=WIDTH, num_warps=WARPS
        )
    return out


@triton.jit  # type: ignore[untyped-decorator]  # Triton has no types
def _multiply(  # type: ignore[no-untyped-def]  # pointers and constants of a kernel
    x, weight, bias, out, inputs, biased: tl.constexpr, width: tl.constexpr
):
    row = tl.program_id(0)
    column = tl.arange(0, width)
    weights = weight + row.to(tl.int64) * inputs
    total = tl.zeros([width], tl.float32)
    for first in range(0, inputs, width):
        at = first + column
        value = tl.load(x + at, mask=at < inputs, other=0.0).to(tl.float32)
        total += value * tl.load(weights + at, mask=at < inputs, other=0.0).to(tl.float32)
    summed = tl.sum(total)
    if biased:
        summed += tl.load(bias + row).to(tl.float32)
    tl.store(out + row, summed)
