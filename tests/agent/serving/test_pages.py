"""Pages of the real server and of what its runs leave, in a real browser, with the shipped model.

The pictures of the documentation are taken here; `make pictures` puts them into docs/assets/.
"""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx
import pytest
from langgraph_sdk import get_sync_client
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from g2u.world.items.items import Item, sample
from tests.agent.serving.javascript import installed
from tests.agent.serving.servers import ROOT, Server, free_port, started
from tests.agent.webpage.visits import done
from tests.browsers import browser

__all__ = ["browser"]  # a fixture

pytestmark = pytest.mark.serve
ASSETS = ROOT / "docs" / "assets"
G2U = str(Path(sys.executable).parent / "g2u")
LARGEST = 250_000
"""Bytes of a picture of the documentation."""
MAZE, SHAPES = sample("maze", 9), sample("shapes", 2, fault="blur+dark")


class Snap(Protocol):
    """Takes a picture of a part of a page over its whole width, `most` pixels of its height."""

    def __call__(self, page: Page, name: str, part: str = "body", most: int = 4000) -> None: ...


@pytest.fixture
def snap(tmp_path: Path) -> Snap:
    folder = ASSETS if os.environ.get("G2U_DOCS_PICTURES") else tmp_path

    def snap(page: Page, name: str, part: str = "body", most: int = 4000) -> None:
        width, path = page.evaluate("innerWidth"), folder / f"{name}.png"
        page.mouse.move(0, 0)
        page.set_viewport_size({"width": width, "height": page.evaluate("document.documentElement.scrollHeight")})
        page.evaluate("scrollTo(0, 0)")
        box = page.locator(part).bounding_box()
        assert box, "it is on the page"
        top, height = max(0, box["y"] - 16), min(box["height"] + 32, most)
        page.screenshot(path=path, clip={"x": 0, "y": top, "width": width, "height": height}, animations="disabled")
        with Image.open(path) as image:
            image.convert("RGB").quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)
        assert path.stat().st_size < LARGEST

    return snap


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    with started([G2U, "serve", "--port", str(port)], tmp_path_factory.mktemp("served"), port) as server:
        yield server


class Open(Protocol):
    """Opens a page, which may complain of nothing."""

    def __call__(self, address: str, width: int = 1280, dark: bool = False) -> Page: ...


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    complaints: list[str] = []
    pages: list[Page] = []

    def opened(address: str, width: int = 1280, dark: bool = False) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        pages.append(page)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(address)
        return page

    yield opened
    for page in pages:
        page.close()
    assert not complaints


def saved(item: Item, folder: Path) -> Path:
    path = folder / f"{item.task}.png"
    item.picture.save(path)
    return path


def test_a_picture_is_uploaded_asked_about_and_imagined(
    served: Server, open_page: Open, snap: Snap, tmp_path: Path
) -> None:
    page = open_page(f"{served.url}/g2u/")
    page.set_input_files("#file", saved(MAZE, tmp_path))
    page.fill("#question", MAZE.question)
    page.fill("#options", "\n".join(MAZE.options))
    page.click("#go")
    done(page)
    expect(page.locator(".strip li").nth(1).locator("figure > img")).to_have_js_property("naturalWidth", 128)
    expect(page.locator(".strip li").nth(1)).to_contain_text("Draw the way from the start to the exit in red.")
    expect(page.locator(".answer").nth(0)).to_contain_text("blue")
    expect(page.locator(".answer").nth(1)).to_contain_text(MAZE.answer)
    expect(page.locator("#ask-problem")).to_be_hidden()
    health = served.get("/g2u/health").json()
    assert (health["model"], health["models_loaded"]) == ("mini", 1)
    snap(page, "page-run")
    phone = open_page(page.url, width=390, dark=True)
    done(phone)
    expect(phone.locator(".answer")).to_have_count(2)
    snap(phone, "page-phone", "#run")


@contextmanager
def serving_folder(folder: Path) -> Iterator[str]:
    """Address at which the files of a folder are had."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def examples() -> Iterator[str]:
    """Address of the folder of examples, served as its page says."""
    with serving_folder(ROOT / "examples") as address:
        yield address


def test_a_chat_shows_the_pictures_of_its_messages(
    served: Server, examples: str, open_page: Open, snap: Snap, tmp_path: Path
) -> None:
    page = open_page(f"{examples}/chat.html?server={served.url}", width=720)
    blurred = sample("shapes", 3, fault="blur")
    for turn, (item, edit) in enumerate(((MAZE, "trace_path"), (blurred, "deblur")), 1):
        page.set_input_files("[name=picture]", saved(item, tmp_path))
        page.fill("[name=text]", item.question)
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("article")).to_have_count(2 * turn)
        expect(page.locator(".ai p").last).to_have_text(item.answer)
        expect(page.locator("figcaption").last).to_have_text(edit)
    for image in page.locator("article img").all():
        expect(image).to_have_js_property("naturalWidth", 128)
        assert (image.get_attribute("src") or "").startswith(f"{served.url}/g2u/pictures/")
    snap(page, "chat")


def test_langchains_chat_page_asks_a_person_with_buttons(
    served: Server, browser: Browser, snap: Snap, tmp_path: Path
) -> None:
    """The page of `npx create-agent-chat-app`: it knows an assistant and a thread, and sends no settings."""
    client = get_sync_client(url=served.url)
    picture = httpx.post(
        f"{served.url}/g2u/pictures", content=saved(MAZE, tmp_path).read_bytes(), headers={"Content-Type": "image/png"}
    ).json()["uri"]
    assistant = client.assistants.create("imagine", context={"pause": "both", "rounds": 1, "reflect": False})
    shown = {
        "role": "user",
        "content": [{"type": "image", "url": picture}, {"type": "text", "text": "This is a maze."}],
    }
    begun: Any = {"updates": [{"values": {"messages": [shown]}, "as_node": "answer"}]}
    thread = client.threads.create(graph_id="imagine", supersteps=[begun])
    query = {"apiUrl": served.url, "assistantId": assistant["assistant_id"], "threadId": thread["thread_id"]}
    with serving_folder(installed("chat") / "dist") as address:
        page = browser.new_page(viewport={"width": 760, "height": 900})
        page.goto(f"{address}/?{urlencode(query)}")
        ask_in_chat(page, MAZE.question)
        boxes = page.locator("textarea.h-full")
        expect(boxes).to_have_count(2)
        expect(boxes.first).to_have_value(re.compile("trace_path"))
        expect(page.get_by_role("button", name="Ignore")).to_be_visible()
        boxes.first.hover()
        page.mouse.wheel(0, -2000)
        expect(page.get_by_text(MAZE.question)).to_be_in_viewport()
        snap(page, "chat-buttons", most=745)
        page.get_by_role("button", name="Description").click()
        expect(page.get_by_role("img", name="The picture")).to_have_js_property("naturalWidth", 128)
        page.locator("button:has(svg.lucide-x)").click()
        page.get_by_role("button", name="Accept").click()
        expect(page.get_by_role("button", name="Ignore")).to_be_hidden()
        thought = page.get_by_role("img", name="trace_path")
        expect(thought).to_have_js_property("naturalWidth", 128)  # shown before the answer rests on it
        page.get_by_role("button", name="Accept").click()
        expect(page.get_by_text(MAZE.answer, exact=True)).to_be_visible()
        assert settled(client, thread)["rounds"][0]["thought"]

        ask_in_chat(page, MAZE.question)  # buttons are drawn below the last message, if it is the agent's
        expect(boxes).to_have_count(2)
        boxes.first.fill("outline")
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("img", name="outline")).to_be_visible()
        page.get_by_role("button", name="Ignore").click()
        expect(page.get_by_role("button", name="Ignore")).to_be_hidden()
        values = settled(client, thread)
        assert values["rounds"][0]["decision"]["edit"] == "outline" and values["answer"] == values["direct"]
        page.close()


def ask_in_chat(page: Page, question: str) -> None:
    page.get_by_placeholder("Type your message...").fill(question)
    page.get_by_role("button", name="Send", exact=True).click()


def settled(client: Any, thread: Any) -> Any:
    """The values of a thread once nothing runs in it."""
    for run in client.runs.list(thread["thread_id"]):
        client.runs.join(thread["thread_id"], run["run_id"])
    return client.threads.get_state(thread["thread_id"])["values"]


def test_runs_of_every_kind_are_in_one_list_and_two_are_compared(
    served: Server, open_page: Open, snap: Snap, tmp_path: Path
) -> None:
    def run(*command: str) -> None:
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    def ask(item: Item, policy: str) -> None:
        options = [part for option in item.options for part in ("--option", option)]
        run(G2U, "ask", str(saved(item, tmp_path)), item.question, "--policy", policy, *options)

    for name in ("agent_tool", "mcp_client"):
        run(sys.executable, str(ROOT / "examples" / f"{name}.py"))
    ask(SHAPES, "self")
    run(G2U, "trace", "open", "--no-browser")
    page = open_page((tmp_path / "runs" / "runs.html").as_uri())
    expect(page.locator("tbody tr")).to_have_count(3)
    for image in page.locator("tbody img").all():
        expect(image).to_have_js_property("naturalWidth", 128)
    snap(page, "runs", "main")
    page.get_by_role("link", name=SHAPES.question).click()
    expect(page.locator("h1")).to_have_text(SHAPES.question)
    expect(page.locator(".answer").last).to_contain_text(SHAPES.answer)
    snap(page, "run", most=1100)
    for policy in ("self", "fixed:outline"):
        ask(MAZE, policy)
    run(G2U, "trace", "open", "--no-browser")
    page.go_back()
    page.reload()
    for row in (0, 1):
        page.locator("tbody input").nth(row).check()
    expect(page.locator(".side")).to_have_count(2)
    expect(page.locator(".settings .differs th")).to_have_text(["policy"])
    snap(page, "runs-compared", ".compare", most=850)
