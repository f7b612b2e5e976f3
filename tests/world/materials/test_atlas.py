"""The pictures that the world draws with: as many as named, in the order of their names, and told apart."""

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from g2u.errors import MissingExtraError
from g2u.world.materials import atlas, pack

ASSETS = Path(atlas.__file__).parent / "assets"
ENTRIES: list[dict[str, Any]] = json.loads((ASSETS / "concepts.json").read_text(encoding="utf-8"))
CPU = torch.device("cpu")


def test_names_are_single_lower_case_words_without_repeats() -> None:
    assert len(atlas.CONCEPTS) >= 200
    assert all(name.isascii() and name.isalpha() and name.islower() for name in atlas.CONCEPTS)
    assert list(atlas.CONCEPTS) == sorted(set(atlas.CONCEPTS))
    assert len(set(atlas.FONTS)) == len(atlas.FONTS) == 6


def test_every_concept_has_a_picture_of_its_own_to_come_from() -> None:
    for key in ("icon", "codepoint"):
        assert len({entry["source"][key] for entry in ENTRIES}) == len(ENTRIES)
    assert all(entry["group"] for entry in ENTRIES)


def test_tensors_have_the_shapes_that_are_promised() -> None:
    emoji, (glyphs, widths), textures = atlas.emoji(CPU), atlas.glyphs(CPU), atlas.textures(CPU)
    assert emoji.shape == (3, len(atlas.CONCEPTS), 4, 48, 48)
    assert glyphs.shape == (6, 36, 32, 28) and widths.shape == (6, 36)
    assert textures.shape == (3, 256, 256)
    assert emoji.dtype == glyphs.dtype == textures.dtype == torch.uint8 and widths.dtype == torch.int64
    assert emoji is atlas.emoji(CPU), "loaded once"


def test_files_are_small_and_hold_no_more_than_the_concepts() -> None:
    assert sum(path.stat().st_size for path in ASSETS.iterdir()) <= 4 * 2**20
    for style in atlas.EMOJI_STYLES:
        pixels = np.asarray(Image.open(ASSETS / f"emoji-{style}.webp").convert("RGBA"))
        tiles = pixels.reshape(-1, 48, 16, 48, 4).transpose(0, 2, 1, 3, 4).reshape(-1, 48, 48, 4)
        count = len(atlas.CONCEPTS)
        assert 0 <= len(tiles) - count < 16 and not tiles[count:].any()
        assert (
            tiles[count - 1].transpose(2, 0, 1) == atlas.emoji(CPU)[atlas.EMOJI_STYLES.index(style), -1].numpy()
        ).all()


def test_every_tile_has_ink_and_nothing_unseen_has_colour() -> None:
    emoji = atlas.emoji(CPU)
    ink = emoji[:, :, 3].float().mean(dim=(2, 3)) / 255
    assert ink.min() > 0.05 and ink.max() < 0.98
    assert not (emoji[:, :, :3] * (emoji[:, :, 3:] == 0)).any()


def test_no_two_concepts_look_alike() -> None:
    emoji = atlas.emoji(CPU).float() / 255
    seen = torch.cat([emoji[:, :, :3] * emoji[:, :, 3:], emoji[:, :, 3:]], dim=2).flatten(2)
    for tiles in seen:
        apart = torch.cdist(tiles, tiles, p=1) / tiles.shape[1]
        apart.fill_diagonal_(1.0)
        assert apart.min() > 0.05, "the nearest two today are 0.065 apart"


@pytest.mark.parametrize(
    ("name", "colour"), [("apple", 0), ("strawberry", 0), ("frog", 1), ("clover", 1), ("dolphin", 2), ("dress", 2)]
)
def test_tiles_show_what_their_names_say(name: str, colour: int) -> None:
    tiles = atlas.emoji(CPU)[:, atlas.CONCEPTS.index(name)].float()
    mean = (tiles[:, :3] * tiles[:, 3:]).sum(dim=(2, 3)) / tiles[:, 3:].sum(dim=(2, 3))
    assert (mean.argmax(dim=1) == colour).all()


def test_letters_stand_on_their_row_within_their_widths() -> None:
    glyphs, widths = atlas.glyphs(CPU)
    column, left = torch.arange(28), ((28 - widths) // 2)[..., None]
    ink = glyphs.amax(dim=2)
    assert not ink[(column < left) | (column >= left + widths[..., None])].any()
    assert ink.gather(2, left).all() and ink.gather(2, left + widths[..., None] - 1).all()
    tall = glyphs[:, atlas.GLYPHS.index("H")].amax(dim=2)
    assert (tall[:, 1:25] > 0).all() and (tall[:, 0] < 64).all() and (tall[:, 25:] < 64).all()
    pictures = glyphs.float().flatten(2)
    for font in range(len(atlas.FONTS)):
        apart = torch.cdist(pictures[font], pictures[font], p=1)
        apart.fill_diagonal_(torch.inf)
        assert apart.min() > 0


def test_textures_are_of_one_brightness_and_contrast() -> None:
    textures = atlas.textures(CPU).float() / 255
    assert ((textures.mean(dim=(1, 2)) - 0.5).abs() < 0.01).all()
    assert ((textures.std(dim=(1, 2)) - 0.2).abs() < 0.02).all()


def test_the_packer_lays_tiles_out_in_the_order_that_the_atlas_reads() -> None:
    def pictures() -> Iterable[Image.Image]:
        for i in range(18):
            yield Image.new("RGBA", (96, 96), (i, 2 * i, 3 * i, 255))

    packed = np.asarray(pack._emoji_atlas(pictures()))
    assert packed.shape == (96, 768, 4)
    assert packed[0, 0].tolist() == [0, 0, 0, 255] and packed[0, 48 * 15].tolist() == [15, 30, 45, 255]
    assert packed[48, 48].tolist() == [17, 34, 51, 255] and not packed[48, 96:].any()


def test_an_icon_becomes_a_document_of_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    icons = {"width": 32, "height": 32, "icons": {"dot": {"body": "<path/>", "left": 4, "width": 24}}}
    assert 'viewBox="4 0 24 32"' in pack._svg(icons, "dot") and "<path/>" in pack._svg(icons, "dot")
    monkeypatch.setattr(pack, "importlib", SimpleNamespace(import_module=_missing))
    with pytest.raises(MissingExtraError, match=r"pip install 'g2u\[assets\]'"):
        pack._renderer()


def _missing(name: str) -> None:
    raise ImportError(name)
