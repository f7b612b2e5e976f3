"""What a policy knows when it picks, of a scripted model; import `close_engines` too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from g2u.edits.library import EditLibrary
from g2u.edits.menu import Menu
from g2u.engine.engine import Engine
from g2u.loop.deciding.policies import Situation, get_policy
from g2u.pictures.store import ImageStore
from g2u.state import Decision
from tests.scripted import ScriptedModel

ENGINES: list[Engine] = []


@pytest.fixture(autouse=True)
def close_engines() -> Iterator[None]:
    yield
    while ENGINES:
        ENGINES.pop().close()


def situation(folder: Path, model: ScriptedModel | None = None, *, shade: int = 0, **changes: Any) -> Situation:
    model = model or ScriptedModel()
    ENGINES.append(Engine(lambda: model))
    store = ImageStore(folder)
    known: dict[str, Any] = {
        "policy": "self",
        "engine": ENGINES[-1],
        "store": store,
        "prompt_set": "mini",
        "pictures": [store.add_image(Image.new("RGB", (8, 8), (shade, 0, 0)))],
        "question": "Which exit?",
        "menu": Menu(library=EditLibrary.load()),
    }
    return Situation(**(known | changes))


async def choose(situation: Situation) -> Decision:
    return await get_policy(situation.policy)(situation)


def says(*texts: str) -> ScriptedModel:
    """Says one text after the other, then the last for ever."""
    left = list(texts)
    return ScriptedModel(read_script=lambda text, pictures: left.pop(0) if len(left) > 1 else left[0])
