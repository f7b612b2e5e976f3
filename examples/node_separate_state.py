"""As a node with separate state: two functions say what goes in and what comes out.

python examples/node_separate_state.py
"""

import asyncio
import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from picture import OPTIONS, QUESTION, save_picture

import g2u
from g2u.state import Output


class Report(TypedDict):
    """The state of a graph that knows nothing of the loop."""

    photo: str
    findings: Annotated[list[str], operator.add]


def ask(state: Report) -> dict[str, Any]:
    """What the loop takes."""
    return {"picture": state["photo"], "question": QUESTION, "options": OPTIONS}


def note(output: Output) -> dict[str, Any]:
    """What the report gets."""
    return {"findings": [f"exit: {output['answer'].text}"]}


async def main() -> None:
    """Write a report with two looks at the same picture, one of them without imagining."""
    builder = StateGraph(Report)
    builder.add_node("imagine", g2u.as_node(before=ask, after=note, rounds=1))
    builder.add_node("glance", g2u.as_node(before=ask, after=note, policy="none"))
    builder.add_edge(START, "imagine").add_edge("imagine", "glance").add_edge("glance", END)
    result = await builder.compile().ainvoke({"photo": str(save_picture()), "findings": []})
    print(result["findings"])


if __name__ == "__main__":
    asyncio.run(main())
