"""One server with a scripted model for all tests here."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.agent.serving.servers import Server, scripted_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with scripted_server(tmp_path_factory.mktemp("server"), LOG_LEVEL="WARNING") as server:
        yield server


@pytest.fixture(scope="session")
def png() -> bytes:
    """A grey picture that the scripted model takes for one that was not drawn yet."""
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), (40, 40, 40)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def picture(server: Server, png: bytes) -> dict[str, Any]:
    """What the reply to its upload says."""
    reply = server.post("/g2u/pictures", content=png, headers={"Content-Type": "image/png"})
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found
