"""Files of tensors: which there are, what is in them, and what names them without reading all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open

from ..errors import BudgetError, WeightsError

if TYPE_CHECKING:
    import torch

DTYPES = ("BF16", "F16", "F32")
"""Of official weights."""
SAMPLE = 256
"""Bytes of each tensor that name it, from its middle."""


@dataclass(frozen=True)
class Stored:
    """One tensor in a file."""

    file: Path
    dtype: str
    """As the format calls it: `BF16`."""
    shape: tuple[int, ...]


class _Index(BaseModel):
    weight_map: dict[str, str]


def tensor_files(folder: Path, name: str, remedy: str) -> list[Path]:
    """The files that a folder has, or should have, of one set of tensors: one, or the shards that its index names.

    Args:
        folder: Where they are.
        name: Of the one file.
        remedy: What to do about damage.

    Raises:
        WeightsError: The index is damaged.
    """
    index = folder / f"{name}.index.json"
    if (folder / name).is_file() or not index.is_file():
        return [folder / name]
    try:
        shards = set(_Index.model_validate_json(index.read_bytes()).weight_map.values())
    except ValidationError as error:
        raise WeightsError(f"The index {index} is damaged: {error.errors()[0]['msg']}.", remedy) from error
    return [folder / Path(name).name for name in sorted(shards)]


def read_headers(files: Iterable[Path], remedy: str) -> dict[str, Stored]:
    """What files hold, by key.

    Raises:
        WeightsError: One is truncated, or no file of tensors.
    """
    stored: dict[str, Stored] = {}
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                for key in opened.keys():  # noqa: SIM118  # no mapping
                    tensor = opened.get_slice(key)
                    stored[key] = Stored(file, tensor.get_dtype(), tuple(tensor.get_shape()))
        except SafetensorError as error:
            raise WeightsError(f"{file} is truncated or no safetensors file: {error}.", remedy) from error
    return stored


def renamed(ours: Iterable[str], beginnings: Mapping[str, str]) -> dict[str, str]:
    """The official key of each of our names.

    Args:
        ours: Each begins with one of `beginnings`.
        beginnings: What ours begin with, and theirs; of two that fit, the first one counts.
    """
    found = {}
    for name in ours:
        mine, theirs = next(pair for pair in beginnings.items() if name.startswith(pair[0]))
        found[name] = theirs + name.removeprefix(mine)
    return found


def check_tensors(
    folder: Path,
    places: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    stored: Mapping[str, Stored],
    spare: Collection[str],
    remedy: str,
    shown: Callable[[str], str] = str,
) -> None:
    """Hold what files have against what a network needs.

    Args:
        folder: Of the files, for the error.
        places: The key in the files of each of our names.
        shapes: Of our names.
        stored: What the files hold, by key.
        spare: Keys that may be there and are not asked for.
        remedy: What to do about damage.
        shown: A key as a user finds it.

    Raises:
        WeightsError: Keys, shapes or dtypes are not those of the network; all faults are named at once.
    """
    faults = [f"missing {shown(theirs)}" for theirs in places.values() if theirs not in stored]
    faults += [f"unexpected {shown(theirs)}" for theirs in stored.keys() - set(places.values()) - set(spare)]
    for ours, theirs in places.items():
        found = stored.get(theirs)
        if found and found.shape != shapes[ours]:
            faults.append(f"{shown(theirs)} has shape {list(found.shape)}, not {list(shapes[ours])}")
        if found and found.dtype not in DTYPES:
            faults.append(f"{shown(theirs)} is {found.dtype}, not {' or '.join(DTYPES)}")
    if faults:
        listed = "; ".join(sorted(faults))
        raise WeightsError(f"{len(faults)} faults in the weights in {folder}: {listed}.", remedy)


def read_tensors(
    places: Mapping[str, str], stored: Mapping[str, Stored], dtype: torch.dtype, device: torch.device | str
) -> dict[str, torch.Tensor]:
    """The tensors of our names, file by file.

    Args:
        places: The key in the files of each of our names; what stands before a slash in it is not of the file.
        stored: What the files hold, by key.
        dtype: That they get.
        device: Where they go.
    """
    state: dict[str, torch.Tensor] = {}
    for file in sorted({stored[theirs].file for theirs in places.values()}):
        with safe_open(file, "pt", device=str(device)) as opened:
            for ours, theirs in places.items():
                if stored[theirs].file == file:
                    state[ours] = opened.get_tensor(theirs.rpartition("/")[2]).to(dtype)
    return state


def sample(file: Path) -> Iterator[bytes]:
    """Name, size and header of a file, and `SAMPLE` bytes from the middle of each tensor.

    Raises:
        WeightsError: It is no file of tensors.
    """
    size = file.stat().st_size
    yield f"{file.name} {size}".encode()
    with file.open("rb") as stream:
        # The format: eight bytes of length, a header of JSON, then the tensors, to whose start the offsets count.
        header = stream.read(min(size, int.from_bytes(stream.read(8), "little")))
        yield header
        try:
            start, entries = stream.tell(), json.loads(header)
            spans = sorted(entry["data_offsets"] for name, entry in entries.items() if name != "__metadata__")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            message = f"{file} is truncated or no safetensors file, such as a pointer of Git LFS."
            raise WeightsError(message, "Download it again, or remove it where nothing needs it.") from error
        for first, last in spans:
            stream.seek(start + max(first, (first + last - SAMPLE) // 2))
            yield stream.read(min(SAMPLE, last - first))


def check_memory(needed: int, free: int) -> None:
    """Refuse to load what does not fit, both in bytes.

    Raises:
        BudgetError: More is needed than is free.
    """
    if needed > free:
        need, have = needed / 2**30, free / 2**30
        hint = "Free the GPU of other programs, or use one with more memory."
        raise BudgetError(f"The weights need {need:.1f} GiB of GPU memory, {have:.1f} GiB are free.", hint)
