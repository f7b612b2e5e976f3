"""The page, served; and the browser that opens it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.models.protocol import PreviewingModel
from g2u.models.registry import load_model
from g2u.state import Context
from tests.agent.webpage.standin import Place, served
from tests.agent.webpage.visits import Visit
from tests.browsers import SLOW, browser

__all__ = ["browser"]  # a fixture


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with served(tmp_path_factory.mktemp("page") / "runs") as place:
        yield place


class Slow:
    """Mini, taking its time: a drawing of more than five steps goes on from the fifth only when nobody wants it."""

    def __init__(self) -> None:
        self.mini: Any = load_model("mini")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.mini, name)

    def draw(self, *given: Any) -> Any:
        *before, on_step, thoughts, previews = given
        drawing: PreviewingModel = self.mini

        def slower(done: int, total: int) -> Any:
            wanted = on_step(done, total)
            while done == 5 < total and any(wanted):
                time.sleep(0.1)
                wanted = on_step(done, total)
            return wanted

        return drawing.draw(*before, slower, thoughts, previews)


@pytest.fixture(scope="module")
def slow_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The page of a model that draws slowly."""
    with Engine(Slow) as engine:  # type: ignore[arg-type]
        register_engine("slow", engine)
        with served(tmp_path_factory.mktemp("slow") / "runs", Context(model="slow")) as place:
            yield place


@pytest.fixture
def visit(browser: Browser, place: Place) -> Iterator[Visit]:
    troubles: list[str] = []
    pages: list[Page] = []
    allowed = 0

    def opened(
        hash_: str = "", width: int = 1280, dark: bool = False, refused: int = 0, place: Place | None = place
    ) -> Page:
        nonlocal allowed
        allowed += refused
        assert place

        def look(request: Request) -> None:
            if not request.url.startswith((place.url, "data:", "blob:")):
                troubles.append(request.url)

        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        pages.append(page)
        page.set_default_timeout(SLOW)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", look)
        page.goto(f"{place.url}{hash_}")
        expect(page.locator("#gallery input")).to_have_count(13, timeout=SLOW)
        return page

    yield opened
    for page in pages:
        page.close()
    # A reply that refuses something is an error in the console of the browser, whatever the page makes of it.
    refusals = [text for text in troubles if "Failed to load resource" in text]
    assert [text for text in troubles if text not in refusals] == []
    assert len(refusals) == allowed
