"""The settings as a form shows them: with choices and bounds, and only what this server lets a request choose.

Studio draws its form from the schema of `GET /assistants/ID/schemas`. The server of LangGraph makes it from `Context`
and needs all of its fields, so that what is offered is cut out of its reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..edits.library import NONE, EditLibrary
from ..edits.menu import Menu
from ..engine.registry import get_engine
from ..loop.admission import MAX_ROUNDS, MAX_STEPS, MAX_TOKENS
from ..loop.deciding.policies import POLICIES
from ..loop.exploring import PROPOSERS
from ..pictures.several import MOST_ASKED
from .settings import KEPT, listed, served_model

PATH: Final = r"/assistants/[^/]+/schemas"
"""Where the schemas of an assistant are had."""
BOUNDS: Final[Mapping[str, Mapping[str, float]]] = {
    "on": {"minimum": 1, "maximum": MOST_ASKED},
    "rounds": {"minimum": 1, "maximum": MAX_ROUNDS},
    "steps": {"minimum": 1, "maximum": MAX_STEPS},
    "max_tokens": {"minimum": 1, "maximum": MAX_TOKENS},
    "seconds": {"exclusiveMinimum": 0},
}
"""What numbers may be, as `check_ranges` refuses others."""


def offer(schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas of an assistant, those of its settings as a form should show them.

    Args:
        schemas: The reply of the LangGraph server.
    """
    graph = str(schemas.get("graph_id"))
    for kind in ("context_schema", "config_schema"):
        if properties := (schemas.get(kind) or {}).get("properties"):
            schemas[kind] = {**schemas[kind], "properties": _offered(properties, graph)}
    return schemas


def _offered(properties: Mapping[str, Any], graph: str) -> dict[str, Any]:
    served, _ = served_model()
    families = [name for name in EditLibrary.load().families if name != NONE]
    changes: dict[str, dict[str, Any]] = {
        "model": {"enum": [served, *(name for name in listed("G2U_MODELS") if name != served)], "default": served},
        "policy": {"enum": _policies(graph)},
        "families": {"items": {"type": "string", "enum": families}},
        **{name: dict(bounds) for name, bounds in BOUNDS.items()},
    }
    if graph == "explore":
        changes["pause"] = {"enum": ["never", "answer"]}
    return {name: {**one, **changes.get(name, {})} for name, one in properties.items() if name not in KEPT}


def _policies(graph: str) -> list[str]:
    """The finite ones: all that need nothing after their name, each fixed edit and the writers that are listed."""
    if graph == "explore":
        return [*PROPOSERS]
    library, engine = EditLibrary.load(), get_engine(*served_model())
    # Only a model that is loaded can tell what it was taught, and another one may be chosen where more are listed.
    able = engine.model.capabilities if engine.loaded and not listed("G2U_MODELS") else None
    taught, skills = (able.instructions, able.skills) if able else (None, frozenset[str]())
    menu = Menu(library=library, families=[], options=[], instructions=taught, skills=skills)
    plain = [
        name
        for name, entry in POLICIES.items()
        if (entry.optional or not entry.argument)
        and (taught is None or not entry.writes)
        and (able is None or able.native or not entry.native)
    ]
    fixed = dict.fromkeys(f"fixed:{call.edit}" for call in menu.calls if call.edit != NONE)
    writers = [f"writer:{name}" for name in listed("G2U_WRITERS")] if taught is None else []
    return [*plain, *fixed, *writers]
