"""Runs and studies in Inspect: written by our commands, opened by its own reader and in its own viewer."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect
from typer.testing import CliRunner

from g2u import aask
from g2u.cli import app
from g2u.engine.waiting import wait_for
from g2u.plugins.blocks import png_within
from g2u.study.grid.records import Line
from g2u.study.running.folder import LineWriter, keep
from g2u.traces.records import StopRecord
from g2u.world.items.items import sample as item_of
from tests.browsers import browser  # noqa: F401  # a fixture
from tests.runs import write_run
from tests.study.studies import make_study
from tests.waiting import wait_until

pytestmark = pytest.mark.kits

ASSETS = Path(__file__).parents[3] / "docs" / "assets"


def g2u(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    return done.stderr


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[str]:
    """Inspect's own viewer of the logs in the working folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "inspect_ai", "view", "start", "--log-dir", str(tmp_path), "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"HOME": str(tmp_path)}) as process:
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert process.poll() is None, "the viewer ended"
            try:
                return httpx.get(address).is_success
            except httpx.TransportError:
                return False

        wait_until(answers, 0.05)
        yield address
        process.terminate()


def test_a_run_is_a_sample_with_its_pictures(tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    trace, store = write_run(tmp_path / "runs")
    assert "1 run in" in g2u(
        "trace", "export", str(tmp_path / "runs"), "--to", "inspect", "--out", f"{tmp_path}/a.eval"
    )
    log = read_eval_log(str(tmp_path / "a.eval"), resolve_attachments=True)
    assert (log.status, log.eval.model, log.samples and len(log.samples)) == ("success", "g2u/mini", 1)
    [sample] = log.samples or []
    assert (sample.id, sample.choices) == (trace.header.run, ["red", "blue"])
    assert [message.role for message in sample.messages] == [
        "user",
        *["assistant", "tool", "assistant"] * 2,
        "assistant",
    ]
    calls = [call for message in sample.messages for call in getattr(message, "tool_calls", None) or []]
    assert [(call.function, call.arguments["instruction"]) for call in calls] == [
        ("trace_path", "Draw the way in red."),
        ("deblur", "Remove the blur."),
    ]
    assert calls[0].arguments["colour"] == "red"
    shown = [part.image for message in sample.messages for part in message.content if getattr(part, "image", None)]
    refs = [*trace.header.pictures, *(turn.thought for turn in trace.rounds)]
    assert shown == [
        f"data:image/png;base64,{base64.b64encode(png_within(store, ref)).decode()}" for ref in refs if ref
    ]
    assert [message.text for message in sample.messages if message.role == "assistant"][1::2] == [
        "Verdict: retry (70%). It fits badly.",
        "Verdict: keep (90%). It fits well.",
    ][: len(calls)]
    scores = sample.scores or {}
    assert {name: (score.value, score.explanation) for name, score in scores.items()} == {
        "direct": ("red", "Read original."),
        "imagined": ("blue", "Read original, thought 2."),
    }
    assert sample.output.completion == "blue"


@pytest.mark.parametrize("upto", range(5))
def test_a_run_that_was_stopped_is_written_too(tmp_path: Path, upto: int) -> None:
    from inspect_ai.log import read_eval_log

    from g2u.plugins.inspect import export_runs

    trace, _ = write_run(tmp_path, upto=upto)
    failed = replace(trace, stops=[StopRecord(cause="error", message="Out of memory.")])
    log = read_eval_log(str(export_runs([failed], tmp_path / "a.json")))
    [sample] = log.samples or []
    assert log.status == "error" and sample.error and sample.error.message == "Out of memory."
    assert len(sample.scores or {}) == sum(answer is not None for answer in (trace.direct, trace.answer))


def test_the_answers_of_a_study_are_a_log_for_each_arm(tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    results = make_study(tmp_path / "study", items=5, seeds=2)
    keep(results.folder, results.header, list(results.items.values()))
    with LineWriter(results.folder, 0) as writer:
        writer.write(results.lines)
    g2u("study", "export", str(results.folder), "--to", "inspect", "--out", str(tmp_path / "logs"))
    logs = [read_eval_log(str(path), resolve_attachments=True) for path in (tmp_path / "logs").iterdir()]
    assert len(logs) == len({line.arm for line in results.lines if not line.left_out})
    for log in logs:
        lines = results.by_arm[log.eval.task.removeprefix("g2u ")]
        by_sample = {(line.item, line.seed + 1): line for line in lines}
        assert {(sample.id, sample.epoch) for sample in log.samples or []} == set(by_sample)
        for sample in log.samples or []:
            line: Line = by_sample[str(sample.id), sample.epoch]
            scores = sample.scores or {}
            assert sample.target == results.items[line.item].answers
            assert bool(sample.error) == bool(line.error)
            if line.answer and not line.unscored:
                assert (scores["imagined"].value, scores["imagined"].answer) == (line.score, line.answer.text)
            if line.direct and line.direct_score is not None:
                assert scores["direct"].value == line.direct_score
        told = {score.name: score.metrics["mean"].value for score in log.results.scores if score.metrics}
        known = [line.score for line in lines if not line.unscored]
        assert told["imagined"] == pytest.approx(sum(known) / len(known))


def test_its_viewer_shows_edit_drawing_verdict_and_both_answers(
    browser: Browser,  # noqa: F811
    viewer: str,
    tmp_path: Path,
) -> None:
    item = item_of("shapes", 13, "held-out", "blur+dark")
    run = wait_for(lambda: aask(item.picture, item.question, options=item.options, out=tmp_path / "runs"))
    thoughts = [turn for turn in run.rounds if turn.thought]
    assert thoughts and all(turn.verdict for turn in thoughts)
    g2u("trace", "export", str(tmp_path / "runs"), "--to", "inspect", "--out", str(tmp_path / "runs.eval"))
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.goto(viewer)
    page.get_by_text("runs.eval").first.click()
    for turn in thoughts:
        verdict = f"Verdict: {turn.verdict.action} ({turn.verdict.keep:.0%})" if turn.verdict else ""
        for told in (item.question, turn.decision.edit, turn.decision.instruction, verdict):
            expect(page.get_by_text(told).first).to_be_visible()
    shown = page.locator("img[src^='data:image/png']")
    expect(shown).to_have_count(1 + len(thoughts))
    assert shown.evaluate_all("all => all.every(one => one.naturalWidth === 128)")
    beneath = {"x": 0, "y": 34, "width": 1200, "height": 966}  # the line that names the folder
    page.screenshot(path=(ASSETS if os.environ.get("G2U_DOCS_PICTURES") else tmp_path) / "inspect.png", clip=beneath)
    page.get_by_role("tab", name="Scoring").click()
    for name, answer in (("direct", run.direct), ("imagined", run.final)):
        read = ["original", *(f"thought {turn.number}" for turn in thoughts if turn.thought in answer.pictures)]
        expect(page.get_by_text(name, exact=True).last).to_be_visible()
        expect(page.get_by_text(f"Read {', '.join(read)}.", exact=True)).to_be_visible()
    page.close()


def test_a_file_goes_with_inspect_alone(tmp_path: Path) -> None:
    write_run(tmp_path / "runs")
    for arguments, told in (
        (["--to", "inspect"], "needs `--out FILE`"),
        (["--to", "otel", "--out", "a.eval"], "for no other"),
        (["--to", "inspect", "--out", f"{tmp_path}/a.txt"], "'a.txt' is no name of a log"),
    ):
        done = CliRunner().invoke(app, ["trace", "export", str(tmp_path / "runs"), *arguments])
        assert done.exit_code == 2 and told in done.stderr
