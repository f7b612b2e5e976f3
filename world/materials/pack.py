"""Packs the pictures that the world draws with, emoji, letters and textures, as the atlases in `assets`.

What the files in the repository were made from, and under which licence it stands (texts in `assets/LICENSES.md`):

- `--fluent-flat`: `icons.json` of the npm package `@iconify-json/fluent-emoji-flat` 1.2.6 (Microsoft, MIT)
- `--noto`: `icons.json` of the npm package `@iconify-json/noto` 1.2.9 (Google, Apache-2.0)
- `--fluent-3d`: folder `assets` of the npm package `@lobehub/fluent-emoji-3d` 1.1.0 (Microsoft, MIT)
- `--fonts`, in this order: DejaVuSans.ttf, DejaVuSansCondensed-Bold.ttf, DejaVuSansMono.ttf and
  DejaVuSerifCondensed.ttf of the Debian packages `fonts-dejavu-core` and `fonts-dejavu-extra` 2.37-6 (Bitstream Vera
  licence), ComicNeue-Bold.otf of `fonts-comic-neue` 2.51-4 (OFL-1.1) and RobotoSlab-Regular.otf of `fonts-roboto-slab`
  1.100263+20170512-2 (Apache-2.0)
- `--textures`: folder `skimage/data` of the PyPI package `scikit-image` 0.26.0 (the three used are CC0)

`concepts.json` is chosen by hand and is read from `--out`: a concept's `source` names its icon in both icon sets and
its file in the third. Made with resvg-py 0.5.0 and Pillow 13.0.0; other versions may round a pixel differently.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from g2u.errors import MissingExtraError, UnknownNameError

from .atlas import GLYPH_SIZE, GLYPHS, TEXTURE_SIZE, TEXTURES, TILE, TILES_PER_ROW

_VECTOR_SIDE = 192
_CAP_HEIGHT = 24
_BASELINE = 25  # the row below the feet of a letter
_FINE = 8  # letters are drawn so many times larger, then averaged


def main() -> None:
    """Parse the command line and write the atlases."""
    parser = argparse.ArgumentParser(
        prog="python -m g2u.world.materials.pack", description="Pack the pictures of the world."
    )
    parser.add_argument("--fluent-flat", type=Path, required=True, help="icons.json")
    parser.add_argument("--noto", type=Path, required=True, help="icons.json")
    parser.add_argument("--fluent-3d", type=Path, required=True, help="folder of CODEPOINT.webp")
    parser.add_argument("--fonts", type=Path, nargs="+", required=True, help="the last is held out of training")
    parser.add_argument("--textures", type=Path, required=True, help="folder of " + ", ".join(TEXTURES) + " as PNG")
    parser.add_argument("--out", type=Path, required=True, help="folder that holds concepts.json")
    arguments = parser.parse_args()

    out: Path = arguments.out
    sources = [concept["source"] for concept in json.loads((out / "concepts.json").read_text(encoding="utf-8"))]
    try:
        renderer = _renderer()
        for style, path in (("fluent-flat", arguments.fluent_flat), ("noto", arguments.noto)):
            icons = json.loads(path.read_text(encoding="utf-8"))
            tiles = (_rasterised(_svg(icons, source["icon"]), renderer) for source in sources)
            _save(_emoji_atlas(tiles), out / f"emoji-{style}.webp")
    except (UnknownNameError, MissingExtraError) as error:
        parser.error(str(error))
    files = (arguments.fluent_3d / f"{source['codepoint']}.webp" for source in sources)
    _save(_emoji_atlas(Image.open(file).convert("RGBA") for file in files), out / "emoji-fluent-3d.webp")

    fonts = [_glyph_row(path) for path in arguments.fonts]
    _save(Image.fromarray(np.concatenate([row for row, _ in fonts])), out / "glyphs.webp")
    lines = [
        json.dumps({"name": path.stem, "widths": widths})
        for path, (_, widths) in zip(arguments.fonts, fonts, strict=True)
    ]
    (out / "fonts.json").write_text("[\n  " + ",\n  ".join(lines) + "\n]\n", encoding="utf-8")

    textures = [_texture(Image.open(arguments.textures / f"{name}.png")) for name in TEXTURES]
    _save(Image.fromarray(np.concatenate(textures, axis=1)), out / "textures.webp")


def _renderer() -> ModuleType:
    try:
        return importlib.import_module("resvg_py")
    except ImportError as error:
        raise MissingExtraError("Rendering vector pictures", "resvg-py", "assets") from error


def _svg(icons: dict[str, Any], name: str) -> str:
    """Wrap an icon of an Iconify set into an SVG document."""
    if name not in icons["icons"]:
        raise UnknownNameError("icon", name, icons["icons"], "python -m json.tool icons.json")
    icon = icons["icons"][name]
    left, top, width, height = (
        icon.get(key, icons.get(key, default))
        for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
    )
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {spaces} viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'


def _rasterised(svg: str, renderer: ModuleType) -> Image.Image:
    png = renderer.svg_to_bytes(svg_string=svg, width=_VECTOR_SIDE, height=_VECTOR_SIDE, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


def _emoji_atlas(pictures: Iterable[Image.Image]) -> Image.Image:
    """Shrink pictures to tiles and lay them out in rows; where nothing is seen, all four numbers are zero."""
    # Premultiplied, so that what is not seen does not bleed into edges.
    tiles = [
        picture.convert("RGBa").resize((TILE, TILE), Image.Resampling.LANCZOS).convert("RGBA") for picture in pictures
    ]
    rows = -(-len(tiles) // TILES_PER_ROW)
    atlas = np.zeros((rows * TILE, TILES_PER_ROW * TILE, 4), np.uint8)
    for i, tile in enumerate(tiles):
        y, x = i // TILES_PER_ROW * TILE, i % TILES_PER_ROW * TILE
        atlas[y : y + TILE, x : x + TILE] = np.asarray(tile)
    atlas[atlas[..., 3] == 0] = 0
    return Image.fromarray(atlas)


def _glyph_row(path: Path) -> tuple[np.ndarray, list[int]]:
    """Draw the letters of a font, each on a whole pixel column; too wide ones (W, M) are narrowed to the tile.

    Returns:
        Coverage `[height, glyphs * width]`, and how many columns each letter takes, centred in its tile.
    """
    height, width = GLYPH_SIZE
    font = ImageFont.truetype(str(path), 1000)
    _, top, _, bottom = font.getbbox("H", anchor="ls")
    font = ImageFont.truetype(str(path), round(1000 * _CAP_HEIGHT * _FINE / (bottom - top)))
    tiles, widths = [], []
    for character in GLYPHS:
        ink = Image.new("L", (4 * width * _FINE, height * _FINE))
        ImageDraw.Draw(ink).text((width * _FINE, _BASELINE * _FINE), character, fill=255, font=font, anchor="ls")
        left, _, right, _ = ink.getbbox() or (0, 0, 1, 1)
        ink = ink.crop((left, 0, right, ink.height))
        columns = min(-(-ink.width // _FINE), width - 1)
        if ink.width > columns * _FINE:
            ink = ink.resize((columns * _FINE, ink.height), Image.Resampling.LANCZOS)
        tile = Image.new("L", (width * _FINE, height * _FINE))
        margin = columns * _FINE - ink.width
        tile.paste(ink, ((width - columns) // 2 * _FINE + margin // 2, 0))
        tiles.append(np.asarray(tile.resize((width, height), Image.Resampling.BOX)))
        widths.append(columns)
    return np.concatenate(tiles, axis=1), widths


def _texture(picture: Image.Image) -> np.ndarray:
    """Shrink a grey picture and give it mean 0.5 and standard deviation 0.2."""
    pixels = np.asarray(picture.convert("L").resize((TEXTURE_SIZE, TEXTURE_SIZE), Image.Resampling.LANCZOS), np.float64)
    level: np.ndarray = 255 * (0.5 + 0.2 * (pixels - pixels.mean()) / pixels.std())
    return level.round().clip(0, 255).astype(np.uint8)


def _save(picture: Image.Image, path: Path) -> None:
    picture.save(path, lossless=True, quality=100, method=6, exact=True)


if __name__ == "__main__":
    main()
