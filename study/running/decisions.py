"""Decisions about copies of a question: made once for each stem, so that all copies share one visual thought.

Copies, such as the circular ones of MMBench, differ in the order of their options, which nobody who decides is told.
Asked again, a model that writes with chance or another chat model may still pick something else. So what was picked for
the first copy is picked for the others, with the same arm and seed; that drawings are the same follows from `drawings`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from g2u.engine.costs import Cost, charge, metered
from g2u.loop.deciding.policies import Decider, Policy, Situation, ask_policy, is_native
from g2u.pictures.references import ImageRef
from g2u.state import Decision

from ..grid.records import ItemRecord
from .once import Once

Stem = tuple[tuple[str, ...], str]
"""Pictures, by their hashes, and question."""


class _Kept(BaseModel):
    """A decision that was made, and what it cost then."""

    model_config = ConfigDict(frozen=True)

    decision: Decision
    cost: Cost


def copied(items: Iterable[ItemRecord]) -> frozenset[Stem]:
    """The stems that several items of one cluster have."""
    counted = Counter((item.cluster, stem_of(item.pictures, item.question)) for item in items if item.cluster)
    return frozenset(stem for (_, stem), number in counted.items() if number > 1)


def stem_of(pictures: Sequence[ImageRef], question: str) -> Stem:
    """What copies of a question have in common."""
    return tuple(picture.sha256 for picture in pictures), question


class Decisions:
    """Decisions by arm, seed, stem, and what was drawn before.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        """Read nothing yet."""
        self._once = Once(folder, _Kept)

    def decider(self, arm: str) -> Decider:
        """Asks the policy of an arm once. A decision costs whoever asks what it cost when it was made.

        The policy `native` is asked each time: there the model decides inside its own text, which has the options.
        """

        async def decide(policy: Policy, situation: Situation) -> Decision:
            if is_native(situation.policy):
                return await ask_policy(policy, situation)

            async def make() -> _Kept:
                with metered() as meter:
                    decision = await ask_policy(policy, situation)
                return _Kept(decision=decision, cost=meter.cost)

            kept = await self._once.get(_name(arm, situation), make)
            charge(kept.cost)
            return kept.decision

        return decide


def _name(arm: str, situation: Situation) -> str:
    decides = {
        "arm": arm,
        "seed": situation.seed,
        "round": situation.round,
        "stem": stem_of(situation.pictures, situation.question),
        "options": sorted(situation.menu.options),
        "tried": [call.text for call in situation.tried],
        "gold": list(situation.gold_edits),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
