"""What the tests of the page do in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from playwright.sync_api import Page, expect

from g2u.traces.trace import read_trace
from tests.agent.webpage.standin import Place
from tests.browsers import SLOW


class Visit(Protocol):
    """Opens the page, which may complain of nothing and load nothing from elsewhere."""

    def __call__(
        self, hash_: str = "", width: int = 1280, dark: bool = False, refused: int = 0, place: Place | None = None
    ) -> Page: ...


def done(page: Page) -> None:
    expect(page.locator("#status")).to_have_text(re.compile(r"^Done in [\d.]+ seconds\.$"), timeout=SLOW)
    expect(page.locator("#go")).to_be_enabled()


def take_of_world(page: Page, task: str) -> None:
    """Click a picture of the gallery; a click fills in its question also where it was taken before."""
    page.locator(f"#gallery label[title^='{task},']").click()


def ask_of_world(page: Page, task: str, steps: int = 4) -> None:
    take_of_world(page, task)
    if not page.locator("#steps").is_visible():
        page.get_by_text("Settings").click()
    page.fill("#steps", str(steps))
    page.click("#go")


def percent(share: float) -> str:
    """As the page writes it."""
    return f"{100 * share:.1f} %"


def newest(place: Place) -> Path:
    return max(path.parent for path in place.runs.glob("*/trace.jsonl"))


def status_of(page: Page, run: Path) -> str:
    """How a run ended, once its page is written, which is last."""
    while not (run / "index.html").exists():
        page.wait_for_timeout(50)
    return read_trace(run).status
