"""What a request means by what it says: `null` is left out, JSON text is a list, a message may come in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from ..loop.asked import parsed
from ..state import Context, Input

FIELDS: Final = tuple(Input.__annotations__)
"""Of an input."""
SETTINGS: Final = tuple(field.name for field in fields(Context))

_LISTS: Final = ("messages", "pictures", "options", "gold_edits", "families")
"""Fields and settings that hold lists."""
_NULLABLE: Final = tuple(field.name for field in fields(Context) if field.default is None)
"""Settings of which `null` is a value."""


def state_as_meant(given: Any) -> Any:
    """An input, or an update of the state.

    Args:
        given: As it came.
    """
    if not isinstance(given, Mapping):
        return given
    meant = {name: _list_of(name, value) for name, value in given.items() if value is not None or name not in FIELDS}
    return {**meant, "messages": _joined(meant["messages"])} if isinstance(meant.get("messages"), list) else meant


def written_as_meant(written: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a request that end in the state of a thread.

    Args:
        written: Its fields `input`, `values`, `command` and `supersteps`, as far as it has them, and others.
    """
    meant = dict(written)
    for name in ("input", "values", "update"):
        if name in meant:
            meant[name] = state_as_meant(meant[name])
    for name in ("command", "supersteps", "updates"):
        inner = meant.get(name)
        if isinstance(inner, Mapping):
            meant[name] = written_as_meant(inner)
        elif isinstance(inner, list):
            meant[name] = [written_as_meant(one) if isinstance(one, Mapping) else one for one in inner]
    return meant


def settings_as_meant(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run; those that are none stay as they are.

    Args:
        settings: As they came.
    """
    unset = set(SETTINGS).difference(_NULLABLE)
    return {name: _list_of(name, value) for name, value in settings.items() if value is not None or name not in unset}


def _list_of(name: str, value: Any) -> Any:
    return parsed(value) if name in _LISTS else value


def _joined(messages: list[Any]) -> list[Any]:
    """Messages of which none replaces the one before it.

    Of two with one identifier a thread keeps the last; the LangGraph server makes each text of an A2A message a message
    of its own, all with the identifier of the whole.
    """
    joined: list[Any] = []
    for message in messages:
        before = joined[-1] if joined else {}
        if _is_piece(before) and _is_piece(message) and _beside_content(before) == _beside_content(message):
            joined[-1] = {**before, "content": [*_parts(before["content"]), *_parts(message["content"])]}
        else:
            joined.append(message)
    return joined


def _is_piece(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("id") is not None and message.get("content") is not None


def _beside_content(message: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in message.items() if name != "content"}


def _parts(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]
