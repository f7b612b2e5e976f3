"""What is made once, by all that decides it: kept in files, and shared with whoever asks while it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from g2u.files import write_atomic

Kept = TypeVar("Kept", bound=BaseModel)


class Once(Generic[Kept]):
    """Small files by name, each written whole or not at all, so that any number of processes may share the folder.

    Of what several processes make under one name at the same time, all of them get what was there first. A kill loses
    at most what was under way.

    Args:
        folder: Where the files are.
        kind: What they hold.
    """

    def __init__(self, folder: Path, kind: type[Kept]) -> None:
        """Read nothing yet."""
        self.folder = folder
        self.kind = kind
        self.made = 0
        """How many were made."""
        self.found = 0
        """How many were there already, or under way for another caller."""
        self._under_way: dict[str, asyncio.Future[Kept]] = {}

    async def get(
        self, name: str, make: Callable[[], Awaitable[Kept]], is_whole: Callable[[Kept], bool] = lambda kept: True
    ) -> Kept:
        """What is kept under a name, made where it is not there.

        Args:
            name: SHA-256 of all that decides it.
            make: Makes it.
            is_whole: Whether what was found can be used; else it is made anew.
        """
        while other := self._under_way.get(name):
            try:
                kept = await asyncio.shield(other)
            except (Exception, asyncio.CancelledError):
                task = asyncio.current_task()
                if not other.done() or (task and task.cancelling()):
                    raise
                self._forget(name, other)  # the other caller's error or end; its own may go otherwise
                continue
            self.found += 1
            return kept
        if (there := self._read(name)) is not None and is_whole(there):
            self.found += 1
            return there
        own = self._under_way[name] = asyncio.ensure_future(self._make(name, make, is_whole))
        try:
            return await own
        finally:
            self._forget(name, own)

    def _forget(self, name: str, made: asyncio.Future[Kept]) -> None:
        if self._under_way.get(name) is made:
            del self._under_way[name]

    async def _make(self, name: str, make: Callable[[], Awaitable[Kept]], is_whole: Callable[[Kept], bool]) -> Kept:
        self.made += 1
        kept = await make()
        if (there := self._read(name)) is not None and is_whole(there):  # another process was first
            return there
        write_atomic(self._path(name), kept.model_dump_json().encode())
        return kept

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.json"

    def _read(self, name: str) -> Kept | None:
        try:
            return self.kind.model_validate_json(self._path(name).read_bytes())
        except (OSError, ValidationError):
            return None  # not there, or damaged: made again and written anew
