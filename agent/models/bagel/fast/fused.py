"""What lies between the matrix products: each function is one kernel on a GPU, and plain torch elsewhere.

On a GPU they are compiled with every rounding of the plain ones kept (`emulate_precision_casts`), so that they compute
what `transformer.Expert` computes. `compiled` at the end is where that happens.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from ..network.transformer import rms_norm, rotate

Given = ParamSpec("Given")
Made = TypeVar("Made")


def compiled(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """The function itself, compiled wherever its first argument is on a GPU.

    Tensors of two or more axes may have any number of rows. Other sizes become variable where a second one is met;
    those of a model stay, so that addresses are computed with constants. Each function is compiled for at most eight
    kinds of arguments (`torch._dynamo.config.recompile_limit`), and runs uncompiled for any further one.
    """
    fast = torch.compile(function, options={"emulate_precision_casts": True})

    @functools.wraps(function)
    def either(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        tensors = [argument for argument in args if isinstance(argument, Tensor)]
        if not tensors[0].is_cuda:
            return function(*args, **kwargs)
        for tensor in tensors:
            if tensor.ndim > 1:
                torch._dynamo.maybe_mark_dynamic(tensor, 0)
        return fast(*args, **kwargs)

    return either


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
