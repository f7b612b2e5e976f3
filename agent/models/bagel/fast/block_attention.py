"""Attention of whole blocks in the fast path: FlashAttention 4 where it is installed, and what torch has elsewhere.

FlashAttention 4 (Dao and others) is a package of its own, `pip install 'g2u[hopper]'`. On an H200, whose power is what
limits a drawing, it needs about a sixth less of it than the kernel of cuDNN, torch's best.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..network.transformer import attend

BACKENDS = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
"""Kernels of torch, the one to prefer first."""

FLASH_GPUS = (9,)
"""Major compute capabilities on which FlashAttention 4 was tried here."""

_CHOOSING = threading.Lock()  # the choice of a kernel of torch is that of the process, and engines have threads


def attend_block(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """`attend` without a mask."""
    flash = _flash(q.device) if q.is_cuda and q.dtype == torch.bfloat16 else None
    if flash is None:
        with _CHOOSING, sdpa_kernel(BACKENDS, set_priority=True):
            return attend(q, k, v, causal=False)
    with torch.cuda.device_of(q):
        return flash(q[None], k[None], v[None])[0][0].flatten(1)


def attend_text(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None = None) -> Tensor:
    """`attend` in which no token sees one that comes after it."""
    if not q.is_cuda or q.dtype == torch.float32 or seen is not None:
        return attend(q, k, v, causal=True, seen=seen)
    q, k, v = (tensor.transpose(0, 1)[None] for tensor in (q, k, v))
    # By its name, since its "causal" lines the last query up with the last key, which SDPA has no way to say.
    attended: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, True)[0]
    return attended[0].transpose(0, 1).flatten(1)


def has_flash(device: torch.device) -> bool:
    """Whether blocks in bfloat16 go through FlashAttention 4 on a device."""
    return device.type == "cuda" and _flash(device) is not None


@functools.cache
def _flash(device: torch.device) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, ...]] | None:
    if torch.cuda.get_device_capability(device)[0] not in FLASH_GPUS:
        return None
    try:
        from flash_attn.cute import flash_attn_func
    except ImportError:
        return None
    try:
        with torch.cuda.device(device):
            some = torch.zeros(1, 128, 1, 128, dtype=torch.bfloat16, device=device)
            flash_attn_func(some, some, some)
    except Exception as error:  # what a compiler that does not fit raises is its own
        warnings.warn(f"FlashAttention 4 is installed and does not work, so it is not used: {error}", stacklevel=2)
        return None
    attention: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, ...]] = flash_attn_func
    return attention
