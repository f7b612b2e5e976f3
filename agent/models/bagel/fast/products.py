"""Matrix products of the fast path, each by the kernel that is the fastest for its number of tokens.

For many tokens it is found by trying; with the one that cuBLAS guesses a drawing takes about 1 % longer. For one token
there is a kernel of our own. All sum in float32 and round once.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor

from ..network.vision import Linear
from .cublaslt import Matmul

LEAST_TOKENS = 1024
"""From how many tokens on a kernel is looked for; fewer wait for the weights, whatever the kernel."""
ROUNDS = 5
"""How often each kernel is tried."""
ALIGNMENT = 256
"""Bytes that divide the addresses of what cuBLASLt is given."""

Key = tuple[torch.device, int, torch.Size, bool]
"""GPU, tokens, shape of the weight, whether there is a bias."""


class Product:
    """A linear layer.

    Args:
        linear: The layer.
    """

    def __init__(self, linear: Linear) -> None:
        """Keep the layer."""
        self._linear = linear

    def __call__(self, x: Tensor) -> Tensor:
        """`[tokens, in]` to `[tokens, out]`."""
        made: Tensor = self._linear(x)
        return made

    def of_parts(self, parts: Sequence[Tensor]) -> Tensor:
        """The same of several `[tokens, in]`, one after the other."""
        return self(torch.cat(list(parts)))


class ChosenProduct(Product):
    """A linear layer whose kernel is chosen, on a GPU and in bfloat16."""

    def __call__(self, x: Tensor) -> Tensor:
        """`[tokens, in]` to `[tokens, out]`."""
        weight = self._linear.weight
        if len(x) == 1 and x.is_cuda and x.dtype == weight.dtype == torch.bfloat16 and x.is_contiguous():
            from .one_token import multiply_one  # Triton, which only GPUs have

            return multiply_one(x, weight, self._linear.bias)
        return self.of_parts([x])

    def of_parts(self, parts: Sequence[Tensor]) -> Tensor:
        """The same of several `[tokens, in]`, one after the other; they are never put together."""
        weight = self._linear.weight
        if not all(self._suits(part) for part in parts):
            return super().__call__(parts[0] if len(parts) == 1 else torch.cat(list(parts)))
        out = weight.new_empty(sum(map(len, parts)), len(weight))
        with torch.cuda.device_of(weight):
            for part, place in zip(parts, out.split([len(part) for part in parts]), strict=True):
                _multiply(part, weight, self._linear.bias, place)
        return out

    def _suits(self, x: Tensor) -> bool:
        weight = self._linear.weight
        return (
            x.is_cuda
            and x.dtype == weight.dtype == torch.bfloat16
            and len(x) >= LEAST_TOKENS
            and x.is_contiguous()
            and x.data_ptr() % ALIGNMENT == 0 == weight.data_ptr() % ALIGNMENT
            and len(x) * len(weight) * weight.itemsize % ALIGNMENT == 0  # so that the next part is, too
        )


_CHOSEN: dict[Key, tuple[Matmul, int] | None] = {}
"""By which kernel; `None`: that of torch."""


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """Write `x @ weight.T + bias` by the kernel that was chosen, now or before."""
    key = (x.device, len(x), weight.shape, bias is not None)
    if key not in _CHOSEN and not torch.cuda.is_current_stream_capturing():
        _CHOSEN[key] = _choose(x, weight, bias, out)
    chosen = _CHOSEN.get(key)
    if chosen is None or not chosen[0].run(chosen[1], x, weight, bias, out):
        _multiply_as_torch(x, weight, bias, out)


def _choose(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> tuple[Matmul, int] | None:
    try:
        matmul = Matmul(x.device, len(x), weight, bias is not None)
    except RuntimeError as error:
        warnings.warn(f"The kernels of cuBLASLt cannot be tried, torch's are used: {error}", stacklevel=2)
        return None
    kernel = _fastest(matmul, x, weight, bias, out)
    return None if kernel is None else (matmul, kernel)


def _fastest(matmul: Matmul, x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> int | None:
    """The number of the fastest kernel; `None`: that of torch."""

    def run(kernel: int | None) -> bool:
        if kernel is None:
            _multiply_as_torch(x, weight, bias, out)
            return True
        return matmul.run(kernel, x, weight, bias, out)

    able: list[int | None] = [
        kernel for kernel in (None, *range(matmul.kernels)) if run(kernel)
    ]  # which also loads them
    times: dict[int | None, list[tuple[torch.cuda.Event, torch.cuda.Event]]] = {kernel: [] for kernel in able}
    for _ in range(ROUNDS):
        for kernel in able:
            began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            began.record()
            run(kernel)
            ended.record()
            times[kernel].append((began, ended))
    torch.cuda.synchronize(x.device)
    taken = {kernel: median(float(began.elapsed_time(ended)) for began, ended in times[kernel]) for kernel in able}
    return min(able, key=taken.__getitem__)


def _multiply_as_torch(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    if bias is None:
        torch.mm(x, weight.t(), out=out)
    else:
        torch.addmm(bias, x, weight.t(), out=out)
