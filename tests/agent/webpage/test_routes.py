"""What the page's addresses give to any client, and what they refuse."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from g2u import webpage
from g2u.engine.engine import Engine
from g2u.engine.registry import get_engine, register_engine
from g2u.errors import MissingExtraError
from g2u.pictures.store import get_store
from g2u.state import Context
from g2u.traces.trace import read_trace
from g2u.turns import Turns
from g2u.webpage import asking
from g2u.webpage.asked import Asked
from g2u.webpage.asking import Watched
from g2u.webpage.past import list_runs
from tests.agent.engine.scenes import Gate
from tests.agent.webpage.standin import application
from tests.runs import write_run
from tests.scripted import ScriptedModel

ALLOWED = (
    "io.BufferedReader.read", "io.BufferedWriter.write", "io.TextIOWrapper.read", "io.TextIOWrapper.write",
    "os.listdir", "os.remove", "os.stat", "os.path.abspath", "threading.Lock.acquire",
)  # fmt: skip
"""Calls that may block for all that the LangGraph server cares."""


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(application(tmp_path / "runs"), raise_server_exceptions=False)


def question(client: TestClient, **changes: Any) -> dict[str, Any]:
    """One that can be asked, with changes."""
    entry = client.get("/g2u/world").json()[8]
    picture = {name: entry["picture"][name] for name in ("sha256", "width", "height")}
    return {"pictures": [picture], "question": entry["question"], "options": entry["options"]} | changes


def events(text: str) -> list[dict[str, Any]]:
    """Those of a stream."""
    parts = [part.splitlines() for part in text.split("\n\n") if part and not part.startswith(":")]
    found = [json.loads(lines[1].removeprefix("data: ")) for lines in parts]
    assert [lines[0] for lines in parts] == [f"event: {event['kind']}" for event in found]
    return found


def test_a_run_is_a_stream_and_is_told_again_later(client: TestClient, tmp_path: Path) -> None:
    reply = client.post("/g2u/ask", json=question(client, settings={"steps": 3, "rounds": 1, "seed": 5}))
    assert reply.headers["content-type"].startswith("text/event-stream")
    told = events(reply.text)
    kinds = [event["kind"] for event in told if event["kind"] not in ("step", "preview", "stop")]
    assert kinds == ["header", "domain", "decision", "round", "direct", "answer", "result"]
    previews = [event for event in told if event["kind"] == "preview"]
    assert [(event["round"], event["done"], event["total"]) for event in previews] == [(1, 1, 3), (1, 2, 3), (1, 3, 3)]
    assert all(event["picture"].startswith("data:image/webp;base64,") for event in previews)
    header = told[0]
    assert header["settings"] == {"policy": "self", "reflect": True, "rounds": 1, "seed": 5, "steps": 3}
    again = client.get(f"/g2u/runs/{header['run']}").json()
    for event in again:
        assert event == next(other for other in told if other["kind"] == event["kind"]) or event["kind"] == "domain"
    listed = client.get("/g2u/runs").json()
    assert [row["run"] for row in listed["runs"]] == [header["run"]] and not listed["more"]
    assert listed["runs"][0]["question"] == header["question"]
    assert str(tmp_path) not in reply.text + client.get("/g2u/runs").text
    assert b"data:" not in (tmp_path / "runs" / header["run"] / "trace.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("changes", "status", "detail", "hint"),
    [
        ({"question": " "}, 422, "The question is empty.", "Ask in words"),
        ({"question": "x" * 2001}, 422, "A question has at most 2,000 characters", ""),
        ({"question": None}, 422, "question: input should be a valid string.", ""),
        ({"options": ["red"]}, 422, "Options must be at least two", ""),
        ({"options": [str(n) for n in range(20)]}, 422, "At most 16 options can be asked here, not 20.", "Leave"),
        ({"pictures": []}, 422, "There is no picture to ask about.", "Choose one first."),
        ({"pictures": [{"sha256": "0" * 64, "width": 1, "height": 1}]}, 404, "does not have that picture", "again"),
        ({"pictures": [{"sha256": "../../x", "width": 1, "height": 1}]}, 422, "There is no picture", "Choose"),
        (
            {"pictures": [{"sha256": "0" * 64, "width": 1, "height": 1}] * 9},
            422,
            "At most 8 pictures",
            "Leave some out",
        ),
        ({"settings": {"polcy": "self"}}, 422, "There is no setting called 'polcy'.", "Did you mean policy?"),
        ({"settings": {"weights": "/etc"}}, 422, "There is no setting called 'weights'.", "policy, reflect"),
        ({"settings": {"store": "/etc"}}, 422, "There is no setting called 'store'.", ""),
        ({"settings": {"policy": "slef"}}, 422, "There is no policy called 'slef'.", "Did you mean self?"),
        ({"settings": {"policy": "fixed:nothing"}}, 422, "There is no edit called 'nothing'.", ""),
        ({"settings": {"rounds": 7}}, 422, "settings rounds: input should be less than or equal to 6.", ""),
        ({"settings": {"rounds": "2"}}, 422, "settings rounds: input should be a valid integer.", ""),
        ({"settings": {"policy": "own-words"}}, 422, "draws only the", "Use another policy"),
        ({"settings": {"policy": "writer:openai:gpt-4o"}}, 403, "choose the writer 'openai:gpt-4o'", "$G2U_WRITERS"),
        ({"more": 1}, 422, "There is no setting called 'more'.", ""),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    client: TestClient, tmp_path: Path, changes: dict[str, Any], status: int, detail: str, hint: str
) -> None:
    reply = client.post("/g2u/ask", json=question(client, **changes))
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    problem = reply.json()
    assert problem["status"] == status and problem["title"]
    assert detail in problem["detail"] and hint in problem["hint"]
    assert str(tmp_path) not in reply.text
    assert client.get("/g2u/runs").json() == {"runs": [], "more": False, "last": ""}


def test_a_reference_must_be_what_the_store_has(client: TestClient, tmp_path: Path) -> None:
    asked = question(client)
    asked["pictures"][0]["width"] = 7
    reply = client.post("/g2u/ask", json=asked)
    assert reply.status_code == 422 and "has 128 x 128 pixels, not 7 x 128" in reply.json()["detail"]
    asked = question(client)
    path = get_store(tmp_path / "runs" / "pictures").path(asked["pictures"][0]["sha256"])
    path.write_bytes(path.read_bytes()[:-9])
    damaged = client.post("/g2u/ask", json=asked)
    assert damaged.status_code == 422 and "is damaged" in damaged.json()["detail"]
    assert str(tmp_path) not in reply.text + damaged.text
    assert client.get("/g2u/runs").json() == {"runs": [], "more": False, "last": ""}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b" " * 70_000, "application/json", 413),
    ],
)
def test_what_is_no_question_is_refused(client: TestClient, body: bytes, kind: str, status: int) -> None:
    reply = client.post("/g2u/ask", content=body, headers={"Content-Type": kind})
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json()["detail"]


@pytest.mark.parametrize(
    "path", ["runs/x", "runs/..%2f..%2fetc", "runs/20200101-000000-000-00000000", "runs/x/page", "page/addresses.py"]
)
def test_nothing_else_is_opened(client: TestClient, path: str) -> None:
    assert client.get(f"/g2u/{path}").status_code == 404


def test_a_mistake_of_our_own_tells_nothing_about_the_server(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("g2u.webpage.past.list_runs", lambda *_: 1 / 0)
    reply = client.get("/g2u/runs")
    assert reply.status_code == 500 and "division" not in reply.text
    assert "ZeroDivisionError" in caplog.text


def test_no_error_says_where_on_the_disk_something_is(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = question(client)
    monkeypatch.setenv("G2U_EDITS", str(tmp_path / "nothing.yaml"))
    reply = client.post("/g2u/ask", json=asked)
    assert "nothing.yaml cannot be read" in reply.text and str(tmp_path) not in reply.text
    assert str(tmp_path / "nothing.yaml") in caplog.text  # for whoever runs the server


def test_every_file_of_the_page_is_there_and_nothing_comes_from_elsewhere(client: TestClient) -> None:
    page = client.get("/g2u/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "http" not in page.text.lower() and " style=" not in page.text and "onclick" not in page.text
    folder = Path(webpage.__file__).parent
    for file in [*folder.glob("*.js"), *folder.glob("*.css")]:
        reply = client.get(f"/g2u/page/{file.name}")
        assert reply.status_code == 200 and reply.text == file.read_text("utf-8")
        assert not any(word in reply.text for word in ("http:", "https:", "innerHTML", "@import", "url("))
    assert client.get("/g2u", follow_redirects=False).headers["location"].endswith("/g2u/")


def test_runs_of_before_are_listed_whatever_became_of_them(client: TestClient, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    whole, _ = write_run(runs)
    stopped, _ = write_run(runs, upto=2)
    (runs / "20200101-000000-000-00000000").mkdir()
    rows = client.get("/g2u/runs").json()["runs"]
    assert [row["run"] for row in rows[:2]] == [stopped.header.run, whole.header.run]
    assert [row.get("status") for row in rows] == ["unfinished", "done", None]
    assert rows[1]["edits"] == ["trace_path", "deblur"] and (rows[1]["direct"], rows[1]["answer"]) == ("red", "blue")
    assert rows[2]["damaged"] == "The record of 20200101-000000-000-00000000 is damaged, or gone."
    told = client.get(f"/g2u/runs/{whole.header.run}").json()
    assert [event["kind"] for event in told] == ["header", "round", "round", "direct", "answer", "result"]
    assert told[3]["answer"]["log_probability"] == "-Infinity"
    page = client.get(f"/g2u/runs/{whole.header.run}/page", params={"download": 1})
    policy = page.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'none'", "sandbox"} <= set(policy)
    assert page.headers["content-disposition"] == f'attachment; filename="g2u-{whole.header.run}.html"'
    assert page.text == (client.get(f"/g2u/runs/{whole.header.run}/page")).text and "default-src 'none'" in page.text


def test_runs_of_before_are_filtered_however_many_there_are(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"20260101-0000{second:02}-000-00000000" for second in range(30)]
    for second, name in enumerate(names):
        question = "Is the Maße right?" if second % 10 == 0 else "What colour is the disc?"
        write_run(tmp_path / "runs", question, run=name)

    def listed(**asked: str) -> tuple[list[str], bool, str]:
        reply = client.get("/g2u/runs", params=asked).json()
        return [row["run"] for row in reply["runs"]], reply["more"], reply["last"]

    assert listed(filter="") == listed() == (names[:17:-1], True, names[18])
    assert listed(filter="MASSE blue") == ([names[20], names[10], names[0]], False, names[0])
    assert listed(filter="masse", before=names[20]) == ([names[10], names[0]], False, names[0])
    discs = [name for second, name in enumerate(names) if second % 10]
    assert listed(filter="deblur done disc")[0] == discs[:-13:-1]
    assert listed(filter="masse red green") == ([], False, names[0])
    monkeypatch.setattr("g2u.webpage.past.MOST_READ", 15)
    assert listed(filter="masse") == ([names[20]], True, names[15])
    assert listed(filter="masse", before=names[15]) == ([names[10], names[0]], False, names[0])


@pytest.fixture
def scripted() -> Iterator[ScriptedModel]:
    model = ScriptedModel(read_script=lambda text, pictures: '{"edit": "deblur"}')
    with Engine(lambda: model) as engine:
        register_engine("scripted", engine)
        yield model


async def test_a_client_that_goes_away_frees_the_engine(scripted: ScriptedModel, tmp_path: Path) -> None:
    """The server tells an application that its client went away by a message; nothing is written after it."""
    page, gate = application(tmp_path, Context(model="scripted")), Gate()
    scripted.between = lambda call, done: gate.hold() if call.kind == "draw" and done == 3 else None
    asked = question(TestClient(page), settings={"policy": "fixed:deblur", "steps": 5})
    scope = {
        "type": "http", "method": "POST", "path": "/g2u/ask", "root_path": "", "query_string": b"",
        "headers": [(b"content-type", b"application/json")], "asgi": {"version": "3.0", "spec_version": "2.3"},
    }  # fmt: skip
    gone, sent = asyncio.Event(), []
    messages = [{"type": "http.request", "body": json.dumps(asked).encode()}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if b'"done":2' in message.get("body", b""):
            gone.set()

    await page(scope, receive, send)
    (folder,) = [path.parent for path in tmp_path.glob("*/trace.jsonl")]
    while not (folder / "index.html").exists():
        await asyncio.sleep(0.01)
    trace = read_trace(folder)
    assert trace.status == "cancelled"
    gate.opened.set()
    store = get_store(tmp_path / "pictures")
    assert await get_engine("scripted").score(store, [trace.header.pictures[0]], "Free?", ["yes"])
    assert scripted.of("draw")[0].steps == [1, 1, 0]


async def test_runs_wait_for_a_place_until_too_many_do(scripted: ScriptedModel, tmp_path: Path) -> None:
    httpx = pytest.importorskip("httpx")
    asked = question(TestClient(application(tmp_path)), settings={"policy": "fixed:deblur", "rounds": 1, "steps": 2})
    turns, gate = Turns(1, most_waiting=1), Gate()
    scripted.between = lambda call, done: gate.hold() if call.kind == "draw" else None
    page = application(tmp_path, Context(model="scripted"), turns)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(page), base_url="http://page") as client:

        async def post(**changes: Any) -> Any:
            return await client.post("/g2u/ask", json=asked | changes)

        drawn = asyncio.create_task(post())
        await gate.wait()
        waits = asyncio.create_task(post())
        while not turns.waiting:
            await asyncio.sleep(0.01)
        refused, unusable = await post(), await post(question=" ")
        gate.opened.set()
        first, second = await drawn, await waits
        assert events(first.text)[0]["kind"] == "header"
        told = events(second.text)
        assert told[0] == {"kind": "waiting", "ahead": 0}
        assert (told[1]["kind"], told[-1]["kind"]) == ("header", "result")
        assert told[1]["created"] > events(first.text)[0]["created"]
        assert [call.size for call in scripted.of("draw")] == [1, 1]
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
        assert "1 runs wait" in refused.json()["detail"] and refused.json()["hint"]
        assert unusable.status_code == 422
        assert (await post()).status_code == 200


def test_the_page_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'g2u\[serve\]'"):
        webpage.routes()


async def test_no_request_makes_the_event_loop_wait_for_a_disk(tmp_path: Path) -> None:
    """As the LangGraph server checks it: with its own detector of calls that block."""
    blockbuster = pytest.importorskip("blockbuster")
    httpx = pytest.importorskip("httpx")
    asked = await asyncio.to_thread(lambda: question(TestClient(application(tmp_path)), settings={"steps": 1}))
    page = application(tmp_path)
    transport = httpx.ASGITransport(page, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
        with blockbuster.blockbuster_ctx() as detector:
            for name in ALLOWED:
                detector.functions[name].deactivate()
            reply = await client.post("/g2u/ask", json=asked)
            told = events(reply.text)
            assert told[-1]["kind"] == "result", told[-1]
            for path in ("", "page/page.js", "world", "runs", f"runs/{told[0]['run']}", f"runs/{told[0]['run']}/page"):
                assert (await client.get(f"/g2u/{path}")).status_code == 200


def test_seconds_that_are_over_are_told_on_the_page(tmp_path: Path) -> None:
    client = TestClient(application(tmp_path / "runs", Context(seconds=1e-6)))
    told = events(client.post("/g2u/ask", json=question(client)).text)
    (stop,) = [event for event in told if event["kind"] == "stop"]
    assert (stop["cause"], stop["message"]) == ("seconds", "The seconds of the run are used up: nothing was drawn.")
    run = next(event["run"] for event in told if event["kind"] == "header")
    assert stop in client.get(f"/g2u/runs/{run}").json()


async def test_thread_of_a_run_that_the_page_leaves_in_its_first_moments_is_ended(tmp_path: Path) -> None:
    asked = Asked.model_validate(await asyncio.to_thread(lambda: question(TestClient(application(tmp_path)))))
    context = Context(store=str(tmp_path / "pictures"))
    await get_engine().ready()
    for moment in range(30):
        watched = Watched(asked, context, tmp_path, Turns())
        await asyncio.sleep(moment / 1000)
        watched.stop()
        while asking._RUNNING:
            await asyncio.wait(asking._RUNNING)
    assert {row["status"] for row in list_runs(tmp_path)["runs"]} <= {"cancelled", "done"}
