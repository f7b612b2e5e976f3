"""How an item is answered: a table from a mode to what is imagined first, and one way to reply after it.

Every mode shows the model all pictures of an item in their order, asks the same words and gives a reply the same number
of tokens, so that modes differ in the imagination alone.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from g2u import prompts

from ...asking import aask
from ...edits.library import WRITTEN
from ...engine.engine import Engine
from ...engine.registry import get_engine
from ...errors import CapabilityError
from ...loop.admission import check_pictures, check_reader, check_writes, sampler_of
from ...loop.answering import read_answer
from ...loop.fusions import Shown, fuse, lacking
from ...loop.rounds import draw_seed, is_kept
from ...loop.thinking import plan_drawing
from ...models.protocol import Sampler, UnifiedModel
from ...pictures.references import ImageRef
from ...state import Answer, Context, Decision, Round
from .asked import Asked
from .keeping import RUNS, Folder, Place
from .settings import Mode, Settings

AT_ONCE: Final = 64
"""Items under way at the same time, at most; the engine batches what they ask."""
ROUND: Final = 4
"""Full calls of the model that may wait for it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item of a task."""

    place: Place
    asked: Asked
    pictures: Sequence[ImageRef]
    """All of them, in order."""


@dataclass(frozen=True, kw_only=True)
class Imagined:
    """What came before the reply."""

    rounds: Sequence[Round] = ()
    """Whose thoughts are shown."""
    drawings: list[ImageRef] = field(default_factory=list)
    """All that were made, in order, those that were not kept among them."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What else is to be written down, as JSON values."""
    answer: Answer | None = None
    """Of the loop, which answers for itself."""


class Answerer:
    """Answers items with one model.

    Args:
        settings: Of the run.
        folder: Of the run.
    """

    engine: Engine
    model: UnifiedModel
    context: Context
    sampler: Sampler

    def __init__(self, settings: Settings, folder: Folder) -> None:
        """Load nothing yet."""
        self.settings, self.folder = settings, folder

    async def load(self) -> None:
        """Load the model and refuse what it cannot do.

        Raises:
            G2UError: It cannot be loaded, or lacks what the settings need.
        """
        given = self.settings.context
        engine = get_engine(given.model, given.weights)
        self.model = await engine.ready()
        reader = self.settings.reader_of(self.model.prompt_set)
        self.context = replace(given, reader=reader, store=str(self.folder.store.root))
        check_reader(self.context, self.model.prompt_set)
        check_writes(self.context, self.model.capabilities)
        self.sampler = sampler_of(self.context, self.model)
        self.engine = engine.reading_by(self.model.capabilities, self.sampler.values)
        if self.settings.mode != "direct" and self.model.capabilities.edits == "none":
            raise CapabilityError(f"The model {given.model!r} cannot draw.", "Use `mode=direct`, or another model.")

    @property
    def at_once(self) -> int:
        """How many items to have under way at the same time: as many as keep the model busy."""
        able = self.model.capabilities
        return min(AT_ONCE, ROUND * min(able.max_batch, able.max_drawings or able.max_batch))

    async def reply(self, item: Item) -> tuple[Answer, Imagined]:
        """Answer an item.

        Raises:
            G2UError: The model cannot do what the item needs.
        """
        imagined = await self.imagine(item)
        if imagined.answer:
            return imagined.answer, imagined
        shown = self._shown(item, imagined)
        answer = await read_answer(
            self.engine, self.folder.store, self.model.prompt_set, self._context(item), shown, item.asked.question
        )
        return answer, imagined

    async def score(self, item: Item, options: Sequence[str]) -> tuple[list[float], list[bool], Imagined]:
        """Log-probability of each text as the whole reply to an item, and whether the model would write just that.

        Raises:
            G2UError: The model cannot do what the item needs.
        """
        imagined, store = await self.imagine(item), self.folder.store
        shown = self._shown(item, imagined)
        prompt = prompts.render(
            self.model.prompt_set, self.context.reader, question=item.asked.question, note=shown.note
        )
        scores = await self.engine.score(store, shown.segments, prompt, options, view=shown.view)
        most = self.context.max_tokens
        written = await self.engine.read(store, shown.segments, prompt, max_tokens=most, view=shown.view)
        return scores, [written.text == option for option in options], imagined

    async def imagine(self, item: Item) -> Imagined:
        """What the mode puts before the reply."""
        check_pictures(self.context.model, self.model.capabilities, len(item.pictures))
        return await MODES[self.settings.mode](self, item)

    def _context(self, item: Item) -> Context:
        return replace(self.context, seed=self.context.seed + item.place.again)

    def _shown(self, item: Item, imagined: Imagined) -> Shown:
        return fuse(self.context.fusion, item.pictures, imagined.rounds, item.asked.question)


async def answer_directly(answerer: Answerer, item: Item) -> Imagined:
    """Nothing is imagined."""
    return Imagined()


async def draw_as_told(answerer: Answerer, item: Item) -> Imagined:
    """One drawing by the task's own drawing prompt: of the last picture, after all others, or of picture `on` alone.

    A model that thinks before it draws sees that one picture alone, as in the loop.
    """
    context, able, pictures = answerer.context, answerer.model.capabilities, item.pictures
    lacks = lacking(context.fusion, able, 1, len(pictures))
    if lacks:
        raise CapabilityError(f"The model {context.model!r} {lacks}.", "Use `mode=direct`, or another model.")
    instruction = item.asked.instruction or answerer.settings.drawing_prompt(item.asked.question)
    if able.instructions is not None and instruction not in able.instructions:
        what = f"The model {context.model!r} draws only what it was taught, and not {instruction!r}."
        raise CapabilityError(what, "Use `mode=agent`, or a model that draws whatever it is told.")
    if context.on and context.on > len(pictures):
        raise CapabilityError(f"There is no picture {context.on} (on={context.on}), but {len(pictures)}.")
    on = context.on or len(pictures)
    source, seed = pictures[on - 1], draw_seed(context.seed + item.place.again, 1)
    engine, store = answerer.engine, answerer.folder.store
    segments: list[ImageRef | str] = [source] if context.on else [*pictures]
    plan, began = "", time.perf_counter()
    if context.think:
        segments, plan = await plan_drawing(
            engine,
            store,
            answerer.model.prompt_set,
            source,
            instruction,
            temperature=context.temperature,
            seed=seed,
            deadline=math.inf,
            on_progress=lambda done, total: None,
        )
    drawing = await engine.draw(store, segments, instruction, answerer.sampler, seed, thought=plan)
    thought = await asyncio.to_thread(store.add_image, drawing)
    turn = Round(
        number=1,
        source=source,
        decision=Decision(
            edit=WRITTEN,
            family="written",
            arguments={"instruction": instruction},
            on=on if len(pictures) > 1 else None,
            instruction=instruction,
            policy="task" if item.asked.instruction else "instruction",
        ),
        plan=plan,
        thought=thought,
        seconds={"generate": time.perf_counter() - began},
    )
    return Imagined(rounds=[turn], drawings=[thought], told={"instruction": instruction, "plan": plan})


async def ask_the_loop(answerer: Answerer, item: Item) -> Imagined:
    """The loop picks, draws and judges, and answers."""
    run = await aask(
        list(item.pictures),
        item.asked.question,
        context=answerer._context(item),
        out=answerer.folder.root / RUNS,
    )
    return Imagined(
        rounds=[turn for turn in run.rounds if is_kept(turn)],
        drawings=[turn.thought for turn in run.rounds if turn.thought],
        told={
            "run": run.trace.name if run.trace else "",
            "edits": [turn.decision.call.short for turn in run.rounds],
            "verdicts": [turn.verdict.action if turn.verdict else "" for turn in run.rounds],
            "direct_reply": run.direct.text,
            "stopped": run.stopped.cause if run.stopped else "",
        },
        answer=run.final,
    )


MODES: Final[Mapping[Mode, Callable[[Answerer, Item], Awaitable[Imagined]]]] = {
    "direct": answer_directly,
    "thought": draw_as_told,
    "agent": ask_the_loop,
}
