"""`g2u serve` with the shipped model: what it prints, one answer, and how it ends."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from tests.agent.serving.servers import ROOT, Server, free_port, started

pytestmark = pytest.mark.serve
G2U = str(Path(sys.executable).parent / "g2u")


async def test_it_serves_the_shipped_model_and_ends_at_an_interrupt(tmp_path: Path) -> None:
    port = free_port()
    with started([G2U, "serve", "--port", str(port)], tmp_path, port) as server:
        sample = [G2U, "world", "sample", "--task", "maze", "--seed", "9", "--out", str(tmp_path), "--json"]
        item = json.loads(subprocess.run(sample, check=True, capture_output=True, cwd=tmp_path).stdout)
        content = Path(item["picture"]).read_bytes()
        ref = server.post("/g2u/pictures", content=content, headers={"Content-Type": "image/png"}).json()
        given = {"picture": ref["uri"], "question": item["question"], "options": item["options"]}
        result: Any = await get_client(url=server.url).runs.wait(None, "imagine", input=given)
        assert (result["direct"]["text"], result["answer"]["text"]) == ("blue", "teal")
        health = server.get("/g2u/health").json()
        assert (health["model"], health["models_loaded"]) == ("mini", 1)
        taken = subprocess.run([G2U, "serve", "--port", str(port)], capture_output=True, text=True, cwd=tmp_path)
        assert taken.returncode == 2
        assert taken.stderr.splitlines() == [
            f"Error: Nothing can listen on 127.0.0.1:{port} (Address already in use). "
            f"Stop what runs there, or name another port: g2u serve --port {port + 1}"
        ]
    assert server.process.returncode in (0, 130), server.log.read_text("utf-8")[-2000:]
    _check_lines(server)


@pytest.mark.parametrize(
    ("file", "exported", "options", "counts"),
    [
        ("filed", "", [], "filed"),
        ("filed", "exported", [], "exported"),
        ("", "exported", [], "exported"),
        ("filed", "exported", ["--model", "chosen"], "chosen"),
    ],
)
def test_an_option_counts_before_a_variable_and_that_before_the_file(
    tmp_path: Path, file: str, exported: str, options: list[str], counts: str
) -> None:
    """Of the model, as a key that does not exist is told."""
    (tmp_path / ".env").write_text(f"G2U_MODEL={file}\n" if file else "")
    own = {name: value for name, value in os.environ.items() if not name.startswith("G2U_")}
    own |= {"G2U_MODEL": exported} if exported else {}
    found = subprocess.run([G2U, "serve", *options], capture_output=True, text=True, cwd=tmp_path, env=own)
    assert found.returncode == 2 and f"There is no model called '{counts}'." in found.stderr


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_it_listens_on_ipv6_and_keeps_what_was_exported(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / ".env").write_text("G2U_PICTURES=filed\nG2U_RUNS=own-runs\n")
    command = [G2U, "serve", "--host", "::1", "--port", str(port)]
    with started(command, tmp_path, port, "[::1]", G2U_PICTURES="exported", G2U_MODEL="mini") as server:
        health = server.get("/g2u/health").json()
        assert (health["url"], Path(health["store"]).name) == (f"http://[::1]:{port}", "exported")
        picture = server.get("/g2u/world").json()[0]["picture"]
        asked = {"picture": picture, "question": "Which?", "settings": {"policy": "none"}}
        assert "event: result" in server.post("/g2u/ask", json=asked).text
        assert (tmp_path / "own-runs").is_dir() and not (tmp_path / "filed").exists()
        taken = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert f"Nothing can listen on [::1]:{port}" in taken.stderr
    _check_lines(server)


def _check_lines(server: Server) -> None:
    said = server.log.read_text("utf-8")
    for line in (
        f"Studio   https://smith.langchain.com/studio/?baseUrl={server.url}",
        f"Page     {server.url}/g2u/",
        f"Health   {server.url}/g2u/health",
        "Model    ok: mini is loaded",
    ):
        assert line in said


def test_the_file_for_langgraph_is_what_the_command_serves() -> None:
    from g2u.serving.settings import CONFIG

    assert json.loads((ROOT / "langgraph.json").read_text("utf-8")) == CONFIG
