"""Who picks the edit: a table from a policy's name to an async function of the situation.

Every policy picks from the menu of the question. A call that is not on it is moved to the first choice of its arguments
that is, and the reason of the decision says so; where there is none, `self` asks the model again, the others refuse.
Arguments that a person gave, to `fixed`, are never moved.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from g2u import prompts
from g2u.edits import NONE, EditCall
from g2u.engine import Engine
from g2u.errors import QuestionError, ToolCallError, UnknownNameError
from g2u.menu import Menu
from g2u.pictures import ImageRef, ImageStore
from g2u.state import Decision

ATTEMPTS = 3
"""Times that the policy `self` asks the model for a call that can be made."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Everything that a policy may know."""

    policy: str
    """Full name, as in `Context.policy`."""
    engine: Engine
    store: ImageStore
    prompt_set: str
    picture: ImageRef
    """The picture to be edited: the original, or the last kept thought."""
    question: str
    """The stem; the options are known to the menu's leak lint alone."""
    menu: Menu
    tried: Sequence[EditCall] = ()
    """Calls of earlier rounds whose thoughts were not kept; the model is told and may repeat one, with other noise."""
    gold_edits: Sequence[str] = ()
    """Names; read by `oracle` alone."""
    seed: int = 0
    round: int = 1
    deadline: float | None = None
    """In `time.monotonic()` seconds."""

    def prompt(self, name: str = "decide", *, error: str = "") -> str:
        """What the model is asked by that template, with what was wrong with its last call."""
        tried = [call.edit for call in self.tried]
        library = self.menu.library
        edits = [library.get(edit) for edit in dict.fromkeys(call.edit for call in self.menu.calls)]
        return prompts.render(self.prompt_set, name, question=self.question, edits=edits, tried=tried, error=error)

    def decision(
        self, call: EditCall, reason: str, *, attempts: int = 1, scores: Mapping[str, float] | None = None
    ) -> Decision:
        """Put a call into the words of the drawer and the trace."""
        library = self.menu.library
        return Decision(
            edit=call.edit,
            family=library.get(call.edit).family,
            arguments=call.arguments,
            instruction=library.instruction(call, self.question),
            policy=self.policy,
            reason=reason,
            scores=dict(scores or {}),
            attempts=attempts,
        )

    def nothing_more(self) -> Decision:
        """The decision of a policy that has made its pick."""
        return self.decision(EditCall(edit=NONE), f"The policy {self.policy!r} has nothing more to try.")


Policy = Callable[[Situation], Awaitable[Decision]]


def probabilities(names: Sequence[str], log_probabilities: Sequence[float]) -> dict[str, float]:
    """Softmax over log-probabilities, by name; sums to one."""
    top = max(log_probabilities)
    weights = [math.exp(value - top) for value in log_probabilities]
    return {name: weight / math.fsum(weights) for name, weight in zip(names, weights, strict=True)}


async def choose_self(situation: Situation) -> Decision:
    """The model writes a call; one that cannot be parsed or is not on the menu is asked again, with the error."""
    menu, attempts, error = situation.menu, 0, ""

    async def ask() -> Decision:
        nonlocal attempts, error
        attempts += 1
        prompt = situation.prompt(error=error)
        reading = await situation.engine.read(situation.store, [situation.picture], prompt, deadline=situation.deadline)
        try:
            call, note = menu.settle(menu.library.parse(reading.text))
        except ToolCallError as mistake:
            error = mistake.message
            raise
        return situation.decision(call, f"The model's own call.{note}", attempts=attempts)

    try:
        return await AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS), retry=retry_if_exception_type(ToolCallError), reraise=True
        )(ask)
    except ToolCallError as mistake:
        reason = f"In {attempts} attempts the model made no call that can be made. The last error: {mistake.message}"
        return situation.decision(EditCall(edit=NONE), reason, attempts=attempts)


async def choose_score(situation: Situation) -> Decision:
    """The likeliest call of the menu, by the log-probability of its text."""
    calls = {call.text: call for call in situation.menu.calls}
    scores = await situation.engine.score(
        situation.store, [situation.picture], situation.prompt(), list(calls), deadline=situation.deadline
    )
    likely = probabilities(list(calls), scores)
    best = max(likely, key=likely.__getitem__)
    return situation.decision(calls[best], f"The likeliest of {len(calls)} calls: {likely[best]:.3f}.", scores=likely)


async def choose_naive(situation: Situation) -> Decision:
    """The edit whose description is likeliest per token after a neutral prompt: no training of the choice.

    Log-probabilities are divided by the number of tokens, since a longer description is less likely whatever it says.
    """
    menu, first = situation.menu, dict[str, EditCall]()
    for call in menu.calls:
        first.setdefault(call.edit, call)
    calls = list(first.values())
    scores = await situation.engine.score(
        situation.store,
        [situation.picture],
        situation.prompt("naive"),
        [menu.library.get(call.edit).helps for call in calls],
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


async def choose_fixed(situation: Situation) -> Decision:
    """The call in the policy's name, once."""
    if situation.round > 1:
        return situation.nothing_more()
    call, note = fixed_call(situation.policy, situation.menu)
    return situation.decision(call, f"Fixed by the caller.{note}")


async def choose_random(situation: Situation) -> Decision:
    """An edit drawn evenly and then its arguments, once."""
    calls = [call for call in situation.menu.calls if call.edit != NONE]
    if situation.round > 1 or not calls:
        return situation.nothing_more()
    chance = random.Random(f"{situation.seed} {situation.round} {situation.picture.sha256}")
    edit = chance.choice(list(dict.fromkeys(call.edit for call in calls)))
    call = chance.choice([call for call in calls if call.edit == edit])
    return situation.decision(call, f"Drawn at random with seed {situation.seed}.")


async def choose_oracle(situation: Situation) -> Decision:
    """The gold edits, one a round."""
    if situation.round > len(situation.gold_edits):
        return situation.nothing_more()
    menu = situation.menu
    call, note = menu.settle(menu.library.call(situation.gold_edits[situation.round - 1]))
    return situation.decision(call, f"Known to help.{note}")


async def choose_none(situation: Situation) -> Decision:
    """Answer without imagining."""
    return situation.decision(EditCall(edit=NONE), "Imagining is switched off.")


POLICIES: Mapping[str, Policy] = {
    "self": choose_self,
    "score": choose_score,
    "self-naive": choose_naive,
    "fixed": choose_fixed,
    "random": choose_random,
    "oracle": choose_oracle,
    "none": choose_none,
}
"""Every policy, by the part of its name before the colon."""


def get_policy(name: str) -> Policy:
    """Look a policy up by its full name; `fixed` alone has something after a colon.

    Raises:
        UnknownNameError: There is none of that name.
    """
    head, colon, _ = name.partition(":")
    if head not in POLICIES or bool(colon) != (head == "fixed"):
        known = [f"{key}:EDIT" if key == "fixed" else key for key in POLICIES]
        raise UnknownNameError("policy", name, known, "g2u ask --help")
    return POLICIES[head]


def check_policy(name: str, menu: Menu, gold_edits: Sequence[str]) -> list[EditCall]:
    """Refuse a policy that cannot work for a question, before anything is drawn or written.

    Returns:
        The calls that are settled from the start: those of `fixed` and `oracle`.

    Raises:
        UnknownNameError: There is no such policy or edit.
        ToolCallError: A fixed or gold edit is misspelt or not on the menu; of a fixed one, with the arguments given.
        QuestionError: The policy needs gold edits and there are none.
    """
    policy = get_policy(name)
    gold = [menu.library.call(edit) for edit in gold_edits]
    if policy is choose_fixed:
        return [fixed_call(name, menu)[0]]
    if policy is not choose_oracle:
        return []
    if not gold:
        hint = "Give them with `--gold-edit EDIT`."
        raise QuestionError("The policy 'oracle' needs the gold edits of the question, and none were given.", hint)
    return [menu.settle(call)[0] for call in gold]


def fixed_call(policy: str, menu: Menu) -> tuple[EditCall, str]:
    """The call in `fixed:EDIT` or `fixed:EDIT(argument=value, ...)`, and what `Menu.settle` says of it.

    Raises:
        UnknownNameError: There is no such edit.
        ToolCallError: It is spelt otherwise, an argument is unknown or not one of its choices, or the menu has no such
            call with the arguments given.
    """
    match = re.fullmatch(r"fixed:(\w+)(?:\((.*)\))?", policy)
    pairs = [pair.partition("=") for pair in (match[2] or "").split(",") if pair.strip()] if match else []
    if not match or not all(equals for _, equals, _ in pairs):
        raise ToolCallError(f"{policy!r} names no edit; expected fixed:EDIT or fixed:EDIT(argument=value).")
    given = {key.strip(): value.strip() for key, _, value in pairs}
    return menu.settle(menu.library.call(match[1], given), keep=given)
