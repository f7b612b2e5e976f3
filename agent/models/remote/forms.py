"""What is sent to a server and what comes back: chat completions and picture edits, in OpenAI's form."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from PIL import Image
from pydantic import BaseModel, ValidationError

from ...errors import CapabilityError, PictureError
from ...pictures.decoding import DECODING, decode
from ...pictures.encoded import decode_base64
from ..protocol import Reading, Segment
from .client import Client, Sent
from .settings import TEXT, Editor, Reader
from .showing import data_address, png

CHAT: Final = "/chat/completions"
EDITS: Final = "/images/edits"
MODELS: Final = "/models"
MAX_FILE: Final = 64 * 2**20
"""Bytes of a picture that comes back."""
MAX_PIXELS: Final = 64_000_000
"""Of a picture that comes back."""


class _Part(BaseModel):
    type: str = ""
    text: str | None = None


class _Message(BaseModel):
    content: str | list[_Part] | None = None
    refusal: str | None = None


class _Token(BaseModel):
    logprob: float


class _LogProbabilities(BaseModel):
    content: list[_Token] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _LogProbabilities | None = None


class _Usage(BaseModel):
    completion_tokens: int = 0


class _Chat(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Drawing(BaseModel):
    b64_json: str | None = None
    url: str | None = None


class _Drawings(BaseModel):
    data: list[_Drawing]


class _Served(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Served]


Form = TypeVar("Form", bound=BaseModel)


def chat(
    settings: Reader, segments: Sequence[Segment], text: str, max_tokens: int, temperature: float, seed: int
) -> Sent:
    """A request to read.

    Args:
        settings: Of the server.
        segments: Pictures as they are sent, and texts.
        text: What is asked about them.
        max_tokens: Of the reply.
        temperature: By which it is written.
        seed: Of its chance; not sent where the temperature is 0.
    """
    told = [_content(segment) for segment in (*segments, settings.text.replace(TEXT, text))]
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": [{"role": "user", "content": told}],
        settings.speaks.limit: max_tokens,
    }
    if settings.temperature:
        body |= {"temperature": temperature}
    if temperature:
        body |= {"seed": seed}
    if settings.logprobs:
        body |= {"logprobs": True}
    return Sent(CHAT, json=body | settings.extra)


def _content(segment: Segment) -> dict[str, Any]:
    if isinstance(segment, str):
        return {"type": "text", "text": segment}
    return {"type": "image_url", "image_url": {"url": data_address(segment)}}


def read_chat(client: Client, settings: Reader, body: bytes) -> Reading:
    """The reading in a reply.

    Raises:
        RemoteError: There is none.
    """
    found = _parsed(client, CHAT, body, _Chat)
    if not found.choices:
        raise client.failure("gave no choice in its reply")
    choice = found.choices[0]
    content = choice.message.content
    if isinstance(content, list):
        content = "".join(part.text or "" for part in content)
    if choice.message.refusal and not content:
        raise client.failure(f"refused: {choice.message.refusal}", "Ask otherwise, or another model.")
    if content is None:
        hint = (
            "A model that thinks first needs more tokens: raise `--max-tokens`, or switch its thinking off by `extra`."
        )
        raise client.failure(f"wrote no text (finish_reason {choice.finish_reason!r})", hint)
    log_probability = None
    if settings.logprobs:
        told = choice.logprobs.content if choice.logprobs else None
        if told is None:
            raise client.failure("told no log-probabilities", "Set `logprobs` to false.")
        log_probability = math.fsum(token.logprob for token in told)
        if not math.isfinite(log_probability):
            raise client.failure("told log-probabilities that are not finite", "Set `logprobs` to false.")
    tokens = found.usage.completion_tokens if found.usage else 0
    return Reading(client.secrets.hidden(content).strip(), log_probability, max(0, tokens))


def edit(settings: Editor, picture: Image.Image, instruction: str, steps: int | None, seed: int) -> Sent:
    """A request to draw on a picture.

    Args:
        settings: Of the server.
        picture: As it is sent.
        instruction: What to change.
        steps: `None` for as many as the server makes.
        seed: Of the noise, sent where the server has one.

    Raises:
        CapabilityError: Steps are wanted of a server that takes none.
    """
    speaks = settings.speaks
    fields: dict[str, Any] = {
        "model": settings.model,
        "prompt": instruction,
        "n": "1",
        "size": f"{picture.width}x{picture.height}" if speaks.size == "pixels" else "auto",
    }
    if speaks.base64_wanted:
        fields["response_format"] = "b64_json"
    if settings.seeded:
        fields["seed"] = str(seed)
    if steps is not None:
        if not speaks.steps:
            message = f"Servers of the dialect {settings.dialect!r} take no number of steps, and {steps} were wanted."
            raise CapabilityError(message, "Leave `--steps` out.")
        fields[speaks.steps] = str(steps)
    fields |= {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.extra.items()}
    return Sent(EDITS, fields=fields, files=[("image", ("picture.png", png(picture), "image/png"))])


def read_edit(client: Client, body: bytes) -> Image.Image:
    """The picture in a reply.

    Raises:
        RemoteError: There is none, or it is damaged or too large.
    """
    found = _parsed(client, EDITS, body, _Drawings)
    if not found.data:
        raise client.failure("gave no picture in its reply")
    encoded = found.data[0].b64_json
    if not encoded:
        how = "an address in the place of the picture itself" if found.data[0].url else "a drawing without a picture"
        raise client.failure(f"gave {how}", "Let it give `b64_json`: addresses of servers are not opened.")
    try:
        data = decode_base64(encoded, "the drawing", MAX_FILE)
        with DECODING:
            return decode(data, "the drawing", MAX_PIXELS)
    except PictureError as error:
        said = error.message.removesuffix(".")
        raise client.failure(f"gave a drawing that cannot be used: {said}") from None


def read_models(client: Client, body: bytes) -> list[str]:
    """What a server says that it serves.

    Raises:
        RemoteError: It says nothing of the kind.
    """
    return [one.id for one in _parsed(client, MODELS, body, _Models).data]


def _parsed(client: Client, path: str, body: bytes, form: type[Form]) -> Form:
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            found = f"sent {len(body)} bytes from {path} that are no whole JSON ({first['msg'].partition(': ')[2]})"
            raise client.failure(found) from None
        at = ".".join(map(str, first["loc"])) or "the whole"
        raise client.failure(f"replied to {path} in another form: at {at}, {first['msg'].lower()}") from None
