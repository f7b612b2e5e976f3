"""What a policy knows when it picks, and how a model is asked until its pick can be used."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from g2u import prompts

from ...edits.library import NONE, WRITTEN, EditCall
from ...edits.menu import Menu
from ...engine.engine import Engine
from ...errors import ToolCallError
from ...pictures.references import ImageRef
from ...pictures.store import ImageStore
from ...state import Answer, Decision

ATTEMPTS = 3
"""Times that a model is asked for a call that can be made."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Everything that a policy may know."""

    policy: str
    """Full name, as in `Context.policy`."""
    engine: Engine
    store: ImageStore
    prompt_set: str
    pictures: Sequence[ImageRef]
    """Those of the question as they stand, one of which is edited: each the original, or the last kept thought of it.
    """
    question: str
    """The stem; the options are known to the menu's leak lint alone."""
    menu: Menu
    tried: Sequence[EditCall] = ()
    """Calls of earlier rounds whose thoughts were not kept; the model is told and may repeat one, with other noise."""
    gold_edits: Sequence[str] = ()
    """Names; read by `oracle` and `wrong` alone."""
    seed: int = 0
    temperature: float = 0.0
    """Of the chance by which the model writes."""
    told: Sequence[ImageRef | str] = ()
    """All that the model saw and wrote in its own way so far; for `native` alone."""
    note: Callable[[str], None] | None = None
    """Keeps what the model wrote as it decided, as the plan of the round."""
    round: int = 1
    deadline: float | None = None
    """In `time.monotonic()` seconds."""
    draw: Callable[[EditCall], Awaitable[ImageRef]] | None = None
    """Draws a call as this round does; what is picked after it was tried is not drawn again."""
    answer: Callable[[Decision, ImageRef | None], Awaitable[Answer]] | None = None
    """What the reader would answer, had that decision come to that thought and been kept; `None`: as things stand."""

    @property
    def picture(self) -> ImageRef:
        """The first of them, mostly the only one."""
        return self.pictures[0]

    def prompt(self, name: str = "decide", *, prompt_set: str = "", error: str = "", **further: object) -> str:
        """What a model is asked.

        Args:
            name: Of the template.
            prompt_set: That it is of; empty for the model's own.
            error: What was wrong with the last call.
            **further: Variables of that template alone.
        """
        library = self.menu.library
        named = [library.instruction(call) if call.edit == WRITTEN else call.edit for call in self.tried]
        tried = [
            f"{name} (on picture {call.on})" if call.on else name for name, call in zip(named, self.tried, strict=True)
        ]
        known: dict[str, object] = {
            "question": self.question,
            "edits": [library.get(edit) for edit in dict.fromkeys(call.edit for call in self.menu.calls)],
            "tried": tried,
            "error": error,
            "pictures": len(self.pictures),
        }
        return prompts.render(prompt_set or self.prompt_set, name, **known, **further)

    async def written(self, prompt: str, max_tokens: int = 32) -> str:
        """What the model writes about the pictures."""
        reading = await self.engine.read(
            self.store,
            self.pictures,
            prompt,
            max_tokens=max_tokens,
            temperature=self.temperature,
            seed=self.seed,
            deadline=self.deadline,
        )
        return reading.text

    def decision(
        self, call: EditCall, reason: str, *, attempts: int = 1, scores: Mapping[str, float] | None = None
    ) -> Decision:
        """Put a call into the words of the drawer and the trace.

        Raises:
            ToolCallError: It is of a picture that there is not, or that may not be edited.
        """
        library, call = self.menu.library, self.menu.placed(call)
        return Decision(
            edit=call.edit,
            family=library.get(call.edit).family,
            arguments=call.arguments,
            on=call.on,
            instruction=library.instruction(call, self.question),
            policy=self.policy,
            reason=reason,
            scores=dict(scores or {}),
            attempts=attempts,
        )

    def nothing_more(self) -> Decision:
        """The decision of a policy that has made its pick."""
        return self.decision(EditCall(edit=NONE), f"The policy {self.policy!r} has nothing more to try.")


def probabilities(names: Sequence[str], log_probabilities: Sequence[float]) -> dict[str, float]:
    """Softmax over log-probabilities, by name; sums to one. Where none has any chance, all have the same."""
    top = max(log_probabilities)
    if math.isinf(top):
        log_probabilities, top = [0.0] * len(names), 0.0
    weights = [math.exp(value - top) for value in log_probabilities]
    return {name: weight / math.fsum(weights) for name, weight in zip(names, weights, strict=True)}


async def ask_again(
    situation: Situation, ask: Callable[[str], Awaitable[str]], parse: Callable[[str], tuple[EditCall, str]], who: str
) -> Decision:
    """Ask for a call, and again with what was wrong with it, `ATTEMPTS` times in all.

    Args:
        situation: Of the policy.
        ask: Gets the error of the last reply, empty at first; gives a reply.
        parse: Gets a reply; gives its call and, where something was changed about it, a sentence that says so.
        who: Is asked, as the subject of a sentence: `"The model"`.

    Returns:
        The decision; not to imagine where no call came that can be made.
    """
    attempts, error = 0, ""

    async def once() -> Decision:
        nonlocal attempts, error
        attempts += 1
        reply = await ask(error)
        try:
            call, note = parse(reply)
        except ToolCallError as mistake:
            error = mistake.message
            raise
        return situation.decision(
            call, f"{who}'s own {'words' if call.edit == WRITTEN else 'call'}.{note}", attempts=attempts
        )

    stop, retry = stop_after_attempt(ATTEMPTS), retry_if_exception_type(ToolCallError)
    try:
        return await AsyncRetrying(stop=stop, retry=retry, reraise=True)(once)
    except ToolCallError:
        reason = (
            f"In {attempts} attempts {who[0].lower()}{who[1:]} made no call that can be made. The last error: {error}"
        )
        return situation.decision(EditCall(edit=NONE), reason, attempts=attempts)
