"""A scripted model with its store and settings, for tests of graphs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.graphs.imagine import graph
from g2u.pictures.references import ImageRef
from g2u.pictures.store import get_store
from g2u.state import Context
from tests.scripted import Pictures, ScriptedModel

OPTIONS = ["red", "blue"]
ORIGINAL = (40, 40, 40)
"""Colour of the picture that is asked about; a drawing adds 10 to each value."""


def draw_lighter(image: Image.Image, instruction: str, seed: int) -> Image.Image:
    return image.point(lambda value: value + 10)


def decides(*edits: str) -> Any:
    """Names one edit after the other, then none."""
    left = list(edits)
    return lambda text, pictures: f'{{"edit": "{left.pop(0) if left else "none"}"}}' if "Edit:" in text else "green"


def judges(*actions: str) -> Any:
    """Gives one verdict after the other; answers blue when it sees a drawing, red from the original alone."""
    left = list(actions)

    def score(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
        if text.endswith("Verdict:"):
            wanted = left.pop(0)
        else:
            wanted = "blue" if pictures[-1].getpixel((0, 0)) != ORIGINAL else "red"
        return [-0.1 if option == wanted else -5.0 for option in options]

    return score


class Bench:
    """One scripted model, its store and its settings."""

    def __init__(self, folder: Path, engines: list[Engine], model: ScriptedModel, **settings: Any) -> None:
        engines.append(Engine(lambda: model))
        register_engine("scripted", engines[-1])
        self.model, self.folder = model, folder
        self.context = Context(model="scripted", store=str(folder / "pictures"), **settings)
        self.store = get_store(self.context.store)
        self.picture = self.store.add_image(Image.new("RGB", (16, 16), ORIGINAL))

    async def ask(self, graph: Any = graph, **changes: Any) -> dict[str, Any]:
        given = {"picture": self.picture, "question": "Which?", "options": OPTIONS} | changes
        return await graph.ainvoke(given, context=self.context)  # type: ignore[no-any-return]

    def colour(self, ref: ImageRef) -> Any:
        return self.store.open(ref).getpixel((0, 0))
