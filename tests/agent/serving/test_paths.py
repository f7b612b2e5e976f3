"""No error tells a client where on the server's disk something is, whichever way the client came."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.agent.serving.servers import Server, scripted_server

pytestmark = pytest.mark.serve


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose pictures can be read and not written, as on a full disk, and whose runs have no folder."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "runs").write_text("in the way")
    with scripted_server(folder, G2U_RUNS=str(folder / "runs"), G2U_PICTURES=str(folder / "pictures")) as server:
        yield server


def test_no_error_says_where_on_the_disk_something_is(broken: Server, png: bytes) -> None:
    uploaded = broken.post("/g2u/pictures", content=png, headers={"Content-Type": "image/png"}).json()
    place, kept = broken.folder, broken.folder / "pictures"
    for number in range(256):  # what was kept is there, and no folder for anything new
        if not (kept / f"{number:02x}").exists():
            (kept / f"{number:02x}").write_text("in the way")
    asked = {"picture": uploaded["uri"], "question": "Which?"}
    run = broken.post("/runs/wait", json={"assistant_id": "imagine", "input": asked})
    other = broken.post("/g2u/pictures", content=png[:-1] + b"\0", headers={"Content-Type": "image/png"})
    call = {"name": "imagine", "arguments": asked}
    accepts = {"Accept": "application/json, text/event-stream"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    by_mcp = broken.post("/g2u/mcp/", json=message, headers=accepts)
    seen = {name: uploaded[name] for name in ("sha256", "width", "height")}
    by_page = broken.post("/g2u/ask", json={**asked, "picture": seen, "options": []})
    for reply in (run, by_mcp, by_page):
        assert "Cannot write" in reply.text, reply.text
    for reply in (run, other, by_mcp, by_page):
        assert str(place) not in reply.text, reply.text
