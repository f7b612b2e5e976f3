"""The memory that a model needs and the memory that a machine has, as `g2u doctor` tells them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch

from ..errors import G2UError
from .checks import Check
from .device import find_devices


@dataclass(frozen=True)
class Gpu:
    """A GPU that a model would be on."""

    place: str
    """What torch calls it."""
    name: str
    """What its maker calls it."""
    free: int
    """Bytes."""
    total: int
    """Bytes that it has, in use or not."""

    def check(self, needed: int) -> Check:
        """Whether so many bytes are free."""
        found = f"{self.name}: {gibibytes(self.free)} of {gibibytes(self.total)} free"
        if needed > self.free:
            found += f", {gibibytes(needed)} needed: free it of other programs, or use one with more memory"
        return Check(name=f"device {self.place}", good=needed <= self.free, found=found)


def gpu_at(place: torch.device) -> Gpu:
    """What is known of a GPU."""
    return Gpu(str(place), torch.cuda.get_device_name(place), *torch.cuda.mem_get_info(place))


def on_cpu(place: torch.device) -> Check:
    """That a model would compute without a GPU."""
    return Check(
        name="device", good=True, found=f"{place}: no GPU is used; it runs, but a drawing of full size takes hours"
    )


def check_one_device(weights: int, run: int, side: int) -> Generator[Check, None, Gpu | None]:
    """Memory that a model on one device needs, and that this device has.

    Args:
        weights: Bytes.
        run: Bytes of one run beside them.
        side: Of a drawing, in pixels.

    Returns:
        The GPU; `None` where there is none.
    """
    yield Check(name="memory for weights", good=True, found=gibibytes(weights))
    found = f"about {gibibytes(run)} more, for a drawing of {side}x{side}"
    yield Check(name="memory for one run", good=True, found=found)
    try:
        place = find_devices()[0]
    except G2UError as error:
        yield Check(name="device", good=False, found=error.in_full)
        return None
    if place.type != "cuda":
        yield on_cpu(place)
        return None
    gpu = gpu_at(place)
    yield gpu.check(weights + run)
    return gpu


def gibibytes(count: int) -> str:
    """Bytes for people."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
