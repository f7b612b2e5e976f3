"""Recorded runs as OpenTelemetry spans, with the attributes of its conventions for generative AI.

| step | span | what its attributes say |
|---|---|---|
| the run | `invoke_agent g2u` | agent, model, seed, status; an error where it ended in one |
| decide, direct, answer | `chat MODEL` | model, tokens |
| generate | `execute_tool EDIT` | the edit as the tool that it is |
| reflect | `chat MODEL` | its verdict as an evaluation: an event of the span |

What conventions have no name for is `g2u.*`. Questions, instructions and answers are left out unless they are asked
for, as the conventions want it; pictures are references and never sent.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import MissingExtraError, OutputError
from ..pictures.references import ImageRef
from ..traces.trace import Trace
from .steps import AGENT, Step, steps_of

try:
    from opentelemetry import trace as api
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.id_generator import IdGenerator
except ImportError as error:
    raise MissingExtraError("Sending runs to OpenTelemetry", "opentelemetry-sdk", "otel") from error

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""Environment variable of the conventions that asks for texts: `true`."""


def export_otel(traces: Iterable[Trace], exporter: SpanExporter | None = None, *, content: bool = False) -> None:
    """Send runs to a collector.

    A run has the same identifiers whenever it is sent, so that sending it again adds nothing to a store that knows it.

    Args:
        traces: Of the runs.
        exporter: Who sends; `None` speaks OTLP over HTTP, to where `$OTEL_EXPORTER_OTLP_ENDPOINT` says.
        content: Send questions, instructions and answers too; so does the environment variable `CONTENT`.

    Raises:
        MissingExtraError: The extra `otel` is not installed.
        OutputError: Nobody took the spans.
    """
    content = content or os.environ.get(CONTENT, "").lower() == "true"
    sender = exporter or _otlp()
    for trace in traces:
        spans = spans_of(trace, content=content)
        if sender.export(spans) is not SpanExportResult.SUCCESS:
            where = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
            hint = "Start a collector there, or set $OTEL_EXPORTER_OTLP_ENDPOINT to where one is."
            raise OutputError(f"The run {trace.header.run} was not taken at {where}.", hint)
    if exporter is None:
        sender.shutdown()


def spans_of(trace: Trace, *, content: bool = False) -> tuple[ReadableSpan, ...]:
    """The finished spans of a run, its own last.

    Args:
        trace: Of the run.
        content: With texts.
    """
    kept = InMemorySpanExporter()
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": AGENT}
    provider = TracerProvider(
        resource=Resource.create({**named, "service.version": trace.header.g2u}),
        id_generator=_Ids(trace.header.run),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer(AGENT, trace.header.g2u)
    start = int(trace.header.created.timestamp() * 1e9)
    run, *steps = steps_of(trace)

    def at(seconds: float) -> int:
        return start + int(seconds * 1e9)

    root = tracer.start_span(run.name, attributes=_attributes(run, trace, content), start_time=at(0.0))
    for step in steps:
        child = tracer.start_span(
            step.name,
            api.set_span_in_context(root),
            kind=api.SpanKind.INTERNAL,
            attributes=_attributes(step, trace, content),
            start_time=at(step.begin),
        )
        if step.kind == "reflect" and "verdict" in step.facts:
            verdict = {"name": "verdict", "score.label": step.facts["verdict"]}
            if "sure" in step.facts:  # a model that compares no texts writes its verdict
                verdict["score.value"] = step.facts["sure"]
            said = {f"gen_ai.evaluation.{name}": value for name, value in verdict.items()}
            child.add_event("gen_ai.evaluation.result", said, at(step.begin + step.seconds))
        child.end(at(step.begin + step.seconds))
    failed = [stop for stop in trace.stops if stop.cause == "error"]
    if failed:
        root.set_attribute("error.type", "error")
        root.set_status(api.StatusCode.ERROR, failed[-1].message if content else "")
    root.end(at(run.seconds))
    return kept.get_finished_spans()


def _attributes(step: Step, trace: Trace, content: bool) -> dict[str, Any]:
    top = trace.header
    found: dict[str, Any] = {
        "gen_ai.operation.name": step.operation,
        "gen_ai.provider.name": AGENT,
        "gen_ai.request.model": top.config.model,
        "gen_ai.response.model": top.model.model,
        "gen_ai.output.type": "image" if step.kind == "generate" else "text",
        **{f"g2u.{name}": value for name, value in step.facts.items()},
        "g2u.step": step.kind,
    }
    if step.operation == "invoke_agent":
        found |= {
            "gen_ai.agent.name": AGENT,
            "gen_ai.agent.version": top.g2u,
            "gen_ai.agent.id": f"{AGENT}:{top.model.weights[:12]}",
            "gen_ai.request.seed": top.config.seed,
            "gen_ai.request.max_tokens": top.config.max_tokens,
        }
    if step.operation == "execute_tool":
        found |= {"gen_ai.tool.name": step.about, "gen_ai.tool.type": "function"}
        if content:
            found["gen_ai.tool.call.arguments"] = json.dumps(_plain(step.inputs))
            found["gen_ai.tool.call.result"] = json.dumps(_plain(step.outputs))
    elif content:
        found["gen_ai.input.messages"] = _message("user", step.inputs)
        found["gen_ai.output.messages"] = _message("assistant", step.outputs, finish_reason="stop")
    if step.facts.get("tokens"):
        found["gen_ai.usage.output_tokens"] = step.facts["tokens"]
    return found


def _message(role: str, values: Mapping[str, Any], **more: str) -> str:
    """One message as the conventions write it: pictures as addresses, the rest as text."""
    parts = [
        {"type": "uri", "modality": "image", "mime_type": value.mime, "uri": value.uri}
        if isinstance(value, ImageRef)
        else {"type": "text", "content": ", ".join(value) if isinstance(value, list) else str(value)}
        for value in values.values()
        if value not in (None, "", [])
    ]
    return json.dumps([{"role": role, "parts": parts, **more}])


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.uri if isinstance(value, ImageRef) else value for name, value in values.items()}


def _otlp() -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        package = "opentelemetry-exporter-otlp-proto-http"
        raise MissingExtraError("Sending runs to a collector", package, "otel") from error
    return OTLPSpanExporter()


class _Ids(IdGenerator):
    """Identifiers that follow from the run alone."""

    def __init__(self, run: str) -> None:
        self._run, self._made = run, 0

    def generate_trace_id(self) -> int:
        return int.from_bytes(hashlib.sha256(self._run.encode()).digest()[:16])

    def generate_span_id(self) -> int:
        self._made += 1
        return int.from_bytes(hashlib.sha256(f"{self._run} {self._made}".encode()).digest()[:8])
