"""`g2u verify-server` against a server that does one thing wrong at a time, and names just that."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from g2u.cli import app
from tests.agent.models.remote.local import Local, serving

READER = ["reader: text", "reader: picture", "reader: two pictures", "reader: token limit"]
EDITOR = ["editor: instruction", "editor: picture", "editor: one seed", "editor: other seed", "editor: size"]


def file_of(folder: Path, local: Local, reader: str = "", editor: str = "", both: str = "") -> str:
    """A file of servers that does not wait long."""
    file = folder / "servers.yaml"
    lines = [
        f"reader: {{url: '{local.url}', model: tiny, {reader}}}",
        f"editor: {{url: '{local.url}', model: tiny, {editor}}}",
        "tries: 2",
        "backoff: 0.001",
        both,
    ]
    file.write_text("\n".join(lines), "utf-8")
    return str(file)


def verified(*arguments: str, code: int) -> dict[str, dict[str, str]]:
    """Findings by the demand, of a command that ends with that exit code."""
    done = CliRunner().invoke(app, ["verify-server", *arguments, "--json"])
    assert done.exit_code == code, done.output
    return {one["demand"]: one for one in json.loads(done.stdout)["demands"]}


def test_a_server_that_heeds_everything_is_told_so() -> None:
    with serving(Local()) as local:
        found = verified(local.url, code=0)
    assert list(found) == [*READER, *EDITOR]
    assert {one["status"] for one in found.values()} == {"heeded"}


def test_rounding_is_no_seed() -> None:
    with serving(Local({"rounds otherwise each time"})) as local:
        verified(local.url, code=0)
        local.faults.add("has one seed")
        found = verified(local.url, code=1)
    assert [name for name, one in found.items() if one["status"] == "not heeded"] == ["editor: other seed"]
    assert "rawings with two seeds differ by" in found["editor: other seed"]["found"]


@pytest.mark.parametrize(
    ("fault", "unheeded", "told"),
    [
        ("ignores texts", READER[:1] + READER[1:3], "asked for a colour"),
        ("ignores pictures", READER[1:3], "of a green square it said 'red'"),
        ("drops the second picture", READER[2:3], "of a green and a red circle it said that the second is 'green'"),
        ("drops the first picture", READER[2:3], "of a green and a red circle it said that the first is 'red'"),
        ("ignores limits", READER[3:], "with a limit of 4 tokens it wrote 12"),
        ("ignores instructions", EDITOR[:1], "told to make a circle red and blue it drew"),
        ("draws from texts", EDITOR[1:2], "of circles on the left and on the right it drew 50% and 50%"),
        ("ignores seeds", EDITOR[2:3], "two drawings with one seed differ by"),
        ("has one seed", EDITOR[3:4], "two seeds made one drawing"),
        ("draws squares", EDITOR[4:], "a picture of 480x320 came back with 512x512 pixels"),
    ],
)
def test_what_is_not_heeded_is_named_with_its_consequence(fault: str, unheeded: list[str], told: str) -> None:
    with serving(Local({fault})) as local:
        found = verified(local.url, code=1)
    assert [name for name, one in found.items() if one["status"] == "not heeded"] == unheeded
    first = found[unheeded[0]]
    assert told.lower() in first["found"].lower()
    assert first["means"] and first["remedy"]


@pytest.mark.parametrize(
    ("fault", "told", "remedy"),
    [
        (
            "storms",
            "answered /chat/completions with 429 Too Many Requests: Rate limit reached. It was asked 2 times.",
            "per_minute",
        ),
        ("is spent", "429 Too Many Requests: You exceeded your quota.", "per_minute"),
        ("asks to wait an hour", "and asks to wait 3600 seconds", "per_minute"),
        (
            "fails",
            "with 500 Internal Server Error: Traceback (most recent call last). It was asked 2 times.",
            "log of the server",
        ),
        ("sends JSON cut off", "that are no whole JSON", "log of the server"),
        ("sends a page", "sent 'text/html' in the place of JSON", "with its `/v1`"),
        (
            "sends a page as an error",
            "502 Bad Gateway: an HTML page called '502 Bad Gateway'. It was asked 2 times",
            "log",
        ),
        ("sends text", "sent 'text/plain' in the place of JSON from /chat/completions: red", "with its `/v1`"),
        ("sends another form", "in another form: at choices.0.message, field required", "log"),
        ("sends too much", "sent more than 100 MiB", "log"),
        ("drips", "gave no whole reply to /chat/completions within 0.5 seconds. It was asked 2 times", "`seconds`"),
        ("leads elsewhere", "with 302 Found", "log"),
        ("gives no choice", "gave no choice in its reply", "log"),
        ("writes nothing", "wrote no text (finish_reason 'length')", "--max-tokens"),
        ("echoes the key", "401 Unauthorized: Incorrect API key provided: [key].", "variable of its key"),
        ("echoes the key as its kind", "sent 'text/[key]' in the place of JSON", "with its `/v1`"),
        ("echoes the key without a message", """401 Unauthorized: {"problem":"[key]"}.""", "variable of its key"),
        ("refuses with the key", "No. No. [key].", "another model"),
        ("packs", "sent a reply packed as 'gzip', and an unpacked one was asked for", "log"),
    ],
)
def test_a_reader_that_cannot_be_read_is_told_of(
    fault: str, told: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G2U_REMOTE_READER_KEY", 'sk-"Very"-Secret-Reader')
    with serving(Local({fault})) as local:
        file = file_of(tmp_path, local, reader="seconds: 0.5" if fault == "drips" else "")
        found = verified("--weights", file, "--only", "reader", code=1)
    assert [one["status"] for one in found.values()] == ["no reply"] * len(READER)
    assert told in found[READER[0]]["found"]
    assert remedy in found[READER[0]]["remedy"]
    assert "secret" not in json.dumps(found).lower()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("has no edits", "answered /images/edits with 404 Not Found"),
        ("writes wrong base64", "gave a drawing that cannot be used: the drawing is no base64"),
        ("cuts the picture off", "gave a drawing that cannot be used: the drawing is cut off or damaged"),
        ("sends a text as a picture", "gave a drawing that cannot be used: the drawing is no picture"),
        ("gives addresses", "gave an address in the place of the picture itself"),
        ("gives no picture", "gave no picture in its reply"),
    ],
)
def test_a_drawing_that_cannot_be_used_is_told_of(fault: str, told: str) -> None:
    with serving(Local({fault})) as local:
        found = verified(local.url, "--model", "tiny", code=1)
    assert [found[name]["status"] for name in READER] == ["heeded"] * len(READER)
    assert [found[name]["status"] for name in EDITOR] == ["no reply"] * len(EDITOR)
    assert told in found[EDITOR[0]]["found"]


def test_pictures_of_a_server_that_takes_one_are_tried_side_by_side(tmp_path: Path) -> None:
    with serving(Local({"refuses two pictures"})) as local:
        found = verified(local.url, "--only", "reader", code=1)
        assert found["reader: two pictures"]["status"] == "no reply"
        assert "At most 1 image" in found["reader: two pictures"]["found"]
        stitched = verified("--weights", file_of(tmp_path, local, reader="pictures: 1"), code=0)
    assert stitched["reader: side by side"]["status"] == "heeded"
    assert "reader: two pictures" not in stitched


def test_what_is_printed_for_people_names_faults_and_what_to_do() -> None:
    with serving(Local({"draws from texts"})) as local:
        done = CliRunner().invoke(app, ["verify-server", local.url])
    assert done.exit_code == 1
    assert "not heeded  editor: picture: Of circles on the left" in done.stdout
    assert "It draws from the text alone: the thought shows another scene." in done.stdout
    assert done.stderr == "1 of 9 demands are not met: editor: picture.\n"


def test_the_model_is_asked_for_where_there_is_one_alone() -> None:
    with serving(Local({"has two models"})) as local:
        done = CliRunner().invoke(app, ["verify-server", local.url])
        assert done.exit_code == 2
        assert "the server has 2: tiny, other. Add `--model NAME`." in done.stderr
        assert not local.bodies("/v1/chat/completions")
        verified(local.url, "--model", "other", code=0)
        assert {body["model"] for body in local.bodies("/v1/chat/completions")} == {"other"}
