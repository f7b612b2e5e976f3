"""Drawings that were made before: each visual thought is drawn once, whatever arm, run or process asks for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from g2u.engine.costs import Cost, charge, metered
from g2u.errors import PictureError
from g2u.loop.drawing import Drawing, draw_with_model
from g2u.models.device import find_device
from g2u.pictures.references import ImageRef

from .once import Once
from .sources import code_of


class _Kept(BaseModel):
    """A drawing that was made, and what it cost then."""

    model_config = ConfigDict(frozen=True)

    picture: ImageRef
    cost: Cost


class Drawings:
    """Drawings of a model by all that decides them: weights, code and device, sampler, seed, pictures and instruction.

    Each is a small file that names the picture in the store, written after the picture.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        """Read nothing yet."""
        self._once = Once(folder, _Kept)

    @property
    def made(self) -> int:
        """Drawings that were asked of a model."""
        return self._once.made

    @property
    def found(self) -> int:
        """Drawings that were there already, or under way for another caller."""
        return self._once.found

    async def draw(self, drawing: Drawing) -> ImageRef:
        """The drawing of the model: a `Drawer`. It costs whoever asks what it cost when it was made."""

        async def make() -> _Kept:
            with metered() as meter:
                picture = await draw_with_model(drawing)
            return _Kept(picture=picture, cost=meter.cost)

        def is_whole(kept: _Kept) -> bool:
            try:
                drawing.store.open(kept.picture)
            except PictureError:
                return False
            return True

        kept = await self._once.get(await _name(drawing), make, is_whole)
        charge(kept.cost)
        return kept.picture


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
