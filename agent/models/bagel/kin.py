"""What tells the kin of BAGEL apart beside their weights: samplers, prompts, and what they were trained to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..protocol import Native
from .inference.sampler import PRESETS, FlowSettings


@dataclass(frozen=True, kw_only=True)
class Kin:
    """One of them."""

    presets: Mapping[str, FlowSettings]
    """By name, the default first."""
    prompt_set: str = "bagel"
    native: Native | None = None
    """How it imagines inside its own text, where it was trained to."""
    skills: frozenset[str] = frozenset()
    """See `Capabilities.skills`."""


_DENSE: Final = FlowSettings(timesteps=50, interval=(0.0, 1.0), renorm="text_channel", renorm_min=1.0, shift=4.0)

KIN: Final[Mapping[str, Kin]] = {
    "bagel": Kin(presets=PRESETS),
    "bagel-float8": Kin(presets=PRESETS),
    "thinkmorph": Kin(
        presets={"edit": PRESETS["edit"], **PRESETS},  # `edit` is what its official evaluation draws with
        prompt_set="thinkmorph",
        native=Native(
            trigger="<image_start>", answer=("<answer>", "</answer>"), rounds=3, max_tokens=4096, temperature=0.3
        ),
    ),
    "sensenova-vision": Kin(
        presets={"dense": _DENSE, "edit": _DENSE.model_copy(update={"picture_scale": 2.0})},
        skills=frozenset({"dense-maps"}),
    ),
}
"""Each by its registry key. `dense` is the official preset of SenseNova-Vision for masks, depth and normals, `edit`
that for other edits; with a least factor of 1 neither scales anything back."""
