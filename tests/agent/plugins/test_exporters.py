"""Recorded runs in other programs: OpenTelemetry, MLflow and LangSmith, each asked what really came in."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mlflow
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import StatusCode
from typer.testing import CliRunner

from g2u.cli import app
from g2u.errors import OutputError
from g2u.plugins.blocks import png_within
from g2u.plugins.mlflow import export_mlflow
from g2u.plugins.otel import CONTENT, export_otel, spans_of
from g2u.plugins.steps import steps_of
from g2u.traces.records import StopRecord
from g2u.traces.trace import store_of
from tests.runs import write_run

KNOWN = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI")}
WORDS = ("What colour", "Remove the blur", "blue")


class Listener:
    """A server on this machine that keeps what is sent to it."""

    def __init__(self) -> None:
        kept = self.kept = list[tuple[str, bytes]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = self.headers.get("Content-Length")
                body = self.rfile.read(int(length)) if length else self.chunks()
                kept.append((self.path, body))
                self.reply(b"{}")

            def chunks(self) -> bytes:
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_PATCH = do_POST  # noqa: N815

            def do_GET(self) -> None:
                self.reply(b"{}")

            def reply(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever).start()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.server.shutdown()
    found.server.server_close()


def g2u(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from g2u.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True)


def test_steps_follow_one_another_in_the_run(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)
    run, *steps = steps_of(trace)
    assert [step.kind for step in steps] == [*["decide", "generate", "reflect"] * 2, "direct", "answer"]
    assert [round(step.begin, 2) for step in steps] == [0.0, 0.1, 0.5, 0.55, 0.65, 1.05, 1.1, 1.1]
    assert (run.begin, run.seconds, run.outputs["answer"]) == (0.0, 2.0, "blue")
    assert run.name == "invoke_agent g2u" and steps[1].name == "execute_tool trace_path"


def test_spans_have_the_attributes_of_the_conventions(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)
    spans = spans_of(trace)
    root = spans[-1]
    assert root.parent is None and all(span.parent == root.context for span in spans[:-1])
    for span in spans:
        assert span.attributes and span.start_time and span.end_time and span.start_time <= span.end_time
        assert {name for name in span.attributes if name.startswith("gen_ai.")} <= KNOWN
        assert all(name.startswith(("gen_ai.", "g2u.")) for name in span.attributes)
        assert not any(word in str(value) for value in span.attributes.values() for word in WORDS)
    assert root.attributes and root.attributes["gen_ai.request.seed"] == 7
    [tool] = [span for span in spans if span.name == "execute_tool deblur"]
    assert tool.attributes and (tool.attributes["gen_ai.tool.name"], tool.attributes["g2u.round"]) == ("deblur", 2)
    [event] = [
        span.events[0] for span in spans if span.events and span.attributes and span.attributes["g2u.round"] == 2
    ]
    assert event.attributes == {
        "gen_ai.evaluation.name": "verdict",
        "gen_ai.evaluation.score.label": "keep",
        "gen_ai.evaluation.score.value": 0.9,
    }
    assert root.resource.attributes["service.name"] == "g2u"


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_texts_are_sent_when_they_are_asked_for_and_pictures_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str, listener: Listener
) -> None:
    trace, _ = write_run(tmp_path)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", listener.address)
    if by == "environment":
        monkeypatch.setenv(CONTENT, "true")
    export_otel([trace], content=by == "argument")
    [(path, body)] = listener.kept
    assert path == "/v1/traces"
    sent = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    assert len(sent) == 9
    [answer] = [
        span for span in sent if any(a.key == "g2u.step" and a.value.string_value == "answer" for a in span.attributes)
    ]
    texts = {a.key: a.value.string_value for a in answer.attributes}
    asked, said = (json.loads(texts[f"gen_ai.{way}.messages"])[0] for way in ("input", "output"))
    assert trace.answer is not None
    shown = [part["uri"] for part in asked["parts"] if part["type"] == "uri"]
    assert shown == [ref.uri for ref in trace.answer.pictures] and len(shown) == 2
    words = [part["content"] for part in asked["parts"] if part["type"] == "text"]
    assert words == ["What colour is the disc?", "red, blue"]
    assert said == {"role": "assistant", "parts": [{"type": "text", "content": "blue"}], "finish_reason": "stop"}
    assert not any(mark in body for mark in (b"\x89PNG", b"iVBORw0KGgo"))


def test_a_run_has_the_same_identifiers_whenever_it_is_sent(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)
    other, _ = write_run(tmp_path)
    first, again, another = (
        {(span.context.trace_id, span.context.span_id) for span in spans_of(run) if span.context}
        for run in (trace, trace, other)
    )
    assert first == again and len(first) == 9 and not first & another


@pytest.mark.parametrize("upto", range(5))
def test_a_run_that_was_stopped_is_sent_too(tmp_path: Path, upto: int) -> None:
    trace, _ = write_run(tmp_path, upto=upto)
    assert spans_of(trace)[-1].status.status_code is StatusCode.UNSET
    failed = replace(trace, stops=[StopRecord(cause="error", message="Out of memory.")])
    root = spans_of(failed)[-1]
    assert root.status.status_code is StatusCode.ERROR and not root.status.description
    assert root.attributes and root.attributes["g2u.status"] == "error"


def test_nobody_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path)
    done = g2u(
        "trace", "export", ".", "--to", "otel", cwd=tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )  # fmt: skip
    assert done.returncode == 2 and "was not taken at http://127.0.0.1:9" in done.stderr


def test_a_whole_folder_is_sent_from_the_command_line(tmp_path: Path, listener: Listener) -> None:
    for _ in range(2):
        write_run(tmp_path)
    done = g2u("trace", "export", ".", "--to", "otel", cwd=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=listener.address)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("2 runs sent. A collector does not say which of them it had already.\n"), done.stderr
    assert len(listener.kept) == 2
    done = g2u("trace", "export", "nowhere", "--to", "otel", cwd=tmp_path)
    assert done.returncode == 2 and "There is no run" in done.stderr


def test_mlflow_has_the_pictures_as_attachments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace, _ = write_run(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    [made] = export_mlflow([trace], "pictures")
    assert export_mlflow([trace], "pictures") == []  # it is there already
    found = mlflow.get_trace(made)
    assert found is not None and found.info.tags["g2u.run"] == trace.header.run
    spans = {span.name: span for span in found.data.spans}
    assert {"invoke_agent g2u", "decide", "trace_path", "deblur", "reflect", "direct", "answer"} == set(spans)
    assert spans["deblur"].span_type == "TOOL" and spans["invoke_agent g2u"].outputs["answer"] == "blue"
    attached = urllib.parse.urlparse(spans["deblur"].outputs["thought"])
    assert attached.scheme == "mlflow-attachment"
    [file] = Path(tmp_path).rglob(f"attachments/{attached.netloc}")
    thought = trace.rounds[1].thought
    assert thought is not None and file.read_bytes() == png_within(store_of(trace), thought)
    inline = json.dumps([[span.inputs, span.outputs] for span in found.data.spans])
    assert "iVBORw0KGgo" not in inline and len(inline) < 20_000


def test_what_mlflow_had_already_is_not_said_to_be_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    said = []
    for made in (1, 1, 0):
        for _ in range(made):
            write_run(tmp_path / "runs")
        done = CliRunner().invoke(app, ["trace", "export", "runs", "--to", "mlflow"])
        assert done.exit_code == 0, done.stderr
        said += [line for line in done.stderr.splitlines() if " sent to " in line]  # MLflow writes there, too
    assert said == [
        "1 run sent to the experiment 'g2u'.",
        "1 run sent to the experiment 'g2u'. 1 run was there already.",
        "No runs sent to the experiment 'g2u'. 2 runs were there already.",
    ]


def test_a_store_that_mlflow_does_not_have_is_an_error(tmp_path: Path) -> None:
    mlflow.set_tracking_uri("nonsense://nowhere")
    trace, _ = write_run(tmp_path)
    with pytest.raises(OutputError, match="MLflow did not take the runs"):
        export_mlflow([trace])


LOOP = """
import asyncio, sys
sys.path.insert(0, {root!r})
import g2u
from g2u.engine.engine import Engine
from langgraph.graph import START, StateGraph
from PIL import Image
from tests.scripted import ScriptedModel
from tests.agent.plugins.test_node import shared

g2u.register_engine("scripted", Engine(ScriptedModel))
Image.new("RGB", (16, 16), "red").save("picture.png")
settings = dict(model="scripted", policy="fixed:deblur", reflect=False)

async def main():
    await g2u.aask("picture.png", "Which run?", **settings)
    await shared().ainvoke({{"picture": "picture.png", "question": "Which node?", "log": []}})
    tool = g2u.as_tool(**settings, address=lambda ref: "http://127.0.0.1:1/" + ref.sha256)
    await tool.ainvoke({{"picture": "picture.png", "question": "Which tool?"}})
    from langchain_core.tracers.langchain import wait_for_all_tracers
    wait_for_all_tracers()
    g2u.get_engine("scripted").close()

asyncio.run(main())
"""


def test_langsmith_gets_every_step_and_no_pixel(tmp_path: Path, listener: Listener) -> None:
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", LOOP.format(root=root)],
        cwd=tmp_path,
        env=os.environ
        | {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_ENDPOINT": listener.address,
            "LANGSMITH_API_KEY": "none",
            "LANGSMITH_DISABLE_RUN_COMPRESSION": "true",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    sent = b"".join(body for _, body in listener.kept)
    for expected in (b"Which run?", b"Which node?", b"Which tool?", b"decide", b"generate", b"g2u:"):
        assert expected in sent, (expected, done.stderr)
    pixels = (tmp_path / "picture.png").read_bytes()
    for mark in (b"\x89PNG", b"iVBORw0KGgo", pixels[8:40], base64.b64encode(pixels)[:40]):
        assert mark not in sent
