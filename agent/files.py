"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from .errors import OutputError


def settled_path(path: str | Path) -> Path:
    """One absolute path for a folder or file however it is written, symbolic links aside.

    An absolute one is settled without a look at the disk, since servers refuse that on their event loop.
    """
    wanted = Path(path).expanduser()
    return Path(os.path.normpath(wanted)) if wanted.is_absolute() else wanted.resolve()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all, and make the folders on the way.

    Safe with concurrent writers: each has a temporary file of its own beside `path`, and the last rename wins.

    Args:
        path: The file to make or replace.
        data: All of its bytes.

    Raises:
        OutputError: The folder cannot be made or written to, or the disk is full.
    """
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """The same for a file that is written piece by piece: it is there once the block has ended without an error.

    Args:
        path: The file to make or replace.

    Raises:
        OutputError: As `write_atomic`.
    """
    temporary = path.with_name(f".{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # it is gone after the rename, and was never there in a read-only folder
            temporary.unlink()


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before anything is written for it elsewhere.

    Raises:
        OutputError: The nearest thing that exists on its path is no folder, or one that may not be written to.
    """
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        reason = NotADirectoryError(errno.ENOTDIR, f"{str(nearest)!r} is not a folder")
        raise unwritable(folder, reason).naming(nearest)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise unwritable(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def unwritable(path: Path, error: OSError) -> OutputError:
    """The error to raise when the system refuses to write `path`."""
    reason = error.strerror or str(error)
    hint = "Choose a folder that you can write to."
    return OutputError(f"Cannot write {str(path)!r}: {reason}.", hint).naming(path)
