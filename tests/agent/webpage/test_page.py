"""The page in a real browser, with the shipped model: asked, watched, stopped, and looked at again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Route, expect

from g2u.state import Context
from g2u.traces.trace import read_trace
from g2u.turns import Turns
from g2u.world.items.items import sample
from tests.agent.webpage.standin import Place, served
from tests.agent.webpage.visits import Visit, ask_of_world, done, newest, percent, status_of, take_of_world

MANY_STEPS = 50
LOOK = """() => {
  window.seen = { previews: [], steps: [] };
  new MutationObserver(() => {
    const preview = document.querySelector("img.preview");
    if (preview) seen.previews.push(preview.src);
    const step = document.querySelector("[aria-current=step]")?.dataset.step;
    if (step && step !== seen.steps.at(-1)) seen.steps.push(step);
  }).observe(document.getElementById("run"), { attributes: true, childList: true, subtree: true });
}"""
"""Writes down what the page shows for an instant."""


def test_a_picture_of_the_world_is_asked_about_and_watched(visit: Visit, place: Place) -> None:
    page = visit()
    expect(page.locator("#status")).to_contain_text("Nothing was asked yet")
    take_of_world(page, "maze")
    expect(page.locator("#question")).to_have_value(re.compile(r"\?$"))
    expect(page.locator("#chosen img")).to_be_visible()
    expect(page.locator("#gallery :checked")).to_have_count(1)
    assert page.locator("#steps").input_value() == "8"
    page.evaluate(LOOK)
    page.click("#go")
    done(page)
    expect(page.locator(".steps img").first).to_have_js_property("naturalWidth", 128)
    trace = read_trace(newest(place))
    thoughts = trace.drawn
    assert thoughts and trace.direct and trace.answer
    expect(page.locator(".steps li")).to_have_count(8 * len(thoughts))
    assert all(source.startswith("data:image/webp;base64,") for source in page.evaluate("seen.previews"))
    assert page.evaluate("new Set(seen.previews).size") >= 7 * len(thoughts)
    assert page.evaluate("seen.steps") == ["decide", "generate", "reflect"] * len(thoughts) + (
        ["decide", "answer"] if len(thoughts) < len(trace.rounds) else ["answer"]
    )
    assert page.url.endswith(f"#run={trace.header.run}")
    first = page.locator(".strip li").nth(1)
    expect(first).to_contain_text(thoughts[0].decision.instruction)
    assert thoughts[0].verdict and thoughts[0].thought
    expect(first.locator(".tag")).to_have_text(thoughts[0].verdict.action)
    assert thoughts[0].thought.sha256 in (first.locator("figure > img").get_attribute("src") or "")
    direct, imagined = page.locator(".answer").nth(0), page.locator(".answer").nth(1)
    expect(direct).to_contain_text(trace.direct.text)
    expect(imagined).to_contain_text(trace.answer.text)
    for column, answer in enumerate((trace.direct, trace.answer)):
        expect(page.locator(".answer").nth(column)).to_contain_text(
            f"{percent(answer.probabilities[answer.text])} sure"
        )
        for option, share in answer.probabilities.items():
            row = page.locator(".sure tbody tr").filter(has=page.get_by_role("rowheader", name=option, exact=True))
            expect(row.locator(".number").nth(column)).to_have_text(percent(share))
    expect(page.locator(".chosen th")).to_have_text(trace.answer.text)
    total = trace.result.seconds["total"] if trace.result else None
    expect(page.locator(".times div", has_text="in all")).to_contain_text(f"{total:.2f} s")
    expect(page.locator(".truth")).to_contain_text("The right answer:")
    expect(page.locator("#runs a[aria-current]")).to_have_attribute("data-run", trace.header.run)


def test_ones_own_picture_is_asked_about(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "mine.png"
    sample("shapes", 3, fault="blur").picture.save(file)
    page = visit()
    page.set_input_files("#file", file)
    expect(page.locator("#chosen img")).to_have_js_property("naturalWidth", 128)
    page.fill("#question", "What colour is the zyzzyva?")
    page.fill("#options", "red\nblue\n\n green ")
    page.click("#go")
    done(page)
    expect(page.locator(".note")).to_contain_text("mini does not know the word zyzzyva")
    assert page.locator(".sure tbody th").all_inner_texts() == ["red", "blue", "green"]
    expect(page.locator(".mark")).to_have_text(["", ""])
    expect(page.locator(".truth")).to_be_hidden()
    page.set_input_files("#file", [])


def test_a_picture_from_elsewhere_is_told(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "noise.png"
    Image.effect_noise((200, 120), 120).save(file)
    page = visit()
    page.set_input_files("#file", file)
    expect(page.locator("#chosen img")).to_have_js_property("naturalWidth", 200)
    page.fill("#question", "What is it?")
    page.get_by_text("Settings").click()
    page.select_option("#policy", "none")
    page.click("#go")
    done(page)
    expect(page.locator(".note").last).to_contain_text("This picture lies outside of what mini was trained on")
    expect(page.locator(".answer").nth(1)).to_contain_text("The direct answer stands")


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_picture_is_dropped_and_pasted(visit: Visit, how: str) -> None:
    page = visit()
    page.evaluate(
        """async (how) => {
          const canvas = new OffscreenCanvas(40, 30);
          canvas.getContext("2d").fillRect(5, 5, 20, 20);
          const blob = await canvas.convertToBlob();
          const data = new DataTransfer();
          data.items.add(new File([blob], "one.png", { type: "image/png" }));
          const event = how === "drop"
            ? new DragEvent("drop", { dataTransfer: data, bubbles: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
          document.getElementById("drop").dispatchEvent(event);
        }""",
        how,
    )
    expect(page.locator("#chosen img")).to_have_js_property("naturalWidth", 40)
    expect(page.locator("#drop-words")).to_contain_text("another one")


def test_a_run_is_stopped_in_the_middle_of_a_drawing(visit: Visit, slow_place: Place) -> None:
    page = visit(place=slow_place)
    for stop in (lambda: page.click("#stop"), lambda: page.keyboard.press("Escape")):
        ask_of_world(page, "shapes", MANY_STEPS)
        expect(page.locator(".steps li").first).to_be_visible()
        stop()
        expect(page.locator("#status")).to_have_text("This run was stopped.")
        expect(page.locator("#stop")).to_be_hidden()
        expect(page.locator("#runs a").first).to_have_attribute("data-run", newest(slow_place).name)
        expect(page.locator("[aria-current=step]")).to_have_count(0)
        assert status_of(page, newest(slow_place)) == "cancelled"
        expect(page.locator("#runs .outcome").first).to_have_text("cancelled")
        expect(page.locator("figcaption").last).to_contain_text("Not finished.")
        expect(page.locator(".answer")).to_have_count(0)
        expect(page.locator(".option").first).to_be_visible()
        expect(page.get_by_role("link", name="Save as one file")).to_be_visible()
    ask_of_world(page, "maze", 2)
    done(page)


def test_who_asks_before_the_page_is_complete_is_told_of_no_other_run(
    visit: Visit, slow_place: Place, tmp_path: Path
) -> None:
    page, held = visit(place=slow_place), list[Route]()
    page.route("**/g2u/world", lambda route: held.append(route))
    page.reload()
    sample("shapes", 3).picture.save(tmp_path / "mine.png")
    page.set_input_files("#file", tmp_path / "mine.png")
    expect(page.locator("#chosen img")).to_be_visible()
    page.fill("#question", "What colour is the star?")
    page.get_by_text("Settings").click()
    page.select_option("#policy", "fixed:deblur")
    page.fill("#steps", str(MANY_STEPS))
    page.click("#go")
    page.wait_for_url(re.compile("#run="))
    held[0].continue_()
    expect(page.locator("#gallery input")).to_have_count(13)
    expect(page.locator("#ask-problem")).to_be_hidden()
    page.click("#stop")
    expect(page.locator("#status")).to_have_text("This run was stopped.")


def test_a_run_that_waits_says_so_and_can_be_stopped(visit: Visit, slow_place: Place, tmp_path: Path) -> None:
    with served(tmp_path / "runs", Context(model="slow"), Turns(1)) as place:
        first, second = visit(place=place), visit(place=place)
        ask_of_world(first, "shapes", MANY_STEPS)
        expect(first.locator(".steps li").first).to_be_visible()
        ask_of_world(second, "maze", 2)
        status = second.locator("#status")
        expect(status).to_have_text("The server is busy, and this run waits for its turn.")
        second.keyboard.press("Escape")
        expect(status).to_have_text("This run was stopped.")
        second.click("#go")
        expect(status).to_contain_text("waits for its turn")
        first.click("#stop")
        done(second)
        first.close()
        second.close()


def test_who_goes_away_stops_the_run(visit: Visit, slow_place: Place) -> None:
    page = visit(place=slow_place)
    ask_of_world(page, "shapes", MANY_STEPS)
    expect(page.locator(".steps li").first).to_be_visible()
    folder = newest(slow_place)
    page.goto("about:blank")
    assert status_of(page, folder) == "cancelled"


def test_a_past_run_is_opened_and_asked_again(visit: Visit, place: Place) -> None:
    page = visit()
    ask_of_world(page, "shapes", 2)
    done(page)
    name, question = newest(place).name, page.locator("#shown h2").inner_text()
    answers = page.locator(".answers").inner_text()
    page.goto("about:blank")
    page = visit()
    expect(page.locator("#status")).to_contain_text("Nothing was asked yet")
    page.locator(f"#runs a[data-run='{name}']").click()
    done(page)
    expect(page.locator("#shown h2")).to_have_text(question)
    assert page.locator(".answers").inner_text() == answers
    page.get_by_role("button", name="Ask this again").click()
    expect(page.locator("#question")).to_have_value(question)
    expect(page.locator("#question")).to_be_focused()
    assert page.locator("#steps").input_value() == "2"
    page.keyboard.press("Enter")
    expect(page.locator(f"#runs a[data-run='{name}']")).not_to_have_attribute("aria-current", "true")
    done(page)
    assert page.locator(".answers").inner_text() == answers
    reopened = visit(f"#run={name}")
    done(reopened)
    expect(reopened.locator("#shown h2")).to_have_text(question)


def test_older_runs_come_when_they_are_asked_for(visit: Visit, place: Place) -> None:
    for number in range(14):
        folder = place.runs / f"20200101-0000{number:02}-000-00000000"
        folder.mkdir()
        (folder / "trace.jsonl").write_text("{}\n{}\n")
    page = visit()
    expect(page.locator("#runs > li")).to_have_count(12)
    older = page.get_by_role("button", name="Older runs")
    while older.is_visible():
        before = page.locator("#runs > li").count()
        older.click()
        expect(page.locator("#runs > li").nth(before)).to_be_visible()
    expect(page.locator("#runs .note").last).to_contain_text("20200101-000000-000-00000000")


def test_a_run_is_kept_as_one_file_that_opens_by_itself(visit: Visit, browser: Browser, tmp_path: Path) -> None:
    page = visit()
    ask_of_world(page, "maze", 2)
    done(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as one file").click()
    assert re.fullmatch(r"g2u-\d{8}-\d{6}-\d{3}-[0-9a-f]{8}\.html", download.value.suggested_filename)
    file = tmp_path / "kept.html"
    download.value.save_as(file)
    question = page.locator("#shown h2").inner_text()
    kept = browser.new_page()
    asked: list[str] = []
    kept.on("request", lambda request: asked.append(request.url[:5]))
    kept.goto(file.as_uri())
    expect(kept.locator("h1")).to_have_text(question)
    for image in kept.locator("img").all():
        expect(image).to_have_js_property("naturalWidth", 128)
    assert set(asked) <= {"file:", "data:"}
    kept.close()


def test_what_is_missing_is_told_where_it_is_missing(visit: Visit) -> None:
    page = visit()
    problem = page.locator("#ask-problem")
    page.click("#go")
    expect(problem).to_have_text(re.compile("^There is no picture to ask about. Choose one first"))
    page.locator("#gallery label").first.click()
    expect(problem).to_be_hidden()
    for name, given, told in (
        ("question", "  ", "The question is empty."),
        ("options", "red", "One option leaves no choice."),
        ("options", "\n".join(map(str, range(20))), "At most 16 options can be asked here, not 20."),
        ("rounds", "99", "Rounds: "),
        ("seed", "-1", "Seed: "),
    ):
        page.locator("#gallery label").first.click()
        if name in ("rounds", "seed") and not page.locator(f"#{name}").is_visible():
            page.get_by_text("Settings").click()
        page.fill(f"#{name}", given)
        page.click("#go")
        expect(problem).to_contain_text(told)
        expect(page.locator(f"#{name}")).to_be_focused()
        if name in ("rounds", "seed"):
            page.fill(f"#{name}", "1")


def test_what_the_server_refuses_is_told(visit: Visit, tmp_path: Path) -> None:
    page = visit(refused=4)
    text, large = tmp_path / "notes.png", tmp_path / "large.bmp"
    text.write_text("no picture")
    Image.new("RGB", (700, 700)).save(large)
    for file, told in ((text, "is no picture in a format that is read"), (large, "is larger than 1 MiB")):
        page.set_input_files("#file", file)
        expect(page.locator("#picture-problem")).to_contain_text(told)
        expect(page.locator("#chosen")).to_be_hidden()
    page.locator("#gallery label").first.click()
    expect(page.locator("#picture-problem")).to_be_hidden()
    page.fill("#options", "red\nRed")
    page.click("#go")
    expect(page.locator("#ask-problem")).to_contain_text("Options must be at least two, none empty, no two alike")
    expect(page.locator("#go")).to_be_enabled()
    page.evaluate("location.hash = 'run=nothing'")
    expect(page.locator("#status")).to_contain_text("'nothing' is no name of a run.")


def test_what_a_user_wrote_is_shown_and_not_run(visit: Visit) -> None:
    hostile = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    page = visit()
    page.locator("#gallery label").first.click()
    page.fill("#question", hostile)
    page.fill("#options", f"{hostile}\nblue")
    page.click("#go")
    done(page)
    expect(page.locator("#shown h2")).to_have_text(hostile)
    expect(page.locator("#runs .question").first).to_have_text(hostile)
    assert page.locator("img[src=x]").count() == 0 and page.title() != "1"
