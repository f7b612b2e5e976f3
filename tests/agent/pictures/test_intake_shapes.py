"""Whatever shape a picture comes in, it is found, and nothing of it stays but a reference."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.messages.block_translators.openai import convert_to_openai_data_block
from langchain_core.messages.content import create_file_block, create_image_block
from mcp import types
from PIL import Image
from pydantic import AnyUrl

from g2u.errors import G2UError, LargePictureError, PictureError
from g2u.pictures.intake import MOST_PICTURES, take_all, take_content, take_data, take_picture
from g2u.pictures.links import named_in
from g2u.pictures.store import ImageStore

PIXELS = bytes(range(256)) * 3


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "pictures")


def encoded(kind: str = "PNG") -> str:
    """A picture without two equal neighbours, so that its base64 has every digit."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (16, 16), PIXELS).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


DATA, URL = encoded(), f"data:image/png;base64,{encoded()}"
MCP_BLOB = types.BlobResourceContents(uri=AnyUrl("file:///a.png"), mimeType="image/png", blob=DATA)
MCP_IMAGE = types.ImageContent(type="image", data=DATA, mimeType="image/png")

SHAPES: dict[str, dict[str, Any]] = {
    "langchain": dict(create_image_block(base64=DATA, mime_type="image/png")),
    "langchain url": dict(create_image_block(url=URL)),
    "langchain file": dict(create_file_block(base64=DATA, mime_type="image/png")),
    "langchain v0": {"type": "image", "source_type": "base64", "data": DATA, "mime_type": "image/png"},
    "langchain unknown": {"type": "non_standard", "value": {"type": "input_image", "image_url": URL}},
    "javascript": {"type": "image", "data": DATA, "mimeType": "image/png", "metadata": {"name": "a.png"}},
    "javascript file": {"type": "file", "source_type": "base64", "data": DATA, "mime_type": "image/png"},
    "openai": convert_to_openai_data_block({"type": "image", "base64": DATA, "mime_type": "image/png"}),
    "openai text": {"type": "image_url", "image_url": URL},
    "openai file": {"type": "file", "file": {"file_data": URL, "filename": "a.png"}},
    "responses": convert_to_openai_data_block(
        {"type": "image", "base64": DATA, "mime_type": "image/png"}, api="responses"
    ),
    "responses file": {"type": "input_file", "file_data": URL, "filename": "a.png"},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
    "ai sdk": {"type": "image", "image": DATA, "mediaType": "image/png"},
    "ai sdk file": {"type": "file", "data": DATA, "mediaType": "image/png"},
    "ai sdk page": {"type": "file", "url": URL, "mediaType": "image/png", "filename": "a.png"},
    "google": {"inlineData": {"mimeType": "image/png", "data": DATA}},
    "google python": {"inline_data": {"mime_type": "image/png", "data": DATA}},
    "google langchain": {"type": "media", "mime_type": "image/png", "data": DATA},
    "bedrock": {"image": {"format": "png", "source": {"bytes": DATA}}},
    "bedrock bytes": {"image": {"format": "png", "source": {"bytes": base64.b64decode(DATA)}}},
    "bedrock langchain": {"type": "image", "image": {"format": "png", "source": {"bytes": DATA}}},
    "mcp": MCP_IMAGE.model_dump(mode="json"),
    "mcp resource": types.EmbeddedResource(type="resource", resource=MCP_BLOB).model_dump(mode="json"),
    "ag-ui": {"type": "image", "source": {"type": "data", "value": DATA, "mimeType": "image/png"}},
    "ag-ui binary": {"type": "binary", "mimeType": "image/png", "data": DATA},
    "a2a": {"kind": "file", "file": {"bytes": DATA, "mimeType": "image/png"}},
    "untold media type": {"type": "file", "data": DATA},
}


@pytest.mark.parametrize("part", SHAPES.values(), ids=SHAPES)
def test_intake_takes_every_shape(store: ImageStore, part: dict[str, Any]) -> None:
    ref = store.add_base64(DATA, "It")
    shown = {"type": "image", "url": ref.uri, "mime_type": "image/png"}
    said = take_content([{"type": "text", "text": "Which?"}, part], store)
    assert (said.pictures, said.text, said.content[1]) == ([ref], "Which?", shown)
    assert take_all({"messages": [["user", [part]]]}, store) == {"messages": [["user", [shown]]]}
    assert take_data([part], store) == [shown]
    assert take_picture(part, store) == ref


def test_intake_takes_addresses_in_every_shape(store: ImageStore) -> None:
    ref = store.add_base64(DATA, "It")
    address = f"http://127.0.0.1:2024/g2u/pictures/{ref.sha256}"
    parts = [
        {"type": "image", "url": address},
        {"type": "image_url", "image_url": {"url": address}},
        {"type": "input_image", "image_url": address},
        {"type": "image", "source": {"type": "url", "url": address}},
        {"type": "image", "image": address},
        {"type": "file", "data": address, "mediaType": "image/png"},
        {"type": "media", "file_uri": address, "mime_type": "image/png"},
        {"fileData": {"fileUri": address, "mimeType": "image/png"}},
        {"type": "input_file", "file_url": address},
        {"type": "resource_link", "uri": f"g2u://pictures/{ref.sha256}", "name": "It", "mimeType": "image/png"},
        {"type": "image", "source": {"type": "url", "value": ref.uri}},
        {"kind": "file", "file": {"uri": ref.uri}},
    ]
    assert [take_content([part], store).pictures for part in parts] == [[ref]] * len(parts)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}, "'audio/wav', which is no picture"),
        ({"type": "audio", "url": "https://example.org/a.wav"}, "type 'audio' is neither text nor a picture"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "'wav', which is no picture"),
        ({"type": "video", "data": "AAAA", "mime_type": "video/mp4"}, "'video/mp4', which is no picture"),
        (
            {"type": "file", "url": "https://example.org/a.pdf", "mime_type": "application/pdf"},
            "type 'file' is neither",
        ),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}, "'application/pdf'"),
        ({"type": "document", "source": {"media_type": "application/pdf", "data": "AAAA"}}, "'application/pdf'"),
        ({"document": {"format": "pdf", "source": {"bytes": "AAAA"}}}, "'pdf', which is no picture"),
        ({"type": "image", "file_id": "file-1"}, "type 'image' is neither"),
        ({"type": "image", "data": {"0": 137, "1": 80}, "mimeType": "image/png"}, "type 'image' is neither"),
        ({"type": "data", "data": {"a": 1}}, "type 'data' is neither"),
        ({"type": "hologram", "voxels": DATA}, "type 'hologram' is neither"),
        ({"cachePoint": {"type": "default"}}, "with cachePoint is neither"),
        (7, "with 7 is neither"),
        ({"type": "file", "data": "AAAA"}, "no picture in a format"),
    ],
)
def test_intake_refuses_by_name_what_is_neither_text_nor_a_picture(store: ImageStore, part: Any, says: str) -> None:
    with pytest.raises(PictureError, match=says) as refused:
        take_content([{"type": "text", "text": "Which?"}, part], store)
    assert refused.value.hint


def test_intake_hears_words_in_every_shape(store: ImageStore) -> None:
    embedded = types.TextResourceContents(uri=AnyUrl("file:///a.txt"), mimeType="text/plain", text="five")
    parts: list[Any] = [
        "one",
        {"type": "text", "text": "two"},
        {"type": "input_text", "text": "three"},
        {"text": "four"},
        types.EmbeddedResource(type="resource", resource=embedded).model_dump(mode="json"),
        {"type": "text-plain", "text": "six", "mime_type": "text/plain"},
        {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "not said"}]},
    ]
    said = take_content(parts, store)
    assert said.text.split() == ["one", "two", "three", "four", "five", "six"] and said.content is parts


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda data: data,
    "in lines": lambda data: base64.encodebytes(base64.b64decode(data)).decode(),
    "in lines of windows": lambda data: "\r\n".join(data[start : start + 64] for start in range(0, len(data), 64)),
    "without padding": lambda data: data.rstrip("="),
    "for addresses": lambda data: base64.urlsafe_b64encode(base64.b64decode(data)).decode().rstrip("="),
    "as an address": lambda data: f"data:image/png;base64,{data}",
    "as an address with parameters": lambda data: f" data:image/png;charset=utf-8;base64,{data}\n",
    "as an address in percents": lambda data: f"data:image/png;base64,{data.replace('+', '%2B').replace('=', '%3D')}",
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_intake_reads_base64_as_programs_write_it(store: ImageStore, way: Callable[[str], str], kind: str) -> None:
    data = encoded(kind)
    ref, written = store.add_bytes(base64.b64decode(data), "It"), way(data)
    parts: list[dict[str, Any]] = [
        {"type": "image", "base64": written, "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": written}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": written}},
    ]
    assert [take_picture(one, store) for one in (written, *parts)] == [ref] * 4
    assert store.add_base64(written, "It") == ref


@pytest.mark.parametrize("data", ["AAAAA", "AA*A", "täal", "AAAA\0"])
def test_intake_refuses_what_is_no_base64(store: ImageStore, data: str) -> None:
    with pytest.raises(PictureError, match="The upload is no base64"):
        store.add_base64(data, "The upload")


def test_intake_keeps_no_picture_wherever_it_is(store: ImageStore) -> None:
    ref, data = store.add_base64(DATA, "It"), encoded("JPEG")
    other = store.add_base64(data, "It")
    given = {
        "messages": [
            {"role": "user", "content": f"Which? ![maze]({URL}) or\n{URL}"},
            {
                "type": "ai",
                "content": [{"type": "image_generation_call", "result": DATA}, {"type": "thinking", "thinking": "-"}],
                "tool_calls": [{"name": "imagine", "args": {"picture": "photo.png", "mask": data}, "id": "1"}],
            },
            {"type": "tool", "tool_call_id": "1", "content": [{"type": "image", "url": "https://example.org/a.png"}]},
            {"type": "tool", "tool_call_id": "1", "content": WAYS["in lines"](data), "artifact": {"png": [DATA]}},
        ],
        "picture": WAYS["in lines"](DATA),
        "odd": {"deep": [{"anything": data}]},
    }
    taken = take_all(given, store)
    assert taken["messages"][0]["content"] == f"Which? ![maze]({ref.uri}) or\n{ref.uri}"
    answer, shown, read = taken["messages"][1:]
    assert answer["content"][0] == {"type": "image", "url": ref.uri, "mime_type": "image/png"}
    assert answer["tool_calls"][0]["args"] == {"picture": "photo.png", "mask": other.uri}
    assert shown == given["messages"][2]  # type: ignore[index]  # an address that nobody asks about
    assert (read["content"], read["artifact"]) == (other.uri, {"png": [ref.uri]})
    assert (taken["picture"], taken["odd"]) == (ref.model_dump(), {"deep": [{"anything": other.uri}]})
    assert not [sign for sign in ("iVBOR", "/9j/", "base64,") if sign in json.dumps(taken)]
    assert take_all(taken, store) == taken


@pytest.mark.parametrize(
    "text",
    [
        "What does data:image/png;base64, mean, and iVBORw0KGgo?",
        "Is /9j/4AAQSkZJRg how a JPEG begins?",
        "g2u: is a scheme, and [a link](https://example.org) no picture.",
        "Two\n\nparagraphs,   spaced.",
    ],
)
def test_intake_leaves_words_alone(store: ImageStore, text: str) -> None:
    said = take_content(text, store)
    assert (said.content, said.text, said.pictures) == (text, text, [])


HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (f"Which exit? g2u:{HASH}", "Which exit?"),
        (f"g2u:{HASH} Which exit?", "Which exit?"),
        (f"What is in g2u:{HASH}?", "What is in the picture?"),
        (f"In picture g2u:{HASH}, which exit?", "In picture, which exit?"),
        (f"Which exit (g2u:{HASH}) is it?", "Which exit is it?"),
        (f"Picture: <g2u:{HASH}>\nWhich exit?", "Which exit?"),
        (f"![a maze](g2u:{HASH})\nWhich exit?", "Which exit?"),
        (f"![a maze](http://127.0.0.1:2024/g2u/pictures/{HASH}?size=512 'it')\n\nWhich exit?", "Which exit?"),
        (f"Which exit? https://example.org/behind/g2u/pictures/{HASH}", "Which exit?"),
        (f"See [the maze](/g2u/pictures/{HASH}). Which exit?", "See. Which exit?"),
        (f"g2u://pictures/{HASH}\nWhich exit?", "Which exit?"),
    ],
)
def test_intake_finds_pictures_that_words_name(text: str, rest: str) -> None:
    (address,), said = named_in(text)
    assert HASH in address and said == rest


def test_intake_asks_about_a_markdown_image_from_anywhere(store: ImageStore) -> None:
    asked: list[str] = []

    def fetch(url: str, most: int) -> bytes:
        asked.append(url)
        return base64.b64decode(DATA)

    said = take_content("![it](https://example.org/a.png) Which?", store, fetch)
    assert (len(said.pictures), said.text, asked) == (1, "Which?", ["https://example.org/a.png"])
    with pytest.raises(PictureError, match=r"cannot be 'photo\.png'"):
        take_content("![it](photo.png) Which?", store)


def test_intake_counts_a_picture_that_is_shown_and_named_once(store: ImageStore) -> None:
    ref = store.add_base64(DATA, "It")
    said = take_content([{"type": "image", "url": ref.uri}, f"Which? {ref.uri}"], store)
    assert said.pictures == [ref]


def test_intake_has_limits(store: ImageStore) -> None:
    uri = store.add_base64(DATA, "It").uri
    with pytest.raises(PictureError, match=f"At most {MOST_PICTURES} pictures"):
        take_content(" ".join([uri] * (MOST_PICTURES + 1)), store)
    with pytest.raises(LargePictureError):
        ImageStore(store.root, max_bytes=100).add_base64(WAYS["in lines"](DATA), "It")


@pytest.mark.parametrize("unit", ["![", "http://", "g2u:", "data:;base64,", "/g2u/pictures/", "[x](", "iVBORw0KGgo\n"])
def test_intake_is_not_held_up_by_odd_words(store: ImageStore, unit: str) -> None:
    text = unit * (200_000 // len(unit))
    said = take_content(text, store)  # takes minutes where a pattern goes back and forth over it
    assert said.text == text.strip() and not said.pictures


def test_intake_lets_langchain_messages_through(store: ImageStore) -> None:
    message = HumanMessage(content_blocks=[create_image_block(base64=DATA, mime_type="image/png")])
    assert take_content(message.content, store).pictures
    with pytest.raises(G2UError):
        take_content(HumanMessage([{"type": "image", "base64": "AAAA"}]).content, store)
