"""What a BLIP3o-NEXT-edit needs of a folder and of a machine, looked at without loading it."""

from __future__ import annotations

from collections.abc import Iterator

from ....errors import G2UError
from ...checks import Check
from ...machine import check_one_device
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
    yield from check_one_device(weight_bytes(config), run_bytes(config), config.picture_side)


def run_bytes(config: NextEditConfig, itemsize: int = 2) -> int:
    """Bytes that one run takes beside the weights, about: the widest layer of the autoencoder eight times.

    Args:
        config: Sizes of the network.
        itemsize: Bytes of one value.
    """
    return 8 * itemsize * config.vae.encoder_block_out_channels[0] * config.picture_side**2
