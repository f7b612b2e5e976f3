"""Controls and the fidelity ladder: what each puts in the place of a thought."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from g2u.edits.library import EditLibrary
from g2u.engine.engine import Engine
from g2u.engine.registry import get_engine, register_engine
from g2u.errors import G2UError, StudyError
from g2u.loop.drawing import Drawing
from g2u.models.protocol import Sampler
from g2u.pictures.store import ImageStore
from g2u.study.grid.arms import Items
from g2u.study.grid.items import make_items, world_item
from g2u.study.grid.records import ItemRecord
from g2u.study.running.drawers import DRAWERS, PILLOW, Scene, get_drawer
from g2u.study.running.drawings import Drawings
from g2u.study.running.fidelity import fidelity
from tests.scripted import ScriptedModel


class Room:
    """Items of two tasks, a scripted model, and drawings of what is asked for."""

    def __init__(self, folder: Path) -> None:
        self.model = ScriptedModel()
        register_engine("scripted", Engine(lambda: self.model))
        self.store = ImageStore(folder)
        self.items = make_items(Items(count=20, tasks=["maze", "shapes"]), self.store)
        self.drawings = Drawings(folder / "drawings")
        self.scene = Scene(self.items, self.drawings, of_world=True)

    def item(self, fault: str) -> ItemRecord:
        return next(item for item in self.items if item.groups["fault"] == fault)

    def drawing(self, item: ItemRecord, edit: str, seed: int = 0) -> Drawing:
        library = EditLibrary.load()
        call = library.call(edit)
        return Drawing(
            engine=get_engine("scripted"),
            store=self.store,
            pictures=item.pictures,
            question=item.question,
            segments=item.pictures,
            call=call,
            instruction=library.instruction(call),
            sampler=Sampler(steps=1, preset=""),
            seed=seed,
        )

    async def draw(self, name: str, drawing: Drawing) -> Image.Image:
        return self.store.open(await get_drawer(name, self.scene)(drawing))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def same(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one, other).getbbox() is None


async def test_controls_have_nothing_of_the_model(room: Room) -> None:
    item = room.item("blur")
    source = room.store.open(item.pictures[0])
    drawing = room.drawing(item, "deblur")
    assert same(await room.draw("original", drawing), source)
    assert (await room.draw("blank", drawing)).getcolors() == [(source.width * source.height, (127, 127, 127))]
    static = await room.draw("static", drawing)
    assert same(static, await room.draw("static", drawing))
    assert not same(static, await room.draw("static", room.drawing(item, "deblur", seed=1)))
    assert 120 < np.asarray(static).mean() < 135
    assert not same(await room.draw("pillow", drawing), source)
    assert room.model.of("draw") == []


async def test_the_true_result_follows_the_edits_that_were_made(room: Room) -> None:
    item = next(item for item in room.items if "+" in item.groups["fault"])
    truth = world_item(item.id)
    first, second = (EditLibrary.load().call(edit) for edit in item.gold_edits or [])
    one = room.drawing(item, first.edit)
    drawer = get_drawer("true", room.scene)
    ref = await drawer(one)
    assert same(room.store.open(ref), truth.truth(first)) and not same(room.store.open(ref), truth.picture)
    chained = Drawing(**(vars(one) | {"segments": [ref], "call": second}))
    assert same(room.store.open(await drawer(chained)), truth.truth(first, second))
    alone = Drawing(**(vars(one) | {"call": second}))
    assert same(room.store.open(await drawer(alone)), truth.truth(second))


async def test_a_foreign_thought_is_of_another_picture_of_the_task(room: Room) -> None:
    item = room.item("blur")
    drawn = await room.draw("foreign", room.drawing(item, "deblur"))
    (call,) = room.model.of("draw")
    picture = room.scene.foreign(room.drawing(item, "deblur"))
    other = next(one for one in room.items if one.pictures == [picture])
    assert other.groups["task"] == item.groups["task"] and other.pictures != item.pictures
    assert same(drawn, await room.draw("model", room.drawing(other, "deblur"))) and len(room.model.of("draw")) == 1
    assert call.texts == (EditLibrary.load().instruction(EditLibrary.load().call("deblur")),)
    alone = Scene(room.items[:1], room.drawings, of_world=True)
    with pytest.raises(StudyError, match="at least two pictures"):
        alone.foreign(room.drawing(room.items[0], "deblur"))


@pytest.mark.parametrize("rungs", [("blur:1", "blur:4"), ("noise:0.05", "noise:0.4"), ("mix:0.1", "mix:0.8")])
async def test_the_ladder_lowers_fidelity_step_by_step(room: Room, rungs: tuple[str, str]) -> None:
    item = room.item("none")
    drawing = room.drawing(item, "deblur")
    whole = await room.draw("model", drawing)
    little, much = [fidelity(await room.draw(rung, drawing), whole) for rung in rungs]
    best = fidelity(whole, whole)
    assert best["psnr"] == 60 and best["ssim"] == pytest.approx(1, abs=1e-5)
    assert best["vif"] == pytest.approx(1, abs=1e-3)
    assert all(best[name] > little[name] > much[name] for name in best)
    assert len(room.model.of("draw")) <= 2


async def test_drawings_are_made_once_and_mended_where_damaged(room: Room, tmp_path: Path) -> None:
    drawing = room.drawing(room.item("blur"), "deblur")
    ref = await room.drawings.draw(drawing)
    again = Drawings(tmp_path / "drawings")
    assert await again.draw(drawing) == ref and (again.made, again.found) == (0, 1)
    assert await again.draw(room.drawing(room.item("blur"), "deblur", seed=1)) and again.made == 1
    room.store.path(ref).unlink()
    assert await again.draw(drawing) == ref and again.made == 2


@pytest.mark.parametrize("name", ["orginal", "blur", "blur:much", "original:2", "mix:"])
def test_drawers_that_do_not_exist_or_lack_their_amount_are_refused(room: Room, name: str) -> None:
    with pytest.raises(G2UError, match=r"Did you mean original|expected"):
        get_drawer(name, room.scene)


def test_the_true_result_is_known_in_the_world_alone(room: Room) -> None:
    with pytest.raises(StudyError, match="world alone"):
        get_drawer("true", Scene(room.items, room.drawings, of_world=False))


def test_every_edit_of_plain_image_processing_is_in_the_library() -> None:
    assert set(PILLOW) <= set(EditLibrary.load().names) and "pillow" in DRAWERS
