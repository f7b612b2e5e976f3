"""Where mini sees the pictures of the world: measured on them all, and told from others."""

import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from PIL import Image

from g2u.models.mini.domain import FILE, load_domain
from g2u.models.mini.load import WEIGHTS, load
from g2u.traces.caveats import OUTSIDE
from g2u.world.items.conditions import CONDITIONS
from g2u.world.items.tasks import CELLS, Pictures
from g2u.world.pictures.mazes import TRACES
from g2u.world.training import domain as module
from g2u.world.training.domain import check, crops, main
from g2u.world.training.measures import world_pictures

PHOTOGRAPHS = Path(__file__).parents[2] / "data" / "photographs"
CPU = torch.device("cpu")


def test_pictures_of_every_cell_come_with_their_cell() -> None:
    pictures, groups = world_pictures(100, CPU, batch=1)
    assert groups.tolist() == [cell for cell in range(len(CELLS)) for _ in range(2)]
    assert (pictures.shape, pictures.dtype) == ((2 * len(CELLS), 3, 128, 128), torch.uint8)
    assert torch.equal(pictures, world_pictures(100, CPU)[0])
    plain = CELLS.index(("maze", ()))
    seeds = torch.arange(2) + 2**40
    none = torch.zeros(2, 1, len(CONDITIONS), dtype=torch.bool)
    assert torch.equal(pictures[groups == plain], Pictures.of("maze", seeds).paint(none, seeds % len(TRACES))[:, 0])


def test_each_split_has_pictures_of_its_own() -> None:
    splits = [world_pictures(1, CPU, split)[0] for split in ("development", "held-out", "held-out-style")]
    assert not any(torch.equal(one, other) for one, other in pairwise(splits))


def test_crops_are_the_whole_and_squares_of_every_size() -> None:
    picture = Image.open(PHOTOGRAPHS / "coffee.webp").convert("RGB")
    parts = crops(picture, "coffee")
    assert [part.size for part in parts] == [part.size for part in crops(picture, "coffee")]
    assert parts[0] is picture and len(parts) == 25
    assert {part.size for part in parts[1:]} == {(240, 240), (168, 168), (120, 120), (84, 84)}
    assert [part.tobytes() for part in parts] == [part.tobytes() for part in crops(picture, "coffee")]
    assert [part.tobytes() for part in parts[1:]] != [part.tobytes() for part in crops(picture, "tea")[1:]]


def test_photographs_lie_outside_and_held_out_pictures_at_the_stated_rate() -> None:
    shares = check(load(device="cpu"), PHOTOGRAPHS, number=4 * len(CELLS))
    assert list(shares) == ["held-out", "held-out-style", "chelsea.webp", "coffee.webp", "photographs"]
    assert 0.0 < shares["held-out"] < 2.5 * (1 - OUTSIDE)
    assert shares["photographs"] > 0.7
    assert shares["photographs"] == pytest.approx((shares["chelsea.webp"] + shares["coffee.webp"]) / 2, abs=1e-4)


def test_the_command_measures_and_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "DOMAIN_PICTURES", 4 * len(CELLS))  # thousands take minutes
    monkeypatch.setattr(module, "CHECKED", 1)
    shutil.copytree(WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(sys, "argv", ["domain", str(tmp_path / "weights")])
    main()
    width = load(device="cpu")._network.config.width
    assert load_domain(tmp_path / "weights", width).means.shape == (len(CELLS), 24)
    assert (tmp_path / "weights" / FILE).read_bytes() != (WEIGHTS / FILE).read_bytes()
    monkeypatch.setattr(sys, "argv", ["domain", str(tmp_path / "weights"), "--check"])
    main()
    assert set(json.loads(capsys.readouterr().out)) == {"held-out", "held-out-style"}
    (tmp_path / "weights" / "tokenizer.json").unlink()
    with pytest.raises(SystemExit, match=r"tokenizer\.json"):
        main()
