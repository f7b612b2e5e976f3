"""Clients in JavaScript, installed once for each lock file into a cache of this machine, outside the repository."""

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "clients"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "g2u" / "clients"


@functools.cache
def installed(name: str) -> Path:
    """A folder with the files of a client and its packages, exactly those of its lock file."""
    if not (npm := shutil.which("npm")):
        pytest.skip("npm is missing, and with it the clients in JavaScript: apt-get install npm")
    source = CLIENTS / name
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(source.iterdir()))).hexdigest()
    folder = CACHE / f"{name}-{digest[:16]}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as made:
            whole = Path(shutil.copytree(source, Path(made) / name))
            _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=whole)
            if name == "chat":
                _build(whole)
            whole.rename(folder)
    return folder


def _build(folder: Path) -> None:
    """The chat page as `create-agent-chat-app` writes it for Vite, in `dist`."""
    template = folder / "node_modules" / "create-agent-chat-app" / "templates" / "vite"
    page = shutil.copytree(template, folder / "page")
    vite = str(folder / "node_modules" / "vite" / "bin" / "vite.js")
    _run(
        "node", vite, "build", str(page), "--outDir", "../dist", "--minify", "false", "--logLevel", "error", cwd=folder
    )


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
