"""Graphs whose input is references before anything sees it: tracers, checkpoints and streams among it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from copy import copy
from dataclasses import replace
from typing import Any, cast

from langchain_core.messages import BaseMessage
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import get_runtime
from langgraph.types import Command, Send, StateUpdate
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
        whole = cast("AsyncGenerator[Any]", super().astream(given, config, context=context, **more))
        async with aclosing(whole) as parts:
            async for part in parts:
                yield part

    def bulk_update_state(self, config: Any, supersteps: Sequence[Sequence[StateUpdate]]) -> Any:
        """As in LangGraph; `update_state` comes here too."""
        return super().bulk_update_state(config, _updates(supersteps))

    async def abulk_update_state(self, config: Any, supersteps: Sequence[Sequence[StateUpdate]]) -> Any:
        """As in LangGraph; `aupdate_state` comes here too."""
        return await super().abulk_update_state(config, await asyncio.to_thread(_updates, supersteps))


def with_references(
    graph: CompiledStateGraph[StateT, ContextT, InputT, OutputT],
) -> CompiledStateGraph[StateT, ContextT, InputT, OutputT]:
    """The same graph, with references in the place of the pictures of its input."""
    return ReferencingGraph(**{name: value for name, value in vars(graph).items() if name != "__orig_class__"})


def referenced(given: Any, context: object) -> Any:
    """An input, or a command with an update of the state, without data of pictures.

    Args:
        given: For a graph of ours.
        context: Of the run; its `store` names it.

    Raises:
        PictureError: As `take_picture`.
    """
    if given is None:
        return None
    if context is None:  # inside another graph it is the one of that graph's run
        with suppress(RuntimeError, KeyError):
            context = get_runtime().context
    folder = context.get("store") if isinstance(context, Mapping) else getattr(context, "store", "")
    return _taken(given, get_store(folder if isinstance(folder, str) else ""))


def _updates(supersteps: Sequence[Sequence[StateUpdate]]) -> list[list[StateUpdate]]:
    """What is written into a state by hand, without data of pictures; they go to the store of `$G2U_PICTURES`."""
    return [[one._replace(values=referenced(one.values, None)) for one in step] for step in supersteps]


def _taken(value: Any, store: ImageStore) -> Any:
    if isinstance(value, Command):
        parts = {name: _taken(getattr(value, name), store) for name in ("update", "goto", "resume")}
        return replace(value, **parts)
    if isinstance(value, Send):
        sent = copy(value)  # with whatever else a release of LangGraph sends along
        sent.arg = _taken(value.arg, store)
        return sent
    if isinstance(value, BaseMessage):
        return without_data(value, store)
    if isinstance(value, Mapping):
        if source_of(value) is not None:
            return take_data(value, store)
        return {name: _taken(_addresses(name, inner), store) for name, inner in value.items()}
    if isinstance(value, list):
        return [_taken(inner, store) for inner in value]
    if isinstance(value, tuple):
        return tuple(_taken(inner, store) for inner in value)
    return take_data(value, store)


def _addresses(name: object, value: Any) -> Any:
    """The fields `picture` and `pictures` as addresses, where they came as parts of a message."""
    if name == "pictures" and isinstance(value, (list, tuple)):
        return [_addresses("picture", one) for one in value]
    source = source_of(value) if name == "picture" and isinstance(value, Mapping) else None
    return value if source is None else source
