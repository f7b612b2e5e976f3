"""The viewer of a folder of runs, in a real browser: it lists, filters, compares and loads nothing from outside."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from g2u.errors import TraceError
from g2u.pictures.store import ImageStore
from g2u.traces.catalogue import find_runs, summary_of
from g2u.traces.records import new_run_id
from g2u.traces.trace import FILE_NAME, TraceWriter
from g2u.traces.viewer import write_viewer
from tests.browsers import CONTRAST, SLOW, browser
from tests.runs import drawing, events, header, write_run

__all__ = ["browser"]  # a fixture

HOSTILE = "</script><script>document.title = 'run'</script><img src=x onerror=alert(2)> {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred runs: most done, some stopped, one that is hostile, one of another policy and one damaged."""
    folder = tmp_path_factory.mktemp("some runs") / "runs"
    store = ImageStore(folder / "pictures")
    original = store.add_image(drawing("red"))
    whole = events(store, original)
    for number in range(298):
        top = header(original, f"What colour is disc {number}?")
        with TraceWriter(folder / top.run, top) as writer:
            for event in whole[: 2 if number % 10 == 0 else 5]:
                writer.write(event)
        (folder / top.run / "index.html").write_text("<!doctype html><title>one run</title>")
    write_run(folder, HOSTILE)
    top = header(original, "Which policy?")
    top.config.policy, top.config.seed = "none", 8
    with TraceWriter(folder / top.run, top) as writer:
        for event in (whole[0], whole[3], whole[4]):
            writer.write(event)
    damaged = folder / new_run_id()
    damaged.mkdir()
    (damaged / FILE_NAME).write_text("{}\n")
    return folder


@pytest.fixture(scope="module")
def page_of(browser: Browser) -> Iterator[Callable[..., Page]]:
    troubles: list[str] = []

    def opened(file: Path, hash_: str = "", width: int = 1280, dark: bool = False) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        page.set_default_timeout(SLOW)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda asked: None if asked.url[:5] == "file:" else troubles.append(asked.url))
        page.goto(f"{file.as_uri()}{hash_}")
        expect(page.locator(".count")).not_to_be_empty()
        return page

    yield opened
    assert troubles == []


def count(page: Page) -> str:
    return page.inner_text(".count")


def test_runs_are_listed_filtered_and_kept_in_the_address(runs: Path, page_of: Callable[..., Page]) -> None:
    page = page_of(write_viewer(runs))
    assert count(page) == "300 of 300 runs."
    assert page.locator("tbody tr").count() == 100
    page.get_by_role("button", name="Show more").click()
    assert page.locator("tbody tr").count() == 200
    assert "no record of a trace" in page.inner_text(".note")
    page.select_option("[name=status]", "unfinished")
    expect(page.locator(".count")).to_have_text("30 of 300 runs.")
    page.fill("input[type=search]", "disc 120?")
    expect(page.locator(".count")).to_have_text("1 of 300 runs.")
    assert page.locator("tbody .tag").all_text_contents() == ["retry", "unfinished"]
    again = page_of(runs / "runs.html", page.url.partition("runs.html")[2])
    assert count(again) == "1 of 300 runs." and again.input_value("input[type=search]") == "disc 120?"
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".count")).to_have_text("300 of 300 runs.")
    for name, value, found in (("edits", "deblur", 269), ("verdicts", "keep", 269), ("policy", "none", 1)):
        page.select_option(f"[name={name}]", value)
        expect(page.locator(".count")).to_have_text(f"{found} of 300 runs.")
        page.get_by_role("button", name="Show all").click()
        expect(page.locator(".count")).to_have_text("300 of 300 runs.")


def test_pictures_come_from_the_store_and_titles_lead_to_runs(runs: Path, page_of: Callable[..., Page]) -> None:
    page = page_of(write_viewer(runs), "#text=disc+1?&status=done")
    images = page.locator("tbody tr").first.locator("img")
    expect(images).to_have_count(2)
    for image in images.all():
        expect(image).to_have_js_property("naturalWidth", 32)
    page.locator("tbody th a").first.click()
    expect(page).to_have_title("one run")


def test_two_runs_are_compared(runs: Path, page_of: Callable[..., Page]) -> None:
    page = page_of(write_viewer(runs), "#text=policy")
    page.locator("tbody input").check()
    assert "One run" in page.inner_text(".compare h2")
    page.fill("input[type=search]", "disc 297?")
    page.locator("tbody input").first.check()
    expect(page.locator(".compare h2")).to_have_text("Two runs compared")
    one, other = page.locator(".side").all()
    for expected in ("Which policy?", "blue", "red"):
        expect(one).to_contain_text(expected)
    for expected in (
        "disc 297?",
        "Draw the way in red.",
        "retry",
        "It fits well.",
        "99.0 %",
        "read: original, thought 2",
    ):
        expect(other).to_contain_text(expected)
    differs = page.locator(".settings .differs th").all_text_contents()
    assert differs == ["policy", "seed"]
    assert page.url.count("compare=") == 2
    again = page_of(runs / "runs.html", page.url.partition("runs.html")[2])
    expect(again.locator(".side")).to_have_count(2)
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".compare")).to_be_hidden()
    assert page.locator("tbody input:checked").count() == 0


def test_what_a_user_wrote_is_shown_and_not_run(runs: Path, page_of: Callable[..., Page]) -> None:
    page = page_of(write_viewer(runs), "#text=onerror")
    assert count(page) == "1 of 300 runs." and page.title().startswith("Runs in ")
    assert page.inner_text("tbody th") == HOSTILE


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_can_be_read_on_a_phone_and_in_the_dark(runs: Path, page_of: Callable[..., Page], dark: bool) -> None:
    page = page_of(write_viewer(runs), "#text=disc+11?", width=375, dark=dark)
    page.locator("tbody input").first.check()
    page.locator("tbody input").last.check()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.evaluate(CONTRAST) == []


def test_the_folder_may_be_moved(tmp_path: Path, page_of: Callable[..., Page]) -> None:
    write_run(tmp_path / "here")
    write_viewer(tmp_path / "here")
    page = page_of((tmp_path / "here").rename(tmp_path / "there") / "runs.html")
    expect(page.locator("tbody img")).not_to_have_count(0)
    for image in page.locator("tbody img").all():
        expect(image).to_have_js_property("naturalWidth", 32)


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "from g2u.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "trace", "open", *arguments], cwd=cwd, capture_output=True, text=True
    )


def test_the_command_writes_the_page_and_says_where(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path / "runs")
    done = command("--no-browser", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "runs/runs.html\n") and (tmp_path / "runs" / "runs.html").is_file()
    done = command(f"runs/{trace.header.run}", "--no-browser", cwd=tmp_path)
    assert done.stdout == f"runs/{trace.header.run}/index.html\n"
    done = command("nowhere", "--no-browser", cwd=tmp_path)
    assert done.returncode == 2 and "There is no run in 'nowhere'" in done.stderr


def test_a_run_is_no_folder_of_runs(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)
    with pytest.raises(TraceError, match="is a run, not a folder above runs"):
        write_viewer(trace.folder)


def test_a_catalogue_names_the_newest_first(tmp_path: Path) -> None:
    for number in range(3):
        write_run(tmp_path / f"folder {number}", f"Question {number}?", upto=5 - 3 * (number == 1))
    found = [summary_of(trace) for trace in find_runs(tmp_path).traces]
    assert [(run.question, run.status) for run in found] == [
        ("Question 2?", "done"), ("Question 1?", "unfinished"), ("Question 0?", "done"),
    ]  # fmt: skip
    assert (found[0].edits, found[0].verdicts, found[1].verdicts) == (
        ["trace_path", "deblur"],
        ["retry", "keep"],
        ["retry"],
    )
    assert (found[0].seconds, found[1].answer, found[1].direct_answer) == (2.0, None, "red")
    assert [trace.header.question for trace in find_runs(tmp_path, 1).traces] == ["Question 2?"]
    assert json.loads(found[0].model_dump_json())["imagined"] is True
    assert re.fullmatch(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{8}", found[0].run)
