"""What a study puts in the place of a visual thought: controls that hold everything else equal, and a fidelity ladder.

A drawer is named in an arm, `NAME` or `NAME:ARGUMENT`. Those between the first and the last five do not ask the model,
so that what the reader gains from them is not gained by imagining.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from g2u.edits.library import EditCall
from g2u.engine.registry import get_engine
from g2u.errors import StudyError, UnknownNameError
from g2u.loop.drawing import Drawer, Drawing
from g2u.pictures.references import ImageRef

from ..grid.items import world_item
from ..grid.records import ItemRecord

GREY = (127, 127, 127)
"""Colour of the blank picture."""


class DrawsForModel(Protocol):
    """How the model's own drawings are had, such as `Drawings`."""

    async def draw(self, drawing: Drawing) -> ImageRef:
        """As a `Drawer`."""
        ...


@dataclass(frozen=True)
class Scene:
    """What drawers know beside the drawing that is asked for."""

    items: Sequence[ItemRecord]
    drawings: DrawsForModel
    of_world: bool
    """Whether the true results are known."""

    def item(self, drawing: Drawing) -> ItemRecord:
        """The item that a drawing is made for."""
        own = (list(drawing.pictures), drawing.question)
        return next(item for item in self.items if (item.pictures, item.question) == own)

    def foreign(self, drawing: Drawing) -> ImageRef:
        """A picture in the place of the one that is edited, of another item and none of this item's own.

        It is that of the nearest item before with the same task where there is one, else of the nearest before, so that
        it stays the same when the study grows; only where no item comes before, of the next one. Of an item with fewer
        pictures it is the last.
        """
        item = self.item(drawing)
        place = self.items.index(item)

        def others(near: Sequence[ItemRecord]) -> list[tuple[ItemRecord, ImageRef]]:
            found = [(one, one.pictures[: drawing.call.place + 1][-1]) for one in near]
            return [(one, picture) for one, picture in found if picture not in item.pictures]

        found = others(self.items[:place][::-1]) or others(self.items[place + 1 :])[:1]
        if not found:
            raise StudyError("A foreign thought needs a study of at least two pictures.", "Ask more items.")
        task = item.groups.get("task")
        return next((picture for one, picture in found if task and one.groups.get("task") == task), found[0][1])


Make = Callable[[Scene, str], Drawer]
"""Makes a drawer for a scene and the argument of its name, empty for none."""


def get_drawer(name: str, scene: Scene) -> Drawer:
    """The drawer of an arm.

    Raises:
        UnknownNameError: There is none of that name.
        StudyError: Its argument is no number, is missing, or there should be none.
    """
    head, colon, argument = name.partition(":")
    if head not in DRAWERS:
        raise UnknownNameError("drawer", name, DRAWERS)
    make, takes = DRAWERS[head]
    if bool(colon and argument) != bool(takes):
        raise StudyError(f"The drawer {name!r} is misspelt; expected {head + (':' + takes if takes else '')}.")
    return make(scene, argument)


def _model(scene: Scene, argument: str) -> Drawer:
    return scene.drawings.draw


def _original(scene: Scene, argument: str) -> Drawer:
    async def draw(drawing: Drawing) -> ImageRef:
        return drawing.original

    return draw


def _picture(paint: Callable[[Image.Image, Drawing], Image.Image]) -> Make:
    """A drawer that paints over the picture to be edited."""

    def make(scene: Scene, argument: str) -> Drawer:
        async def draw(drawing: Drawing) -> ImageRef:
            return drawing.store.add_image(paint(drawing.store.open(drawing.source), drawing))

        return draw

    return make


def _blank(source: Image.Image, drawing: Drawing) -> Image.Image:
    return Image.new("RGB", source.size, GREY)


def _static(source: Image.Image, drawing: Drawing) -> Image.Image:
    chance = np.random.default_rng([drawing.seed, int(drawing.source.sha256[:8], 16)])
    return Image.fromarray(chance.integers(0, 256, (source.height, source.width, 3), dtype=np.uint8))


def _inpainted(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.MedianFilter(7))


PILLOW: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "deblur": lambda image: image.filter(ImageFilter.UnsharpMask(radius=3, percent=200, threshold=0)),
    "sharpen": lambda image: image.filter(ImageFilter.UnsharpMask(radius=2, percent=150, threshold=0)),
    "denoise": lambda image: image.filter(ImageFilter.MedianFilter(3)),
    "expose": ImageOps.autocontrast,
    "colourise": lambda image: ImageEnhance.Color(image).enhance(3.0),
    "inpaint": _inpainted,
    "outline": lambda image: ImageChops.subtract(image, ImageOps.invert(image.filter(ImageFilter.FIND_EDGES))),
    "upright": ImageOps.mirror,
}
"""What plain image processing does for an edit; the picture stays as it is for any other."""


def _pillow(scene: Scene, argument: str) -> Drawer:
    return _picture(lambda source, drawing: PILLOW.get(drawing.call.edit, Image.Image.copy)(source))(scene, argument)


def _foreign(scene: Scene, argument: str) -> Drawer:
    async def draw(drawing: Drawing) -> ImageRef:
        if drawing.source != drawing.original:  # a later edit of a thought that is foreign already
            return await scene.drawings.draw(drawing)
        other = scene.foreign(drawing)
        pictures = [*drawing.pictures]
        pictures[drawing.call.place] = other
        seen = (*drawing.segments[:-1], other)
        return await scene.drawings.draw(replace(drawing, segments=seen, pictures=pictures))

    return draw


def _true(scene: Scene, argument: str) -> Drawer:
    if not scene.of_world:
        raise StudyError("The true result of an edit is known in the world alone.", "Leave the drawer `true` out.")
    made: dict[tuple[str, str], tuple[EditCall, ...]] = {}

    async def draw(drawing: Drawing) -> ImageRef:
        record = scene.item(drawing)
        calls = (*made.get((record.id, drawing.source.sha256), ()), drawing.call)
        ref = drawing.store.add_image(world_item(record.id).truth(*calls))
        made[record.id, ref.sha256] = calls
        return ref

    return draw


def _degraded(spoil: Callable[[Image.Image, float, Drawing], Image.Image]) -> Make:
    """The model's drawing, made worse by an amount."""

    def make(scene: Scene, argument: str) -> Drawer:
        amount = _amount(argument)

        async def draw(drawing: Drawing) -> ImageRef:
            ref = await scene.drawings.draw(drawing)
            return drawing.store.add_image(spoil(drawing.store.open(ref), amount, drawing))

        return draw

    return make


def _blurred(image: Image.Image, radius: float, drawing: Drawing) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def _noisy(image: Image.Image, amount: float, drawing: Drawing) -> Image.Image:
    chance = np.random.default_rng([drawing.seed, int(drawing.source.sha256[:8], 16)])
    noise = chance.normal(0, 255 * amount, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).round().clip(0, 255).astype(np.uint8))


def _mixed(scene: Scene, argument: str) -> Drawer:
    amount, foreign = _amount(argument), _foreign(scene, "")

    async def draw(drawing: Drawing) -> ImageRef:
        own = drawing.store.open(await scene.drawings.draw(drawing))
        other = drawing.store.open(await foreign(drawing)).resize(own.size)
        return drawing.store.add_image(Image.blend(own, other, amount))

    return draw


def _weights(scene: Scene, argument: str) -> Drawer:
    async def draw(drawing: Drawing) -> ImageRef:
        own = await drawing.engine.ready()
        return await scene.drawings.draw(replace(drawing, engine=get_engine(own.key, argument)))

    return draw


DRAWERS: Mapping[str, tuple[Make, str]] = {
    "model": (_model, ""),
    "original": (_original, ""),
    "blank": (_picture(_blank), ""),
    "static": (_picture(_static), ""),
    "pillow": (_pillow, ""),
    "true": (_true, ""),
    "foreign": (_foreign, ""),
    "blur": (_degraded(_blurred), "RADIUS"),
    "noise": (_degraded(_noisy), "AMOUNT"),
    "mix": (_mixed, "SHARE"),
    "weights": (_weights, "FOLDER"),
}
"""Every drawer with the argument that it takes.

`model`: the model itself. `original`: the original once more. `blank`: grey. `static`: noise. `pillow`: plain image
processing. `true`: the true result. `foreign`: the model's drawing of the same edit of another picture. `blur` by a
radius in pixels, `noise` of a standard deviation in [0, 1] of the value range, `mix` with a share of a foreign thought:
the model's drawing made worse. `weights`: by the same model with other weights.
"""


def weights_of(drawer: str) -> str:
    """Folder of the weights that a drawer names; empty for none."""
    head, _, folder = drawer.partition(":")
    return folder if head == "weights" else ""


def _amount(argument: str) -> float:
    try:
        return float(argument)
    except ValueError as error:
        raise StudyError(f"{argument!r} is no amount; expected a number such as 0.2.") from error
