"""What may enter the graph: settings, question and model are checked once, before anything is drawn or written."""

from __future__ import annotations

import math
from collections.abc import Sequence

from g2u.edits import EditLibrary
from g2u.engine import get_engine
from g2u.errors import BudgetError, CapabilityError, QuestionError, UnknownNameError
from g2u.menu import Menu
from g2u.models.protocol import Capabilities, UnifiedModel
from g2u.policies import check_policy
from g2u.state import Context

MAX_ROUNDS = 16
"""Thoughts that one run may draw."""
MAX_STEPS = 1000
"""Sampler steps that one drawing may take."""


async def admit(
    context: Context, question: str, options: Sequence[str] = (), gold_edits: Sequence[str] = ()
) -> UnifiedModel:
    """Refuse a run that cannot work; load its model otherwise.

    Args:
        context: Settings of the run.
        question: In any language; not empty.
        options: None, or at least two different ones.
        gold_edits: Names of edits known to help; read by the policy `oracle` alone.

    Raises:
        QuestionError: The question or its options cannot be asked.
        BudgetError: A number of the settings is out of its range.
        UnknownNameError: No such model, policy, edit, family or fusion.
        ToolCallError: A fixed or gold edit is misspelt or cannot be picked for this question.
        CapabilityError: The model cannot do what the settings need.
        WeightsError: The model cannot be loaded.
    """
    check_question(question, options)
    check_ranges(context)
    menu = Menu(library=EditLibrary.load(), families=context.families, options=options)
    check_policy(context.policy, menu, gold_edits)
    model = await get_engine(context.model, context.weights).ready()
    if context.policy != "none":
        check_capabilities(context, model.capabilities)
    return model


def check_question(question: str, options: Sequence[str]) -> None:
    """Refuse an empty question, and options that are one, empty or alike."""
    if not question.strip():
        raise QuestionError("The question is empty.", 'Ask in words: g2u ask PICTURE "What colour is the circle?"')
    alike = {" ".join(option.split()).casefold() for option in options}
    if options and (len(options) < 2 or "" in alike or len(alike) < len(options)):
        raise QuestionError(f"Options must be at least two, none empty, no two alike; these are {list(options)}.")


def check_ranges(context: Context) -> None:
    """Refuse budgets and choices outside their ranges."""
    if not 1 <= context.rounds <= MAX_ROUNDS:
        raise BudgetError(f"A run has 1 to {MAX_ROUNDS} rounds, not {context.rounds}.")
    if not 1 <= context.steps <= MAX_STEPS:
        raise BudgetError(f"A drawing takes 1 to {MAX_STEPS} steps, not {context.steps}.")
    if not (context.seconds > 0 and math.isfinite(context.seconds)):
        raise BudgetError(f"A run needs a positive, finite number of seconds, not {context.seconds}.")
    if context.fusion not in ("concat", "replace"):
        raise UnknownNameError("fusion", context.fusion, ["concat", "replace"])


def check_capabilities(context: Context, capabilities: Capabilities) -> None:
    """Refuse a model that cannot draw, or cannot see a thought beside its source where the settings need that."""
    if capabilities.edits == "none":
        raise CapabilityError(f"The model {context.model!r} cannot draw.", "Use the policy `none`, or another model.")
    if capabilities.max_pictures < 2 and (context.reflect or context.fusion == "concat"):
        hint = "Switch reflection off and use the fusion `replace`."
        raise CapabilityError(f"The model {context.model!r} takes one picture, and these settings need two.", hint)
