"""What went wrong, as `application/problem+json` (RFC 9457) with a hint."""

from __future__ import annotations

import logging
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from .. import errors

STATUSES: Final[dict[type[errors.G2UError], int]] = {
    errors.BusyError: 503,
    errors.UnknownPictureError: 404,
    errors.PictureError: 422,
    errors.QuestionError: 422,
    errors.SettingError: 422,
    errors.UnknownNameError: 422,
    errors.CapabilityError: 422,
    errors.ToolCallError: 422,
    errors.BudgetError: 422,
    errors.MissingExtraError: 422,
    errors.WriterError: 422,
}
"""Status of each kind of error that a caller can mend, the first that fits; the others are the server's own."""

TITLES: Final = {
    400: "This could not be read",
    403: "This may not be asked",
    404: "There is no such thing",
    413: "This is too large",
    415: "This is not JSON",
    422: "This cannot be asked",
    500: "The server failed",
    503: "The server is busy",
}
"""What each status means, in words."""

_LOG = logging.getLogger(__name__)


class RequestError(errors.G2UError):
    """A request cannot be used as it came.

    Args:
        status: Of HTTP.
        message: What happened and what was expected.
        hint: What to do.
    """

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        """Keep the status too."""
        super().__init__(message, hint)
        self.status = status


def problem_of(error: Exception) -> dict[str, Any]:
    """The problem as JSON; of what is no `G2UError` the log alone tells more than that it happened."""
    if not isinstance(error, errors.G2UError):
        _LOG.error("A run of the page failed.", exc_info=error)
        hint = "Its log says more. Try again."
        return {"title": TITLES[500], "status": 500, "detail": "That is a mistake of the server's own.", "hint": hint}
    found = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
    status = error.status if isinstance(error, RequestError) else found
    if status == 500:
        _LOG.error("%s", error.in_full)
    return {"title": TITLES[status], "status": status, "detail": error.message, "hint": error.hint}


def problem_response(request: Request, error: Exception) -> JSONResponse:
    """Reply with the problem that an error is."""
    problem = problem_of(error)
    headers = {"Retry-After": "60"} if problem["status"] == 503 else None
    return JSONResponse(problem, problem["status"], headers, "application/problem+json")
