"""How Janus is loaded: from a folder in the layout of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ...errors import WeightsError
from ...version import __version__
from ..entries import cached
from ..registry import MODELS

if TYPE_CHECKING:
    from .model import JanusModel

Precision = Literal["bfloat16", "float32"]
FILES: Final = ("config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")
"""Beside the weights; the template of the chat is a file of its own or in one of them."""


def load(weights: str = "", device: str = "", precision: Precision = "bfloat16") -> JanusModel:
    """Load a Janus.

    Args:
        weights: The folder; empty for the one that `hf download` left in its cache.
        device: `cpu`, `cuda`, ...; empty for $G2U_DEVICE, or else the GPU if there is one.
        precision: Of the weights.

    Raises:
        WeightsError: No folder is given, or it is none of a Janus in the layout of transformers.
        CapabilityError: There is no such device.
    """
    folder = find_folder(weights)

    import torch
    from transformers import AutoTokenizer, JanusForConditionalGeneration
    from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil
    from transformers.models.janus.processing_janus import JanusProcessor

    from ..device import find_device
    from ..digests import digest_tree
    from ..protocol import Identity
    from .chat import Chat
    from .model import JanusModel

    place = find_device(device)
    try:
        processor = JanusProcessor.from_pretrained(folder, local_files_only=True)
        pictures = JanusImageProcessorPil.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        read: Any = JanusForConditionalGeneration.from_pretrained(
            folder,
            dtype=getattr(torch, precision),
            local_files_only=True,
            use_safetensors=True,  # other files are not among what names the weights
            output_loading_info=True,
        )
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RuntimeError) as error:
        raise WeightsError(f"The Janus in {str(folder)!r} cannot be loaded: {error}.", _remedy()) from error
    network, found = read
    lacking = sorted(found["missing_keys"])
    if lacking:  # which the library would fill with noise
        message = f"The weights in {str(folder)!r} lack {len(lacking)} tensors, such as {lacking[0]}."
        raise WeightsError(message, _remedy())
    identity = Identity(model="janus", weights=digest_tree(folder), code=__version__, settings=(precision,))
    return JanusModel(network.to(place).eval(), Chat(processor, tokenizer), pictures, identity)


def find_folder(weights: str) -> Path:
    """The folder of weights that a user named, or that `hf download` left in its cache.

    Raises:
        WeightsError: There is none, or it is not that of a Janus in the layout of transformers.
    """
    folder = Path(weights).expanduser() if weights else cached(MODELS["janus"].repositories[0])
    if folder is None:
        raise WeightsError("The model 'janus' comes without weights, and no folder of them was given.", _remedy())
    if not folder.is_dir():
        raise WeightsError(f"The folder of weights {str(folder)!r} does not exist.", _remedy())
    if lacking := [name for name in FILES if not (folder / name).is_file()]:
        raise WeightsError(f"The folder {str(folder)!r} has no {', '.join(lacking)}.", _remedy())
    try:
        kind = json.loads((folder / "config.json").read_text("utf-8"))["model_type"]
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"The config.json in {str(folder)!r} is none of a model.", _remedy()) from error
    if kind == "multi_modality":
        message = f"The folder {str(folder)!r} is in the layout of DeepSeek's own program, not in that of transformers."
        raise WeightsError(message, _remedy())
    if kind != "janus":
        raise WeightsError(f"The folder {str(folder)!r} is that of a {kind!r}, and a 'janus' was expected.", _remedy())
    return folder


def _remedy() -> str:
    return f"`hf download {MODELS['janus'].repositories[0]} --local-dir DIR` makes one; add `--weights DIR`."
