"""Tables of docs/other-models.md, made from what they are tables of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from pydantic_core import PydanticUndefined

from g2u.conformance.servers import DEMANDS
from g2u.models.pair.model import capabilities_of
from g2u.models.pair.pipelines import PIPELINES
from g2u.models.protocol import Capabilities
from g2u.models.remote.dialects import DIALECTS
from g2u.models.remote.model import RemoteModel
from g2u.models.remote.settings import VARIABLES, Editor, Reader, Remote

ABOUT = {
    "backoff": "seconds of the first wait between two tries at most; each further one has twice as many",
    "canvas": "`source`, or `square`, between white bars, for servers that draw squares alone",
    "concurrent": "requests at the same time",
    "dialect": "how the server calls things, see below",
    "extra": "further fields of each request",
    "key_variable": "variable that holds the key",
    "logprobs": "whether it tells log-probabilities of what it writes",
    "longest_side": "pixels of a picture that is sent; a larger one is scaled down",
    "model": "what the server calls the model",
    "per_minute": "requests in a minute",
    "pictures": "that it takes in one request",
    "prompts": "prompt set",
    "seconds": "that one try may take",
    "seeds": "whether it keeps to a seed, where its dialect has one",
    "steps": "of a drawing; else as many as the server makes",
    "temperature": "whether it takes a temperature",
    "text": "what it is told, with `{text}` for the text",
    "tries": "of a request",
    "url": "where its requests begin",
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])


def tables() -> dict[str, str]:
    """Every table by its name."""
    return {
        "declares": _declares(),
        "settings": "\n".join(_settings()),
        "dialects": _table(
            ["dialect", "spoken by", "limit of tokens", "size", "`response_format`", "seed of a drawing", "steps"],
            [
                [
                    f"`{name}`",
                    one.about,
                    f"`{one.limit}`",
                    "that of the picture" if one.size == "pixels" else "`auto`",
                    "`b64_json`" if one.base64_wanted else "not sent",
                    "`seed`" if one.seeds else "none",
                    f"`{one.steps}`" if one.steps else "none",
                ]
                for name, one in DIALECTS.items()
            ],
        ),
        "demands": _table(
            ["demand", "what is demanded", "where it is not heeded", "what to do"],
            [[f"`{name}`", one.about, one.means, one.remedy] for name, one in DEMANDS.items()],
        ),
        "pipelines": _table(
            ["pipeline", "weights, for example", "picture", "guidance", "steps", "size", "reader within"],
            [
                [
                    f"`{name}`",
                    one.weights,
                    f"`{'[' * one.nested}{one.picture}{']' * one.nested}`",
                    ", ".join(f"`{scale}` {setting.default}" for scale, setting in one.scales.items()),
                    str(one.steps),
                    ", ".join(f"`{name}`" for name in one.size) or "of the picture",
                    f"`{one.reader[0]}`" if one.reader else "none",
                ]
                for name, one in PIPELINES.items()
            ],
        ),
    }


def _settings() -> Iterable[str]:
    fields = {
        **{name: field for name, field in Remote.model_fields.items() if name not in ("reader", "editor")},
        **{f"reader.{name}": field for name, field in Reader.model_fields.items()},
        **{f"editor.{name}": field for name, field in Editor.model_fields.items()},
    }
    for variable, place in VARIABLES.items():
        name, default = ".".join(place), fields[".".join(place)].default
        told = (
            "" if default is PydanticUndefined else f"`{json.dumps(default)}`" if default not in (None, "") else "none"
        )
        yield f"| `{name}` | `${variable}` | {told or 'needed'} | {ABOUT[place[-1]]} |"


def declared() -> dict[str, Capabilities]:
    """What both kinds declare with their settings as they are unless told otherwise, by the heads of a table."""
    server = {"url": "http://127.0.0.1:8000/v1", "model": "any"}
    remote = RemoteModel(Remote.model_validate({"reader": server, "editor": server | {"model": "other"}})).capabilities
    row = next(iter(PIPELINES.values()))
    own, shared = (capabilities_of(row, 8, 8, same, deterministic=True) for same in (False, True))
    return {"`remote`": remote, "`pair`": own, "`pair`, reader within": shared}


def _declares() -> str:
    kinds = declared()
    names = (
        *("edits", "seeded", "scores", "log_probabilities", "temperature", "max_pictures", "text_segments"),
        *("drawing_view", "thinks", "aspect", "same_weights", "max_batch", "max_drawings", "previews", "deterministic"),
    )
    rows = [[f"`{name}`", *(_said(getattr(able, name)) for able in kinds.values())] for name in names]
    return _table(["declares", *kinds], rows)


def _said(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
