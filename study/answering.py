"""One answer of one arm: the graph that everybody runs, and what is measured of it afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from g2u.admission import admit
from g2u.edits import EditCall
from g2u.engine import get_engine
from g2u.errors import CapabilityError, G2UError, MissingExtraError, QuestionError, ToolCallError
from g2u.graphs.imagine import build_graph
from g2u.nodes import is_kept
from g2u.pictures import get_store
from g2u.state import Answer, Input, Round
from g2u.study.arms import Arm, Study
from g2u.study.drawers import Scene, get_drawer
from g2u.study.drawings import Drawings
from g2u.study.fidelity import fidelity
from g2u.study.folder import PICTURES
from g2u.study.items import WORLD, world_item
from g2u.study.records import ItemRecord, Line

RECALLED = 200_000
"""Readings and scorings that are remembered; about 100 MB of them."""


class Answerer:
    """Answers the items of one study, any number at once; one for each process that takes part.

    Args:
        study: The grid.
        items: All of its questions.
        folder: Of the study; pictures and drawings are kept in it.
    """

    def __init__(self, study: Study, items: Sequence[ItemRecord], folder: Path) -> None:
        """Load nothing yet."""
        self.study = study
        self.items = items
        self.store = get_store(folder / PICTURES)
        self.drawings = Drawings(folder / PICTURES / "drawings")
        self.engine = get_engine(study.model, study.weights)
        self.engine.recall.entries = RECALLED
        self._scene = Scene(items, self.drawings, study.items.source == WORLD)
        self._graphs: dict[str, Any] = {}
        self._measured: dict[tuple[str, str, tuple[str, ...]], dict[str, float]] = {}

    async def skipped(self) -> dict[str, str]:
        """The arms of built-in sets that the model cannot run, with the reason.

        Raises:
            G2UError: An arm cannot be run at all: a name that does not exist, a number out of its range, or an arm of
                your own that the model cannot run.
        """
        reasons = {}
        for arm in self.study.arms:
            get_drawer(arm.drawer, self._scene)
            item = self.items[0]
            context = arm.context(self.study, 0, str(self.store.root))
            try:
                await admit(context, item.question, [], item.gold_edits or ["none"])
            except (CapabilityError, MissingExtraError) as error:
                if not arm.set:
                    raise
                reasons[arm.name] = str(error)
        return reasons

    async def answer(self, arm: Arm, item: ItemRecord, seed: int) -> Line:
        """Answer one item; whatever goes wrong with it is written into its line."""
        began = time.perf_counter()
        line = Line(arm=arm.name, item=item.id, seed=seed)
        if item.gold_edits is None and arm.policy in ("oracle", "wrong"):
            return line.model_copy(update={"left_out": "Its gold edits are not known."})
        given: Input = {"picture": item.picture, "question": item.question, "options": item.options}
        if item.gold_edits:
            given["gold_edits"] = item.gold_edits
        try:
            context = arm.context(self.study, seed, str(self.store.root))
            found = await self._graph(arm).ainvoke(given, context=context)
            measured = await asyncio.to_thread(self._measure, item, found["rounds"])
        except (ToolCallError, QuestionError) as error:
            return line.model_copy(update={"left_out": str(error)})
        except Exception as error:
            kind = "" if isinstance(error, G2UError) else f"{type(error).__name__}: "
            return line.model_copy(update={"error": f"{kind}{error}", "seconds": time.perf_counter() - began})
        return line.model_copy(
            update={
                "right": is_right(found["answer"], item),
                "answer": found["answer"],
                "direct": found["direct"],
                "rounds": found["rounds"],
                "fidelity": measured,
                "seconds": time.perf_counter() - began,
            }
        )

    def _graph(self, arm: Arm) -> Any:
        if arm.drawer not in self._graphs:
            self._graphs[arm.drawer] = build_graph(drawer=get_drawer(arm.drawer, self._scene))
        return self._graphs[arm.drawer]

    def _measure(self, item: ItemRecord, rounds: Sequence[Round]) -> dict[int, dict[str, float]]:
        """Fidelity of each drawing to the true result of its edit, made of what was kept before."""
        found: dict[int, dict[str, float]] = {}
        if not self._scene.of_world:
            return found
        done: list[EditCall] = []
        for turn in rounds:
            if turn.thought is None:
                continue
            call = EditCall(edit=turn.decision.edit, arguments=turn.decision.arguments)
            key = (item.id, turn.thought.sha256, tuple(one.text for one in (*done, call)))
            if key not in self._measured:
                truth = world_item(item.id).truth(*done, call)
                self._measured[key] = fidelity(self.store.open(turn.thought), truth)
            found[turn.number] = self._measured[key]
            if is_kept(turn):
                done.append(call)
        return found


def is_right(answer: Answer, item: ItemRecord) -> bool:
    """Whether an answer is the right one; a free answer whatever its case, outer marks and spaces."""
    if item.options:
        return answer.text == item.answer
    return _plain(answer.text) == _plain(item.answer)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,!?;:'\"")
