"""The border for pictures: what is refused, what is converted and how, and a store that cannot be led astray."""

from __future__ import annotations

import io
import os
import random
import struct
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from pydantic import ValidationError

from g2u.errors import OutputError, PictureError
from g2u.pictures.decoding import FORMATS
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore, get_store
from tests.waiting import HUNG

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(mode: str = "RGB") -> Image.Image:
    return Image.merge(
        "RGB", [Image.linear_gradient("L").resize((24, 20)).rotate(turn) for turn in (0, 90, 180)]
    ).convert(mode)


def png_header(width: int, height: int) -> bytes:
    """The start of a PNG file that claims a size and holds no pixels."""
    return png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"")


def png(header: bytes, pixels: bytes) -> bytes:
    """A PNG file of a given header, the only way to some kinds that Pillow does not write."""
    chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(pixels), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def animation(kind: str) -> bytes:
    return encoded(Image.new("RGB", (8, 8), RED), kind, save_all=True, append_images=[Image.new("RGB", (8, 8), BLUE)])


def deep_grey(value: int, **options: object) -> bytes:
    return encoded(Image.frombytes("I;16", (2, 1), struct.pack("<HH", value, 0)), "PNG", **options)


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty (0 bytes)"),
    "text": (b"Hello, I am no picture.", "is no picture"),
    "html": (b"<!doctype html><title>404</title>", "is no picture"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no picture"),
    "tiff": (encoded(gradient(), "TIFF"), "Formats that are read: PNG, JPEG"),
    "eps": (encoded(gradient(), "EPS"), "is no picture"),
    "truncated png": (encoded(gradient())[:-40], "is cut off or damaged"),
    "truncated jpeg": (encoded(gradient(), "JPEG")[:-60], "is cut off or damaged"),
    "truncated webp": (encoded(gradient(), "WEBP", lossless=True)[:-60], "is "),
    "header alone": (encoded(gradient())[:33], "cut off near its start"),
    "animated gif": (animation("GIF"), "is animated"),
    "animated png": (animation("PNG"), "is animated"),
    "animated webp": (animation("WEBP"), "is animated"),
    "too many pixels": (png_header(8001, 8000), "has 8001 x 8000 pixels; at most 64 megapixels"),
    "more than Pillow warns of": (png_header(10_000, 10_000), "has 10000 x 10000 pixels; at most 64 megapixels"),
    "more than Pillow takes": (png_header(50_000, 50_000), "at most 64 megapixels"),
    "deep grey with transparency": (deep_grey(700, transparency=3), "refused (I;16)"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    data, fragment = BAD_FILES[name]
    (tmp_path / "file").write_bytes(data)
    with warnings.catch_warnings(), pytest.raises(PictureError) as caught:
        warnings.simplefilter("error")
        ImageStore(tmp_path / "store").add_file(tmp_path / "file")
    assert fragment in str(caught.value)
    assert str(tmp_path / "file") in caught.value.message
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("make", "fragment"),
    [
        (lambda path: None, "There is no picture at"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: os.mkfifo(path), "is a pipe or a device"),
        (lambda path: path.symlink_to(path), "cannot be read"),
    ],
    ids=["missing", "folder", "pipe", "loop"],
)
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], object], fragment: str) -> None:
    make(tmp_path / "it")
    with pytest.raises(PictureError, match=fragment):
        ImageStore(tmp_path / "store").add_file(tmp_path / "it")


@pytest.mark.parametrize(
    ("path", "fragment"),
    [
        ("https://example.org/a.png", "only local files"),
        ("file:///a.png", "only local files"),
        ("a\0b.png", "cannot be read"),
        ("", "There is no picture|is a folder"),
        ("n" * 5000, "cannot be read"),
    ],
)
def test_what_is_no_path_is_refused(tmp_path: Path, path: str, fragment: str) -> None:
    with pytest.raises(PictureError, match=fragment):
        ImageStore(tmp_path).add_file(path)


def test_limits_are_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(encoded(gradient()))
    with pytest.raises(PictureError, match=r"at most 0\.0004 megapixels"):
        ImageStore(tmp_path / "store", max_pixels=400).add_file(tmp_path / "file")
    (tmp_path / "file").write_bytes(encoded(gradient()) + bytes(2**20))
    with pytest.raises(PictureError, match="is larger than 1 MiB"):
        ImageStore(tmp_path / "store", max_bytes=2**20).add_file(tmp_path / "file")


@pytest.mark.parametrize("kind", FORMATS)
def test_no_bytes_whatever_break_the_border(tmp_path: Path, kind: str) -> None:
    dice, good = random.Random(kind), encoded(gradient(), kind)
    store, path = ImageStore(tmp_path / "store", max_pixels=100_000), tmp_path / "file"
    refused = 0
    for _ in range(150):
        data = bytearray(good)
        for _ in range(dice.choice([1, 3, 12])):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(data)
        try:
            ref = store.add_file(path)
        except PictureError:
            refused += 1
        else:
            assert store.open(ref).size == (ref.width, ref.height)
    assert refused or kind == "BMP"  # a bitmap is nearly all pixels


def transparent_palette() -> bytes:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putdata([0, 1])
    return encoded(image, transparency=1)


def half_red() -> Image.Image:
    image = Image.new("RGBA", (2, 1), (*RED, 255))
    image.putpixel((1, 0), (*RED, 0))
    return image


CONVERSIONS: dict[str, tuple[bytes, list[tuple[int, int, int]]]] = {
    "rgb": (encoded(Image.new("RGB", (2, 1), RED)), [RED, RED]),
    "grey": (encoded(Image.new("L", (2, 1), 90)), [(90, 90, 90)] * 2),
    "black and white": (encoded(Image.new("1", (2, 1), 1)), [WHITE] * 2),
    "palette": (encoded(Image.new("RGB", (2, 1), BLUE).quantize(2)), [BLUE, BLUE]),
    "alpha on white": (encoded(half_red()), [RED, WHITE]),
    "half transparent": (encoded(Image.new("RGBA", (2, 1), (0, 0, 0, 51))), [(204, 204, 204)] * 2),
    "grey alpha on white": (encoded(Image.new("LA", (2, 1), (0, 0))), [WHITE] * 2),
    "transparent palette": (transparent_palette(), [RED, WHITE]),
    "transparent colour": (encoded(Image.new("RGB", (2, 1), GREEN), transparency=GREEN), [WHITE] * 2),
    "gif": (encoded(Image.new("RGB", (2, 1), GREEN), "GIF"), [GREEN, GREEN]),
    "bmp": (encoded(Image.new("RGB", (2, 1), GREEN), "BMP"), [GREEN, GREEN]),
    "webp": (encoded(Image.new("RGB", (2, 1), GREEN), "WEBP", lossless=True), [GREEN, GREEN]),
    "cmyk": (encoded(Image.new("CMYK", (2, 1), (0, 0, 0, 255)), "JPEG"), [(0, 0, 0)] * 2),
    "16-bit grey": (deep_grey(0xABCD), [(0xAB, 0xAB, 0xAB), (0, 0, 0)]),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_each_kind_of_pixel_has_one_rule(tmp_path: Path, name: str) -> None:
    data, expected = CONVERSIONS[name]
    (tmp_path / "file").write_bytes(data)
    store = ImageStore(tmp_path / "store")
    image = store.open(store.add_file(tmp_path / "file"))
    assert image.mode == "RGB"
    assert [image.getpixel((x, 0)) for x in range(2)] == expected


def test_16_bit_colour_keeps_the_high_byte(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    (tmp_path / "file").write_bytes(png(header, b"\0" + struct.pack(">HHH", 0x12FF, 0x3401, 0x56AB)))
    store = ImageStore(tmp_path / "store")
    assert store.open(store.add_file(tmp_path / "file")).getpixel((0, 0)) == (0x12, 0x34, 0x56)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (3, 1), RED)
    image.putpixel((0, 0), BLUE)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter, clockwise
    (tmp_path / "file").write_bytes(encoded(image, exif=exif))
    store = ImageStore(tmp_path / "store")
    ref = store.add_file(tmp_path / "file")
    assert (ref.width, ref.height) == (1, 3)
    assert store.open(ref).getpixel((0, 0)) == BLUE


def test_a_phone_picture_with_attached_views_gives_the_first(tmp_path: Path) -> None:
    views = [Image.new("RGB", (16, 16), "gray"), Image.new("RGB", (8, 8), "black")]
    (tmp_path / "file").write_bytes(encoded(views[0], "MPO", save_all=True, append_images=views[1:]))
    ref = ImageStore(tmp_path / "store").add_file(tmp_path / "file")
    assert (ref.width, ref.height) == (16, 16)


def test_equal_pixels_are_one_reference_whatever_the_file(tmp_path: Path) -> None:
    store, image = ImageStore(tmp_path / "store"), gradient()
    files = [encoded(image), encoded(image, "BMP"), encoded(image, "WEBP", lossless=True), encoded(image, dpi=(9, 9))]
    refs = {store.add_image(image)}
    for data in files:
        (tmp_path / "file").write_bytes(data)
        refs.add(store.add_file(tmp_path / "file"))
    assert len(refs) == 1
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == 1
    assert store.open(refs.pop()).tobytes() == image.tobytes()


def test_a_reference_says_where_and_what(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    ref = store.add_image(gradient())
    assert store.path(ref) == store.path(ref.sha256) == tmp_path / ref.sha256[:2] / f"{ref.sha256}.png"
    assert (ref.width, ref.height, ref.mime, ref.uri) == (24, 20, "image/png", f"g2u:{ref.sha256}")
    assert ImageRef.model_validate_json(ref.model_dump_json()) == ref
    with pytest.raises(ValidationError):
        ref.width = 5


@pytest.mark.parametrize(
    "sha256", ["", "..", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "/" + "a" * 63, "a/../" + "a" * 59]
)
def test_no_reference_leads_out_of_the_store(tmp_path: Path, sha256: str) -> None:
    store = ImageStore(tmp_path)
    unchecked = ImageRef.model_construct(sha256=sha256, width=1, height=1)  # as a lenient deserialiser makes them
    for ref in (sha256, unchecked):
        with pytest.raises(PictureError, match="no reference to a picture"):
            store.open(ref)
    with pytest.raises(ValidationError):
        ImageRef(sha256=sha256, width=1, height=1)


def test_a_lost_picture_is_an_error(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    ref = store.add_image(gradient())
    store.path(ref).unlink()
    with pytest.raises(PictureError, match="is not in the store") as caught:
        store.open(ref)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-9], lambda data: data[:50] + b"?" + data[51:]]
)
def test_a_damaged_picture_is_an_error_until_it_is_added_again(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    store = ImageStore(tmp_path)
    ref = store.add_image(gradient())
    store.path(ref).write_bytes(damage(store.path(ref).read_bytes()))
    with pytest.raises(PictureError, match="is damaged") as caught:
        store.open(ref)
    assert str(tmp_path) not in str(caught.value) and f"{ref.sha256[:2]}/{ref.sha256}.png" in caught.value.hint
    assert store.add_image(gradient()) == ref
    assert store.open(ref).tobytes() == gradient().tobytes()


def test_a_reference_with_another_size_is_an_error(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    ref = store.add_image(gradient())
    with pytest.raises(PictureError, match="is damaged"):
        store.open(ref.model_copy(update={"width": 25}))


def test_threads_may_add_the_same_pictures_at_once(tmp_path: Path) -> None:
    stores = [ImageStore(tmp_path) for _ in range(2)]
    images = [Image.new("RGB", (40, 40), (shade, 0, 0)) for shade in range(6)] * 8
    with ThreadPoolExecutor(8) as pool:
        refs = list(pool.map(lambda item: stores[item[0] % 2].add_image(item[1]), enumerate(images)))
    assert len(set(refs)) == 6
    assert all(stores[0].open(ref).tobytes() == image.tobytes() for ref, image in zip(refs, images, strict=True))
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 6  # no temporary file is left


@pytest.mark.parametrize("blocked", ["store", "store/sub"])
def test_a_store_that_cannot_be_written_is_an_error(tmp_path: Path, blocked: str) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="Cannot write"):
        ImageStore(tmp_path / blocked).add_image(gradient())
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_write_that_fails_leaves_no_half_file(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "store")
    target = store.path(store.add_image(gradient()))
    target.unlink()
    target.mkdir()  # a rename over a folder fails after the bytes are written
    with pytest.raises(OutputError, match="Cannot write"):
        store.add_image(gradient())
    assert list(target.parent.iterdir()) == [target]


def test_one_store_for_each_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("G2U_PICTURES", raising=False)
    assert get_store().root == tmp_path / "runs" / "pictures"
    monkeypatch.setenv("G2U_PICTURES", str(tmp_path / "elsewhere"))
    assert get_store().root == tmp_path / "elsewhere"
    assert get_store("here") is get_store(tmp_path / "x" / ".." / "here")
    assert not any(tmp_path.iterdir())


def test_few_pictures_are_decoded_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted inside of Pillow, for everything that a border of a server calls."""
    store, load = ImageStore(tmp_path), PngImageFile.load
    ref = store.add_image(gradient())
    inside, seen, two = list[PngImageFile](), list[int](), threading.Event()

    def counted(image: PngImageFile) -> object:
        inside.append(image)
        seen.append(len(inside))
        if len(inside) == 2:
            two.set()
        assert two.wait(HUNG)
        time.sleep(0.02)  # in which a third could come
        try:
            return load(image)
        finally:
            inside.pop()

    monkeypatch.setattr(PngImageFile, "load", counted)
    path = tmp_path / "one.png"
    path.write_bytes(encoded(gradient()))
    calls: list[Callable[[], object]] = [
        lambda: store.add_file(path),
        lambda: store.add_bytes(path.read_bytes(), "It"),
        lambda: store.find(ref.sha256),
    ]
    with ThreadPoolExecutor(12) as pool:
        for made in [pool.submit(call) for call in calls * 4]:
            assert made.result() == ref
    assert max(seen) == 2
