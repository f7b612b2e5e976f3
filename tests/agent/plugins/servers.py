"""A server for clients that are tested against a real one."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

FREE = "127.0.0.1"


@contextlib.contextmanager
def serving(app: Any) -> Iterator[int]:
    """A real server in a thread of its own, on a free port."""
    with socket.socket() as listener:
        listener.bind((FREE, 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
