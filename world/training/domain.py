"""Measure where mini sees the pictures of the world, and how well that tells others apart, for weights that are there.

`python -m g2u.world.training.domain WEIGHTS` measures anew and writes the file of the weights folder that holds it, as
the trainer does at its end; on a CPU it takes minutes. With `--check` nothing is written: it tells how many held-out
pictures of the world lie outside, and how many of some crops of every picture in the folder `--photographs`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from PIL import Image

from g2u.errors import G2UError, WeightsError
from g2u.models.mini.domain import measure_domain
from g2u.models.mini.load import load
from g2u.models.mini.model import MiniModel
from g2u.models.mini.weights import load_weights, replace_domain
from g2u.pictures.store import ImageStore
from g2u.traces.caveats import OUTSIDE

from .measures import DOMAIN_PICTURES, world_pictures

CHECKED: Final = 1620
"""World pictures of each split that are checked: twenty of each cell."""
CROPS: Final = {1.0: 6, 0.7: 6, 0.5: 6, 0.35: 6}
"""Crops of a photograph that are checked beside the whole: side, as a share of its shorter side, and how many."""
BATCH: Final = 64


def crops(picture: Image.Image, seed: str) -> list[Image.Image]:
    """A picture as a whole, and squares from anywhere in it, the same ones for the same seed."""
    chance = random.Random(seed)
    parts = [picture]
    for share, count in CROPS.items():
        side = max(1, int(min(picture.size) * share))
        for _ in range(count):
            left, top = chance.randint(0, picture.width - side), chance.randint(0, picture.height - side)
            parts.append(picture.crop((left, top, left + side, top + side)))
    return parts


def scores(model: MiniModel, pictures: Sequence[Image.Image]) -> list[float]:
    """How far each picture lies from those of the world.

    Raises:
        WeightsError: That was not measured for these weights.
    """
    found: list[float] = []
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        for prefix in model.extend([None] * len(batch), batch):
            if (score := model.out_of_domain(prefix)) is None:
                raise WeightsError("It was not measured for these weights where the pictures of the world lie.")
            found.append(score)
    return found


def check(model: MiniModel, photographs: Path | None, number: int) -> dict[str, float]:
    """Share of pictures from `OUTSIDE` on: of two splits of the world, and of the crops of every photograph.

    Args:
        model: Whose scores are checked.
        photographs: Folder of pictures that are not of the world; `None` for none.
        number: Pictures of each split, at least one of each cell.
    """
    report = {}
    for split in ("held-out", "held-out-style"):
        painted, _ = world_pictures(number, torch.device("cpu"), split)
        images = [Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()) for picture in painted]
        report[split] = _outside(model, images)
    own = {}
    with tempfile.TemporaryDirectory() as folder:
        store = ImageStore(folder)
        for file in sorted(photographs.iterdir()) if photographs else []:
            own[file.name] = _outside(model, crops(store.open(store.add_file(file)), file.name))
    return report | own | ({"photographs": round(sum(own.values()) / len(own), 4)} if own else {})


def _outside(model: MiniModel, pictures: Sequence[Image.Image]) -> float:
    found = scores(model, pictures)
    return round(sum(score >= OUTSIDE for score in found) / len(found), 4)


def main() -> None:
    """Parse the command line, measure or check."""
    parser = argparse.ArgumentParser(prog="python -m g2u.world.training.domain", description=__doc__)
    parser.add_argument("weights", type=Path, help="folder of weights")
    parser.add_argument("--check", action="store_true", help="write nothing; tell what lies outside")
    parser.add_argument("--photographs", type=Path, help="with --check: folder of pictures that are not of the world")
    parser.add_argument("--device", default="cpu", help="where to run the network")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            model = load(str(arguments.weights), arguments.device)
            print(json.dumps(check(model, arguments.photographs, CHECKED), indent=2))
            return
        device = torch.device(arguments.device)
        network = load_weights(arguments.weights, device, with_domain=False).network
        replace_domain(arguments.weights, measure_domain(network, *world_pictures(DOMAIN_PICTURES, device)))
    except G2UError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
