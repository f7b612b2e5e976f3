"""Graphs whose input is references before anything sees it: tracers, checkpoints and streams among it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import get_runtime
from langgraph.types import Command, Send
from langgraph.typing import ContextT, InputT, OutputT, StateT

from g2u.loop.asked import without_data
from g2u.pictures.intake import take_data
from g2u.pictures.shapes import source_of
from g2u.pictures.store import ImageStore, get_store


class ReferencingGraph(CompiledStateGraph[StateT, ContextT, InputT, OutputT]):
    """A compiled graph that keeps the pictures of its input in the store and goes on with references.

    LangGraph hands an input to tracers and checkpointers before the first node has it.
    """

    def stream(self, input: Any, config: Any = None, *, context: Any = None, **more: Any) -> Iterator[Any]:
        """As in LangGraph; `invoke` and `batch` come here too."""
        return super().stream(referenced(input, context), config, context=context, **more)

    async def astream(self, input: Any, config: Any = None, *, context: Any = None, **more: Any) -> AsyncIterator[Any]:
        """As in LangGraph; `ainvoke` and `abatch` come here too."""
        given = await asyncio.to_thread(referenced, input, context)
        async for part in super().astream(given, config, context=context, **more):
            yield part


def with_references(
    graph: CompiledStateGraph[StateT, ContextT, InputT, OutputT],
) -> CompiledStateGraph[StateT, ContextT, InputT, OutputT]:
    """The same graph, with references in the place of the pictures of its input."""
    return ReferencingGraph(**{name: value for name, value in vars(graph).items() if name != "__orig_class__"})


def referenced(given: Any, context: object) -> Any:
    """An input, or a command with an update of the state, without data of pictures.

    Args:
        given: For a graph of ours.
        context: Of the run; its `pictures` names the store.

    Raises:
        PictureError: As `take_picture`.
    """
    if given is None:
        return None
    if context is None:  # inside another graph it is the one of that graph's run
        with suppress(RuntimeError, KeyError):
            context = get_runtime().context
    folder = context.get("pictures") if isinstance(context, Mapping) else getattr(context, "pictures", "")
    return _taken(given, get_store(folder if isinstance(folder, str) else ""))


def _taken(value: Any, store: ImageStore) -> Any:
    if isinstance(value, Command):
        return replace(value, update=_taken(value.update, store), goto=_taken(value.goto, store))
    if isinstance(value, Send):
        return Send(value.node, _taken(value.arg, store))
    if isinstance(value, BaseMessage):
        return without_data(value, store)
    if isinstance(value, Mapping):
        if source_of(value) is not None:
            return take_data(value, store)
        return {name: _taken(_address(name, inner), store) for name, inner in value.items()}
    if isinstance(value, list):
        return [_taken(inner, store) for inner in value]
    if isinstance(value, tuple):
        return tuple(_taken(inner, store) for inner in value)
    return take_data(value, store)


def _address(name: object, value: Any) -> Any:
    """The field `picture` as an address, where it came as a part of a message."""
    source = source_of(value) if name == "picture" and isinstance(value, Mapping) else None
    return value if source is None else source
