"""Starts the LangGraph server in this process, with everything set so that one model serves all runs."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from g2u.errors import G2UError, MissingExtraError
from g2u.models import model_entry
from g2u.serving.settings import CONFIG

ENVIRONMENT: Final = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "LANGGRAPH_STRICT_MSGPACK": "true",
    "LANGSMITH_TRACING": "false",
    "LOG_LEVEL": "WARNING",
}
"""Set where the environment leaves them open: nothing is sent anywhere, and checkpoints hold known types alone."""
STUDIO: Final = "https://smith.langchain.com/studio/?baseUrl={url}"


class PortError(G2UError):
    """The server cannot listen where it was told to."""


def serve(host: str, port: int, jobs: int, model: str, weights: str, pictures: str, say: Callable[[str], None]) -> None:
    """Run the server until it is stopped.

    Args:
        host: Address to listen on.
        port: Of that address.
        jobs: Runs at the same time; further ones wait.
        model: Key of the model that is loaded at once.
        weights: Folder of its weights; empty for its own.
        pictures: Folder of the image store; empty for `$G2U_PICTURES`, or `runs/pictures`.
        say: Tells a line to whoever started it.

    Raises:
        MissingExtraError: The extra `serve` is not installed.
        UnknownNameError: There is no such model.
        PortError: Something else listens there.
    """
    if importlib.util.find_spec("langgraph_api") is None:
        raise MissingExtraError("The server", "langgraph-cli[inmem]", "serve")
    model_entry(model)
    check_port(host, port)
    url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("G2U_PUBLIC_URL", url)
    os.environ["G2U_MODEL"], os.environ["G2U_WEIGHTS"] = model, str(Path(weights).resolve()) if weights else ""
    if pictures:
        os.environ["G2U_PICTURES"] = pictures
    for line in (f"Studio   {STUDIO.format(url=url)}", f"Page     {url}/g2u/", f"Health   {url}/g2u/health"):
        say(line)
    if host not in ("127.0.0.1", "localhost", "::1"):
        say("Whoever reaches this address can use the model: the server asks nobody who they are.")
    threading.Thread(target=_tell_health, args=(f"{url}/g2u/health?wait=60", say), daemon=True).start()
    logging.getLogger("langgraph_api.cli").setLevel(logging.WARNING)  # its banner names other links
    importlib.import_module("langgraph_api.cli").run_server(
        host=host,
        port=port,
        reload=False,  # it would import everything again, the model among it
        n_jobs_per_worker=jobs,
        graphs=CONFIG["graphs"],
        http=CONFIG["http"],
        env=CONFIG["env"] if Path(CONFIG["env"]).is_file() else {},
        open_browser=False,
    )


def check_port(host: str, port: int) -> None:
    """Refuse a port that cannot be had; the server would quietly take another one.

    Raises:
        PortError: It is taken, or may not be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = f"Stop what runs there, or name another port: g2u serve --port {port + 1}"
            raise PortError(f"Nothing can listen on {host}:{port} ({error.strerror}).", hint) from error


def _tell_health(address: str, say: Callable[[str], None], seconds: float = 600.0) -> None:
    """Say once how the model is, as soon as it is known."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = _health(address)
        if found.get("status") in ("ok", "failed"):
            what = found.get("detail") or f"{found['model']} is loaded"
            say(f"Model    {found['status']}: {what}")
            return
        time.sleep(0.2)


def _health(address: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(address, timeout=70) as reply:
            found: dict[str, Any] = json.load(reply)
            return found
    except urllib.error.HTTPError as error:
        with error:
            found = json.load(error)
            return found
    except (OSError, ValueError):  # it does not listen yet
        return {}
