"""One request to a server: bounded in seconds, bytes and tries, and every failure in one sentence without a key."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import httpx
from langchain_core.rate_limiters import InMemoryRateLimiter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from ...errors import RemoteError
from .secrets import Secrets

MOST_BYTES: Final = 100 * 2**20
"""Of a reply: a picture of 64 MiB in base64, and some words."""
LONGEST_WAIT: Final = 60.0
"""Seconds between two tries at most; a server that asks for more is asked no more."""
EXCERPT: Final = 200
"""Characters of what a server says that an error repeats."""
LONGEST: Final = 400
"""Characters of what an error says of a reply."""

HINTS: Final[Mapping[int, str]] = {
    400: "Compare the settings with what the server takes; docs/other-models.md has them.",
    401: "Set the variable of its key; docs/other-models.md says which.",
    403: "Look whether its key may use this model.",
    404: "Look whether the address and the name of the model are right, and whether this server has such requests.",
    413: "Send smaller pictures: lower `longest_side`.",
    429: "Ask less at a time: lower `concurrent` or set `per_minute`.",
}
"""What to do, by the status of a reply."""
SERVER_HINT: Final = "Look into the log of the server, and whether it holds this model."
AGAIN: Final = frozenset({408, 409, 425, 429, 529, *(status for status in HTTPStatus if status >= 500)} - {501, 505})
"""Statuses after which a request is tried again."""
SPENT: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Codes of errors that no waiting mends, whatever their status."""


class BusyServerError(RemoteError):
    """A server has no time, or is not to be reached: another try may help.

    Args:
        message: What happened.
        hint: What to do.
        after: Seconds that the server asks to wait; `None` where it asks for nothing.
    """

    def __init__(self, message: str, hint: str, after: float | None = None) -> None:
        """Keep all three."""
        super().__init__(message, hint)
        self.after = after


@dataclass(frozen=True)
class Sent:
    """A request."""

    path: str
    """After the address of the server."""
    json: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] | None = None
    """Of a form, in the place of `json`."""
    files: Sequence[tuple[str, tuple[str, bytes, str]]] = ()


class Client:
    """Asks one server.

    Args:
        what: What it does, for errors, such as `reader`.
        url: Where its requests begin.
        key: That it is sent; empty for none.
        secrets: What no error may repeat.
        seconds: That one try may take.
        tries: Of a request at most.
        backoff: Seconds that the first wait has at most.
        per_minute: Requests in a minute, `None` for any number.
    """

    def __init__(
        self,
        what: str,
        url: str,
        key: str,
        secrets: Secrets,
        *,
        seconds: float,
        tries: int,
        backoff: float,
        per_minute: float | None = None,
    ) -> None:
        """Ask nothing yet."""
        self.secrets = secrets
        self._url = url
        self._headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "g2u"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._seconds = seconds
        self._tries = tries
        self._backoff = backoff
        self._name = f"The {what} at {httpx.URL(url).netloc.decode()}"
        self._rate = (
            InMemoryRateLimiter(requests_per_second=per_minute / 60, check_every_n_seconds=0.05) if per_minute else None
        )

    async def ask(self, connections: httpx.AsyncClient, sent: Sent) -> bytes:
        """What a server replies, whole JSON.

        Raises:
            RemoteError: It is not reached, refuses, or sends what is no JSON; after all tries where another might help.
        """
        tried = 0

        async def once() -> bytes:
            nonlocal tried
            tried += 1
            if self._rate:
                await self._rate.aacquire()
            return await self._once(connections, sent)

        again = AsyncRetrying(
            retry=retry_if_exception_type(BusyServerError),
            stop=stop_after_attempt(self._tries),
            wait=self._wait,
            reraise=True,
        )
        try:
            return await again(once)
        except BusyServerError as error:
            times = f" It was asked {tried} times." if tried > 1 else ""
            raise RemoteError(f"{error.message}{times}", error.hint) from None

    def failure(self, found: str, hint: str = SERVER_HINT) -> RemoteError:
        """The error for a reply that cannot be used.

        Args:
            found: What came, as the end of a sentence that begins with the server.
            hint: What to do.
        """
        return RemoteError(f"{self._name} {_short(self.secrets.hidden(found), LONGEST)}.", hint)

    async def _once(self, connections: httpx.AsyncClient, sent: Sent) -> bytes:
        try:
            async with (
                asyncio.timeout(self._seconds),
                connections.stream(
                    "GET" if sent.json is None and sent.fields is None else "POST",
                    f"{self._url}{sent.path}",
                    headers=self._headers,
                    json=sent.json,
                    data=sent.fields,
                    files=sent.files or None,
                ) as reply,
            ):
                return self._checked(sent, reply, await self._body(reply))
        except TimeoutError:
            message = f"{self._name} gave no whole reply to {sent.path} within {self._seconds:g} seconds."
            raise BusyServerError(message, "Raise `seconds`, or ask for less.") from None
        except httpx.TransportError as error:
            said = self.secrets.hidden(_line(str(error) or type(error).__name__))
            message = f"{self._name} was not reached, or broke off ({said})."
            raise BusyServerError(message, "Look whether it runs, and whether the address is right.") from None

    async def _body(self, reply: httpx.Response) -> bytes:
        """What came, as it came: what is packed has no bound once it is unpacked."""
        body = bytearray()
        async for part in reply.aiter_raw(2**16):
            body += part
            if len(body) > MOST_BYTES:
                raise self.failure(f"sent more than {MOST_BYTES / 2**20:g} MiB")
        return bytes(body)

    def _checked(self, sent: Sent, reply: httpx.Response, body: bytes) -> bytes:
        """The body of a reply that is JSON and no error."""
        kind, packed = self._header(reply, "content-type"), self._header(reply, "content-encoding")
        if packed not in ("", "identity"):
            if reply.is_success:
                raise self.failure(f"sent a reply packed as {packed!r}, and an unpacked one was asked for")
            body = b""
        if reply.is_success:
            if kind != "application/json" and not kind.endswith("+json"):
                found = f"sent {_kind(kind)} in the place of JSON from {sent.path}: {self._excerpt(body, kind)}"
                raise self.failure(found, "Look whether the address is that of the server itself, with its `/v1`.")
            return body
        status = reply.status_code
        phrase = f"{status} {reply.reason_phrase}".strip()
        phrase = _line(self.secrets.hidden(phrase))
        message = f"{self._name} answered {sent.path} with {phrase}: {self._excerpt(body, kind)}."
        hint = HINTS.get(status, SERVER_HINT)
        after = _retry_after(reply.headers.get("retry-after", ""))
        if status not in AGAIN or _code(body) in SPENT:
            raise RemoteError(message, hint)
        if after is not None and after > LONGEST_WAIT:
            raise RemoteError(f"{message[:-1]}, and asks to wait {after:.0f} seconds.", hint)
        raise BusyServerError(message, hint, after)

    def _header(self, reply: httpx.Response, name: str) -> str:
        """A header without its parameters; a key is hidden before the case of its letters is lost."""
        return _line(self.secrets.hidden(reply.headers.get(name, "")).partition(";")[0]).lower()[:80]

    def _excerpt(self, body: bytes, kind: str) -> str:
        """What a body says, short, on one line and without keys."""
        text = self.secrets.hidden(_message(body) or body.decode("utf-8", "replace"))
        if kind == "text/html":
            title = re.search(r"<title>([^<]+)", text[:20_000], re.IGNORECASE)
            text = f"an HTML page called {title[1]!r}" if title else "an HTML page"
        return _short(text, EXCERPT) or "nothing more"

    def _wait(self, state: RetryCallState) -> float:
        """Seconds until the next try: those that a server asks for, or ever more, and by chance in either case.

        Else all that were turned away together would come back together.
        """
        failed = state.outcome.exception() if state.outcome else None
        chance = float(wait_random_exponential(multiplier=self._backoff, max=LONGEST_WAIT)(state))
        after = failed.after if isinstance(failed, BusyServerError) else None
        return chance if after is None else after + random.uniform(0, self._backoff)


def _line(text: str) -> str:
    """On one line, and without what could move a terminal's cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _short(text: str, most: int) -> str:
    """So many characters at most, on one line, as the beginning of a sentence that goes on."""
    line = _line(text[:20_000]).rstrip(" .:")
    return line if len(line) <= most else f"{line[:most]}..."


def _kind(kind: str) -> str:
    return repr(kind) if kind else "a reply without a content type"


def _retry_after(given: str) -> float | None:
    """Seconds of a header that has a number or a date; `None` for neither."""
    try:
        return max(0.0, float(given)) if re.fullmatch(r"\s*\d{1,9}(\.\d*)?\s*", given) else _until(given)
    except (ValueError, TypeError, OverflowError):
        return None


def _until(date: str) -> float:
    until = parsedate_to_datetime(date)
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _error(body: bytes) -> Any:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found.get("error", found) if isinstance(found, dict) else None


def _message(body: bytes) -> str:
    """What servers call the message of an error; empty where there is none."""
    error = _error(body)
    told = (
        next((error[name] for name in ("message", "detail") if error.get(name)), "")
        if isinstance(error, dict)
        else error
    )
    return told if isinstance(told, str) else json.dumps(told) if told else ""


def _code(body: bytes) -> str:
    error = _error(body)
    return str(error.get("code", "")) if isinstance(error, dict) else ""
