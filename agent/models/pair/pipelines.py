"""How the editing pipelines of diffusers differ, as data.

Every one of them is called with a picture, a prompt, steps and a generator; what they call the picture, by what they
are guided, whether they take a size and whether a whole reader lies in them is a row here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ...errors import CapabilityError, WeightsError
from ..settings import Setting

INSTRUCTION: Final = "{instruction}"
"""Stands for what a pipeline is told."""


def _scale(default: float, about: str) -> Setting:
    return Setting(default=default, least=1.0, most=20.0, about=about)


_TEXT: Final = "How strongly the instruction guides; 1 for not at all."
_PICTURE: Final = "How strongly the picture guides; 1 for not at all."


@dataclass(frozen=True, kw_only=True)
class Editing:
    """An editing pipeline."""

    weights: str
    """Where weights of it are, on the hub."""
    steps: int
    """Of a drawing unless told otherwise, as the pipeline has it."""
    scales: Mapping[str, Setting] = field(default_factory=dict)
    """Guidance by the names of its arguments, with their defaults."""
    picture: str = "image"
    """Its argument for the picture."""
    nested: int = 0
    """In how many lists the picture stands: 1 for a list of pictures, 2 for one of such lists."""
    negative: bool = False
    """Whether its guidance needs a negative prompt, without which it does nothing."""
    size: tuple[str, ...] = ("height", "width")
    """Its arguments for the size of a drawing; empty where that is the size of the picture."""
    multiple: int = 16
    """Of which the sides of a drawing are multiples."""
    prompt: str = INSTRUCTION
    """What it is told."""
    reader: tuple[str, str] | None = None
    """Its parts that are a whole vision-language model and the processor of one; `None` where it has none."""


PIPELINES: Final[Mapping[str, Editing]] = {
    "StableDiffusionInstructPix2PixPipeline": Editing(
        weights="timbrooks/instruct-pix2pix",
        steps=100,
        scales={"guidance_scale": _scale(7.5, _TEXT), "image_guidance_scale": _scale(1.5, _PICTURE)},
        size=(),
        multiple=8,
    ),
    "FluxKontextPipeline": Editing(
        weights="black-forest-labs/FLUX.1-Kontext-dev",
        steps=28,
        scales={"guidance_scale": _scale(3.5, _TEXT)},
        size=("height", "width", "max_area"),
    ),
    "Flux2Pipeline": Editing(
        weights="black-forest-labs/FLUX.2-dev",
        steps=50,
        scales={"guidance_scale": _scale(4.0, _TEXT)},
        nested=1,
        reader=("text_encoder", "tokenizer"),
    ),
    "Flux2KleinPipeline": Editing(
        weights="black-forest-labs/FLUX.2-klein-4B",
        steps=50,
        scales={"guidance_scale": _scale(4.0, _TEXT)},
        nested=1,
    ),
    "QwenImageEditPipeline": Editing(
        weights="Qwen/Qwen-Image-Edit",
        steps=50,
        scales={"true_cfg_scale": _scale(4.0, _TEXT)},
        negative=True,
        reader=("text_encoder", "processor"),
    ),
    "QwenImageEditPlusPipeline": Editing(
        weights="Qwen/Qwen-Image-Edit-2509",
        steps=50,
        scales={"true_cfg_scale": _scale(4.0, _TEXT)},
        nested=1,
        negative=True,
        reader=("text_encoder", "processor"),
    ),
    "QwenImage21Pipeline": Editing(
        weights="Qwen/Qwen-Image-2.1",
        steps=40,
        scales={"true_cfg_scale": _scale(1.0, _TEXT)},
        nested=1,
        negative=True,
        reader=("text_encoder", "processor"),
    ),
    "JoyImageEditPipeline": Editing(
        weights="jdopensource/JoyAI-Image-Edit-Diffusers",
        steps=40,
        scales={"guidance_scale": _scale(4.0, _TEXT)},
        reader=("text_encoder", "processor"),
    ),
    "Kandinsky5I2IPipeline": Editing(
        weights="kandinskylab/Kandinsky-5.0-I2I-Lite-sft-Diffusers",
        steps=50,
        scales={"guidance_scale": _scale(3.5, _TEXT)},
        reader=("text_encoder", "tokenizer"),
    ),
    "GlmImagePipeline": Editing(
        weights="zai-org/GLM-Image",
        steps=50,
        scales={"guidance_scale": _scale(1.5, _TEXT)},
        nested=1,
        multiple=32,
    ),
    "OmniGenPipeline": Editing(
        weights="Shitao/OmniGen-v1-diffusers",
        steps=50,
        scales={"guidance_scale": _scale(2.5, _TEXT), "img_guidance_scale": _scale(1.6, _PICTURE)},
        picture="input_images",
        nested=1,
        prompt=f"<img><|image_1|></img> {INSTRUCTION}",
    ),
}
"""By the name of its class, which `model_index.json` in its folder has."""


def find_pipeline(folder: Path) -> str:
    """The name of the class of the pipeline in a folder, which is one of `PIPELINES`.

    Raises:
        WeightsError: The folder holds no pipeline.
        CapabilityError: It is one that cannot edit, or none of those that are known.
    """
    file = folder / "model_index.json"
    if not file.is_file():
        hint = "Name the folder of a pipeline of diffusers, such as `hf download Qwen/Qwen-Image-Edit-2509` makes one."
        raise WeightsError(f"The folder {str(folder)!r} has no model_index.json, so that it is no pipeline.", hint)
    try:
        index: Any = json.loads(file.read_text("utf-8"))
        name = str(index["_class_name"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(f"The file {str(file)!r} is damaged.", "Download it again.") from error
    if name in PIPELINES:
        return name
    known = f"Name one of {', '.join(PIPELINES)}."
    raise CapabilityError(f"The pipeline {name!r} {_why(name)}, and one that edits was expected.", known)


def _why(name: str) -> str:
    """Why a pipeline is none of `PIPELINES`, as the middle of a sentence."""
    import inspect

    import diffusers

    kind = getattr(diffusers, name, None)
    if not isinstance(kind, type):
        return "is none of this version of diffusers"
    takes = inspect.signature(kind.__call__).parameters
    pictures = {"image", "images", "input_images"} & set(takes)
    return "is not known to edit by instruction" if pictures else "draws from a text alone"
