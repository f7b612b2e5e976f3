"""Drawing with an editing pipeline of diffusers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from PIL import Image

from ...errors import PictureError
from ..protocol import Sampler
from .pipelines import INSTRUCTION, Editing

SHORTEST: Final = 64
"""Pixels of a side of a drawing at least: pipelines refuse smaller pictures."""


class _LeftError(Exception):
    """Nobody waits for a drawing any more; raised through the pipeline, which then ends at once."""


class Drawer:
    """A pipeline, called as its row of the table says.

    Args:
        pipeline: Of diffusers.
        editing: Its row.
        pixels: Of a drawing, about.
    """

    def __init__(self, pipeline: Any, editing: Editing, pixels: int) -> None:
        """Let it be silent."""
        self._pipeline = pipeline
        self._editing = editing
        self._pixels = pixels
        pipeline.set_progress_bar_config(disable=True)

    def draw(
        self, picture: Image.Image, instruction: str, sampler: Sampler, seed: int, on_step: Callable[[int], bool]
    ) -> Image.Image | None:
        """Draw on a picture.

        Args:
            picture: RGB.
            instruction: What to change.
            sampler: Complete.
            seed: Of the noise, which is made on the CPU and so the same anywhere.
            on_step: Told of steps; gives whether somebody waits.

        Returns:
            `None` where nobody waits.

        Raises:
            PictureError: The pipeline refuses the picture.
        """
        row, size = self._editing, fitted_size(picture.size, self._pixels, self._editing.multiple)
        source: Any = picture.resize(size, Image.Resampling.LANCZOS)
        for _ in range(row.nested):
            source = [source]
        sizes = {"width": size[0], "height": size[1], "max_area": size[0] * size[1]}

        def told(pipeline: Any, step: int, time: Any, values: dict[str, Any]) -> dict[str, Any]:
            if not on_step(step + 1):
                raise _LeftError
            return {}

        try:
            made = self._pipeline(
                **{row.picture: source},
                prompt=row.prompt.replace(INSTRUCTION, instruction),
                **({"negative_prompt": " "} if row.negative else {}),
                **{name: sampler.values[name] for name in row.scales},
                **{name: sizes[name] for name in row.size},
                num_inference_steps=sampler.steps,
                generator=torch.Generator().manual_seed(seed),
                callback_on_step_end=told,
            )
        except _LeftError:
            self._pipeline.maybe_free_model_hooks()  # as at the end of a call
            return None
        except ValueError as error:  # so pipelines refuse what they are given
            message = f"A picture of {picture.width}x{picture.height} pixels cannot be drawn on: {error}"
            raise PictureError(
                f"{message.rstrip('.')}.", "Use another picture, or more `pixels` of a drawing."
            ) from error
        drawn: Image.Image = made.images[0]
        return drawn.convert("RGB")


def fitted_size(size: tuple[int, int], pixels: int, multiple: int) -> tuple[int, int]:
    """Width and height of about so many pixels in the aspect of a size, as multiples; none is below `SHORTEST`."""
    scale = max(math.sqrt(pixels / (size[0] * size[1])), SHORTEST / min(size))
    width, height = (max(multiple, round(side * scale / multiple) * multiple) for side in size)
    return width, height
