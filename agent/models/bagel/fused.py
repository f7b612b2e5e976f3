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

from g2u.models.bagel.transformer import rms_norm, rotate

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


@compiled
def norm_rotate(
    qkv: Tensor,
    query_norm: Tensor,
    key_norm: Tensor,
    turns: Tensor,
    eps: float,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
) -> None:
    """Norm and turn queries and keys, and write all three where attention reads them; see `Expert.project`.

    Args:
        qkv: `[tokens, (heads + 2 * key heads) * head size]`.
        query_norm: `[head size]`, the weight of that norm.
        key_norm: `[head size]`.
        turns: `[tokens, 2, head size / 2]`.
        eps: Of both norms.
        queries: `[tokens, heads, head size]`, written.
        keys: `[tokens, key heads, head size]`, written.
        values: Like `keys`.
    """
    _write(_turned(qkv, keys.shape[-2], query_norm, key_norm, turns, eps, False), queries, keys, values)


@compiled
def norm_rotate_wide(
    qkv: Tensor,
    query_norm: Tensor,
    key_norm: Tensor,
    turns: Tensor,
    eps: float,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
) -> None:
    """The same in float32, as in blocks with latents; a function of its own, since each has few variants to compile."""
    _write(_turned(qkv, keys.shape[-2], query_norm, key_norm, turns, eps, True), queries, keys, values)


@compiled
def norm_rotate_at(
    qkv: Tensor,
    query_norm: Tensor,
    key_norm: Tensor,
    turns: Tensor,
    eps: float,
    lengths: Tensor,
    keys: Tensor,
    values: Tensor,
) -> Tensor:
    """The same for one token of each sequence, written at the end of that sequence.

    Args:
        qkv: `[sequences, (heads + 2 * key heads) * head size]`.
        query_norm: `[head size]`, the weight of that norm.
        key_norm: `[head size]`.
        turns: `[sequences, 2, head size / 2]`.
        eps: Of both norms.
        lengths: `[sequences]`, where each ends.
        keys: `[sequences, capacity, key heads, head size]`, written.
        values: Like `keys`.

    Returns:
        Queries, `[sequences, heads, head size]`.
    """
    q, k, v = _turned(qkv, keys.shape[-2], query_norm, key_norm, turns, eps, False)
    row = torch.arange(len(lengths), device=lengths.device)
    keys.index_put_((row, lengths), k)
    values.index_put_((row, lengths), v)
    return q


def _write(made: tuple[Tensor, Tensor, Tensor], *places: Tensor) -> None:
    for place, tensor in zip(places, made, strict=True):
        place.copy_(tensor)


def _turned(
    qkv: Tensor, key_heads: int, query_norm: Tensor, key_norm: Tensor, turns: Tensor, eps: float, wide: bool
) -> tuple[Tensor, Tensor, Tensor]:
    heads = qkv.unflatten(-1, (-1, len(query_norm)))
    q, k, v = heads.split([heads.shape[1] - 2 * key_heads, key_heads, key_heads], dim=1)
    if wide:
        q, k = q.float(), k.float()
    q, k = (rotate(rms_norm(x, weight, eps), turns) for x, weight in ((q, query_norm), (k, key_norm)))
    return q.to(v.dtype), k.to(v.dtype), v
