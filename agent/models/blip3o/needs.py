"""What a BLIP3o needs of a folder and of a machine, looked at without loading it."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import G2UError
from ..checks import Check
from ..machine import check_one_device, gibibytes
from ..registry import MODELS
from .checkpoint.files import missing_files
from .checkpoint.weights import check_folder, config_of, read_stored
from .inference.text import Words, missing_tokenizer
from .memory import PREFIX_BYTES, kept_bytes, run_bytes, weight_bytes
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
    needed, run = weight_bytes(config), run_bytes(config)
    gpu = yield from check_one_device(needed, run, config.picture_side)
    if gpu:
        kept = gibibytes(kept_bytes(run, gpu.free - needed))
        found = f"{kept} beside all that, of {gibibytes(PREFIX_BYTES)} that are kept at most"
        yield Check(name="memory for kept contexts", good=True, found=found)
