"""A real server on this machine that reads and draws coloured forms, and misbehaves in every way that it is told to."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import random
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from g2u.conformance.coloured import COLOURS
from g2u.models.remote.client import MOST_BYTES

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
WORDS = ("a", "bright", "form", "on", "white", "paper", "is", "here")


@dataclass
class Local:
    """The server, and what it was asked."""

    faults: set[str] = field(default_factory=set)
    """What it does wrong: names that are looked for below."""
    failing: int = 0
    """Requests that it answers by `fault` before it works."""
    status: int = 503
    """Of those answers."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of those answers."""
    url: str = ""
    seen: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    """Path, what was sent, and headers of every request."""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Of all pictures that came."""
    at_once: int = 0
    """Requests that it answers now."""
    most_at_once: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    """Holds all replies while `held` is among the faults."""

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was sent to one path."""
        return [body for at, body, _ in self.seen if at == path]

    # Reading

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        pictures, texts = [], []
        for part in body["messages"][0]["content"]:
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                data = part["image_url"]["url"].partition("base64,")[2]
                pictures.append(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        self.sizes += [picture.size for picture in pictures]
        if spoiled := await self.spoiled(request, body):
            return spoiled
        if len(pictures) > 1 and "refuses two pictures" in self.faults:
            return JSONResponse({"error": {"message": "At most 1 image may be provided."}}, 400)
        if "drops the second picture" in self.faults:
            pictures = pictures[:1]
        if "drops the first picture" in self.faults:
            pictures = pictures[-1:]
        if "ignores pictures" in self.faults:
            pictures = [Image.new("RGB", (8, 8), COLOURS["red"])]
        text = "" if "ignores texts" in self.faults else "\n".join(texts)
        said = self.reply(text, pictures, body.get("temperature", 0), body.get("seed", 0)).split()
        limit = body.get("max_tokens", body.get("max_completion_tokens", 100))
        said = said if "ignores limits" in self.faults else said[:limit]
        message: dict[str, Any] = {"role": "assistant", "content": " ".join(said)}
        if "writes parts" in self.faults:
            message["content"] = [{"type": "text", "text": " ".join(said)}]
        if "writes nothing" in self.faults:
            message["content"] = None
        if "refuses with the key" in self.faults:
            message |= {"content": None, "refusal": f"{'No. ' * 46}{key_of(request)}"}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "length"}
        if body.get("logprobs") and "keeps log-probabilities" not in self.faults:
            choice["logprobs"] = {"content": [{"token": word, "logprob": -0.5} for word in said]}
        reply = {"choices": [choice], "usage": {"completion_tokens": len(said)}}
        return JSONResponse({"choices": []} if "gives no choice" in self.faults else reply)

    def reply(self, text: str, pictures: list[Image.Image], temperature: float, seed: int) -> str:
        if "Count" in text:
            return " ".join(NUMBERS)
        if "Which form" in text:
            return form_of(pictures[0])
        if "Which colour is the form" in text:
            picture = pictures[-1] if "second picture" in text and len(pictures) > 1 else pictures[0]
            half = picture.width // 2
            if "form on the left" in text:
                picture = picture.crop((0, 0, half, picture.height))
            if "form on the right" in text:
                picture = picture.crop((half, 0, picture.width, picture.height))
            return colour_of(picture)
        if "JSON object" in text:
            return '{"edit": "deblur"}' if "tried" not in text else '{"edit": "none"}'
        if "keep, if" in text:
            return "keep"
        if "one of the options" in text:
            return colour_of(pictures[-1])
        digest = hashlib.sha256(text.encode() + b"".join(picture.tobytes() for picture in pictures)).hexdigest()
        chance = random.Random(f"{digest} {seed if temperature else ''}")
        return " ".join(chance.choices(WORDS, k=4))

    # Drawing

    async def edits(self, request: Request) -> Response:
        form = await request.form()
        body = {name: value for name, value in form.items() if isinstance(value, str)}
        data = await form["image"].read()  # type: ignore[union-attr]
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        self.sizes.append(picture.size)
        if spoiled := await self.spoiled(request, body):
            return spoiled
        if "has no edits" in self.faults:
            return JSONResponse({"detail": "Not Found"}, 404)
        drawing = self.drawing(picture, body["prompt"], int(body.get("seed", 0)))
        file = io.BytesIO()
        drawing.save(file, "PNG", compress_level=1)
        encoded = base64.b64encode(file.getvalue()).decode()
        if "writes wrong base64" in self.faults:
            encoded = f"!{encoded}"
        if "cuts the picture off" in self.faults:
            encoded = encoded[: len(encoded) // 2 // 4 * 4]
        if "sends a text as a picture" in self.faults:
            encoded = base64.b64encode(b"<svg></svg>").decode()
        if "gives addresses" in self.faults:
            return JSONResponse({"data": [{"url": "http://127.0.0.1:9/drawing.png"}]})
        if "gives no picture" in self.faults:
            return JSONResponse({"data": []})
        return JSONResponse({"created": 0, "data": [{"b64_json": encoded}]})

    def drawing(self, picture: Image.Image, prompt: str, seed: int) -> Image.Image:
        if "draws from texts" in self.faults:
            picture = Image.new("RGB", picture.size, "white")
            picture.paste(COLOURS["grey"], (picture.width // 3, 20, picture.width * 2 // 3, picture.height - 20))
        values = np.asarray(picture, dtype=np.float64)
        to = re.search(r"to (red|blue)", prompt)
        if to and "ignores instructions" not in self.faults:
            values = np.where(values.min(axis=-1, keepdims=True) < 200, COLOURS[to[1]], values)
        if "ignores seeds" in self.faults:
            seed = random.randrange(2**32)
        if "has one seed" in self.faults:
            seed = 0
        values = values + np.random.default_rng(seed).normal(0, 6, values.shape)
        if "rounds otherwise each time" in self.faults:
            values = values + np.random.default_rng().normal(0, 0.5, values.shape)
        drawing = Image.fromarray(values.clip(0, 255).astype(np.uint8))
        if "draws squares" in self.faults:
            drawing = drawing.resize((512, 512))
        return drawing

    # Both

    async def models(self, request: Request) -> Response:
        if spoiled := await self.spoiled(request, {}):
            return spoiled
        names = ["tiny", "other"] if "has two models" in self.faults else ["tiny"]
        return JSONResponse({"object": "list", "data": [{"id": name} for name in names]})

    async def spoiled(self, request: Request, body: dict[str, Any]) -> Response | None:
        """Write down what came; what is given in the place of a right reply, if anything."""
        self.seen.append((request.url.path, body, dict(request.headers)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if "held" in self.faults:
                await asyncio.to_thread(self.gate.wait)
            if "is slow" in self.faults:
                await asyncio.sleep(0.05)
        finally:
            self.at_once -= 1
        key = key_of(request)
        if self.failing:
            self.failing -= 1
            error = {"error": {"message": "Not now.", "code": "busy"}}
            return JSONResponse(error, self.status, self.headers)
        if "storms" in self.faults:
            return JSONResponse({"error": {"message": "Rate limit reached."}}, 429, {"retry-after": "0"})
        if "is spent" in self.faults:
            error = {"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}
            return JSONResponse(error, 429)
        if "asks to wait an hour" in self.faults:
            return JSONResponse({"error": "Later."}, 429, {"retry-after": "3600"})
        if "fails" in self.faults:
            return Response("Traceback (most recent call last): ...", 500, media_type="text/plain")
        if "echoes the key" in self.faults:
            return JSONResponse({"error": {"message": f"Incorrect API key provided: {key}."}}, 401)
        if "echoes the key as its kind" in self.faults:
            return Response("red", media_type=f"text/{key}")
        if "echoes the key without a message" in self.faults:
            return JSONResponse({"problem": key}, 401)
        if "packs" in self.faults:
            packed = gzip.compress(b'{"choices": [], "data": []}')
            return Response(packed, media_type="application/json", headers={"content-encoding": "gzip"})
        if "sends JSON cut off" in self.faults:
            return Response(b'{"choices": [{"message": {"content": "re', media_type="application/json")
        if "sends a page" in self.faults:
            page = "<html><head><title>Welcome to nginx!</title></head></html>"
            return Response(page, media_type="text/html")
        if "sends a page as an error" in self.faults:
            page = "<html><head><title>502 Bad Gateway</title></head></html>"
            return Response(page, 502, media_type="text/html")
        if "sends text" in self.faults:
            return Response("red", media_type="text/plain")
        if "sends another form" in self.faults:
            return JSONResponse({"choices": [{"text": "red"}], "data": "none"})
        if "sends too much" in self.faults:
            return StreamingResponse(zeros(), media_type="application/json")
        if "drips" in self.faults:
            return StreamingResponse(drips(), media_type="application/json")
        if "leads elsewhere" in self.faults:
            return Response("", 302, {"location": "http://127.0.0.1:9/elsewhere"})
        return None

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/images/edits", self.edits, methods=["POST"]),
            ]
        )


def key_of(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


async def zeros() -> AsyncIterator[bytes]:
    for _ in range(MOST_BYTES // 2**20 + 2):
        yield b" " * 2**20


async def drips() -> AsyncIterator[bytes]:
    """A reply that is never whole, in drops that each come soon."""
    while True:
        yield b" "
        await asyncio.sleep(0.02)


def ink_of(picture: Image.Image) -> np.ndarray[Any, Any]:
    """Where a picture is not white, `[height, width]`."""
    return np.asarray(picture).min(axis=-1) < 200


def colour_of(picture: Image.Image) -> str:
    """The colour of what is not white."""
    ink = ink_of(picture)
    found = np.median(np.asarray(picture)[ink], axis=0) if ink.any() else np.zeros(3)
    return min(COLOURS, key=lambda name: float(np.abs(found - np.array(COLOURS[name])).sum()))


def form_of(picture: Image.Image) -> str:
    """The form by how much of its box it fills."""
    ink = ink_of(picture)
    rows, columns = np.where(ink.any(axis=1))[0], np.where(ink.any(axis=0))[0]
    share = ink.sum() / ((np.ptp(rows) + 1) * (np.ptp(columns) + 1))
    return "square" if share > 0.9 else "circle" if share > 0.65 else "triangle"


@contextmanager
def serving(local: Local) -> Iterator[Local]:
    """The server on a free port, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        local.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        config = uvicorn.Config(local.app, log_level="critical", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield local
        finally:
            local.gate.set()
            server.should_exit = True
            thread.join()
