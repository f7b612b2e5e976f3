"""As a node with shared state: the graph around it has the loop's own keys.

python examples/node_shared_state.py
"""

import asyncio
from typing import NotRequired

from langgraph.graph import END, START, MessagesState, StateGraph
from picture import OPTIONS, QUESTION, save_picture

import g2u
from g2u.state import Answer, Round


class State(MessagesState):
    """What the graph around shares with the loop."""

    picture: g2u.ImageRef
    question: str
    options: NotRequired[list[str]]
    answer: NotRequired[Answer]
    direct: NotRequired[Answer]
    rounds: NotRequired[list[Round]]


def check(state: State) -> dict[str, str]:
    """A node of your own that goes on from the answer."""
    edits = ", ".join(turn.decision.edit for turn in state["rounds"])
    print(f"{state['answer'].text} after {edits}; from the original alone: {state['direct'].text}")
    return {}


async def main() -> None:
    """Ask in a graph of two nodes, and look at the steps of the loop inside."""
    builder = StateGraph(State)
    builder.add_node("imagine", g2u.as_node(rounds=1))
    builder.add_node("check", check)
    builder.add_edge(START, "imagine").add_edge("imagine", "check").add_edge("check", END)
    graph = builder.compile()

    picture = g2u.ImageStore("runs/pictures").add_file(save_picture())
    given = {"picture": picture, "question": QUESTION, "options": OPTIONS}
    async for part in graph.astream(given, stream_mode="updates", subgraphs=True, version="v2"):
        where = part["ns"][0].partition(":")[0] + "/" if part["ns"] else ""
        print(*(f"{where}{node}" for node in part["data"]))


if __name__ == "__main__":
    asyncio.run(main())
