"""What a BAGEL needs of a folder and of a machine, looked at without loading it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import G2UError
from ..checks import Check
from ..machine import Gpu, gibibytes, gpu_at, on_cpu
from .checkpoint.files import find_model, missing_files, remedy
from .checkpoint.weights import check_folder, stored_as
from .inference.text import TOKENIZER_FILES, Words
from .load import OWN_EXECUTIONS, find_places
from .memory import LARGEST, PREFIX_BYTES, kept_bytes, run_bytes, weight_bytes
from .network.config import BagelConfig, read_config
from .network.transforms import fit_size
from .sources import weights_place


def examine(key: str, weights: str) -> Iterator[Check]:
    """Files and their sizes, keys, tokenizer, memory needed and memory that is there; see `checks.Examiner`."""
    try:
        place = find_model(weights_place(weights, key), key)
        folder = place.parent
        yield from _files(folder)
        missing = missing_files(place)
        if missing:
            found = f"{folder} has no {', '.join(missing)}. {remedy(place, key, missing)}"
            yield Check(name="files", good=False, found=found)
        if set(missing) - set(TOKENIZER_FILES):
            return
        config = read_config(folder)
        stored, kinds = check_folder(place, config), " and ".join(stored_as(place))
    except G2UError as error:
        yield Check(name="weights", good=False, found=str(error))
        return
    yield Check(name="weights", good=True, found=f"{len(stored)} tensors of the right shapes, {kinds}, by {place.name}")
    try:
        Words.from_folder(folder, config.token_ids)
        yield Check(name="tokenizer", good=True, found="has the special tokens where the network expects them")
    except G2UError as error:
        yield Check(name="tokenizer", good=False, found=str(error))
    yield from _machine(config, key)


def _files(folder: Path) -> Iterator[Check]:
    for file in sorted(folder.iterdir()):
        if file.suffix in (".safetensors", ".json", ".txt"):
            yield Check(name=file.name, good=True, found=f"{file.stat().st_size:,} bytes")


def _machine(config: BagelConfig, key: str) -> Iterator[Check]:
    wanted, problem = OWN_EXECUTIONS.get(key, ""), ""
    try:
        execution, places = find_places(wanted)
    except G2UError as error:
        execution, places, problem = wanted or "fast", [], str(error)
    gpus = [gpu_at(place) for place in places if place.type == "cuda"]
    yield from check_memory(config, execution, gpus)
    if problem:
        yield Check(name="device", good=False, found=problem)
    elif not gpus:
        yield on_cpu(places[0])


def check_memory(config: BagelConfig, execution: str, gpus: Sequence[Gpu]) -> Iterator[Check]:
    """Memory that is needed, and memory that each GPU has.

    Args:
        config: Sizes of the network.
        execution: Of `EXECUTIONS`.
        gpus: Each holds all weights, the first the kept contexts, too; none for a CPU, whose memory is not looked at.
    """
    loading, resident, run = weight_bytes(config), weight_bytes(config, execution), run_bytes(config, execution)
    rounded = f" while they are loaded, {gibibytes(resident)} once they are rounded" if resident < loading else ""
    yield Check(name="memory for weights", good=True, found=f"{gibibytes(loading)}{rounded}")
    size = "x".join(map(str, fit_size(LARGEST, config.vae_transform)))
    found = f"about {gibibytes(run)} more, for pictures of {size}, execution {execution!r}"
    yield Check(name="memory for one run", good=True, found=found)
    needed = max(loading, resident + run)
    for gpu in gpus:
        yield gpu.check(needed)
    if gpus:
        kept = kept_bytes(run, gpus[0].free - resident)
        found = f"{gibibytes(kept)} beside all that, of {gibibytes(PREFIX_BYTES)} that are kept at most"
        if kept < PREFIX_BYTES:
            found += "; pictures whose context is not kept are read anew, which takes longer"
        yield Check(name="memory for kept contexts", good=True, found=found)
