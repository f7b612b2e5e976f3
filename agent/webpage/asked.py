"""What the page asks: the body of `POST ask`, checked before anything else is done with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request

from ..errors import UnknownNameError
from ..pictures.references import ImageRef
from ..serving.problems import ForbiddenError
from ..serving.settings import check_settings
from ..state import Context
from .problems import RequestError

MOST_BYTES: Final = 64 * 2**10
"""Of a body; pictures are not in it."""
MOST_PICTURES: Final = 8
"""That the page has room for."""
MOST_OPTIONS: Final = 16
"""That the page has room for."""
MOST_ROUNDS: Final = 6
"""That the page has room for."""
MOST_STEPS: Final = 50
"""Of a drawing that somebody waits for."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Picture(_Strict):
    """A picture of the store; what else an upload's reply or an entry of the world says of it is not needed."""

    model_config = ConfigDict(extra="ignore")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class Settings(_Strict):
    """The settings of a run that the page may change; the others are the server's."""

    policy: str = "self"
    rounds: int = Field(default=2, ge=1, le=MOST_ROUNDS)
    reflect: bool = True
    seed: int = Field(default=0, ge=0, le=2**53)
    steps: int | None = Field(default=None, ge=1, le=MOST_STEPS)

    def over(self, context: Context) -> Context:
        """The settings of the server with these in their places."""
        return replace(context, **self.model_dump())


class Asked(_Strict):
    """A question."""

    pictures: list[Picture] = Field(min_length=1)
    """In order; `picture` is the short form of one."""
    question: str
    options: list[str] = []
    settings: Settings = Settings()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        if isinstance(given, dict) and "picture" in given and "pictures" not in given:
            others = {name: value for name, value in given.items() if name != "picture"}
            return others | {"pictures": [given["picture"]]}
        return given

    @property
    def references(self) -> list[ImageRef]:
        """Of the pictures."""
        return [ImageRef(**picture.model_dump()) for picture in self.pictures]


async def read_asked(request: Request) -> Asked:
    """Read and check a body.

    Raises:
        RequestError: It is too long, no JSON, or not what is expected, or asks a writer that is not listed.
        UnknownNameError: It has a setting that there is not.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "A question is asked in JSON.", "Send it with `Content-Type: application/json`.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            message = f"A question has at most {MOST_BYTES // 2**10} KiB with its options."
            raise RequestError(413, message, "Shorten it; send pictures by themselves, with `POST pictures`.")
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from error
    try:
        check_settings({"policy": asked.settings.policy})
    except ForbiddenError as error:
        raise RequestError(403, error.message, error.hint) from error
    if len(asked.pictures) > MOST_PICTURES:
        message = f"At most {MOST_PICTURES} pictures can be asked about here, not {len(asked.pictures)}."
        raise RequestError(422, message, "Leave some out; `g2u ask` takes more where the model does.")
    if len(asked.options) > MOST_OPTIONS:
        message = f"At most {MOST_OPTIONS} options can be asked here, not {len(asked.options)}."
        raise RequestError(422, message, "Leave the unlikely ones out; `g2u ask` takes more.")
    return asked


def _refusal(error: ValidationError) -> RequestError | UnknownNameError:
    """The first thing that is wrong, in words."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "json_invalid":
        return RequestError(400, "The question is no JSON.", str(first["ctx"]["error"]))
    if first["type"] == "extra_forbidden":
        known = Settings if place[0] == "settings" else Asked
        return UnknownNameError("setting", place[-1], known.model_fields)
    if place[:1] == ["pictures"]:
        return RequestError(422, "There is no picture to ask about.", "Choose one first.")
    name = " ".join(place)
    return RequestError(422, f"{name or 'The question'}: {first['msg'][0].lower()}{first['msg'][1:]}.")
