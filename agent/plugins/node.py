"""The loop as a node of a bigger LangGraph graph."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from g2u.graphs.imagine import RECURSION_LIMIT, build_graph

from ..asking import context_with, store_for
from ..pictures.held import take_held
from ..pictures.several import given_pictures
from ..state import Context, Input, Output

READS: Final = ("picture", "pictures", "question", "options", "gold_edits")
"""Keys of a shared state that the loop reads, where it has no `asked`."""
SPENT: Final = ("options", "gold_edits")
"""Those that belong to the question alone; the loop empties them with its answer."""
WRITES: Final = ("answer", "direct", "rounds", "stopped")
"""Keys of a shared state that the loop writes."""

Before = Callable[[Any], Mapping[str, Any]]
"""Makes what the loop takes out of the state around it: `picture` or `pictures`, `question` and, if wanted, `options`.
"""

After = Callable[[Output], Mapping[str, Any]]
"""Makes an update of the state of the graph around it out of what the loop gives: `answer`, `direct` and `rounds`."""


def as_node(
    context: Context | None = None,
    *,
    before: Before | None = None,
    after: After | None = None,
    out: str | Path | None = Path("runs"),
    **settings: Any,
) -> Runnable[Any, dict[str, Any]]:
    """The loop as a node: `builder.add_node("imagine", g2u.as_node())`.

    Without `before` and `after` it shares keys with the state around it: it reads `picture` or `pictures`, `question`,
    `options` and `gold_edits`, and writes `answer`, `direct`, `rounds` and `stopped`; and where there are `messages`,
    the answer as one more. With them the state around it may look as it likes.

    `options` and `gold_edits` belong to one question and are empty after its answer. Of a question that never came to
    one they stay, as everything does in a thread of LangGraph. So where a thread asks more than once, give the question
    as one value, a `g2u.Question` or a mapping with its fields, under the key `asked`: the next one replaces it whole.

    A picture is whatever `g2u.ask` takes. The loop's own events stream with `subgraphs=True`, its steps are kept with
    the checkpointer of the graph around it, and it has a recursion limit of its own.

    Args:
        context: Settings of every run; the context of the graph around it is its own. `None` for the defaults.
        before: What the loop takes, made of the state.
        after: The update of the state, made of what the loop gives.
        out: The pictures are kept in `pictures` in this folder where no other store is set.
        **settings: Fields of `Context`: `policy="score"`, ...

    Raises:
        SettingError: The context is none.
        UnknownNameError: There is no such setting.
    """
    settled, keeping = context_with(context, settings), build_graph()
    store = store_for(settled, Path(out) if out else None)
    settled.store = str(store.root)

    def enter(state: Any) -> Input:
        found = before(state) if before else state
        if (asked := found.get("asked")) is not None:
            found = dict(asked)
        given = {key: found[key] for key in READS if found.get(key) is not None}
        wanted = given_pictures(given) or [None]
        given["pictures"] = [take_held(one, store) for one in wanted]
        given.pop("picture", None)
        return {"question": "", **given}  # type: ignore[typeddict-item]  # the loop's first node checks it

    def update(state: Any, output: Output) -> dict[str, Any]:
        if after:
            return dict(after(output))
        told = {"messages": output.get("messages") or [AIMessage(output["answer"].text)]}
        spent = () if before else SPENT
        return (
            {key: output[key] for key in WRITES}
            | {key: value for key, value in told.items() if key in state}
            | {key: [] for key in spent if state.get(key)}
        )

    def own(config: RunnableConfig) -> RunnableConfig:
        return {**config, "recursion_limit": RECURSION_LIMIT}

    async def imagine(state: Any, config: RunnableConfig) -> dict[str, Any]:
        given = await asyncio.to_thread(enter, state)
        return update(state, await keeping.ainvoke(given, own(config), context=settled))  # type: ignore[arg-type]  # a plain dict

    def imagine_and_wait(state: Any, config: RunnableConfig) -> dict[str, Any]:
        return update(state, keeping.invoke(enter(state), own(config), context=settled))  # type: ignore[arg-type]  # a plain dict

    return RunnableLambda(imagine_and_wait, imagine, name="imagine")
