"""The browser of the machine, for the tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
  };
  return [...document.querySelectorAll("p, th, td, button, figcaption, summary, .tag, .mark, .quiet, dt, dd")]
    .filter((element) => element.checkVisibility() && element.innerText && !element.matches(".empty"))
    .map((element) => {
      const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
      return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), element.outerHTML.slice(0, 90)];
    })
    .filter(([ratio]) => ratio < 4.5);
}"""
"""Texts whose contrast with what is behind them is too low to read well."""


SLOW = 60_000
"""Milliseconds after which a page has failed, also where the machine is busy."""


def find_chromium() -> str:
    """A machine without it skips the tests that need it, continuous integration never does."""
    names = ("chromium", "chromium-browser", "google-chrome")
    if path := next((found for name in names if (found := shutil.which(name))), None):
        return path
    if os.environ.get("CI"):
        pytest.fail("There is no chromium on this machine, and CI is set: the page must be tested in a browser.")
    pytest.skip("There is no chromium on this machine; install it to test the page in a browser.")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()
