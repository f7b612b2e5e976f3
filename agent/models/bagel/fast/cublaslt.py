"""cuBLASLt, called by hand: the kernels that it offers for a large matrix product, each to be run.

`torch` runs the one that cuBLAS guesses to be the fastest, and has no way to ask for another. Here are those with the
broadest tiles alone: they move the least through the chip, whose power is what limits a long run, while some with
smaller ones win a short trial.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from ctypes import byref, c_float, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p, sizeof

import torch
from torch import Tensor

WORKSPACE = 32 * 2**20
"""Most bytes that a kernel may take for itself."""
MOST_KERNELS = 16

# Names of cublasLt.h and library_types.h.
_COMPUTE_32F = 68
_R_32F, _R_16BF = 0, 14
_OP_N, _OP_T = 0, 1
_DESC_TRANSA, _DESC_TRANSB, _DESC_EPILOGUE, _DESC_BIAS_POINTER = 3, 4, 7, 8
_EPILOGUE_BIAS = 4
_PREF_WORKSPACE, _PREF_REDUCTIONS = 1, 3
_REDUCTIONS_IN_FLOAT32 = 1 | 2  # in place, or in the dtype of the sums; not in that of the result
_CONFIG_TILE = 1
_BROAD_TILES = (23, 24)  # 128x256 and 256x128


class _Found(ctypes.Structure):
    _fields_ = (
        ("algorithm", c_uint64 * 8),
        ("workspace", c_size_t),
        ("state", c_int),
        ("waves", c_float),
        ("reserved", c_int * 4),
    )


class Matmul:
    """`x @ weight.T + bias` in bfloat16, summed in float32, for one number of tokens on one GPU.

    Args:
        device: The GPU.
        tokens: Rows of `x`.
        weight: `[outputs, inputs]`; another one of the same shape may be used later.
        biased: Whether there is a bias.
    """

    def __init__(self, device: torch.device, tokens: int, weight: Tensor, biased: bool) -> None:
        """Ask for the kernels; there are none where there is no cuBLASLt."""
        self._kernels: list[_Found] = []
        self._lock = threading.Lock()  # the pointer to the bias is kept in the description
        library = _library()
        if library is None:
            return
        self._run, self._device = library.cublasLtMatmul, device
        self._set = library.cublasLtMatmulDescSetAttribute
        self._handle = _handle(device)
        outputs, inputs = weight.shape
        self._description = _made(library.cublasLtMatmulDescCreate, c_int(_COMPUTE_32F), c_int(_R_32F))
        self._describe(_DESC_TRANSA, c_int(_OP_T))
        self._describe(_DESC_TRANSB, c_int(_OP_N))
        if biased:
            self._describe(_DESC_EPILOGUE, c_int(_EPILOGUE_BIAS))
        # To cuBLAS, which counts by columns, the result [tokens, outputs] is its transpose: weight times x.
        self._weight, self._x, self._out = (
            _made(library.cublasLtMatrixLayoutCreate, c_int(_R_16BF), c_uint64(rows), c_uint64(columns), c_int64(rows))
            for rows, columns in ((inputs, outputs), (inputs, tokens), (outputs, tokens))
        )
        wishes = _made(library.cublasLtMatmulPreferenceCreate)
        limits = ((_PREF_WORKSPACE, c_size_t(WORKSPACE)), (_PREF_REDUCTIONS, c_uint32(_REDUCTIONS_IN_FLOAT32)))
        for wish, value in limits:
            _check(library.cublasLtMatmulPreferenceSetAttribute(wishes, c_int(wish), byref(value), _size(value)))
        found, count = (_Found * MOST_KERNELS)(), c_int()
        layouts = (self._weight, self._x, self._out, self._out)
        status = library.cublasLtMatmulAlgoGetHeuristic(
            self._handle, self._description, *layouts, wishes, c_int(MOST_KERNELS), found, byref(count)
        )
        if status == 0:
            self._kernels = [one for one in found[: count.value] if one.state == 0 and _is_broad(library, one)]

    @property
    def kernels(self) -> int:
        """How many there are, the one that is guessed to be the fastest first."""
        return len(self._kernels)

    def run(self, kernel: int, x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> bool:
        """Write the product by one kernel, as work of torch's current stream; says whether the kernel can do it.

        Args:
            kernel: Its number.
            x: `[tokens, inputs]`; like all of them contiguous, in bfloat16, at an address that 256 divides.
            weight: `[outputs, inputs]`.
            bias: `[outputs]`.
            out: `[tokens, outputs]`, written.
        """
        chosen = self._kernels[kernel]
        space = torch.empty(max(1, chosen.workspace), dtype=torch.uint8, device=self._device)
        stream = torch.cuda.current_stream(self._device).cuda_stream
        with self._lock:
            if bias is not None:
                self._describe(_DESC_BIAS_POINTER, c_void_p(bias.data_ptr()))
            status: int = self._run(
                self._handle,
                self._description,
                byref(c_float(1.0)),
                c_void_p(weight.data_ptr()),
                self._weight,
                c_void_p(x.data_ptr()),
                self._x,
                byref(c_float(0.0)),
                c_void_p(out.data_ptr()),
                self._out,
                c_void_p(out.data_ptr()),
                self._out,
                byref(chosen, _Found.algorithm.offset),
                c_void_p(space.data_ptr()),
                c_size_t(chosen.workspace),
                c_void_p(stream),
            )
        return status == 0

    def _describe(self, what: int, value: ctypes._SimpleCData[int] | c_void_p) -> None:
        _check(self._set(self._description, c_int(what), byref(value), _size(value)))


@functools.cache
def _library() -> ctypes.CDLL | None:
    # The one that torch has loaded; there is none in a torch for other than NVIDIA's GPUs.
    version = torch.version.cuda
    if not version:
        return None
    try:
        return ctypes.CDLL(f"libcublasLt.so.{version.split('.')[0]}")
    except OSError:
        return None


def _is_broad(library: ctypes.CDLL, kernel: _Found) -> bool:
    tile, written = c_uint32(), c_size_t()
    status = library.cublasLtMatmulAlgoConfigGetAttribute(
        byref(kernel, _Found.algorithm.offset), c_int(_CONFIG_TILE), byref(tile), _size(tile), byref(written)
    )
    return status == 0 and tile.value in _BROAD_TILES


@functools.cache
def _handle(device: torch.device) -> c_void_p:
    library = _library()
    assert library is not None, "asked for after the library"
    with torch.cuda.device(device):
        return _made(library.cublasLtCreate)


def _made(make: ctypes._NamedFuncPointer, *args: object) -> c_void_p:
    """An object of the library; there are few, and they stay as long as the process."""
    made = c_void_p()
    _check(make(byref(made), *args))
    return made


def _size(value: ctypes._SimpleCData[int] | c_void_p) -> c_size_t:
    return c_size_t(sizeof(value))


def _check(status: int) -> None:
    if status:
        raise RuntimeError(f"cuBLASLt says {status}")
