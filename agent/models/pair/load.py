"""From settings to a pair, by the loaders of transformers and diffusers."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import PairModel
    from .reading import Reader
    from .settings import Editor, Pair, Part
    from .settings import Reader as ReaderSettings


def load(weights: str = "") -> PairModel:
    """Load the reader and the editor that a file names.

    Args:
        weights: A YAML file, see `g2u.models.pair.settings`.

    Raises:
        SettingError: There is no such file, or a setting is wrong.
        WeightsError: A folder is missing, or holds something else.
        CapabilityError: The pipeline cannot edit, has no reader, or there is no such device.
        MissingExtraError: The extra `pair` is needed, and not installed.
    """
    from ...errors import G2UError
    from .settings import read_settings

    settings = read_settings(weights)
    try:
        return _loaded(settings)
    except G2UError as error:
        folders = [part.folder for part in (settings.reader, settings.editor) if part]
        raise error.naming(*sorted(folders, key=len, reverse=True)) from error.__cause__


def _loaded(settings: Pair) -> PairModel:
    import diffusers
    import transformers

    from ...version import __version__
    from ..digests import digest_tree
    from ..protocol import Identity
    from .drawing import Drawer
    from .model import PairModel, capabilities_of
    from .pipelines import PIPELINES

    check_needs(settings)
    parts = [part for part in (settings.reader, settings.editor) if part]
    pipeline = _pipeline(settings.editor) if settings.editor else None
    name = type(pipeline).__name__ if pipeline else ""
    if settings.reader is None:
        assert pipeline is not None, "there is a reader or an editor"
        reader = _reader_within(pipeline, PIPELINES[name].reader or ("", ""))
    else:
        reader = _reader(settings.reader)
    digests = [digest_tree(Path(part.folder)) for part in parts]
    where = reader.device()
    identity = Identity(
        model=PairModel.key,
        weights=digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest(),
        code=f"{__version__}, transformers {transformers.__version__}, diffusers {diffusers.__version__}",
        settings=told(settings, reader.name, name),
    )
    able = capabilities_of(
        PIPELINES[name] if name else None,
        settings.reader.pictures if settings.reader else _SHARED_PICTURES,
        settings.reader.together if settings.reader else _SHARED_TOGETHER,
        settings.reader is None,
        where.type == "cpu",
    )
    drawer = Drawer(pipeline, PIPELINES[name], settings.editor.pixels) if settings.editor else None
    return PairModel(reader, drawer, identity, able, settings.prompts)


_SHARED_PICTURES, _SHARED_TOGETHER = 8, 8
"""What a reader within a pipeline takes, as one with settings of its own has it by default."""


def told(settings: Pair, reader: str, pipeline: str) -> tuple[str, ...]:
    """Who reads and draws and how they were loaded, for people.

    Args:
        settings: Of the pair.
        reader: Class of the reader.
        pipeline: Class of the pipeline; empty for none.
    """
    said = [f"reader {reader}", f"editor {pipeline or 'none'}"]
    said += ["reader and conditioner are the same weights"] * (settings.reader is None)
    if settings.reader:
        said.append(f"reader in {settings.reader.dtype}{_quantised(settings.reader)}")
    if settings.editor:
        said.append(f"editor in {settings.editor.dtype}{_quantised(settings.editor)}")
    return (*said, *([f"drawings of {settings.editor.pixels} pixels"] if settings.editor else []))


def _quantised(part: Part) -> str:
    """With all options, since each of them changes results."""
    return f", quantised by {json.dumps(part.quantization, sort_keys=True, default=str)}" if part.quantization else ""


def check_needs(settings: Pair) -> None:
    """Refuse what cannot be loaded, before anything is.

    Raises:
        WeightsError: A folder is missing, or holds something else.
        CapabilityError: The pipeline cannot edit, or has no reader where it is to read.
        MissingExtraError: `accelerate` is needed, and not installed.
    """
    from ...errors import CapabilityError, MissingExtraError, WeightsError
    from .pipelines import PIPELINES, find_pipeline

    reader, editor = settings.reader, settings.editor
    for what, part in (("reader", reader), ("editor", editor)):
        if part and not Path(part.folder).is_dir():
            raise WeightsError(
                f"The folder of the {what} {part.folder!r} does not exist.", "Check `folder` in the file."
            )
    if reader and not (Path(reader.folder) / "config.json").is_file():
        hint = "Name the folder of a model of transformers, as `hf download` makes one."
        raise WeightsError(f"The folder of the reader {reader.folder!r} has no config.json.", hint)
    name = find_pipeline(Path(editor.folder)) if editor else ""
    if reader is None and PIPELINES[name].reader is None:
        able = ", ".join(one for one, row in PIPELINES.items() if row.reader)
        message = f"The pipeline {name!r} has no whole reader in it, and no other was named."
        raise CapabilityError(message, f"Name a `reader`, or one of {able}.")
    needing = next((part for part in (reader, editor) if part and (part.device_map or part.quantization)), None)
    if (needing or (editor and editor.offload != "none")) and importlib.util.find_spec("accelerate") is None:
        raise MissingExtraError("Loading by `device_map`, `quantization` or `offload`", "accelerate", "pair")


def _reader(part: ReaderSettings) -> Reader:
    """A vision-language model of transformers."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from ...errors import MissingExtraError, WeightsError
    from .reading import Reader

    options = {**_placed(part), **({"quantization_config": dict(part.quantization)} if part.quantization else {})}
    try:
        processor = AutoProcessor.from_pretrained(part.folder, local_files_only=True)
        model = AutoModelForImageTextToText.from_pretrained(
            part.folder, dtype=part.dtype, local_files_only=True, use_safetensors=True, **options
        )
    except Exception as error:  # the libraries raise many kinds
        raise _unloadable("reader", part, error) from error
    if getattr(processor, "image_processor", None) is None:
        if importlib.util.find_spec("torchvision") is None:
            raise MissingExtraError(f"The processor of the reader {part.folder!r}", "torchvision", "pair")
        raise WeightsError(f"The reader {part.folder!r} takes no pictures.", "Name a vision-language model.")
    if not getattr(processor, "chat_template", None):
        hint = "Add its chat_template.jinja; models that are tuned for chat have one."
        raise WeightsError(f"The processor of the reader {part.folder!r} has no template of a chat.", hint)
    return Reader(_moved(model, part).eval(), processor)


def _reader_within(pipeline: Any, parts: tuple[str, str]) -> Reader:
    """The reader that a pipeline has for its prompts; where it computes, offloading decides anew for each call."""
    from .reading import Reader

    model, processor = (getattr(pipeline, part) for part in parts)
    return Reader(model.eval(), processor, lambda: pipeline._execution_device)


def _pipeline(part: Editor) -> Any:
    """An editing pipeline of diffusers."""
    import diffusers
    import torch
    from diffusers.quantizers.pipe_quant_config import PipelineQuantizationConfig

    from ..device import find_device
    from .pipelines import find_pipeline

    options: dict[str, Any] = {"dtype": getattr(torch, part.dtype), **_placed(part)}
    try:
        if part.quantization:
            options["quantization_config"] = PipelineQuantizationConfig(**part.quantization)
        kind = getattr(diffusers, find_pipeline(Path(part.folder)))
        pipeline = kind.from_pretrained(part.folder, local_files_only=True, use_safetensors=True, **options)
        if part.offload == "model":
            pipeline.enable_model_cpu_offload(device=find_device(part.device))
        elif part.offload == "sequential":
            pipeline.enable_sequential_cpu_offload(device=find_device(part.device))
    except Exception as error:  # the libraries raise many kinds
        raise _unloadable("editor", part, error) from error
    return pipeline if part.offload != "none" else _moved(pipeline, part)


def _placed(part: Part) -> dict[str, Any]:
    return {"device_map": part.device_map} if part.device_map else {}


def _moved(model: Any, part: Part) -> Any:
    """A model or pipeline on its device; a plan over several devices has seen to that."""
    from ..device import find_device

    return model if part.device_map else model.to(find_device(part.device))


def _unloadable(what: str, part: Part, error: Exception) -> Exception:
    """Why a library does not load a folder, in its own words; what is no fault of the folder, as it is."""
    from ...errors import G2UError, MissingExtraError, WeightsError

    if isinstance(error, G2UError) or type(error).__name__ == "OutOfMemoryError":
        return error
    lacks = [package for package in ("torchvision", "accelerate") if importlib.util.find_spec(package) is None]
    said = " ".join(str(error).split())
    for package in lacks:
        if package in said or (package == "torchvision" and "_extra_content" in said):
            return MissingExtraError(f"Loading the {what} {part.folder!r}", package, "pair")
    short = said if len(said) <= 300 else f"{said[:300]}..."
    message = f"The {what} {part.folder!r} cannot be loaded: {type(error).__name__}: {short.rstrip('.')}."
    return WeightsError(message, "Look whether the folder is whole, and whether these options go with it.")
