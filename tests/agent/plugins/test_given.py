"""Pictures that strangers name: all that is in order comes in, nothing else."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import pytest
from PIL import Image

from g2u.errors import PictureError
from g2u.pictures.store import ImageStore
from g2u.plugins.given import enter_picture

SHA = "0" * 64


def encoded(kind: str = "PNG", size: tuple[int, int] = (8, 6)) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    (tmp_path / "open").mkdir()
    Image.new("RGB", (8, 6), "teal").save(tmp_path / "open" / "picture.png")
    Image.new("RGB", (8, 6), "red").save(tmp_path / "secret.png")
    os.symlink(tmp_path / "secret.png", tmp_path / "open" / "link.png")
    return ImageStore(tmp_path / "store")


def test_every_way_leads_to_the_same_reference(store: ImageStore, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    ref = enter_picture(store, "picture.png", folder)
    assert (ref.width, ref.height) == (8, 6)
    ways = (ref.uri, ref.sha256, f" {ref.uri}\n", str(folder / "picture.png"), f"data:image/png;base64,{encoded()}")
    assert [enter_picture(store, way, folder) for way in ways] == [ref] * len(ways)
    assert enter_picture(store, f"data:image/bmp;base64,{encoded('BMP')}", None) == ref


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        ("../secret.png", "outside of the folder"),
        ("/etc/hostname", "outside of the folder"),
        ("link.png", "outside of the folder"),
        ("open/../../secret.png", "outside of the folder"),
        ("file:///etc/hostname", "only local files"),
        ("http://127.0.0.1/picture.png", "only local files"),
        ("missing.png", "There is no picture at"),
        (".", "is a folder"),
        ("a\0b", "no path of a file"),
        (f"g2u:{SHA}", "is not in the store"),
        (SHA, "is not in the store"),
        ("g2u:../../secret", "is no reference to a picture"),
        ("data:image/png,abc", "begins with data:image/png;base64,"),
        (f"data:image/svg+xml;base64,{base64.b64encode(b'<svg/>').decode()}", "no picture in a format that is read"),
        ("data:text/html;base64,YWJj", "no picture in a format that is read"),
        ("data:image/png;base64,a*b=", "no base64"),
        ("data:image/png;base64,täal", "no base64"),
        ("data:image/png;base64,YWJj", "no picture in a format that is read"),
        ("data:image/png;base64,", "is empty"),
    ],
)
def test_tricks_and_mistakes_are_refused(store: ImageStore, tmp_path: Path, picture: str, says: str) -> None:
    with pytest.raises(PictureError) as refused:
        enter_picture(store, picture, tmp_path / "open")
    assert says in str(refused.value)
    assert not store.root.exists()


def test_without_a_folder_no_path_is_read(store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="No paths are read here"):
        enter_picture(store, str(tmp_path / "open" / "picture.png"), None)


def test_what_is_too_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, max_bytes=300, max_pixels=100)
    with pytest.raises(PictureError, match="larger than"):
        enter_picture(store, "data:image/png;base64," + "!" * 405, None)  # no base64 at all: nobody looked
    with pytest.raises(PictureError, match="megapixels"):
        enter_picture(store, f"data:image/png;base64,{encoded(size=(20, 20))}", None)
