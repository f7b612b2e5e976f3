"""Which servers a remote model asks, and how: from a YAML file, or from variables of the environment.

A file has the parts `reader` and `editor` and what belongs to both; `reader: {url: ..., model: ...}` is
`$G2U_REMOTE_READER_URL` and `$G2U_REMOTE_READER_MODEL`, and so on. One or the other: where a file is named, the
environment gives keys alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ...errors import SettingError, UnknownNameError
from ..described import checked_settings, read_description, setting_names
from .dialects import DIALECTS, Dialect

PREFIX: Final = "G2U_REMOTE_"
"""Of variables of the environment."""
KEYS: Final = {"reader": f"{PREFIX}READER_KEY", "editor": f"{PREFIX}EDITOR_KEY"}
"""Variables that hold the keys, unless others are named."""
STITCHED: Final = 4
"""Pictures that stand side by side at most, where a server takes one alone."""
TEXT: Final = "{text}"
"""Stands for the text of a request."""
EXAMPLE: Final = "reader: {url: http://127.0.0.1:8000/v1, model: NAME}"


def checked_url(url: str) -> str:
    """An address of a server as all requests begin; one without a path gets `/v1`, as servers have it.

    Raises:
        ValueError: It is no `http` or `https` address, or has a part that could hold a secret.
    """
    expected = ValueError("expected an address such as http://127.0.0.1:8000/v1")
    try:
        parts = urlsplit(url.strip())
        _ = parts.port, httpx.URL(url.strip())  # which raise for a port that is no number and a host that is none
    except (ValueError, httpx.InvalidURL):  # whose words repeat what was given
        raise expected from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise expected
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("expected no user, password, query or fragment in an address; keys are in the environment")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def checked_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Further fields of a request.

    Raises:
        ValueError: One is nothing that JSON has.
    """
    try:
        json.dumps(fields, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("expected what JSON has: texts, numbers, true, false, null, lists and names of them") from None
    return fields


def checked_dialect(name: str) -> str:
    """The name of a dialect.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in DIALECTS:
        raise ValueError(f"expected one of {', '.join(DIALECTS)}")
    return name


class Endpoint(BaseModel):
    """What both servers have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(checked_url)]
    """Where its requests begin: before `/chat/completions`, before `/images/edits`."""
    model: str = Field(min_length=1)
    """What the server calls the model."""
    key_variable: str = ""
    """Variable of the environment that holds its key; empty for that of `KEYS`, which may be missing."""
    dialect: Annotated[str, AfterValidator(checked_dialect)] = next(iter(DIALECTS))
    """Of `DIALECTS`."""
    extra: Annotated[dict[str, Any], AfterValidator(checked_fields)] = {}
    """Further fields of each request, as the server has them."""
    seconds: float = Field(default=120.0, gt=0, le=3600)
    """That one try may take."""
    concurrent: int = Field(default=4, ge=1, le=64)
    """Requests at the same time."""
    per_minute: float | None = Field(default=None, gt=0)
    """Requests in a minute; `None` for as many as come."""

    @property
    def speaks(self) -> Dialect:
        """Its dialect."""
        return DIALECTS[self.dialect]

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc


class Reader(Endpoint):
    """The server that reads."""

    pictures: int = Field(default=8, ge=1, le=16)
    """That it takes in one request; where that is one, several are sent side by side in one picture."""
    logprobs: bool = False
    """Whether it tells log-probabilities of what it writes."""
    temperature: bool = True
    """Whether it takes a temperature."""
    text: str = TEXT
    """What it is told, with `{text}` for the text: for a server that wants marks around it."""

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        if TEXT not in self.text:
            raise ValueError(f"expected a `text` with {TEXT} in it")
        return self


class Editor(Endpoint):
    """The server that draws."""

    seconds: float = Field(default=600.0, gt=0, le=3600)
    """That one try may take."""
    concurrent: int = Field(default=1, ge=1, le=64)
    """Drawings at the same time."""
    steps: int | None = Field(default=None, ge=1, le=1000)
    """Of a drawing; `None` for as many as the server makes."""
    canvas: Literal["source", "square"] = "source"
    """On what a picture is sent: as it is, or on a square between white bars, which are cut off again; for servers that
    draw squares alone."""
    seeds: bool = True
    """Whether it keeps to a seed, where its dialect has one."""

    @property
    def seeded(self) -> bool:
        """Whether it is sent a seed."""
        return self.seeds and self.speaks.seeds


class Remote(BaseModel):
    """All settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reader: Reader
    editor: Editor | None = None
    """`None`: it reads alone."""
    tries: int = Field(default=4, ge=1, le=20)
    """Of a request that a server has no time for."""
    backoff: float = Field(default=1.0, gt=0, le=60)
    """Seconds that the first wait between two tries has at most; each further one twice as many."""
    longest_side: int = Field(default=1536, ge=64, le=8192)
    """Of a picture that is sent; a larger one is scaled down."""
    prompts: str = "bagel"
    """Prompt set."""

    @property
    def stitched(self) -> bool:
        """Whether several pictures are sent side by side in one."""
        return self.reader.pictures == 1

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides results; how long and how often is asked does not."""
        idle = {"key_variable", "seconds", "concurrent", "per_minute"}
        kept = self.model_dump(exclude={"tries": True, "backoff": True, "reader": idle, "editor": idle})
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()

    @property
    def told(self) -> tuple[str, ...]:
        """Who is asked, and how pictures are sent, for people."""
        parts = (("reader", self.reader), ("editor", self.editor))
        asked = [f"{name} {part.model} at {part.host}" for name, part in parts if part]
        square = self.editor is not None and self.editor.canvas == "square"
        ways = ["pictures side by side"] * self.stitched + ["drawn on a square"] * square
        return (*asked, *ways, f"sides up to {self.longest_side}")


def read_settings(place: str = "", environment: Mapping[str, str] | None = None) -> Remote:
    """The settings that a user gave.

    Args:
        place: Of a YAML file; empty for the environment.
        environment: In the place of that of the process.

    Raises:
        SettingError: There are none, or one is wrong; with what was expected.
        UnknownNameError: There is no setting of that name.
    """
    environment = os.environ if environment is None else environment
    given = read_description(Path(place).expanduser(), "remote", EXAMPLE) if place else _of_environment(environment)
    where = repr(place) if place else "the environment"
    if not given:
        hint = f"Set ${PREFIX}READER_URL and ${PREFIX}READER_MODEL, or name a YAML file with `--weights FILE`."
        raise SettingError("The model 'remote' asks servers, and none was named.", hint)
    return settings_of(given, where)


def settings_of(given: Mapping[str, Any], where: str) -> Remote:
    """Settings as a mapping, checked; see `checked_settings`."""
    return checked_settings(Remote, given, "remote", where)


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    named = {environment.get(f"{PREFIX}{part.upper()}_KEY_VARIABLE") for part in KEYS}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable in {*KEYS.values(), *named} or not value.strip():
            continue
        field = VARIABLES.get(variable)
        if field is None:
            raise UnknownNameError("variable of the model 'remote'", variable, [*VARIABLES, *KEYS.values()])
        *part, name = field
        home = given.setdefault(part[0], {}) if part else given
        home[name] = _json(variable, value) if name == "extra" else value.strip()
    return given


def _json(variable: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        message = f"${variable} is no JSON; expected fields of a request."
        raise SettingError(message, f"""Write `export {variable}='{{"guidance_scale": 4}}'`.""") from None


VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    f"{PREFIX}{name.replace('.', '_').upper()}": tuple(name.split(".")) for name in setting_names(Remote)
}
"""Each setting by its variable of the environment."""
