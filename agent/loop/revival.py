"""Values of a state that came back from a checkpoint as plain dicts.

A graph that was compiled with a checkpointer tells it the types of its state. A LangGraph server puts its own
checkpointer beneath a graph and tells it nothing, so that after a resume, with `LANGGRAPH_STRICT_MSGPACK=true`, its
values are dicts; without that they are revived with a warning that this will end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel

from ..pictures.references import ImageRef
from ..state import Question, Round, Stop

S = TypeVar("S", bound=Mapping[str, Any])

TYPES: Final[Mapping[str, type[BaseModel]]] = {
    "picture": ImageRef,
    "pictures": ImageRef,
    "asked": Question,
    "pending": Round,
    "proposed": Round,
    "rounds": Round,
    "candidates": Round,
    "stopped": Stop,
}
"""What each value of a state is, or each member of it where it is a list."""


def revived(state: S) -> S:
    """The state with its values in their types; what has them already is not touched.

    Args:
        state: As a node gets it.
    """
    known = {name: kind for name, kind in TYPES.items() if name in state}
    return cast(S, {**state, **{name: _revived(state[name], kind) for name, kind in known.items()}})


def _revived(value: Any, kind: type[BaseModel]) -> Any:
    if isinstance(value, list):
        return [_revived(one, kind) for one in value]
    return kind.model_validate(value) if isinstance(value, dict) else value
