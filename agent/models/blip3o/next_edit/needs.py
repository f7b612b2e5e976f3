"""What a BLIP3o-NEXT-edit needs of a folder and of a machine, looked at without loading it."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ....errors import G2UError
from ...checks import Check
from ...device import find_devices
from ...registry import MODELS
from ..sources import weights_folder
from .config import NextEditConfig
from .text import Words
from .weights import check_weights, read_folder, weight_bytes


def examine(key: str, weights: str) -> Iterator[Check]:
    """Source, licence, files, keys, tokenizer, and memory needed and there; see `checks.Examiner`."""
    entry = MODELS[key]
    yield Check(name="source", good=True, found=f"https://huggingface.co/{entry.repositories[0]}")
    yield Check(name="licence of the weights", good=True, found=entry.licence)
    yield Check(name="compared with the official program", good=True, found=entry.compared)
    try:
        folder = weights_folder(weights, key)
        config, stored = read_folder(folder, key)
        places = check_weights(folder, config, stored, key)
    except G2UError as error:
        yield Check(name="weights", good=False, found=error.in_full)
        return
    yield Check(name="weights", good=True, found=f"{len(places)} tensors, all of the right shape and kind")
    try:
        Words.from_folder(folder, config.reader.vocab_size, config.reader.image_start_tag_id)
        yield Check(name="tokenizer", good=True, found="has the special words that drawing needs")
    except G2UError as error:
        yield Check(name="tokenizer", good=False, found=error.in_full)
    yield from _machine(config)


def run_bytes(config: NextEditConfig, itemsize: int = 2) -> int:
    """Bytes that one run takes beside the weights, about: the widest layer of the autoencoder eight times.

    Args:
        config: Sizes of the network.
        itemsize: Bytes of one value.
    """
    return 8 * itemsize * config.vae.encoder_block_out_channels[0] * config.picture_side**2


def _machine(config: NextEditConfig) -> Iterator[Check]:
    needed, run = weight_bytes(config), run_bytes(config)
    yield Check(name="memory for weights", good=True, found=_gibibytes(needed))
    size = f"{config.picture_side}x{config.picture_side}"
    yield Check(name="memory for one run", good=True, found=f"about {_gibibytes(run)} more, for a drawing of {size}")
    try:
        place = find_devices()[0]
    except G2UError as error:
        yield Check(name="device", good=False, found=error.in_full)
        return
    if place.type != "cuda":
        found = f"{place}: no GPU is used; it runs, but a drawing of full size takes long"
        yield Check(name="device", good=True, found=found)
        return
    free, total = torch.cuda.mem_get_info(place)
    found = f"{torch.cuda.get_device_name(place)}: {_gibibytes(free)} of {_gibibytes(total)} free"
    if needed + run > free:
        found += f", {_gibibytes(needed + run)} needed: free it of other programs, or use one with more memory"
    yield Check(name=f"device {place}", good=needed + run <= free, found=found)


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
