"""What a BAGEL needs of a folder and of a machine, looked at without loading it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from g2u.checks import Check
from g2u.errors import G2UError
from g2u.models.bagel import weights_folder
from g2u.models.bagel.config import BagelConfig, read_config
from g2u.models.bagel.network import BagelNetwork
from g2u.models.bagel.text import Words
from g2u.models.bagel.transforms import fit_size
from g2u.models.bagel.weights import check_folder
from g2u.models.device import find_device

LARGEST = (1024, 1024)
"""Width and height of the picture that memory is told for."""


def examine(key: str, weights: str) -> Iterator[Check]:
    """Files and their sizes, keys, tokenizer, memory needed and memory that is there; see `checks.Examiner`."""
    try:
        folder = weights_folder(weights, key)
        yield from _files(folder)
        config = read_config(folder)
        stored = check_folder(folder, config)
    except G2UError as error:
        yield Check(name="weights", good=False, found=str(error))
        return
    yield Check(name="weights", good=True, found=f"{len(stored)} tensors, all of the right shape and kind")
    try:
        Words.from_folder(folder, config.token_ids)
        yield Check(name="tokenizer", good=True, found="has the special tokens where the network expects them")
    except G2UError as error:
        yield Check(name="tokenizer", good=False, found=str(error))
    yield from _memory(config)


def _files(folder: Path) -> Iterator[Check]:
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.suffix in (".safetensors", ".json", ".txt"):
            yield Check(name=file.name, good=True, found=f"{file.stat().st_size:,} bytes")


def _memory(config: BagelConfig) -> Iterator[Check]:
    resident, run = weight_bytes(config), run_bytes(config)
    size = "x".join(map(str, fit_size(LARGEST, config.vae_transform)))
    yield Check(name="memory for weights", good=True, found=_gibibytes(resident))
    yield Check(name="memory for one run", good=True, found=f"about {_gibibytes(run)} more, for pictures of {size}")
    try:
        place = find_device()
    except G2UError as error:
        yield Check(name="device", good=False, found=str(error))
        return
    if place.type != "cuda":
        found = f"{place}: no GPU is used; it runs, but a drawing of full size takes hours"
        yield Check(name="device", good=True, found=found)
        return
    free, total = torch.cuda.mem_get_info(place)
    needed = resident + run
    found = f"{torch.cuda.get_device_name(place)}: {_gibibytes(free)} of {_gibibytes(total)} free"
    if needed > free:
        found += f", {_gibibytes(needed)} needed: free it of other programs, or use one with more memory"
    yield Check(name="device", good=needed <= free, found=found)


def weight_bytes(config: BagelConfig) -> int:
    """Bytes of the weights in bfloat16, the autoencoder in float32."""
    with torch.device("meta"):
        return BagelNetwork(config).set_precision("bfloat16").nbytes


def run_bytes(config: BagelConfig) -> int:
    """Bytes of one run with a picture of `LARGEST` beside the weights.

    Counted are the contexts that are kept (the picture read, beside its drawing, and drawn on, twice each, since a
    context is copied as it grows) and the widest layer of the autoencoder eight times, about what it was measured to
    take; the rest is small beside it.
    """
    drawn = fit_size(LARGEST, config.vae_transform)
    read = fit_size(drawn, config.vit_transform)
    latents = drawn[0] * drawn[1] // config.latent_stride**2 + 2
    patches = read[0] * read[1] // config.vit.patch_size**2 + 2
    llm = config.llm
    token = 2 * 2 * llm.num_hidden_layers * llm.num_key_value_heads * llm.head_size
    contexts = (3 * patches + (latents + patches)) * token
    return 2 * contexts + 8 * 4 * config.vae.ch * drawn[0] * drawn[1]


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
