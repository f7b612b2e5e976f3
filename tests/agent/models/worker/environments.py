"""A second virtual environment, which has Pillow and nothing else."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import PIL


def make_environment(folder: Path, pillow: bool = True) -> Path:
    """Make one that takes Pillow from this environment, so that nothing is fetched; its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    if pillow:
        packages = next(folder.glob("lib/python*/site-packages"))
        home = Path(PIL.__file__).parent
        for part in (home, *home.parent.glob("pillow.libs")):
            (packages / part.name).symlink_to(part)
    found = subprocess.run([python, "-c", "import g2u"], capture_output=True, text=True, cwd=folder)
    assert "No module named 'g2u'" in found.stderr
    return python
