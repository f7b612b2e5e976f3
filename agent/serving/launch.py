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
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..errors import G2UError, MissingExtraError
from ..loop.deciding.policies import get_policy
from ..models.registry import find_loader
from ..pictures.links import in_address
from .settings import CONFIG, listed, served_model

ENVIRONMENT: Final = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "LANGGRAPH_STRICT_MSGPACK": "true",
    "LANGSMITH_TRACING": "false",
    "LOG_LEVEL": "WARNING",
}
"""Set where nothing else does: nothing is sent anywhere, and checkpoints hold known types alone."""
ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What a host that stands for all addresses of a machine is called on the machine itself."""
STUDIO: Final = "https://smith.langchain.com/studio/?baseUrl={url}"


class PortError(G2UError):
    """The server cannot listen where it was told to."""


def serve(host: str, port: int, jobs: int, chosen: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Run the server until it is stopped.

    What is chosen counts before the variables of the environment, and those before the ones in `.env`.

    Args:
        host: Address to listen on.
        port: Of that address.
        jobs: Runs at the same time; further ones wait.
        chosen: Variables that are set whatever the environment says: `G2U_MODEL`, `G2U_WEIGHTS`, `G2U_PICTURES`.
        say: Tells a line to whoever started it.

    Raises:
        MissingExtraError: The extra `serve` is not installed.
        UnknownNameError: There is no such model or policy, among them those that requests may choose.
        ExtensionError: One of them is named by a place, and cannot be imported.
        PortError: Something else listens there.
    """
    if importlib.util.find_spec("langgraph_api") is None:
        raise MissingExtraError("The server", "langgraph-cli[inmem]", "serve")
    url = f"http://{in_address(ANY_ADDRESS.get(host, host))}:{port}"
    os.environ.update({**ENVIRONMENT, "G2U_PUBLIC_URL": url, **_file_variables(), **os.environ, **chosen})
    find_loader(served_model()[0])
    for key in listed("G2U_MODELS"):
        find_loader(key)
    for name in listed("G2U_POLICIES"):
        get_policy(name)
    check_port(host, port)
    for line in (f"Studio   {STUDIO.format(url=url)}", f"Page     {url}/g2u/", f"Health   {url}/g2u/health"):
        say(line)
    if host not in ("127.0.0.1", "localhost", "::1"):
        say("Whoever reaches this address can use the model: the server asks nobody who they are.")
    threading.Thread(target=_tell_health, args=(f"{url}/g2u/health?wait=60", say), daemon=True).start()
    logging.getLogger("langgraph_api.cli").setLevel(logging.WARNING)  # its banner names other links
    server: Any = importlib.import_module("langgraph_api.cli")
    server._is_port_available = lambda *_: True  # it knows no IPv6, and `check_port` has looked
    server.run_server(
        host=host,
        port=port,
        reload=False,  # it would import everything again, the model among it
        n_jobs_per_worker=jobs,
        graphs=CONFIG["graphs"],
        http=CONFIG["http"],
        env={},  # with the file's name it would set those variables over all others
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
            raise PortError(f"Nothing can listen on {in_address(host)}:{port} ({error.strerror}).", hint) from error


def _file_variables() -> dict[str, str]:
    """The variables in `.env`."""
    from dotenv import dotenv_values  # of the extra, as the server is

    return {name: value for name, value in dotenv_values(CONFIG["env"]).items() if value is not None}


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
