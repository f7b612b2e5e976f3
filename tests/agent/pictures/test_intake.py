"""What may be called a picture, and what is never opened."""

import base64
import http.server
import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from PIL import Image

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import AddressError, LargePictureError, PictureError, UnknownPictureError
from g2u.graphs.imagine import build_graph
from g2u.pictures.fetching import fetch_picture, is_public
from g2u.pictures.intake import MOST_PICTURES, take_all, take_content, take_picture
from g2u.pictures.store import ImageStore
from g2u.state import Context
from tests.scripted import ScriptedModel


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "pictures")


@pytest.fixture
def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def test_everything_that_names_the_same_picture_gives_the_same_reference(store: ImageStore, png: bytes) -> None:
    ref = store.add_bytes(png, "It")
    named = [
        ref,
        ref.model_dump(),
        ref.uri,
        f"http://127.0.0.1:2024/g2u/pictures/{ref.sha256}?size=256",
        f"https://example.org/behind/a/proxy/g2u/pictures/{ref.sha256}",
        data_url(png),
        {"type": "image", "url": ref.uri},
    ]
    assert {take_picture(one, store) for one in named} == {ref}


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ("g2u:" + "f" * 64, UnknownPictureError, "not in the store"),
        ("http://127.0.0.1:2024/g2u/pictures/" + "f" * 64, UnknownPictureError, "is not in the store"),
        ("file:///etc/passwd", PictureError, "was expected"),
        ("/etc/passwd", PictureError, "was expected"),
        ("picture.png", PictureError, "was expected"),
        ("ftp://example.org/a.png", PictureError, "was expected"),
        ("http://example.org/a.png", AddressError, "not fetched from 'example.org'"),
        ("http://user:word@example.org/a.png", AddressError, "a user's name"),
        ("http://[::1/a.png", AddressError, "no address"),
        (data_url(b"<svg/>", "image/svg+xml"), PictureError, "no picture"),
        ("data:image/png;base64,täal", PictureError, "no base64"),
        ({"sha256": "f" * 64}, PictureError, "no reference"),
        ({"type": "image", "file_id": "7"}, PictureError, "neither"),
        (None, PictureError, "cannot be None"),
    ],
)
def test_what_is_refused(store: ImageStore, given: object, error: type[PictureError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        take_picture(given, store)
    assert caught.value.hint


def test_a_reference_of_another_size_is_refused(store: ImageStore, png: bytes) -> None:
    given = store.add_bytes(png, "It").model_dump() | {"width": 7}
    with pytest.raises(PictureError, match="20 x 10 pixels, not 7 x 10"):
        take_picture(given, store)


def test_data_over_the_limit_is_not_decoded(tmp_path: Path) -> None:
    with pytest.raises(LargePictureError, match="larger than"):
        take_picture(data_url(b"x" * 2000), ImageStore(tmp_path, max_bytes=1000))


def test_text_and_pictures_of_a_message_come_apart(store: ImageStore, png: bytes) -> None:
    content = [{"type": "text", "text": "Which"}, {"type": "image", "base64": base64.b64encode(png).decode()}, "way?"]
    said = take_content(content, store)
    (ref,) = said.pictures
    assert (said.text, said.content[1]) == ("Which\nway?", {"type": "image", "url": ref.uri, "mime_type": "image/png"})


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("127.0.0.1", False),
        ("10.0.0.8", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("fd00::1", False),
        ("224.0.0.1", False),
        ("2606:4700::1111", True),
        ("::ffff:93.184.215.14", True),
        ("2002:7f00:1::1", False),
        ("2001:0:4136:e378::1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::1", False),
        ("::127.0.0.1", False),
        ("4000::1", False),
        ("ff0e::1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


class Pages(http.server.BaseHTTPRequestHandler):
    """A site with a picture, a page, a way back to this machine and a file without end."""

    picture = b""

    def do_GET(self) -> None:
        kinds = {"/a.png": "image/png", "/large.png": "image/png", "/page": "text/html"}
        status = 302 if self.path == "/moved" else 200 if self.path in kinds else 404
        self.send_response(status)
        self.send_header("Content-Type", kinds.get(self.path, "text/plain"))
        self.send_header("Location", "http://127.0.0.1:1/a.png")
        self.end_headers()
        self.wfile.write(b"x" * 5000 if self.path == "/large.png" else self.picture)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site(png: bytes) -> Iterator[str]:
    handler = type("Handler", (Pages,), {"picture": png})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_host_must_be_listed_and_public(site: str, png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AddressError, match="not fetched from"):
        fetch_picture(f"{site}/a.png", 4000)
    for hosts in ("*", "example.org, 127.0.0.1"):
        monkeypatch.setenv("G2U_FETCH_HOSTS", hosts)
        with pytest.raises(AddressError, match="private ones are never opened"):
            fetch_picture(f"{site}/a.png", 4000)
        assert fetch_picture(f"{site}/a.png", 4000, allowed=lambda address: True) == png


def test_each_address_of_a_host_is_tried_in_the_order_of_the_resolver(
    site: str, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G2U_FETCH_HOSTS", "*")
    tried: list[str] = []
    connect, resolve = socket.create_connection, socket.getaddrinfo
    address = f"http://example.org:{site.rpartition(':')[2]}/a.png"

    def refuse_all_but_the_site(address: tuple[str, int], *given: Any, **named: Any) -> socket.socket:
        tried.append(address[0])
        if address[0] != "127.0.0.1":
            raise ConnectionRefusedError("refused")
        return connect(address, *given, **named)

    def resolved(*addresses: str) -> None:
        entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]
        found = {"example.org": entries}
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *given, **named: found.get(host) or resolve(host, *given, **named)
        )

    monkeypatch.setattr(socket, "create_connection", refuse_all_but_the_site)
    dead = ["93.184.215.14", "1.1.1.1", "8.8.8.8"]
    resolved(dead[0], dead[0], dead[1], "127.0.0.1")
    assert fetch_picture(address, 4000, allowed=lambda _: True) == png
    assert tried == [dead[0], dead[1], "127.0.0.1"]
    with pytest.raises(AddressError, match="private ones are never opened"):
        fetch_picture(address, 4000)
    tried.clear()
    resolved(*dead, "127.0.0.1")
    with pytest.raises(AddressError, match="refused"):
        fetch_picture(address, 4000, allowed=lambda _: True)
    assert tried == dead


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("/page", AddressError, "gave text/html"),
        ("/moved", AddressError, "answered 302"),
        ("/none", AddressError, "answered 404"),
        ("/large.png", LargePictureError, "larger than"),
    ],
)
def test_what_is_not_taken_from_a_site(
    site: str, monkeypatch: pytest.MonkeyPatch, path: str, error: type[PictureError], says: str
) -> None:
    monkeypatch.setenv("G2U_FETCH_HOSTS", "*")
    with pytest.raises(error, match=says):
        fetch_picture(site + path, 4000, allowed=lambda address: True)


async def test_a_message_asks_and_its_picture_is_kept_by_reference(tmp_path: Path, png: bytes) -> None:
    with Engine(ScriptedModel) as engine:
        register_engine("scripted", engine)
        saver = InMemorySaver()
        block = {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}
        message = HumanMessage([{"type": "text", "text": "Which?"}, block])
        out: Any = await build_graph(saver).ainvoke(
            {"messages": [message]},
            {"configurable": {"thread_id": "1"}},
            context=Context(model="scripted", store=str(tmp_path)),
        )
    human, answer = out["messages"]
    assert human.content[1]["url"].startswith("g2u:") and answer.content == out["answer"].text


def test_pictures_are_taken_out_of_any_json(store: ImageStore, png: bytes) -> None:
    ref, data = store.add_bytes(png, "It"), data_url(png)
    block = {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}
    taken = take_all({"a": [["user", [block]], {"picture": data}], "b": {"url": data}, "c": [1, None, "text"]}, store)
    shown = {"type": "image", "url": ref.uri, "mime_type": "image/png"}
    assert taken == {
        "a": [["user", [shown]], {"picture": ref.model_dump()}],
        "b": {"url": ref.uri},
        "c": [1, None, "text"],
    }
    assert take_all(taken, store) == taken
    with pytest.raises(PictureError, match=f"At most {MOST_PICTURES} pictures"):
        take_all([ref.uri, *[{"picture": ref.uri}] * (MOST_PICTURES + 1)], store)
