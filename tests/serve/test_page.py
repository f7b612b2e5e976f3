"""The page of the real server, in a real browser, with the shipped model."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from g2u.world.items import sample
from tests.browsers import browser
from tests.serve.servers import Server, free_port, started
from tests.webpage.visits import done

__all__ = ["browser"]  # a fixture

pytestmark = pytest.mark.serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    command = [str(Path(sys.executable).parent / "g2u"), "serve", "--port", str(port)]
    with started(command, tmp_path_factory.mktemp("served"), port) as server:
        yield server


def test_a_picture_is_uploaded_asked_about_and_imagined(served: Server, browser: Browser, tmp_path: Path) -> None:
    item = sample("maze", 9)
    item.picture.save(tmp_path / "maze.png")
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{served.url}/g2u/")
    page.set_input_files("#file", tmp_path / "maze.png")
    page.fill("#question", item.question)
    page.fill("#options", "\n".join(item.options))
    page.click("#go")
    done(page)
    expect(page.locator(".strip li").nth(1).locator("figure > img")).to_have_js_property("naturalWidth", 128)
    direct, imagined = page.locator(".answer").nth(0), page.locator(".answer").nth(1)
    expect(direct).to_contain_text("blue")
    expect(imagined).to_contain_text(item.answer)
    assert not complaints
    health = served.get("/g2u/health").json()
    assert (health["model"], health["models_loaded"]) == ("mini", 1)
    page.close()
