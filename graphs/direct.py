"""The baseline: the answer from the original alone."""

from __future__ import annotations

from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer

from g2u.loop import nodes
from g2u.state import Context, Input, Output, State

from .references import with_references


def build_graph(checkpointer: Checkpointer = None) -> CompiledStateGraph[State, Context, Input, Output]:
    """Compile the baseline; it takes and gives what the loop does, and draws nothing.

    Args:
        checkpointer: Keeps threads.
    """
    builder = StateGraph(State, Context, input_schema=Input, output_schema=Output)
    builder.add_node("begin", nodes.begin_with(policy="none"), metadata={"about": "check the question"})
    builder.add_node("answer", nodes.answer_with(policy="none"), metadata={"about": "from the original alone"})
    builder.add_edge(START, "begin")
    builder.add_edge("begin", "answer")
    builder.set_finish_point("answer")
    return with_references(builder.compile(checkpointer, name="g2u_direct")).with_config(recursion_limit=4)


graph = build_graph()
"""Without a checkpointer, as servers want it."""
