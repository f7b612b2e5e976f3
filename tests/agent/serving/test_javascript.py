"""The JavaScript SDK of today, with which web pages call the server."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.agent.serving.javascript import installed
from tests.agent.serving.servers import Server

pytestmark = pytest.mark.serve


def test_the_sdk_streams_is_asked_and_is_told_what_is_wrong(server: Server, png: bytes, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(png)
    command = ["node", str(installed("sdk") / "ask.mjs"), server.url, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert {"metadata", "values", "custom"} <= set(seen["events"])
    assert seen["first"]["answer"]["text"] == "green" and "base64" not in json.dumps(seen["first"])
    assert f"g2u:{seen['first']['asked']['pictures'][0]['sha256']}" == seen["picture"]
    (drawing,), (answering,) = seen["asked"]
    assert (drawing["name"], drawing["args"]["edit"], answering["name"]) == ("draw", "deblur", "answer")
    second = seen["second"]
    assert (second["rounds"][0]["decision"]["edit"], second["answer"]["text"]) == ("denoise", "blue")
    assert "There is no setting called 'rouns'" in seen["refused"]
