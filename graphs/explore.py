"""Candidates all at once: name edits, draw and judge each by itself, keep the best thought, and then answer."""

from __future__ import annotations

from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer

from g2u.loop import exploring, nodes, routes
from g2u.loop.drawing import Drawer, draw_with_model
from g2u.loop.exploring import Attempt, Attempted, Explored, Exploring
from g2u.state import Context, Input

from .references import with_references

RECURSION_LIMIT = 8
"""Steps of a run: begin, propose, the attempts, choose and answer; one more is a bug of ours."""


def build_attempt(drawer: Drawer = draw_with_model) -> CompiledStateGraph[Attempt, Context, Attempt, Attempted]:
    """Compile the sub-graph of one candidate.

    Args:
        drawer: Who draws it.
    """
    builder = StateGraph(Attempt, Context, output_schema=Attempted)
    builder.add_node("draw", exploring.draw_with(drawer), metadata={"about": "draw one candidate"})
    builder.add_node("judge", exploring.judge, metadata={"about": "how sure the model is to keep it"})
    builder.add_edge(START, "draw")
    builder.add_conditional_edges("draw", routes.after_draw)
    builder.set_finish_point("judge")
    return builder.compile(name="attempt")


def build_graph(
    checkpointer: Checkpointer = None, *, drawer: Drawer = draw_with_model
) -> CompiledStateGraph[Exploring, Context, Input, Explored]:
    """Compile the graph: `Context.rounds` candidates, drawn in common batches.

    Args:
        checkpointer: Keeps threads; checkpoints hold references to pictures, never pixels.
        drawer: Who draws the candidates.
    """
    builder = StateGraph(Exploring, Context, input_schema=Input, output_schema=Explored)
    builder.add_node("begin", nodes.begin_with(exploring.ANEW), metadata={"about": "check the question"})
    builder.add_node("propose", exploring.propose_with(drawer), metadata={"about": "what could be imagined"})
    builder.add_node("attempt", build_attempt(drawer), metadata={"about": "each candidate by itself"})
    builder.add_node("choose", exploring.choose, defer=True, metadata={"about": "keep the best thought"})
    builder.add_node("answer", nodes.answer_with(), metadata={"about": "with the thought beside the original"})
    builder.add_edge(START, "begin")
    builder.add_edge("begin", "propose")
    builder.add_conditional_edges("propose", routes.after_propose, ["attempt", "answer"])
    builder.add_edge("attempt", "choose")
    builder.add_edge("choose", "answer")
    builder.set_finish_point("answer")
    return with_references(builder.compile(checkpointer, name="g2u_explore")).with_config(
        recursion_limit=RECURSION_LIMIT
    )


graph = build_graph()
"""Without a checkpointer, as servers want it."""
