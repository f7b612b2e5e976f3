"""A PostgreSQL of one's own: a cluster in a new folder, on a free port of this machine, gone after the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDERS = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/pgsql/bin"))
"""Where systems keep the programs of the server, beside those of the path."""


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; `None` where no server is installed."""
    found = shutil.which("initdb")
    folders = [*([Path(found).resolve().parent] if found else []), *FOLDERS]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a server, and stop it in the end.

    Args:
        folder: Of the programs.

    Yields:
        The address of its database.
    """
    own = Path(tempfile.mkdtemp(prefix="g2u-postgres-"))
    options: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "cwd": "/"}
    if os.geteuid() == 0:  # which the server refuses to be
        shutil.chown(own, "postgres")
        options["user"] = "postgres"
    data, log = own / "data", own / "log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = f"-c listen_addresses=127.0.0.1 -c port={port} -c fsync=off -c unix_socket_directories={own}"
    try:
        subprocess.run([folder / "initdb", "--auth=trust", "--username=g2u", "--no-sync", "--pgdata", data], **options)
        subprocess.run([folder / "pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", flags], **options)
        try:
            yield f"postgresql://g2u@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([folder / "pg_ctl", "stop", "-m", "immediate", "-D", data], **options)
    finally:
        shutil.rmtree(own, ignore_errors=True)
