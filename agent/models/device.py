"""Where a model computes."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from ..errors import CapabilityError


def find_device(name: str = "") -> torch.device:
    """The device of that name.

    Args:
        name: `cpu`, `cuda`, ...; empty for $G2U_DEVICE, of several the first, or else the GPU if there is one.

    Raises:
        CapabilityError: There is no such device.
    """
    name = name or os.environ.get("G2U_DEVICE", "").split(",")[0].strip()
    wanted = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=wanted).device
    except (RuntimeError, AssertionError) as error:  # torch raises either, by what it was built with
        hint = "Set G2U_DEVICE to `cpu`, or leave it out."
        raise CapabilityError(f"This machine's torch has no device {wanted!r}.", hint) from error


def find_devices(names: str = "") -> list[torch.device]:
    """The devices of those names, separated by commas; see `find_device`."""
    return [find_device(name.strip()) for name in (names or os.environ.get("G2U_DEVICE") or "").split(",")]


def find_only_device(key: str, names: str = "") -> torch.device:
    """The device of a model that computes on one; see `find_device`.

    Raises:
        CapabilityError: There is no such device, or several are named.
    """
    place, *more = find_devices(names)
    if more:
        message = f"The model {key!r} computes on one device, and {1 + len(more)} were named."
        raise CapabilityError(message, "Set G2U_DEVICE=cuda:0.")
    return place


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device, without waiting for what a GPU still has to do."""
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
