"""Functions made fast for a GPU: recorded as a CUDA graph, or compiled into one kernel; as they are elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

Given = ParamSpec("Given")
Made = TypeVar("Made")


class Replayed:
    """Runs a function whose tensors stay where they are: once as it is, then recorded as a CUDA graph and replayed.

    Args:
        device: Where the function works; on anything but a GPU it is run each time.
    """

    def __init__(self, device: torch.device) -> None:
        """Record nothing yet."""
        self._device = device
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None

    def __call__(self, function: Callable[[], Tensor]) -> Tensor:
        """What the function gives, always the same one; on a GPU the next call may write over it.

        Args:
            function: Works on tensors that are there before, and never waits for the GPU. It is not kept: a bound
                method of what holds this would keep graph and tensors until the garbage collector comes by.
        """
        if self._device.type != "cuda":
            return function()
        with torch.cuda.device(self._device):
            if not self._warm:
                self._warm = True
                return function()
            if self._graph is None:
                self._graph = torch.cuda.CUDAGraph()
                stream = _recording_stream(self._device)
                with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                    self._result = function()
            self._graph.replay()
            assert self._result is not None
            return self._result


@functools.cache
def _recording_stream(device: torch.device) -> torch.cuda.Stream:
    # One for each GPU: cuBLAS keeps a workspace for every stream that it has seen.
    return torch.cuda.Stream(device)


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
