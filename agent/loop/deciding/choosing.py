"""Policies by which the model itself picks from the menu: by a call that it writes, by likelihood, by trying."""

from __future__ import annotations

import asyncio
import math

from ...edits.library import NONE, EditCall
from ...errors import BudgetError
from ...state import Answer, Decision
from .situation import Situation, ask_again, probabilities

PROBED = 3
"""Calls that the policy `probe` draws unless told otherwise."""
MAX_PROBED = 16
"""Calls that it may draw."""


async def choose_self(situation: Situation) -> Decision:
    """The model writes a call; one that cannot be parsed or is not on the menu is asked again, with the error."""
    menu = situation.menu

    async def ask(error: str) -> str:
        return await situation.written(situation.prompt(error=error))

    return await ask_again(situation, ask, lambda reply: menu.settle(menu.library.parse(reply)), "The model")


async def choose_score(situation: Situation) -> Decision:
    """The likeliest call of the menu, by the log-probability of its text."""
    likely = await likelihood(situation)
    best = max(likely, key=likely.__getitem__)
    call = situation.menu.library.parse(best)
    return situation.decision(call, f"The likeliest of {len(likely)} calls: {likely[best]:.3f}.", scores=likely)


async def choose_naive(situation: Situation) -> Decision:
    """The edit whose description is likeliest per token after a neutral prompt: no training of the choice.

    Of several pictures each has descriptions of its own, which begin with its number. Log-probabilities are divided by
    the number of tokens, since a longer description is less likely whatever it says.
    """
    menu, first = situation.menu, dict[tuple[str, int | None], EditCall]()
    for call in menu.calls:
        first.setdefault((call.edit, call.on), call)
    calls = list(first.values())
    described = [(call, menu.library.get(call.edit).helps) for call in calls]
    scores = await situation.engine.score(
        situation.store,
        situation.pictures,
        situation.prompt("naive"),
        [f"Picture {call.on}: {helps}" if call.on else helps for call, helps in described],
        per_token=True,
        deadline=situation.deadline,
    )
    likely = probabilities([call.text for call in calls], scores)
    best = calls[scores.index(max(scores))]
    reason = (
        f"No training of the choice: of {len(calls)} descriptions of edits its own is the likeliest per token, "
        f"at a mean log-probability of {max(scores):.3f}."
    )
    return situation.decision(best, reason, scores=likely)


async def choose_probe(situation: Situation) -> Decision:
    """The call after whose drawing the model is surest of its answer: of the likeliest few, and of none.

    The likeliest calls by `score` are drawn and answered with, as if each were kept; so is the answer as it stands.
    """
    assert situation.draw and situation.answer, "the loop gives both"
    likely = await likelihood(situation)
    ranked = sorted(situation.menu.calls, key=lambda call: likely[call.text], reverse=True)
    calls = [call for call in ranked if call.edit != NONE][: probed(situation.policy)]
    thoughts = await asyncio.gather(*map(situation.draw, calls))
    tries = [(EditCall(edit=NONE), None), *zip(calls, thoughts, strict=True)]
    answers = await asyncio.gather(
        *(situation.answer(situation.decision(call, "On trial."), thought) for call, thought in tries)
    )
    doubts = [doubt(answer) for answer in answers]
    told = ", ".join(f"{value:.3f} after {call.text}" for value, (call, _) in zip(doubts, tries, strict=True))
    best = doubts.index(min(doubts))  # the first, so that nothing is drawn in vain
    reason = f"Of {len(tries)} answers the one after it leaves the least doubt, in nats: {told}."
    return situation.decision(tries[best][0], reason, scores=likely)


def probed(policy: str) -> int:
    """How many calls `probe` or `probe:K` draws.

    Raises:
        BudgetError: K is no number, or out of range.
    """
    wanted = policy.partition(":")[2] or str(PROBED)
    if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= MAX_PROBED):
        raise BudgetError(f"The policy {policy!r} draws no number of edits; expected probe:1 to probe:{MAX_PROBED}.")
    return int(wanted)


def doubt(answer: Answer) -> float:
    """How unsure an answer is, in nats: the entropy over its options; of a free one, the mean surprise of a token."""
    if answer.probabilities:
        return -math.fsum(value * math.log(value) for value in answer.probabilities.values() if value > 0)
    assert answer.log_probability is not None, "refused for a model that does not tell it"
    return -answer.log_probability / max(answer.tokens, 1)


async def likelihood(situation: Situation) -> dict[str, float]:
    """Probability of the text of each call of the menu."""
    calls = [call.text for call in situation.menu.calls]
    scores = await situation.engine.score(
        situation.store, situation.pictures, situation.prompt(), calls, deadline=situation.deadline
    )
    return probabilities(calls, scores)
