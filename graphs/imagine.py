"""The loop: decide what to imagine, draw it, judge it, and then answer."""

from __future__ import annotations

from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer

from g2u.loop import nodes, routes
from g2u.loop.admission import MAX_ROUNDS
from g2u.loop.deciding.policies import Decider, ask_policy
from g2u.loop.drawing import Drawer, draw_with_model
from g2u.state import Context, Input, Output, State

from .references import with_references

RECURSION_LIMIT = 3 * MAX_ROUNDS + 4
"""Steps of the longest run: begin, three for each round, a last decide and the answer; one more is a bug of ours."""


def build_graph(
    checkpointer: Checkpointer = None, *, drawer: Drawer = draw_with_model, decider: Decider = ask_policy
) -> CompiledStateGraph[State, Context, Input, Output]:
    """Compile the loop.

    Budgets are kept by its nodes: see `Context`. Models are shared by all graphs of a process: see `get_engine`.

    Args:
        checkpointer: Keeps threads, so that a run that was stopped can go on (`ainvoke(None, config)`) and a thread can
            carry one question after the other. Checkpoints hold references to pictures, never pixels.
        drawer: Who draws the visual thoughts.
        decider: Who asks the policy what to draw.
    """
    builder = StateGraph(State, Context, input_schema=Input, output_schema=Output)
    builder.add_node("begin", nodes.begin_with(), metadata={"about": "check the question"})
    builder.add_node("decide", nodes.decide_with(drawer, decider), metadata={"about": "what to imagine"})
    builder.add_node("generate", nodes.generate_with(drawer), metadata={"about": "draw the visual thought"})
    builder.add_node("reflect", nodes.reflect, metadata={"about": "keep, retry or discard"})
    builder.add_node("answer", nodes.answer_with(), metadata={"about": "with the thought beside the original"})
    builder.add_edge(START, "begin")
    builder.add_edge("begin", "decide")
    builder.add_conditional_edges("decide", routes.after_decide)
    builder.add_conditional_edges("generate", routes.after_generate)
    builder.add_conditional_edges("reflect", routes.after_reflect)
    builder.set_finish_point("answer")
    return with_references(builder.compile(checkpointer, name="g2u")).with_config(recursion_limit=RECURSION_LIMIT)


graph = build_graph()
"""Without a checkpointer, as servers want it."""

one_shot = build_graph(checkpointer=False)
"""For single runs: inside another graph it does not take over that graph's checkpointer."""
