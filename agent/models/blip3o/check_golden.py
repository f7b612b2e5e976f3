"""Compare with what the official program computed: `python -m g2u.models.blip3o.check_golden DIR --json`.

DIR holds `model/`, a checkpoint in the official layout; pictures; `meta.json` with words and settings; and
`golden_fp32.safetensors`, the outputs of the official program on them in float32. Everything is computed anew, with its
noises, and compared quantity by quantity, those of a sampler step by step.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...errors import G2UError, WeightsError
from ..device import find_device
from .checkpoint.weights import load_network
from .golden.golden import INPUTS, Meta, Outputs, recompute
from .network.config import VisionConfig
from .network.pictures import fit_size

META = "meta.json"
GOLDEN = "golden_fp32.safetensors"
MODEL = "model"
FLOAT_BAR = 1e-5
"""Largest relative error; of the steps of a sampler, of each."""
BYTE_BAR = 1e-3
"""Largest share of bytes that are two or more levels off."""
STEPS = ("x_t", "v_uncond", "v_cond", "unet_input", "eps_cond", "eps_uncond")
"""Ends of names of quantities with one part for each step."""


@dataclass(frozen=True)
class Compared:
    """One quantity beside that of the official program."""

    name: str
    error: float
    """Of floats, relative, and of steps that of the worst one. Of bytes, the share that are two or more levels off. Of
    integers, the share that differ."""
    bar: float
    """Largest error that passes."""

    @property
    def passed(self) -> bool:
        """Whether the error is within the bar."""
        return self.error <= self.bar


def check_golden(folder: Path, device: torch.device | str = "cpu") -> Iterator[Compared]:
    """Compare everything that is in a folder.

    Args:
        folder: See the module.
        device: Where ours is computed.

    Raises:
        WeightsError: The folder is none of golden outputs, or its checkpoint is damaged.
    """
    meta, golden = read_golden(folder)
    yield from check_sizes(meta)
    network = load_network(folder / MODEL, "blip3o-8b", "float32", device)
    try:
        for name, ours in recompute(network, folder, golden, meta):
            if name in golden:
                yield compare(name, ours, golden[name])
    except KeyError as error:
        raise WeightsError(f"{folder / GOLDEN} has no {error.args[0]}, which the comparison needs.") from error


def read_golden(folder: Path) -> tuple[Meta, Outputs]:
    """What a folder of golden outputs holds beside the checkpoint.

    Raises:
        WeightsError: It is none, or damaged.
    """
    hint = "Name a folder with model/, meta.json, golden_fp32.safetensors and the pictures that meta.json names."
    if missing := [name for name in (META, GOLDEN, f"{MODEL}/") if not (folder / name).exists()]:
        raise WeightsError(f"{folder} is not a folder of golden outputs: it has no {', '.join(missing)}.", hint)
    try:
        meta, golden = Meta.model_validate_json((folder / META).read_bytes()), load_file(folder / GOLDEN)
    except (SafetensorError, ValidationError) as error:
        raise WeightsError(f"The golden outputs in {folder} are damaged: {error}.", hint) from error
    if missing := [name for name in meta.pictures() if not (folder / name).is_file()]:
        raise WeightsError(f"{folder} is not a folder of golden outputs: it has no {', '.join(missing)}.", hint)
    return meta, golden


def check_sizes(meta: Meta) -> Iterator[Compared]:
    """Compare the sizes of resized pictures."""
    for row in meta.resize_table:
        right = fit_size(row.input, VisionConfig()) == row.resized
        yield Compared(f"resize/{row.input[0]}x{row.input[1]}", float(not right), 0.0)


def compare(name: str, ours: Tensor, theirs: Tensor) -> Compared:
    """One quantity against its golden value and its bar."""
    ours = ours.cpu()
    if ours.shape != theirs.shape:
        return Compared(name, math.inf, 0.0)
    if theirs.dtype == torch.uint8:
        return Compared(name, ((ours.int() - theirs.int()).abs() > 1).double().mean().item(), BYTE_BAR)
    if not theirs.is_floating_point():
        return Compared(name, (ours != theirs).double().mean().item(), 0.0)
    pairs = zip(ours, theirs, strict=True) if name.endswith(STEPS) else [(ours, theirs)]
    return Compared(name, max(distance(one, other) for one, other in pairs), FLOAT_BAR)


def distance(ours: Tensor, theirs: Tensor) -> float:
    """The length of the difference over the length of theirs."""
    difference = float((ours.double() - theirs.double()).norm())
    return difference / float(theirs.double().norm()) if difference else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every quantity; returns 0 where all are within their bars, else 1, and 2 where nothing can be compared."""
    parser = argparse.ArgumentParser(prog="python -m g2u.models.blip3o.check_golden", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of golden outputs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--device", default="", help="where ours is computed, such as cuda; left out: cpu")
    given = parser.parse_args(arguments)
    try:
        results = list(check_golden(given.folder, find_device(given.device or "cpu")))
        names = set(read_golden(given.folder)[1])
    except G2UError as error:
        print(error, file=sys.stderr)
        return 2
    compared = {result.name for result in results}
    left = sorted(name for name in names - compared if not name.endswith(INPUTS))
    passed = all(result.passed for result in results)
    if given.json:
        rows = [asdict(result) | {"passed": result.passed} for result in results]
        print(json.dumps({"passed": passed, "quantities": rows, "not_compared": left}, indent=2))
    else:
        for result in results:
            mark = "ok" if result.passed else "OVER THE BAR"
            print(f"{result.name:<48} {result.error:10.3e}  (bar {result.bar:.3e})  {mark}")
        print(f"Not compared: {', '.join(left) or 'nothing'}.")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
