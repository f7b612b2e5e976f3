"""How the server is: `GET health` as JSON, `GET metrics` as Prometheus reads it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ..engine.counters import Counters, steps_done
from ..engine.engine import Engine
from ..engine.registry import engines, get_engine
from ..errors import G2UError
from ..pictures.links import server_url
from ..pictures.store import get_store
from ..version import __version__
from .settings import served_model

KINDS: Final = ("extend", "read", "score", "draw", "domain")
"""Calls into a model."""
MOST_SECONDS: Final = 60.0
"""That `health` waits for a model."""

Sample = tuple[str, str, str, dict[str, str], float]
"""Name, type, help, labels and value."""


async def health(request: Request) -> Response:
    """Whether the model is there, which one it is, and how many this process holds; 503 until it is.

    `?wait=30` waits so many seconds for it.
    """
    key, weights = served_model()
    engine, problem = get_engine(key, weights), None
    try:
        await asyncio.wait_for(asyncio.shield(engine.ready()), _seconds(request.query_params.get("wait", "")))
    except TimeoutError:
        pass
    except G2UError as error:
        problem = error
    found: dict[str, Any] = {
        "status": "ok" if engine.loaded else "loading",
        "model": key,
        "identity": asdict(engine.model.identity) if engine.loaded else None,
        "engine": f"{id(engine):x}",
        "silent_seconds": round(engine.silent_seconds, 1),
        "hung": engine.counters().hung,
        "models_loaded": sum(other.loaded for other in engines().values()),
        "engine_modules": await asyncio.to_thread(_copies, sys.modules[Engine.__module__].__file__),
        "process": os.getpid(),
        "version": __version__,
        "url": server_url(),
        "store": str((await asyncio.to_thread(get_store)).root),
    }
    if engine.silent_seconds > engine.options.grace_seconds:
        found["status"] = "silent"
    if problem:
        found |= {"status": "failed", "detail": problem.message, "hint": problem.hint}
    return JSONResponse(found, 200 if found["status"] == "ok" else 503, headers={"Cache-Control": "no-store"})


async def metrics(request: Request) -> Response:
    """What the engines did so far and what the process holds."""
    samples = [*_of_process(), *(one for (key, _), engine in engines().items() for one in _of_engine(key, engine))]
    lines: list[str] = []
    for name in dict.fromkeys(sample[0] for sample in samples):
        rows = [sample for sample in samples if sample[0] == name]
        lines += [f"# HELP {name} {rows[0][2]}", f"# TYPE {name} {rows[0][1]}"]
        lines += [f"{name}{_labels(labels)} {value:.10g}" for *_, labels, value in rows]
    text = "\n".join(lines) + "\n"
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4", headers={"Cache-Control": "no-store"})


def _of_engine(key: str, engine: Engine) -> Iterator[Sample]:
    model, done = {"model": key}, engine.counters()
    yield "g2u_model_loaded", "gauge", "Whether the model is in memory.", model, float(engine.loaded)
    yield "g2u_queue_length", "gauge", "Requests that wait for the model.", model, float(engine.waiting)
    for kind in KINDS:
        work, labels = getattr(done, kind), model | {"kind": kind}
        yield "g2u_model_calls_total", "counter", "Calls into the model.", labels, work.batches
        yield "g2u_model_requests_total", "counter", "Requests that the calls carried.", labels, work.requests
        yield "g2u_model_largest_batch", "gauge", "Most requests that one call carried.", labels, work.largest_batch
        yield "g2u_model_seconds_total", "counter", "Wall time inside the model.", labels, work.seconds
    for name in _MEANING:
        yield f"g2u_{name}_total", "counter", _MEANING[name], model, getattr(done, name)


def _of_process() -> Iterator[Sample]:
    for step, work in steps_done().items():
        yield "g2u_steps_total", "counter", "Steps of runs that were done.", {"step": step}, work.requests
        yield "g2u_step_seconds_total", "counter", "Wall time of those steps.", {"step": step}, work.seconds
    for name, field in (("resident", "VmRSS"), ("peak", "VmHWM")):
        if found := re.search(rf"^{field}:\s+(\d+) kB", _status(), re.MULTILINE):
            labels = {"kind": name}
            yield "g2u_memory_bytes", "gauge", "Memory of the process.", labels, 1024.0 * int(found[1])
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        for number in range(torch.cuda.device_count()):
            labels = {"device": str(number)}
            taken = torch.cuda.memory_allocated(number)
            yield "g2u_gpu_memory_bytes", "gauge", "Memory that tensors take on a GPU.", labels, float(taken)


_MEANING: Final = {
    "prefix_hits": "Requests whose pictures were encoded already.",
    "prefix_misses": "Requests for which a picture had to be encoded.",
    "recalled": "Requests answered from an earlier result.",
    "cancelled": "Requests that nobody waited for any more.",
    "expired": "Requests whose deadline was over.",
    "out_of_memory": "Batches that did not fit into memory.",
    "hung": "Calls from which the model did not come back.",
}
assert set(_MEANING) <= set(Counters.__dataclass_fields__), "the names are those of the counters"


def _copies(place: str | None) -> int:
    """How often a file was imported: the engine's a second time, and there could be a second model."""
    path = Path(place or "").resolve()
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return sum(Path(file).name == path.name and Path(file).resolve() == path for file in files if file)


def _seconds(wanted: str) -> float:
    return min(max(float(wanted), 0.0), MOST_SECONDS) if re.fullmatch(r"\d+(\.\d+)?", wanted) else 0.01


def _status() -> str:
    try:
        return Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:  # not on Linux
        return ""


def _labels(labels: dict[str, str]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""
