"""Compare with what the official program computed: `python -m g2u.models.bagel.check_golden DIR --json`.

DIR holds a checkpoint in the official layout, two pictures, `meta.json` with sizes, words and settings, and the outputs
of the official program on them. Everything is computed anew, with its noises, and compared quantity by quantity. Where
there is no `ae.safetensors`, the weights of the autoencoder are drawn from the seed in `meta.json`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...errors import G2UError, WeightsError
from ..device import find_device
from .checkpoint.files import AUTOENCODER
from .checkpoint.weights import load_network
from .golden.golden import PICTURES, Meta, Outputs, recompute
from .golden.weights import completed, lacks_autoencoder
from .load import make_execution
from .network.config import GOLDEN_FILE, BagelConfig, read_config
from .network.network import Precision
from .network.transforms import fit_size

FLOAT_BAR = 1e-4
"""Largest relative error in float32."""
BYTE_BAR = 1e-3
"""Largest share of bytes that are two or more levels off, in float32."""
SPREAD_BAR = 1.5
"""Largest error in bfloat16, in distances between the two kinds of bfloat16 of the official program."""

KINDS: dict[str, tuple[Precision, str]] = {
    "fp32": ("float32", "golden_fp32.safetensors"),
    "bf16_autocast": ("bfloat16", "golden_bf16.safetensors"),
    "fp32_autocast": ("mixed", "golden_bf16.safetensors"),
}
"""The kinds of outputs: our precision, and the file."""


@dataclass(frozen=True)
class Compared:
    """One quantity beside that of the official program."""

    name: str
    error: float
    """Of floats, relative. Of bytes, the share that are two or more levels off, or in bfloat16 the mean distance in
    levels. Of integers, the share that differ."""
    bar: float
    """Largest error that passes."""

    @property
    def passed(self) -> bool:
        """Whether the error is within the bar."""
        return self.error <= self.bar


def check_golden(
    folder: Path, kinds: Sequence[str] = tuple(KINDS), device: torch.device | str = "cpu", execution: str = "plain"
) -> Iterator[Compared]:
    """Compare everything that is in a folder.

    Args:
        folder: See the module.
        kinds: Of `KINDS`.
        device: Where ours is computed.
        execution: How; of `EXECUTIONS`.

    Raises:
        WeightsError: The folder is none of golden outputs, or its checkpoint is damaged.
    """
    names = [GOLDEN_FILE, *PICTURES, *dict.fromkeys(KINDS[kind][1] for kind in kinds)]
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise WeightsError(f"{folder} is not a folder of golden outputs: it has no {', '.join(missing)}.")
    meta = _meta(folder)
    try:
        files = {file: load_file(folder / file) for _, file in KINDS.values() if file in names}
    except SafetensorError as error:
        raise WeightsError(f"The golden outputs in {folder} are damaged: {error}.") from error
    yield from check_sizes(meta)
    seed = drawn_from(folder)
    with nullcontext(folder) if seed is None else completed(folder, read_config(folder).vae, seed) as whole:
        for kind in kinds:
            precision, file = KINDS[kind]
            golden = files[file]
            network = load_network(whole, precision, device)
            ours = recompute(network, make_execution(execution, network), folder, golden, meta)
            for name in sorted(golden):
                if name.startswith(f"{kind}/"):
                    yield compare(name, ours[name.removeprefix(f"{kind}/")], golden)


def drawn_from(folder: Path) -> int | None:
    """The seed that the autoencoder of a folder of golden outputs is drawn from; `None` where it has its weights.

    Raises:
        WeightsError: It has neither them nor a seed, or its `meta.json` is damaged.
    """
    if not lacks_autoencoder(folder):
        return None
    if (seed := _meta(folder).seed) is None:
        message = f"{folder} has no {AUTOENCODER}, and its {GOLDEN_FILE} has no seed to draw one from."
        raise WeightsError(message, "Put either there.")
    return seed


def _meta(folder: Path) -> Meta:
    try:
        return Meta.model_validate_json((folder / GOLDEN_FILE).read_bytes())
    except ValidationError as error:
        raise WeightsError(f"The golden outputs in {folder} are damaged: {error}.") from error


def check_sizes(meta: Meta) -> Iterator[Compared]:
    """Compare the sizes of resized pictures, under the limits of the real model."""
    fields = BagelConfig.model_fields
    vae, vit = fields["vae_transform"].default, fields["vit_transform"].default
    for row in meta.resize_table:
        width, height = row["input"]
        first = fit_size((width, height), vae)
        right = first == row["vae"] and fit_size(first, vit) == row["vit_after_vae"]
        yield Compared(f"resize/{width}x{height}", float(not right), 0.0)


def compare(name: str, ours: Tensor, golden: Outputs) -> Compared:
    """One quantity, its name with the kind, against its golden value and its bar."""
    kind, rest = name.split("/", 1)
    theirs = golden[name]
    if ours.shape != theirs.shape:
        return Compared(name, math.inf, 0.0)
    if kind != "fp32":
        spread = distance(golden[f"bf16_autocast/{rest}"], golden[f"fp32_autocast/{rest}"])
        return Compared(name, distance(ours, theirs), SPREAD_BAR * spread)
    if theirs.dtype == torch.uint8:
        return Compared(name, ((ours.int() - theirs.int()).abs() > 1).double().mean().item(), BYTE_BAR)
    return Compared(name, distance(ours, theirs), FLOAT_BAR if theirs.is_floating_point() else 0.0)


def distance(ours: Tensor, theirs: Tensor) -> float:
    """How far two equally shaped tensors lie apart, as `Compared.error` says for bfloat16."""
    if theirs.is_floating_point():
        a, b = ours.double().cpu(), theirs.double()
        return float((a - b).norm() / b.norm())
    if theirs.dtype == torch.uint8:
        return (ours.double() - theirs.double()).abs().mean().item()
    return (ours != theirs).double().mean().item()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every quantity; returns 0 where all are within their bars, else 1, and 2 where nothing can be compared."""
    parser = argparse.ArgumentParser(prog="python -m g2u.models.bagel.check_golden", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of golden outputs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--kind", action="append", choices=tuple(KINDS), help="compare this kind alone; repeatable")
    parser.add_argument("--device", default="", help="where ours is computed, such as cuda; left out: cpu")
    parser.add_argument("--execution", choices=("plain", "fast"), default="plain", help="how ours is computed")
    given = parser.parse_args(arguments)
    try:
        device = find_device(given.device or "cpu")
        results = list(check_golden(given.folder, given.kind or tuple(KINDS), device, given.execution))
        seed = drawn_from(given.folder)
    except G2UError as error:
        print(error, file=sys.stderr)
        return 2
    if seed is not None:
        said = f"{given.folder} has no {AUTOENCODER}: its weights were drawn from the seed {seed} in {GOLDEN_FILE}."
        print(said, file=sys.stderr)
    passed = all(result.passed for result in results)
    if given.json:
        rows = [asdict(result) | {"passed": result.passed} for result in results]
        print(json.dumps({"passed": passed, "autoencoder_drawn_from": seed, "quantities": rows}, indent=2))
    else:
        for result in results:
            mark = "ok" if result.passed else "OVER THE BAR"
            print(f"{result.name:<48} {result.error:10.3e}  (bar {result.bar:.3e})  {mark}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
