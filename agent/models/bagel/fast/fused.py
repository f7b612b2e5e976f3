"""What lies between the matrix products: each function is one kernel on a GPU, and plain torch elsewhere.

On a GPU they are compiled with every rounding of the plain ones kept (`emulate_precision_casts`), so that they compute
what `transformer.Expert` computes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ...replaying import compiled
from ..network.transformer import rms_norm, rotate


@compiled
def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """`RMSNorm` of `x` `[tokens, width]`."""
    return rms_norm(x, weight, eps)


@compiled
def add_norm(x: Tensor, change: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """`x + change`, each `[tokens, width]`, and the `RMSNorm` of it."""
    x = x + change
    return x, rms_norm(x, weight, eps)


@compiled
def swiglu(gate_up: Tensor) -> Tensor:
    """SiLU of the first half of `gate_up` `[tokens, 2 * hidden]`, times the second."""
    gate, up = gate_up.chunk(2, dim=-1)
    return functional.silu(gate) * up


def place(
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
    """Norm and turn queries and keys, and write all three where attention reads them; see `Expert.project`.

    Args:
        qkv: `[tokens, (heads + 2 * key heads) * head size]`.
        query_norm: `[head size]`, the weight of that norm.
        key_norm: `[head size]`.
        turns: `[tokens or 1, 2, head size / 2]`.
        eps: Of both norms.
        wide: Whether to norm and turn in float32, as in blocks with latents.
        queries: `[tokens, heads, head size]`, written.
        keys: `[tokens, key heads, head size]`, written; with `lengths` `[tokens, capacity, key heads, head size]`.
        values: Like `keys`.
        lengths: `[tokens]`, where the sequence of each token ends, if each is one of its own; `None`: they are not.
    """
    if qkv.is_cuda:
        from .placing import place_on_gpu  # Triton, which only GPUs have

        place_on_gpu(qkv, query_norm, key_norm, turns, eps, wide, queries, keys, values, lengths)
        return
    made = qkv.unflatten(-1, (-1, len(query_norm)))
    key_heads = keys.shape[-2]
    q, k, v = made.split([made.shape[1] - 2 * key_heads, key_heads, key_heads], dim=1)
    if wide:
        q, k = q.float(), k.float()
    q, k = (rotate(rms_norm(x, weight, eps), turns) for x, weight in ((q, query_norm), (k, key_norm)))
    queries.copy_(q)
    if lengths is None:
        keys.copy_(k)
        values.copy_(v)
    else:
        rows = torch.arange(len(lengths), device=lengths.device)
        keys[rows, lengths] = k.to(v.dtype)
        values[rows, lengths] = v
