"""Real servers on free ports of this machine, stopped by whoever started them."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.waiting import HUNG, interruptible, wait_until

ROOT = Path(__file__).parents[3]


@dataclass
class Server:
    """One that listens."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path
    folder: Path

    def get(self, path: str, **more: object) -> httpx.Response:
        return httpx.get(self.url + path, timeout=HUNG, **more)  # type: ignore[arg-type]

    def post(self, path: str, **more: object) -> httpx.Response:
        return httpx.post(self.url + path, timeout=HUNG, **more)  # type: ignore[arg-type]

    def metric(self, name: str) -> float:
        """One value of `/g2u/metrics`, by its name and labels as they are written there."""
        lines = [line for line in self.get("/g2u/metrics").text.splitlines() if line.startswith(name)]
        return float(lines[0].rsplit(" ", 1)[1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(
    command: Sequence[str],
    folder: Path,
    port: int,
    host: str = "127.0.0.1",
    headers: Mapping[str, str] | None = None,
    **environment: str,
) -> Iterator[Server]:
    """Run a command until its server is healthy, and end it with an interrupt, as Ctrl-C does."""
    log = folder / "server.log"
    # Only what a server needs: no settings of this session may leak into it.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "G2U_DEVICE") if name in os.environ}
    paths = ":".join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    own = {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "LANGGRAPH_STRICT_MSGPACK": "true"}
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "true", "LANGSMITH_TRACING": "false"}
    given = {**kept, **own, **quiet, **environment}
    with (
        log.open("wb") as out,
        interruptible(command, cwd=folder, env=given, stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        server = Server(f"http://{host}:{port}", process, log, folder)
        try:
            _wait(server, headers)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(HUNG)


@contextmanager
def scripted_server(
    folder: Path, more: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None, **environment: str
) -> Iterator[Server]:
    """`langgraph dev` with the shipped graphs and a scripted model.

    `more` goes into its `langgraph.json`, and `headers` are those with which it is asked whether it is healthy.
    """
    config = json.loads((ROOT / "langgraph.json").read_text("utf-8")) | (more or {})
    config["http"]["app"] = "tests.agent.serving.scripted_app:app"
    (folder / "langgraph.json").write_text(json.dumps(config), "utf-8")
    (folder / ".env").write_text("")
    port = free_port()
    options = ["--no-browser", "--no-reload", "--port", str(port), "--n-jobs-per-worker", "8"]
    with started(
        [str(Path(sys.executable).parent / "langgraph"), "dev", *options], folder, port, headers=headers, **environment
    ) as server:
        yield server


def _wait(server: Server, headers: Mapping[str, str] | None) -> None:
    def settled() -> bool:
        if server.process.poll() is not None:
            return True
        try:
            health = server.get("/g2u/health?wait=1", headers=headers).json()
            return health["status"] != "loading" and server.get("/ok", headers=headers).is_success
        except httpx.TransportError:  # it does not listen yet
            return False

    wait_until(settled, every=0.2)
    if server.process.poll() is not None or not server.get("/g2u/health", headers=headers).is_success:
        raise AssertionError(f"The server did not start:\n{server.log.read_text('utf-8')[-3000:]}")
