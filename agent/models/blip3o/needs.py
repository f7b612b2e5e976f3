"""What a BLIP3o needs of a folder and of a machine, looked at without loading it."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ...errors import G2UError
from ..checks import Check
from ..device import find_devices
from ..registry import MODELS
from .checkpoint.files import missing_files
from .checkpoint.weights import check_folder, config_of, read_stored
from .inference.text import Words, missing_tokenizer
from .memory import PREFIX_BYTES, kept_bytes, run_bytes, weight_bytes
from .network.config import Blip3oConfig
from .sources import remedy, weights_folder


def examine(key: str, weights: str) -> Iterator[Check]:
    """Source, licence, files, keys, tokenizer, and memory needed and there; see `checks.Examiner`."""
    entry = MODELS[key]
    yield Check(name="source", good=True, found=f"https://huggingface.co/{entry.repositories[0]}")
    yield Check(name="licence of the weights", good=True, found=entry.licence)
    yield Check(name="compared with the official program", good=True, found=entry.compared)
    try:
        folder = weights_folder(weights, key)
        if missing := [*missing_files(folder, key), *missing_tokenizer(folder)]:
            found = f"{folder} has no {', '.join(missing)}. {remedy(key)}"
            yield Check(name="files", good=False, found=found)
        if missing_files(folder, key):
            return
        stored = read_stored(folder, key)
        config = config_of(folder, stored, key)
        places = check_folder(folder, config, stored, key)
    except G2UError as error:
        yield Check(name="weights", good=False, found=str(error))
        return
    yield Check(name="weights", good=True, found=f"{len(places)} tensors, all of the right shape and kind")
    try:
        Words.from_folder(folder, config.reader.vocab_size)
        yield Check(name="tokenizer", good=True, found="has the special tokens that drawing needs")
    except G2UError as error:
        yield Check(name="tokenizer", good=False, found=str(error))
    yield from _machine(config)


def _machine(config: Blip3oConfig) -> Iterator[Check]:
    needed, run = weight_bytes(config), run_bytes(config)
    yield Check(name="memory for weights", good=True, found=_gibibytes(needed))
    size = f"{config.picture_side}x{config.picture_side}"
    found = f"about {_gibibytes(run)} more, for a drawing of {size}"
    yield Check(name="memory for one run", good=True, found=found)
    try:
        place = find_devices()[0]
    except G2UError as error:
        yield Check(name="device", good=False, found=str(error))
        return
    if place.type != "cuda":
        found = f"{place}: no GPU is used; it runs, but a drawing of full size takes hours"
        yield Check(name="device", good=True, found=found)
        return
    free, total = torch.cuda.mem_get_info(place)
    found = f"{torch.cuda.get_device_name(place)}: {_gibibytes(free)} of {_gibibytes(total)} free"
    if needed + run > free:
        found += f", {_gibibytes(needed + run)} needed: free it of other programs, or use one with more memory"
    yield Check(name=f"device {place}", good=needed + run <= free, found=found)
    kept = kept_bytes(run, free - needed)
    found = f"{_gibibytes(kept)} beside all that, of {_gibibytes(PREFIX_BYTES)} that are kept at most"
    yield Check(name="memory for kept contexts", good=True, found=found)


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
