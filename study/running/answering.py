"""One answer of one arm: the graph that everybody runs, and what is measured of it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from g2u.edits.library import NATIVE, EditCall
from g2u.engine.costs import metered
from g2u.engine.registry import get_engine
from g2u.errors import CapabilityError, G2UError, MissingExtraError, OutputError, StudyError, ToolCallError, WriterError
from g2u.graphs.imagine import build_graph
from g2u.loop.admission import admit
from g2u.loop.deciding.policies import ask_policy
from g2u.loop.rounds import is_kept
from g2u.loop.verdicts import rate
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore, get_store
from g2u.state import Context, Input, Round

from ..grid.arms import Arm, Study
from ..grid.items import world_item
from ..grid.records import ItemRecord, Line
from .decisions import Decisions, copied, stem_of
from .drawers import Scene, get_drawer, weights_of
from .drawings import Drawings
from .fidelity import fidelity
from .folder import PICTURES
from .marking import marked

RECALLED = 200_000
"""Readings and scorings that are remembered while a study runs; about 100 MB of them."""
AT_ONCE = 64
"""Answers under way at the same time, at most; the engine batches what they ask."""
ROUND = 4
"""Full calls of the model that may wait for it: the next ones are ready when one is done, and none waits for long."""

GO_ON = "Run the same command again: it goes on where it stopped."


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
        self._scene = Scene(items, self.drawings, study.items.of_world)
        self.graphs: dict[tuple[str, str], Any] = {}
        """Compiled, by drawer; for copies of a question by the name of the arm as well."""
        self._decisions = Decisions(folder / PICTURES / "decisions")
        self._copied = copied(items)
        self._measured: dict[tuple[str, str, tuple[str, ...]], asyncio.Task[dict[str, float]]] = {}

    @property
    def weights(self) -> list[str]:
        """Folders of weights that take part, the study's own first; an engine for each."""
        named = [weights_of(arm.drawer) for arm in self.study.arms]
        return list(dict.fromkeys([self.study.weights, *filter(None, named)]))

    async def at_once(self) -> int:
        """How many answers to have under way at the same time.

        The seconds of an answer go on while it waits for the model, so only as many wait as keep the model busy: else
        a slow one would lose thoughts to the queue.
        """
        able = (await self.engine.ready()).capabilities
        return min(AT_ONCE, ROUND * min(able.max_batch, able.max_drawings or able.max_batch))

    async def skipped(self) -> dict[str, str]:
        """The arms of built-in sets that the model cannot run, with the reason.

        Raises:
            G2UError: An arm cannot be run at all: a name that does not exist, a number out of its range, weights that
                cannot be loaded, or an arm of your own that the model cannot run.
            StudyError: An item has more pictures than the model takes.
        """
        for weights in self.weights:
            await get_engine(self.study.model, weights).ready()
        most = (await self.engine.ready()).capabilities.originals
        if many := next((item for item in self.items if len(item.pictures) > most), None):
            takes = "one picture" if most == 1 else f"{most} pictures"
            message = (
                f"The item {many.id!r} has {len(many.pictures)} pictures, and the model {self.study.model!r} takes"
            )
            hint = "Leave it out, or study a model that takes several pictures: `g2u models` lists what each does."
            raise StudyError(f"{message} {takes} a question.", hint)
        reasons, item = {}, max(self.items, key=lambda item: len(item.pictures))
        for arm in self.study.arms:
            get_drawer(arm.drawer, self._scene)
            context = arm.context(self.study, 0, str(self.store.root))
            try:
                await admit(context, item.question, [], item.gold_edits or ["none"], len(item.pictures))
            except (CapabilityError, MissingExtraError, WriterError) as error:
                if not arm.set:
                    raise
                reasons[arm.name] = str(error)
        return reasons

    async def answer(self, arm: Arm, item: ItemRecord, seed: int) -> Line:
        """Answer one item; whatever goes wrong with it is written into its line.

        Raises:
            G2UError: What goes wrong is none of its business: a full disk, a package that is not there, an engine
                that was closed. The answer can be had another time.
        """
        line = Line(arm=arm.name, item=item.id, seed=seed)
        if item.gold_edits is None and arm.policy in ("oracle", "wrong"):
            return line.model_copy(update={"left_out": "Its gold edits are not known."})
        if arm.on and arm.on > len(item.pictures):
            return line.model_copy(update={"left_out": f"It has no picture {arm.on}, which the arm edits."})
        given: Input = {"pictures": [*item.pictures], "question": item.question, "options": item.options}
        if item.gold_edits:
            given["gold_edits"] = item.gold_edits
        try:
            context = arm.context(self.study, seed, str(self.store.root))
            with metered() as meter:
                found, stopped = await self._run(arm, item, given, context)
            measured = await self._measure(item, found["rounds"])
        except (OutputError, MissingExtraError):
            raise
        except OSError as error:
            raise StudyError(f"The system did not go along: {error}.", GO_ON) from error
        except Exception as error:  # whatever fails in one item is that item's line
            if self.engine.closed:
                raise StudyError("The engine was closed while the study ran.", GO_ON) from error
            if isinstance(error, ToolCallError) and arm.policy.startswith("fixed:"):
                return line.model_copy(update={"left_out": str(error)})
            kind = "" if isinstance(error, G2UError) else f"{type(error).__name__}: "
            return line.model_copy(update={"error": f"{kind}{error}"})
        line = line.model_copy(
            update={
                "answer": found["answer"],
                "direct": found["direct"],
                "rounds": found["rounds"],
                "fidelity": measured,
                "stopped": stopped,
                "cost": meter.cost,
            }
        )
        return await marked(line, item)

    async def _run(self, arm: Arm, item: ItemRecord, given: Input, context: Context) -> tuple[Any, str]:
        """What the graph found, and the budget that ended its imagining, of which it tells in its stream."""
        found, stopped = None, ""
        graph = self._graph(arm, item)
        async for kind, part in graph.astream(given, context=context, stream_mode=["values", "custom"]):
            if kind == "values":
                found = part
            elif part["step"] == "stop":
                stopped = part["cause"]
        return found, stopped

    def _graph(self, arm: Arm, item: ItemRecord) -> Any:
        is_copy = bool(item.cluster) and stem_of(item.pictures, item.question) in self._copied
        key = (arm.drawer, arm.name if is_copy else "")
        if key not in self.graphs:
            decider = self._decisions.decider(arm.name) if is_copy else ask_policy
            self.graphs[key] = build_graph(drawer=get_drawer(arm.drawer, self._scene), decider=decider)
        return self.graphs[key]

    async def _measure(self, item: ItemRecord, rounds: Sequence[Round]) -> dict[int, dict[str, float]]:
        """Fidelity of each drawing: to the true result, made of what was kept before, or as the model judges it."""
        found: dict[int, dict[str, float]] = {}
        done: list[EditCall] = []
        for turn in rounds:
            if turn.thought is None or turn.decision.edit == NATIVE:  # nothing was asked for that it could be true to
                continue
            calls = (*done, turn.decision.call)
            key = (item.id, turn.thought.sha256, tuple(call.text for call in calls))
            if measures := await self._once(key, item, turn, calls):
                found[turn.number] = measures
            if is_kept(turn):
                done.append(turn.decision.call)
        return found

    async def _once(
        self, key: tuple[str, str, tuple[str, ...]], item: ItemRecord, turn: Round, calls: Sequence[EditCall]
    ) -> dict[str, float]:
        """The fidelity of a drawing that several arms may share, and ask for at the same time."""
        task = self._measured.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):  # what failed may go another time
            task = self._measured[key] = asyncio.create_task(self._fidelity(item, turn, calls))
        return await asyncio.shield(task)

    async def _fidelity(self, item: ItemRecord, turn: Round, calls: Sequence[EditCall]) -> dict[str, float]:
        assert turn.thought is not None, "its fidelity is asked for"
        if self._scene.of_world:
            return await asyncio.to_thread(_against_truth, self.store, turn.thought, item.id, calls)
        instruction = turn.decision.instruction
        return await rate(self.engine, self.store, turn.source, turn.thought, instruction, item.question) or {}


def _against_truth(store: ImageStore, thought: ImageRef, item: str, calls: Sequence[EditCall]) -> dict[str, float]:
    return fidelity(store.open(thought), world_item(item).truth(*calls))
