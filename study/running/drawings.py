"""Drawings that were made before: each visual thought is drawn once, whatever arm, run or process asks for it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from g2u.engine.costs import Cost, charge, metered
from g2u.errors import PictureError
from g2u.files import write_atomic
from g2u.loop.drawing import Drawing, draw_with_model
from g2u.models.device import find_device
from g2u.pictures.references import ImageRef

from .sources import code_of


class _Kept(BaseModel):
    """A drawing that was made, and what it cost then."""

    model_config = ConfigDict(frozen=True)

    picture: ImageRef
    cost: Cost


class Drawings:
    """Drawings of a model by all that decides them: weights, code and device, sampler, seed, pictures and instruction.

    Each is a small file that names the picture in the store; written after the picture, whole or not at all, so that
    any number of processes may share the folder and a kill loses at most what was under way.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        """Read nothing yet."""
        self.folder = folder
        self.made = 0
        """Drawings that were asked of a model."""
        self.found = 0
        """Drawings that were there already, or under way for another caller."""
        self._under_way: dict[str, asyncio.Future[_Kept]] = {}

    async def draw(self, drawing: Drawing) -> ImageRef:
        """The drawing of the model: a `Drawer`. It costs whoever asks what it cost when it was made."""
        found = await self._had(drawing)
        charge(found.cost)
        return found.picture

    async def _had(self, drawing: Drawing) -> _Kept:
        name = await _name(drawing)
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
        if there := self._read(name, drawing):
            self.found += 1
            return there
        own = self._under_way[name] = asyncio.ensure_future(self._make(name, drawing))
        try:
            return await own
        finally:
            self._forget(name, own)

    def _forget(self, name: str, drawn: asyncio.Future[_Kept]) -> None:
        if self._under_way.get(name) is drawn:
            del self._under_way[name]

    async def _make(self, name: str, drawing: Drawing) -> _Kept:
        self.made += 1
        with metered() as meter:
            picture = await draw_with_model(drawing)
        kept = _Kept(picture=picture, cost=meter.cost)
        write_atomic(self._path(name), kept.model_dump_json().encode())
        return kept

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.json"

    def _read(self, name: str, drawing: Drawing) -> _Kept | None:
        try:
            kept = _Kept.model_validate_json(self._path(name).read_bytes())
            drawing.store.open(kept.picture)
        except (OSError, ValidationError, PictureError):
            return None  # not there, or damaged: drawn again and written anew
        return kept


async def _name(drawing: Drawing) -> str:
    """SHA-256 of all that decides a drawing."""
    model = await drawing.engine.ready()
    identity = model.identity
    parts = [part.sha256 if isinstance(part, ImageRef) else f"text {part}" for part in drawing.segments]
    decides = {
        "model": [identity.model, identity.weights, identity.code, *identity.settings],
        "code": code_of(type(model)),
        "device": find_device().type,
        "segments": parts,
        "instruction": drawing.instruction,
        "plan": drawing.plan,
        "sampler": drawing.sampler.model_dump(),
        "seed": drawing.seed,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
