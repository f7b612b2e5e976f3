"""What the server does under load: `python benchmarks/serve.py [--json]`.

Starts `g2u serve` with the shipped model on a free port, in a folder of its own, and asks it as clients do: one client
after the other, then many at once, while another one measures how quickly the other routes answer. The bytes of a run
are those of its stream and of its thread's history, as they are and with every reference replaced by the picture in
base64, which is what a state that holds pictures would send.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import httpx
import typer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from rich.console import Console
from rich.table import Table

from g2u.graphs.imagine import build_graph
from g2u.pictures.store import get_store
from g2u.state import Context
from g2u.world.items.items import Item, spread

MODES = ["values", "updates", "custom", "tasks", "checkpoints"]
"""What Studio listens to."""
ROUTES = ("/ok", "/g2u/health", "/g2u/metrics")
"""Routes that are asked while runs are under way."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the result."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    """The most it may be; `None` where it is only told."""

    @property
    def ok(self) -> bool:
        """Whether the bar, if any, is kept."""
        return self.bar is None or self.value <= self.bar


@contextmanager
def served(folder: Path, jobs: int) -> Iterator[str]:
    """The address of a server that runs until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = ["serve", "--port", str(port), "--jobs", str(jobs), "--store", str(folder / "pictures")]
    command = [sys.executable, "-c", "from g2u.cli import main; main()", *own]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                if httpx.get(f"{url}/g2u/health?wait=30", timeout=60).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        else:
            sys.exit(f"The server was never healthy. It said:\n{(folder / 'server.log').read_text()[-2000:]}")
        yield url
    finally:
        process.terminate()  # not an interrupt, which a benchmark in the background hands on as one to ignore
        process.wait()


class Client:
    """Asks a server about pictures that it has uploaded.

    Args:
        url: Of the server.
        items: Questions with their pictures.
    """

    def __init__(self, url: str, items: Sequence[Item]) -> None:
        """Upload the pictures."""
        self.url, self.http = url, httpx.AsyncClient(timeout=300, limits=httpx.Limits(max_connections=64))
        self.inputs = [
            {"picture": self._upload(item), "question": item.question, "options": list(item.options)} for item in items
        ]

    def _upload(self, item: Item) -> str:
        buffer = io.BytesIO()
        item.picture.save(buffer, "PNG")
        reply = httpx.post(
            f"{self.url}/g2u/pictures", content=buffer.getvalue(), headers={"Content-Type": "image/png"}, timeout=60
        )
        return str(reply.raise_for_status().json()["uri"])

    async def run(self, number: int) -> float:
        """Seconds of one run."""
        began = time.perf_counter()
        body = {"assistant_id": "imagine", "input": self.inputs[number % len(self.inputs)]}
        reply = await self.http.post(f"{self.url}/runs/wait", json=body)
        assert "answer" in reply.raise_for_status().json(), reply.text
        return time.perf_counter() - began

    async def streamed(self, number: int) -> tuple[list[Any], Any]:
        """The events of one run in a thread, and the thread's history."""
        thread = (await self.http.post(f"{self.url}/threads", json={})).raise_for_status().json()["thread_id"]
        body = {"assistant_id": "imagine", "input": self.inputs[number % len(self.inputs)], "stream_mode": MODES}
        events = []
        async with self.http.stream("POST", f"{self.url}/threads/{thread}/runs/stream", json=body) as reply:
            async for line in reply.aiter_lines():
                if line.startswith("data: "):
                    events.append(json.loads(line.removeprefix("data: ")))
        history = await self.http.post(f"{self.url}/threads/{thread}/history", json={"limit": 1000})
        return events, history.raise_for_status().json()

    async def probe(self, until: asyncio.Event) -> list[float]:
        """Seconds that the other routes take meanwhile."""
        taken: list[float] = []
        async with httpx.AsyncClient(timeout=60) as http:
            while not until.is_set():
                for route in ROUTES:
                    began = time.perf_counter()
                    (await http.get(self.url + route)).raise_for_status()
                    taken.append(time.perf_counter() - began)
                await asyncio.sleep(0.02)
        return taken


def with_pixels(value: Any, kept: Path) -> Any:
    """The same JSON with the picture in base64 in the place of every reference."""
    if isinstance(value, list):
        return [with_pixels(one, kept) for one in value]
    if not isinstance(value, dict):
        return value
    if (sha256 := value.get("sha256")) and "mime" in value:
        data = (kept / sha256[:2] / f"{sha256}.png").read_bytes()
        return {"type": "image", "base64": base64.b64encode(data).decode(), "mime_type": "image/png"}
    return {name: with_pixels(one, kept) for name, one in value.items()}


async def checkpoint_bytes(items: Sequence[Item], folder: Path) -> float:
    """Size of the SQLite file per run, in this process."""
    store, file = get_store(folder / "checkpoints"), folder / "checkpoints.sqlite"
    async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
        graph = build_graph(saver)
        for number, item in enumerate(items):
            asked = {
                "picture": store.add_image(item.picture),
                "question": item.question,
                "options": list(item.options),
            }
            config: Any = {"configurable": {"thread_id": str(number)}}
            await graph.ainvoke(asked, config, context=Context(store=str(store.root)))  # type: ignore[call-overload]
    return file.stat().st_size / len(items)


async def measure(url: str, items: Sequence[Item], clients: int, rounds: int, folder: Path) -> list[Figure]:
    """All figures of a server."""
    client = Client(url, items)
    await asyncio.gather(*(client.run(number) for number in range(len(items))))  # everything is warm after these
    began = time.perf_counter()
    alone = [await client.run(number) for number in range(max(clients // 2, 4))]
    alone_rate = len(alone) / (time.perf_counter() - began)
    done = asyncio.Event()
    probing = asyncio.create_task(client.probe(done))

    async def one(first: int) -> list[float]:
        return [await client.run(first + clients * number) for number in range(rounds)]

    began = time.perf_counter()
    crowd = [taken for times in await asyncio.gather(*map(one, range(clients))) for taken in times]
    crowd_rate = len(crowd) / (time.perf_counter() - began)
    done.set()
    others = [1000 * taken for taken in await probing]
    runs = [await client.streamed(number) for number in range(4)]
    events, histories = [run[0] for run in runs], [run[1] for run in runs]
    kept = folder / "pictures"

    def size(values: Sequence[Any]) -> float:
        return sum(len(json.dumps(value)) for value in values) / len(values)

    return [
        Figure(name="one client: median latency", value=median(alone), unit="s"),
        Figure(name=f"{clients} clients: median latency", value=median(crowd), unit="s"),
        Figure(name=f"{clients} clients: 95th percentile", value=quantiles(crowd, n=20)[-1], unit="s"),
        Figure(name="throughput over that of one client", value=crowd_rate / alone_rate, unit=""),
        Figure(name="other routes meanwhile: median", value=median(others), unit="ms", bar=50),
        Figure(name="other routes meanwhile: 95th percentile", value=quantiles(others, n=20)[-1], unit="ms"),
        Figure(name="other routes meanwhile: largest", value=max(others), unit="ms"),
        Figure(name="streamed per run", value=size(events), unit="bytes"),
        Figure(name="the same with base64", value=size([with_pixels(run, kept) for run in events]), unit="bytes"),
        Figure(
            name="largest event",
            value=max(len(json.dumps(one)) for run in events for one in run),
            unit="bytes",
            bar=100_000,
        ),
        Figure(name="history of a thread", value=size(histories), unit="bytes"),
        Figure(name="the same with base64", value=size([with_pixels(run, kept) for run in histories]), unit="bytes"),
        Figure(name="checkpoints per run, SQLite", value=await checkpoint_bytes(items[:4], folder), unit="bytes"),
    ]


def main(
    clients: Annotated[int, typer.Option(min=2, help="At once.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each of them.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the server; exit code 1 when a bar is missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped in any case
    items = list(spread(clients))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(folder, clients) as url:
            result = asyncio.run(measure(url, items, clients, rounds, folder))
    setting = {"model": "mini", "clients": clients, "rounds": rounds, "cores": os.cpu_count()}
    setting |= {"threads": os.environ.get("OMP_NUM_THREADS", "default")}
    if as_json:
        print(json.dumps({"figures": [asdict(one) | {"ok": one.ok} for one in result], "setting": setting}))
    else:
        table = Table("figure", "value", "bar", "ok")
        for one in result:
            bar, ok = ("", "") if one.bar is None else (f"<= {one.bar:,g}", "yes" if one.ok else "NO")
            value = f"{one.value:,.0f}" if one.value > 1000 else f"{one.value:.2f}"
            table.add_row(one.name, f"{value} {one.unit}".strip(), bar, ok)
        Console().print(table)
    raise typer.Exit(0 if all(one.ok for one in result) else 1)


if __name__ == "__main__":
    typer.run(main)
