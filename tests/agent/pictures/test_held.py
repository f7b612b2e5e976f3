"""Pictures as a person holds them: every kind becomes the picture that a file of it would become, or is refused."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from g2u.errors import AddressError, LargePictureError, PictureError, UnknownPictureError
from g2u.pictures.held import check_held, take_held
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "store", max_pixels=10_000)


@pytest.fixture
def colours() -> Image.Image:
    """Four by two pixels, all different, so that nothing turned or swapped looks the same."""
    return Image.frombytes("RGB", (4, 2), bytes(range(0, 240, 10)))


def png(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_picture_of_pillow_becomes_what_a_file_of_it_becomes(
    store: ImageStore, colours: Image.Image, mode: str
) -> None:
    held = colours.convert("L").convert(mode) if mode == "I;16" else colours.convert(mode)
    if "A" in mode:
        held.putalpha(100)
    assert take_held(held, store) == store.add_bytes(png(held), "it")
    assert held.mode == mode


@pytest.mark.parametrize("mode", ["PA", "RGBa", "La", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I;16B"])
def test_kinds_that_only_memory_has_keep_their_colours(store: ImageStore, mode: str) -> None:
    grey = Image.new("RGB", (3, 3), (102, 102, 102))
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        held = ImageCms.profileToProfile(grey, *profiles, outputMode="LAB")
    elif mode == "I;16B":
        held = Image.frombytes(mode, (3, 3), bytes([102, 7]) * 9)
    else:
        held = grey.convert({"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode, mode)).convert(mode)
    assert held is not None and held.mode == mode
    seen = take_held(held, store).open(store).getpixel((1, 1))
    assert np.abs(np.subtract(seen, 102)).max() <= 2


def test_transparent_is_white_and_an_orientation_is_applied(store: ImageStore, colours: Image.Image) -> None:
    assert take_held(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), store).open(store).getpixel((0, 0)) == (255, 255, 255)
    palette = colours.convert("P")
    palette.info["transparency"] = palette.getpixel((0, 0))
    assert take_held(palette, store).open(store).getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    held = Image.open(io.BytesIO(png(colours, exif=exif)))
    assert take_held(held, store) == store.add_bytes(png(colours.transpose(Image.Transpose.ROTATE_270)), "it")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Image.new("F", (2, 2)), r"of a kind that is refused \(F\). Make it 8-bit RGB"),
        (lambda: Image.new("I", (2, 2)), r"refused \(I\)"),
        (lambda: Image.new("RGB", (0, 2)), "has 0 x 2 pixels"),
        (lambda: Image.new("RGB", (101, 100)), "has 101 x 100 pixels; at most 0.01 megapixels"),
    ],
)
def test_a_picture_of_pillow_that_cannot_be_read_is_refused(store: ImageStore, make: Any, says: str) -> None:
    with pytest.raises(PictureError, match=says):
        take_held(make(), store)
    assert not store.root.exists()


def test_a_file_that_pillow_has_opened_is_checked_like_any(tmp_path: Path, colours: Image.Image) -> None:
    store = ImageStore(tmp_path / "store")
    whole = png(Image.effect_noise((64, 64), 50))
    with pytest.raises(PictureError, match="cut off or damaged"):
        take_held(Image.open(io.BytesIO(whole[: len(whole) // 2])), store)
    buffer = io.BytesIO()
    colours.save(buffer, "GIF", save_all=True, append_images=[Image.new("RGB", colours.size)])
    animated = Image.open(buffer)
    with pytest.raises(PictureError, match="is animated"):
        take_held(animated, store)
    assert take_held(animated.copy(), store).width == 4  # the frame that it was at
    (tmp_path / "it.png").write_bytes(whole)
    with Image.open(tmp_path / "it.png") as closed:
        pass
    with pytest.raises(PictureError, match="closed before it was read"):
        take_held(closed, store)


def test_arrays_are_read_as_pillow_gives_them(store: ImageStore, colours: Image.Image) -> None:
    for mode in ("L", "RGB", "RGBA"):
        held = colours.convert(mode)
        assert take_held(np.asarray(held), store) == take_held(held, store)
    array = np.asarray(colours)
    turned = take_held(array[::-1, ::2], store)  # neither whole nor in order in memory
    assert turned.open(store).tobytes() == array[::-1, ::2].tobytes()


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 5, 3)), r"array of float64 in the shape \(4, 5, 3\); uint8 of height x width x 3.*astype"),
        (np.zeros((4, 5, 3), np.int64), r"array of int64 in the shape"),
        (np.zeros((4, 5), bool), r"array of bool in the shape \(4, 5\)"),
        (np.zeros((3, 4, 5), np.uint8), r"shape \(3, 4, 5\).*transpose\(1, 2, 0\)"),
        (np.zeros((1, 4, 5, 3), np.uint8), r"shape \(1, 4, 5, 3\).*`array\[0\]`"),
        (np.zeros((4, 5, 1), np.uint8), r"shape \(4, 5, 1\).*`array\[:, :, 0\]`"),
        (np.zeros((4, 5, 2), np.uint8), r"shape \(4, 5, 2\)"),
        (np.zeros(60, np.uint8), r"shape \(60,\)"),
        (np.zeros((0, 5, 3), np.uint8), "has 5 x 0 pixels"),
        (np.broadcast_to(np.uint8(0), (100_000, 100_000)), "has 100000 x 100000 pixels"),  # a view of one byte
    ],
)
def test_any_other_array_is_refused_by_what_it_is(store: ImageStore, array: Any, says: str) -> None:
    with pytest.raises(PictureError, match=says):
        take_held(array, store)


def test_bytes_and_addresses_and_references(store: ImageStore, colours: Image.Image, tmp_path: Path) -> None:
    data, asked = png(colours), list[str]()

    def fetch(url: str, max_bytes: int) -> bytes:
        asked.append(url)
        return data

    ref = store.add_bytes(data, "it")
    (tmp_path / "it.png").write_bytes(data)
    encoded = base64.b64encode(data).decode()
    for held in (
        *(data, bytearray(data), memoryview(data), tmp_path / "it.png", str(tmp_path / "it.png")),
        *(ref, ref.model_dump(), ref.uri, f"http://here:2024/g2u/pictures/{ref.sha256}"),
        *(f"data:image/png;base64,{encoded}", encoded, "https://example.org/it.png"),
    ):
        assert take_held(held, store, fetch) == ref
    assert asked == ["https://example.org/it.png"]


@pytest.mark.parametrize(
    ("held", "error", "says"),
    [
        ("http://127.0.0.1/a.png", AddressError, "private ones are never opened. Name the host in $G2U_FETCH_HOSTS"),
        ("https://user:word@example.org/a.png", AddressError, "a user's name"),
        ("g2u:" + "f" * 64, UnknownPictureError, "is not in the store"),
        ("http://here:2024/g2u/pictures/" + "f" * 64, UnknownPictureError, "is not in the store. Give a path"),
        ("g2u:short", PictureError, "Give a path"),
        ("file:///a.png", PictureError, "only local files are read"),
        ("a:b.png", PictureError, "There is no picture at 'a:b.png'"),
        (b"", PictureError, "The picture is empty"),
        (b"GIF89a", PictureError, "The picture is"),
        (io.BytesIO(), PictureError, "A picture cannot be <_io.BytesIO"),
        ([], PictureError, "(list)"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_to_give(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch, held: object, error: type[PictureError], says: str
) -> None:
    monkeypatch.setenv("G2U_FETCH_HOSTS", "*")
    with pytest.raises(error) as refused:
        take_held(held, store)
    assert says in str(refused.value)
    assert "POST" not in str(refused.value)


def test_an_address_is_fetched_by_the_rules_of_servers(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("G2U_FETCH_HOSTS", raising=False)
    with pytest.raises(AddressError, match=r"not fetched from 'example.org'\. Name the host in"):
        take_held("https://example.org/a.png", store)
    with pytest.raises(LargePictureError):
        take_held("https://example.org/a.png", store, lambda url, most: b"\0" * (store.max_bytes + 1))


def test_who_uses_no_numpy_does_not_load_it(tmp_path: Path) -> None:
    script = """
import sys
from PIL import Image
from g2u.pictures.held import take_held
from g2u.pictures.store import ImageStore
take_held(Image.new("RGB", (2, 2)), ImageStore("store")).open(ImageStore("store"))
assert "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


def test_a_reference_that_nobody_can_open_says_what_to_do(tmp_path: Path) -> None:
    ref = ImageRef(sha256="f" * 64, width=2, height=2)
    with pytest.raises(UnknownPictureError, match=r"Name the one that has it: `ref.open\(g2u.ImageStore"):
        ref.open()
    script = """
import g2u
try:
    g2u.ImageRef(sha256="f" * 64, width=2, height=2).open()
except g2u.G2UError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "is in no store that this process has used" in told.stdout


def test_a_damaged_copy_does_not_hide_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from g2u.pictures import store as stores

    monkeypatch.setattr(stores, "_STORES", {})
    monkeypatch.setenv("G2U_PICTURES", str(tmp_path / "default"))
    default, other = stores.get_store(), stores.get_store(tmp_path / "other")
    ref = default.add_image(Image.new("RGB", (2, 2)))
    default.path(ref).write_bytes(b"damaged")
    with pytest.raises(PictureError, match="is damaged"):
        ref.open()
    other.add_image(Image.new("RGB", (2, 2)))
    assert ref.open().size == (2, 2)
    check_held(ref)
