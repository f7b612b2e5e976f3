"""How BAGEL and its kin are loaded: from an official folder, on one device or two, with the execution that fits."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from ...version import __version__
from .sources import weights_place

if TYPE_CHECKING:
    import torch

    from .inference.execution import Execution
    from .model import BagelModel
    from .network.network import BagelNetwork, Precision

EXECUTIONS = {
    "plain": "g2u.models.bagel.inference.execution:PlainExecution",
    "fast": "g2u.models.bagel.fast.execution:FastExecution",
    "float8": "g2u.models.bagel.fast.execution:Float8Execution",
}
"""Ways to draw and to write by name, each as `module:class`; `float8` is lossy, the others are equal up to rounding."""

OWN_EXECUTIONS = {"bagel-float8": "float8"}
"""The execution of a registry key that stands for one."""

FLOAT8_GPU = (8, 9)
"""Compute capability from which on there are matrix products in eight bits."""


def load(
    weights: str = "",
    device: str = "",
    precision: Precision = "bfloat16",
    execution: str = "",
    key: str = "bagel",
) -> BagelModel:
    """Load a BAGEL from a folder in the official layout.

    Args:
        weights: The folder, or the file of the model in it; empty for the folder that `hf download` left in its cache.
        device: `cpu`, `cuda`, ...; two GPUs as `cuda:0,cuda:1`, which then share the guidance of each drawing; empty
            for $G2U_DEVICE, or else the GPU if there is one.
        precision: Of the weights. On a CPU, too, bfloat16 is the default: the checkpoint is in it, and float32 takes
            twice its memory. Weights in float16 are rounded to it, as the official program does, and the identity says
            so.
        execution: Of `EXECUTIONS`; empty for `fast` on a GPU, `plain` elsewhere.
        key: Registry key; the code of all is the same.

    Raises:
        WeightsError: No folder is given, or it is not that of a BAGEL.
        CapabilityError: There is no such device, or the execution does not go with it or with the precision.
        BudgetError: The GPU has too little free memory.
        UnknownNameError: There is no such execution.
    """
    from ...errors import CapabilityError
    from ..protocol import Identity
    from .checkpoint.files import check_files, find_model
    from .checkpoint.identity import digest_folder
    from .checkpoint.weights import load_network, stored_as
    from .inference.text import Words
    from .memory import PREFIX_BYTES, free_bytes, kept_bytes, run_bytes
    from .model import BagelModel
    from .network.config import read_config

    if execution == "float8" and precision == "float32":
        hint = "Leave the precision out, or load the model `bagel`, which computes in float32, too."
        raise CapabilityError("Eight bits are rounded from bfloat16, not from float32, which was asked for.", hint)
    execution, places = find_places(execution, device)
    file = find_model(weights_place(weights, key), key)
    check_files(file, key)
    digest, config = digest_folder(file), read_config(file.parent)
    words = Words.from_folder(file.parent, config.token_ids)
    networks = [load_network(file, precision, place) for place in places]
    made = make_execution(execution, *networks)
    identity = Identity(
        model=key,
        weights=digest,
        code=__version__,
        settings=(precision, execution, *(f"from {kind}" for kind in stored_as(file) if kind == "F16")),
    )
    kept = PREFIX_BYTES
    if places[0].type == "cuda":
        run = run_bytes(networks[0].config, execution) * (1 if precision == "bfloat16" else 2)
        kept = kept_bytes(run, free_bytes(places[0]))
    return BagelModel(networks[0], words, made, identity, kept)


def find_places(execution: str = "", device: str = "") -> tuple[str, list[torch.device]]:
    """Which execution is used on which devices.

    Args:
        execution: Of `EXECUTIONS`; empty for `fast` on a GPU, `plain` elsewhere.
        device: As for `load`.

    Raises:
        UnknownNameError: There is no such execution.
        CapabilityError: There is no such device, or the execution does not go with it.
    """
    import torch

    from ...errors import CapabilityError, UnknownNameError
    from ..device import find_devices

    if execution and execution not in EXECUTIONS:
        raise UnknownNameError("execution", execution, EXECUTIONS)
    places = find_devices(device)
    execution = execution or ("fast" if places[0].type == "cuda" else "plain")
    if execution == "float8" and places[0].type != "cuda":
        raise CapabilityError(
            "Matrix products in eight bits need a GPU, and none is used.", "Use the model `bagel`, which needs none."
        )
    if execution == "float8" and any(torch.cuda.get_device_capability(place) < FLOAT8_GPU for place in places):
        raise CapabilityError("This GPU has no matrix products in eight bits: they came with compute capability 8.9.")
    if len({str(place) for place in places}) < len(places) or len({place.type for place in places}) > 1:
        raise CapabilityError(
            "Two devices are two GPUs, not the same twice and no CPU.", "Set G2U_DEVICE=cuda:0,cuda:1."
        )
    if len(places) > (1 if execution == "plain" else 2):
        raise CapabilityError(f"The execution {execution!r} cannot use {len(places)} devices.", "Name fewer of them.")
    return execution, places


def make_execution(name: str, *networks: BagelNetwork) -> Execution:
    """The execution of that name in `EXECUTIONS`, for one network or for the same on two GPUs."""
    module, function = EXECUTIONS[name].split(":")
    return cast("Execution", getattr(importlib.import_module(module), function)(*networks))


def load_float8(weights: str = "", device: str = "", precision: Precision = "bfloat16") -> BagelModel:
    """Load BAGEL and round the drawing expert to eight bits; see `load`."""
    return load(weights, device, precision, OWN_EXECUTIONS["bagel-float8"], "bagel-float8")


def load_thinkmorph(
    weights: str = "", device: str = "", precision: Precision = "bfloat16", execution: str = ""
) -> BagelModel:
    """Load ThinkMorph, which is a BAGEL trained further; see `load`."""
    return load(weights, device, precision, execution, "thinkmorph")


def load_sensenova(
    weights: str = "", device: str = "", precision: Precision = "bfloat16", execution: str = ""
) -> BagelModel:
    """Load SenseNova-Vision, which is a BAGEL trained further; see `load`."""
    return load(weights, device, precision, execution, "sensenova-vision")
