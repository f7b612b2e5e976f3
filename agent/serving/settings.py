"""What whoever runs the server has chosen, by environment variables, and what clients may therefore not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

from ..loop.deciding.policies import is_own
from .problems import ForbiddenError

GRAPHS: Final[Mapping[str, str]] = {
    "imagine": "The loop: decide what to imagine, draw it, judge it, then answer a question about pictures.",
    "explore": "Draw several candidate edits at once, keep the best thought, then answer a question about pictures.",
    "direct": "The baseline: answer a question about pictures without imagining.",
}
"""The graphs that are served, with their descriptions."""

CONFIG: Final[Mapping[str, Any]] = {
    "dependencies": ["."],
    "graphs": {
        name: {"path": f"g2u.graphs.{name}:graph", "description": description} for name, description in GRAPHS.items()
    },
    "http": {
        "app": "g2u.serving.app:app",
        "disable_mcp": True,
        "enable_custom_route_auth": True,
        "middleware_order": "auth_first",
        "cors": {
            "allow_origins": ["https://smith.langchain.com"],
            "allow_origin_regex": "https?://(localhost|127\\.0\\.0\\.1)(:[0-9]+)?",
            "allow_methods": ["*"],
            "allow_headers": ["*"],
            "expose_headers": ["content-location", "x-pagination-total", "x-pagination-next"],
        },
    },
    "env": ".env",
}
"""What `langgraph.json` holds, for those who installed the package alone."""

_NAMESPACE: Final = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
ASSISTANTS: Final[Mapping[str, str]] = {
    **{name: name for name in GRAPHS},
    **{str(uuid5(_NAMESPACE, name)): name for name in GRAPHS},
}
"""Graph by the identifier of the assistant that the server makes for it, or by its own name."""

KEPT: Final[Mapping[str, tuple[str, str]]] = {
    "store": ("G2U_PICTURES", "Where pictures are kept"),
    "weights": ("G2U_WEIGHTS", "The folder of weights"),
}
"""Settings that name folders of the server's machine: variable, and what it is."""


def served_model() -> tuple[str, str]:
    """Key and folder of weights of the model that the server was started for."""
    return os.environ.get("G2U_MODEL") or "mini", os.environ.get("G2U_WEIGHTS", "")


def listed(variable: str) -> list[str]:
    """The names in a variable that lists what requests may choose, `G2U_MODELS` or `G2U_WRITERS`."""
    return [name for one in os.environ.get(variable, "").split(",") if (name := one.strip())]


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that would let a client read or write folders of the server's machine, or spend what is not its.

    Another model takes memory, a writer is asked with the keys of whoever runs the server, and what is named by a place
    (`package.module:function`, `path/to/file.py:function`) or brought by a package is code that runs there.

    Args:
        settings: The `context` or `config.configurable` of a request.

    Raises:
        ForbiddenError: One of them names a folder, or a model, policy or writer that is not listed.
    """
    for name, (variable, what) in KEPT.items():
        if settings.get(name) not in (None, "", os.environ.get(variable, "")):
            hint = f"Leave {name!r} out, or start the server with ${variable} set."
            raise ForbiddenError(f"{what} is chosen by whoever runs the server, not by a request.", hint)
    named = str(settings.get("policy") or "")
    policy, _, writer = named.partition(":")
    wanted = (
        ("model", settings.get("model"), "G2U_MODELS", served_model()[0]),
        ("policy", named if is_own(named) else "", "G2U_POLICIES", ""),
        ("writer", writer if policy == "writer" else "", "G2U_WRITERS", ""),
    )
    for kind, asked, variable, own in wanted:
        if asked and asked not in (own, *listed(variable)):
            hint = f"Leave it out, or start the server with ${variable} set to those that requests may choose."
            raise ForbiddenError(f"This server does not let a request choose the {kind} {asked!r}.", hint)


def with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the server's model where they name none."""
    key, weights = served_model()
    if settings.get("model") in (None, "", key):
        return {**settings, "model": key, "weights": weights}
    return dict(settings)
