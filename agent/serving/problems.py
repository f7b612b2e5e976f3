"""What went wrong, as `application/problem+json` (RFC 9457) with a hint."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import (
    AddressError,
    G2UError,
    LargePictureError,
    OutputError,
    PictureError,
    RemoteError,
    UnknownPictureError,
    WeightsError,
)

_LOG = logging.getLogger(__name__)


class MediaTypeError(PictureError):
    """What came is not declared as something that is taken."""


class ForbiddenError(G2UError):
    """A setting that only whoever runs the server may choose."""


class HostError(G2UError):
    """A request is addressed to a name that is not the server's."""


class DepthError(G2UError):
    """A request is nested deeper than it can be read."""


STATUSES: Final[tuple[tuple[type[G2UError], int], ...]] = (
    (LargePictureError, 413),
    (MediaTypeError, 415),
    (UnknownPictureError, 404),
    (AddressError, 403),
    (ForbiddenError, 403),
    (HostError, 421),
    (DepthError, 400),
    (OutputError, 500),
    (WeightsError, 500),
    (RemoteError, 502),
    (G2UError, 422),
)
"""Status of each kind of error; the first that fits counts."""

HINT: Final = "GET /assistants/ID/schemas shows what a run takes, GET /docs what the server has."
"""Where an error has none of its own."""

Endpoint = Callable[[Request], Awaitable[Response]]


def problem_of(error: Exception) -> dict[str, Any]:
    """The problem as JSON; of what is no `G2UError` the log alone tells more than that it happened."""
    if not isinstance(error, G2UError):
        _LOG.error("A request failed by a mistake of ours.", exc_info=error)
        error = _MistakeError("That is a mistake of the server's own.", "Its log says more.")
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    if status >= 500:
        _LOG.error("%s", error.in_full)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(error).__name__.removeprefix("_").removesuffix("Error")).lower()
    return {
        "type": f"urn:g2u:{name}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "hint": error.hint or HINT,
    }


def problem_response(error: Exception) -> JSONResponse:
    """Reply with the problem that an error is."""
    problem = problem_of(error)
    return JSONResponse(problem, problem["status"], media_type="application/problem+json")


def guarded(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose errors are problems."""

    @wraps(endpoint)
    async def reply(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:  # whatever fails is told as a problem, and logged
            return problem_response(error)

    return reply


class _MistakeError(OutputError):
    """A bug of ours, as it is told to clients."""
