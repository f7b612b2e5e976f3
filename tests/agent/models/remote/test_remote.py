"""The model `remote` against a real server on this machine: requests, retries, stops, keys and whole runs."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from g2u.asking import ask
from g2u.cli import app
from g2u.conformance.coloured import coloured
from g2u.conformance.rules import check_conformance
from g2u.engine.engine import Engine
from g2u.errors import CapabilityError, DeadlineError, G2UError, RemoteError
from g2u.models.protocol import Reading, Sampler
from g2u.models.registry import examine_model, load_model
from g2u.models.remote.model import RemoteModel
from g2u.models.remote.settings import Remote
from g2u.models.remote.showing import cut_out, fitted, on_square, side_by_side
from g2u.pictures.store import ImageStore
from g2u.traces.trace import read_trace
from tests.agent.models.remote.local import Local, colour_of, serving
from tests.waiting import wait_until

CHAT, EDITS = "/v1/chat/completions", "/v1/images/edits"
KEYS = {"reader": "sk-reader-0123456789", "editor": "sk-editor-9876543210"}
ASKED = "Which colour is the form? Reply with one word."


@pytest.fixture
def local() -> Iterator[Local]:
    with serving(Local()) as running:
        yield running


def settings_of(local: Local, **changes: Any) -> Remote:
    """Settings for the server; `reader` and `editor` are changes of these parts."""
    both = {"url": local.url, "model": "tiny"}
    reader, editor = (both | changes.pop(part, {}) for part in ("reader", "editor"))
    return Remote.model_validate({"reader": reader, "editor": editor, "backoff": 0.001, **changes})


def model_of(local: Local, **changes: Any) -> RemoteModel:
    return RemoteModel(settings_of(local, **changes), KEYS)


def everyone(done: int, total: int) -> Sequence[bool]:
    return [True]


def read(model: RemoteModel, *segments: Image.Image | str, text: str = ASKED) -> Reading | G2UError | None:
    prefix = None
    for segment in segments:
        (prefix,) = model.extend([prefix], [segment])
    assert prefix is not None
    (found,) = model.read([prefix], [text], 8, everyone)
    return found


def draw(model: RemoteModel, picture: Image.Image, steps: int = 1) -> Image.Image | G2UError | None:
    (drawn,) = model.draw(model.extend([None], [picture]), ["to red"], Sampler(steps=steps), [7], everyone)
    return drawn


@pytest.mark.parametrize(
    ("reader", "editor"),
    [
        ({"logprobs": True}, {"steps": 3, "concurrent": 2}),
        ({"pictures": 1, "temperature": False}, {"canvas": "square", "steps": 5}),
        ({"concurrent": 1}, {"concurrent": 1}),
    ],
)
def test_it_keeps_to_the_protocol(local: Local, reader: dict[str, Any], editor: dict[str, Any]) -> None:
    model = model_of(local, reader=reader, editor=editor)
    findings = list(check_conformance(model))
    assert [one for one in findings if one.status == "failed"] == []
    assert {"batches", "steps", "cancel", "deadline", "aspect"} - {"batches"} <= {
        one.rule for one in findings if one.status == "passed"
    }


def test_the_command_checks_it(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("READER", "EDITOR"):
        monkeypatch.setenv(f"G2U_REMOTE_{part}_URL", local.url)
        monkeypatch.setenv(f"G2U_REMOTE_{part}_MODEL", "tiny")
    done = CliRunner().invoke(app, ["models", "check", "remote"])
    assert done.exit_code == 0, done.output
    assert "remote keeps to all" in done.stderr
    assert [(check.name, check.good) for check in examine_model("remote")] == [
        ("settings", True),
        ("key of the reader", True),
        ("reader", True),
        ("key of the editor", True),
        ("editor", True),
    ]


def test_a_whole_run_imagines_and_its_trace_says_who_was_asked(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "servers.yaml"
    reader, editor = (f"{{url: '{local.url}', model: {name}}}" for name in ("eye", "hand"))
    file.write_text(f"reader: {reader}\neditor: {editor}\n")
    for part, key in KEYS.items():
        monkeypatch.setenv(f"G2U_REMOTE_{part.upper()}_KEY", key)
    coloured("circle", "green").save(tmp_path / "picture.png")
    with caplog.at_level(logging.DEBUG):
        run = ask(
            tmp_path / "picture.png",
            "Which colour?",
            options=["red", "green"],
            model="remote",
            weights=str(file),
            out=tmp_path / "runs",
        )
    assert run.answer == "green"
    assert run.trace is not None
    (drawn, *_) = read_trace(run.trace).rounds
    assert drawn.thought is not None
    host = local.url.removeprefix("http://").removesuffix("/v1")
    written = (run.trace / "trace.jsonl").read_text("utf-8")
    assert f"reader eye at {host}" in written and f"editor hand at {host}" in written
    sent = {headers["authorization"] for _, _, headers in local.seen}
    assert sent == {f"Bearer {key}" for key in KEYS.values()}
    for key in KEYS.values():
        assert key not in written and key not in caplog.text


def test_what_is_sent_to_read(local: Local) -> None:
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    model = model_of(local, reader={"extra": extra, "text": "<image> {text} </s>"})
    found = read(model, "The original:", coloured("circle", "blue"))
    assert found == Reading("blue", None, 1)
    (body,) = local.bodies(CHAT)
    first, picture, text = body["messages"][0]["content"]
    assert (first["text"], text["text"]) == ("The original:", f"<image> {ASKED} </s>")
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    assert {name: body[name] for name in ("model", "max_tokens", "temperature")} == {
        "model": "tiny",
        "max_tokens": 8,
        "temperature": 0.0,
    }
    assert "seed" not in body and body["chat_template_kwargs"] == {"enable_thinking": False}


def test_what_is_sent_to_draw(local: Local) -> None:
    model = model_of(local, editor={"extra": {"guidance_scale": 4}})
    drawn = draw(model, coloured("circle", "grey"), steps=9)
    assert isinstance(drawn, Image.Image) and colour_of(drawn) == "red"
    assert draw(model, coloured("circle", "grey")) is not None
    many, plain = local.bodies(EDITS)
    assert many == {
        "model": "tiny",
        "prompt": "to red",
        "n": "1",
        "size": "480x320",
        "response_format": "b64_json",
        "seed": "7",
        "num_inference_steps": "9",
        "guidance_scale": "4",
    }
    assert "num_inference_steps" not in plain  # as many as the server makes


def test_openai_is_asked_in_its_own_words(local: Local) -> None:
    model = model_of(local, reader={"dialect": "openai"}, editor={"dialect": "openai"})
    assert not model.capabilities.seeded
    read(model, coloured("circle", "blue"))
    draw(model, coloured("circle", "grey"))
    refused = draw(model, coloured("circle", "grey"), steps=9)
    assert isinstance(refused, CapabilityError) and "take no number of steps" in refused.message
    assert local.bodies(CHAT)[0]["max_completion_tokens"] == 8
    assert local.bodies(EDITS) == [{"model": "tiny", "prompt": "to red", "n": "1", "size": "auto"}]


def test_a_reader_alone_declares_no_edits(local: Local) -> None:
    model = RemoteModel(settings_of(local).model_copy(update={"editor": None}))
    assert model.capabilities.edits == "none"
    assert [one for one in check_conformance(model) if one.status == "failed"] == []


def test_one_picture_is_sent_where_a_server_takes_one(local: Local) -> None:
    model = model_of(local, reader={"pictures": 1})
    assert (model.capabilities.max_pictures, model.capabilities.text_segments) == (4, False)
    assert "pictures side by side" in model.identity.settings
    found = read(
        model, coloured("circle", "red"), coloured("circle", "blue"), text="Which colour is the form on the right?"
    )
    assert isinstance(found, Reading) and found.text == "blue"
    assert local.sizes == [(480 + 16 + 480, 320)]
    (told,) = (part["text"] for part in local.bodies(CHAT)[0]["messages"][0]["content"] if part["type"] == "text")
    assert told.startswith(
        "The picture shows 2 pictures side by side; the first is on the left, the second on the right."
    )
    read(model, coloured("circle", "red"))
    assert local.bodies(CHAT)[1]["messages"][0]["content"][-1]["text"] == ASKED


def test_pictures_are_scaled_down_before_they_are_sent(local: Local) -> None:
    model = model_of(local, longest_side=240)
    read(model, coloured("circle", "red"))
    draw(model, coloured("circle", "grey", size=(320, 480)))
    assert local.sizes == [(240, 160), (160, 240)]


def test_a_square_canvas_gives_the_aspect_back(local: Local) -> None:
    local.faults = {"draws squares"}
    picture = coloured("circle", "grey")
    refused = draw(model_of(local), picture)
    assert isinstance(refused, RemoteError)
    assert "drew 512x512 pixels on a picture of 480x320" in refused.message and "canvas: square" in refused.hint
    drawn = draw(model_of(local, editor={"canvas": "square"}), picture)
    assert isinstance(drawn, Image.Image) and drawn.size == (512, 342)
    assert local.sizes[-1] == (480, 480)


def test_bars_come_off_where_they_were_put() -> None:
    picture = coloured("square", "blue", "left", (301, 100))
    square, box = on_square(picture)
    assert square.size == (301, 301)
    assert cut_out(square, box, 301).tobytes() == picture.tobytes()
    assert cut_out(square.resize((602, 602)), box, 301).size == (602, 200)
    assert side_by_side([picture, picture, picture], 200).width == 200
    assert fitted(picture, 400) is picture


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_has_no_time_is_asked_again(local: Local, status: int) -> None:
    local.failing, local.status = 3, status
    found = read(model_of(local), coloured("circle", "blue"))
    assert isinstance(found, Reading) and found.text == "blue"
    assert len(local.seen) == 4


def test_the_last_try_is_the_last(local: Local) -> None:
    local.failing = 99
    found = read(model_of(local, tries=3), coloured("circle", "blue"))
    assert isinstance(found, RemoteError) and "503 Service Unavailable: Not now. It was asked 3 times." in found.message
    assert len(local.seen) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 501])
def test_a_refusal_is_not_asked_again(local: Local, status: int) -> None:
    local.failing, local.status = 99, status
    found = read(model_of(local), coloured("circle", "blue"))
    assert isinstance(found, RemoteError) and f"with {status}" in found.message and found.hint
    assert len(local.seen) == 1


def test_the_wait_that_a_server_asks_for_is_kept(local: Local) -> None:
    local.failing, local.status, local.headers = 99, 429, {"retry-after": "50"}
    asks = 0

    def patient(done: int, total: int) -> list[bool]:
        nonlocal asks
        asks += 1
        return [asks < 6]

    model = model_of(local)
    assert model.read(model.extend([None], [coloured("circle", "red")]), [ASKED], 8, patient) == [None]
    assert len(local.seen) == 1  # else all tries were over within the first questions who waits


def test_nobody_there_is_told_so() -> None:
    with serving(Local()) as gone:
        pass
    found = read(model_of(gone, tries=2), coloured("circle", "blue"))
    assert isinstance(found, RemoteError) and "was not reached, or broke off" in found.message
    assert "Look whether it runs" in found.hint


def test_requests_of_a_batch_go_at_the_same_time_and_no_more(local: Local) -> None:
    local.faults = {"held"}
    model = model_of(local, reader={"concurrent": 3})
    pictures = [coloured("circle", colour) for colour in ("red", "green", "blue")]
    found: list[Any] = []

    def use() -> None:
        found.extend(model.read(model.extend([None] * 3, pictures), [ASKED] * 3, 8, lambda done, total: [True] * 3))

    thread = threading.Thread(target=use)
    thread.start()
    wait_until(lambda: local.at_once == 3)
    local.gate.set()
    thread.join()
    assert [one.text for one in found] == ["red", "green", "blue"]
    assert local.most_at_once == model.capabilities.max_batch == 3


def test_a_reader_is_asked_no_more_at_the_same_time_than_it_may_be(local: Local) -> None:
    local.faults = {"is slow"}
    model = model_of(local, reader={"concurrent": 1}, editor={"concurrent": 3})
    pictures = [coloured("circle", colour) for colour in ("red", "green", "blue")]
    found = model.read(model.extend([None] * 3, pictures), [ASKED] * 3, 8, lambda done, total: [True] * 3)
    assert [one.text for one in found if isinstance(one, Reading)] == ["red", "green", "blue"]
    assert local.most_at_once == 1 and model.capabilities.max_batch == 3


def test_one_request_of_a_batch_fails_alone(local: Local, tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    refs = [store.add_image(coloured("circle", colour)) for colour in ("red", "green", "blue")]

    async def use(engine: Engine) -> list[Any]:
        await engine.ready()
        asked = [engine.read(store, [ref], ASKED, max_tokens=8) for ref in refs]
        return await asyncio.gather(*asked, return_exceptions=True)

    local.failing, local.status = 1, 400
    with Engine(lambda: model_of(local)) as engine:
        found = asyncio.run(use(engine))
    assert sorted(type(one).__name__ for one in found) == ["Reading", "Reading", "RemoteError"]
    assert len(local.seen) == 3  # nobody was asked again, as whole batches that fail are


@pytest.mark.parametrize("held", ["held", "asks again"])
def test_who_goes_is_heard_while_a_server_works_and_between_tries(local: Local, tmp_path: Path, held: str) -> None:
    store = ImageStore(tmp_path)
    ref = store.add_image(coloured("circle", "grey"))
    if held == "held":
        local.faults = {"held"}
    else:
        local.failing, local.status, local.headers = 99, 503, {"retry-after": "50"}

    async def use(engine: Engine) -> None:
        await engine.ready()
        waiting = asyncio.create_task(engine.draw(store, [ref], "to red", Sampler(), 1))
        while not local.seen:
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        local.faults, local.failing = set(), 0
        reading = await engine.read(store, [ref], "Count", max_tokens=2)
        assert reading.text == "one two"

    with Engine(lambda: model_of(local)) as engine:
        asyncio.run(use(engine))
    assert len(local.bodies(EDITS)) == 1


def test_a_deadline_is_heard_while_a_server_works(local: Local, tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    ref = store.add_image(coloured("circle", "grey"))
    local.faults = {"held"}

    async def use(engine: Engine) -> None:
        await engine.ready()
        deadline = asyncio.get_running_loop().time() + 0.5
        await engine.read(store, [ref], ASKED, max_tokens=8, deadline=deadline)

    with Engine(lambda: model_of(local)) as engine, pytest.raises(DeadlineError):
        asyncio.run(use(engine))


def test_asking_who_waits_is_no_step(local: Local, tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    ref = store.add_image(coloured("circle", "grey"))
    told: list[tuple[int, int]] = []

    async def use(engine: Engine) -> None:
        await engine.ready()
        await engine.draw(store, [ref], "to red", Sampler(steps=3), 1, on_progress=lambda *step: told.append(step))

    local.faults = {"held"}
    threading.Timer(1.0, local.gate.set).start()  # several questions long
    with Engine(lambda: model_of(local)) as engine:
        asyncio.run(use(engine))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_rate_is_kept(local: Local) -> None:
    model = model_of(local, reader={"per_minute": 1})
    prefix = model.extend([None], [coloured("circle", "red")])
    asks = 0

    def impatient(done: int, total: int) -> list[bool]:
        nonlocal asks
        asks += 1
        return [asks < 4]

    assert model.read(prefix, [ASKED], 8, impatient) == [None]
    assert not local.seen  # its first turn comes after a minute


def test_no_key_comes_back_in_what_is_read_or_told(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    local.faults = {"echoes the key"}
    for found in (read(model_of(local), coloured("circle", "red")), draw(model_of(local), coloured("circle", "red"))):
        assert isinstance(found, RemoteError) and "Incorrect API key provided: [key]." in found.message
        assert not any(key in repr(vars(found)) for key in KEYS.values())
    monkeypatch.setattr(local, "reply", lambda *_: f"It is {KEYS['reader']}!")
    local.faults = set()
    found = read(model_of(local), coloured("circle", "red"))
    assert isinstance(found, Reading) and found.text == "It is [key]!"


def test_two_servers_are_two_models(local: Local) -> None:
    one = model_of(local).identity
    same = model_of(local, tries=9, reader={"concurrent": 2, "seconds": 9}).identity
    assert one == same
    others: list[dict[str, Any]] = [
        {"reader": {"model": "large"}},
        {"editor": {"url": "http://127.0.0.1:9/v1"}},
        {"editor": {"extra": {"guidance_scale": 2}}},
        {"longest_side": 512},
    ]
    assert len({model_of(local, **changes).identity.weights for changes in (*others, {})}) == 5
    assert "0123456789" not in json.dumps([one.settings, one.weights])


def test_settings_that_no_model_could_have_are_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(G2UError, match=r"asks servers, and none was named"):
        load_model("remote")
    monkeypatch.setenv("G2U_REMOTE_READER_URL", "http://127.0.0.1:1")
    with pytest.raises(G2UError, match=r"needs the setting 'reader\.model', which the environment has not"):
        load_model("remote")
    monkeypatch.setenv("G2U_REMOTE_READER_MODEL", "tiny")
    model = load_model("remote")
    assert isinstance(model, RemoteModel) and model.settings.reader.url == "http://127.0.0.1:1/v1"
    monkeypatch.setenv("G2U_REMOTE_READER_MODLE", "tiny")
    with pytest.raises(G2UError, match="Did you mean G2U_REMOTE_READER_MODEL"):
        load_model("remote")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("reader: [", "is no YAML in line 1"),
        ("- 1", "has no settings"),
        ("reader: {url: 'ftp://x', model: a}", "'reader.url' .* expected an address such as http"),
        ("reader: {url: 'http://me:geheim@x/v1', model: a}", "expected no user, password, query or fragment"),
        ("reader: {url: 'http://x:geheim/v1', model: a}", "expected an address such as http"),
        ("reader: {url: 'http://geheim\ufffd/v1', model: a}", "expected an address such as http"),
        ("reader: {url: 'http://x/v1', model: a, extra: {since: 2026-01-31}}", "expected what JSON has"),
        ("reader: {url: 'http://x/v1', model: a, extra: {least: .nan}}", "expected what JSON has"),
        ("reader: {url: 'http://x/v1', model: 2026-13-31}", "is no YAML"),
        (f"# {'-' * 2**20}", "has more than 1,048,576 bytes"),
        ("reader: {url: 'http://x/v1?key=geheim', model: a}", "expected no user, password, query or fragment"),
        ("reader: {url: 'http://x/v1', model: a, dialect: latin}", "expected one of open, openai"),
        ("reader: {url: 'http://x/v1', model: a, pictures: 0}", "'reader.pictures' .* greater than or equal to 1"),
        ("reader: {url: 'http://x/v1', model: a, key: geheim}", "There is no setting 'reader.key'"),
        ("reader: {url: 'http://x/v1', model: a, key_variable: UNSET_X}", r"in \$UNSET_X, which is not set"),
        ("reader: {url: 'http://x/v1', model: a, text: nothing}", "with {text} in it"),
        ("editor: {url: 'http://x/v1', model: a}", "needs the setting 'reader'"),
    ],
)
def test_a_file_of_servers_is_refused_with_what_was_expected(content: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "servers.yaml"
    file.write_text(content, "utf-8")
    with pytest.raises(G2UError, match=told) as refused:
        load_model("remote", str(file))
    assert "geheim" not in refused.value.in_full


def test_a_file_that_cannot_be_looked_for_is_told_of() -> None:
    with pytest.raises(G2UError, match=r"cannot be read: File name too long\. Write one, such as"):
        load_model("remote", "a" * 300)
