"""Queries, keys and values on their way from the matrix product to attention, one Triton kernel: norm, turn, write.

It rounds wherever the plain path does (`transformer.Expert.project`), so that it computes the same, but for the order
in which the squares of a norm are summed.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

MOST_ROWS = 16
"""Tokens that a program looks at together."""

KINDS = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}


def place_on_gpu(
    qkv: Tensor,
    query_norm: Tensor,
    key_norm: Tensor,
    turns: Tensor,
    eps: float,
    wide: bool,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    lengths: Tensor | None = None,
) -> None:
    """See `fused.place`."""
    tokens, half = len(qkv), len(query_norm) // 2
    turns = turns.expand(tokens, -1, -1)
    rounded = torch.float32 if wide else qkv.dtype  # what the plain norm gives before its weight
    turned = torch.promote_types(torch.promote_types(rounded, query_norm.dtype), turns.dtype)
    rows = min(MOST_ROWS, triton.next_power_of_2(tokens))
    heads, key_heads = queries.shape[-2], keys.shape[-2]
    with torch.cuda.device_of(qkv):
        _place[(triton.cdiv(tokens, rows), heads + 2 * key_heads)](
            qkv,
            query_norm,
            key_norm,
            turns,
            queries,
            keys,
            values,
            qkv if lengths is None else lengths,
            eps,
            tokens,
            turns.stride(0),
            queries.stride(0),
            keys.stride(0),
            keys.stride(-3),
            values.stride(0),
            values.stride(-3),
            heads=heads,
            key_heads=key_heads,
            half=half,
            rows=rows,
            rounded=KINDS[rounded],
            turned=KINDS[turned],
            at_end=lengths is not None,
            enable_fp_fusion=False,  # a product and a sum are rounded apart, as in torch
        )


@triton.jit  # type: ignore[untyped-decorator]  # Triton has no types
def _place(  # type: ignore[no-untyped-def]  # pointers and constants of a kernel
    qkv,
    query_norm,
    key_norm,
    turns,
    queries,
    keys,
    values,
    lengths,
    eps,
    tokens,
    turn_stride,
    query_stride,
    key_stride,
    key_token_stride,
    value_stride,
    value_token_stride,
    heads: tl.constexpr,
    key_heads: tl.constexpr,
    half: tl.constexpr,
    rows: tl.constexpr,
    rounded: tl.constexpr,
    turned: tl.constexpr,
    at_end: tl.constexpr,
):
    head = tl.program_id(1)  # queries first, then keys, then values
    token = tl.program_id(0) * rows + tl.arange(0, rows)
    column = tl.arange(0, half)
    inside = (token < tokens)[:, None] & (column >= 0)[None, :]
    row = token.to(tl.int64)
    width: tl.constexpr = (heads + 2 * key_heads) * 2 * half
    source = qkv + (row * width + head * 2 * half)[:, None] + column[None, :]
    first = tl.load(source, mask=inside, other=0.0)
    second = tl.load(source + half, mask=inside, other=0.0)
    end = row * 0
    if at_end:
        end += tl.load(lengths + token, mask=token < tokens, other=0).to(tl.int64)
    if head < heads + key_heads:
        is_query = head < heads
        low = tl.where(is_query, tl.load(query_norm + column), tl.load(key_norm + column)).to(tl.float32)
        high = tl.where(is_query, tl.load(query_norm + half + column), tl.load(key_norm + half + column))
        high = high.to(tl.float32)
        where = turns + (row * turn_stride)[:, None] + column[None, :]
        cos = tl.load(where, mask=inside, other=0.0).to(tl.float32)
        sin = tl.load(where + half, mask=inside, other=0.0).to(tl.float32)
        a, b = first.to(tl.float32), second.to(tl.float32)
        square = (tl.sum(a * a, axis=1) + tl.sum(b * b, axis=1)) / (2 * half)
        scale = tl.rsqrt(square + eps)[:, None]
        a = (a * scale).to(rounded).to(tl.float32) * low[None, :]
        b = (b * scale).to(rounded).to(tl.float32) * high[None, :]
        a, b = a.to(turned).to(tl.float32), b.to(turned).to(tl.float32)
        left = (a * cos).to(turned).to(tl.float32) - (b * sin).to(turned).to(tl.float32)
        right = (b * cos).to(turned).to(tl.float32) + (a * sin).to(turned).to(tl.float32)
        left, right = left.to(turned), right.to(turned)
        if is_query:
            place = queries + (row * query_stride + head * 2 * half)[:, None] + column[None, :]
        else:
            at = row * key_stride + end * key_token_stride + (head - heads) * 2 * half
            place = keys + at[:, None] + column[None, :]
        tl.store(place, left, mask=inside)
        tl.store(place + half, right, mask=inside)
    else:
        at = row * value_stride + end * value_token_stride + (head - heads - key_heads) * 2 * half
        place = values + at[:, None] + column[None, :]
        tl.store(place, first, mask=inside)
        tl.store(place + half, second, mask=inside)
