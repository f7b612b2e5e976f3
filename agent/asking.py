"""One question, asked from Python: through the graph, with its trace written as it goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from reprlib import repr as short
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from g2u.graphs.imagine import one_shot as graph

from .engine.previews import OnPreview, watched
from .engine.registry import get_engine
from .errors import G2UError, PictureError, SettingError, UnknownNameError
from .files import check_folder
from .loop.admission import admit
from .loop.rounds import last_kept
from .models.protocol import Edits
from .pictures.held import PictureLike, check_held, take_held
from .pictures.several import given_pictures
from .pictures.store import ImageStore, get_store
from .state import Answer, Context, Question, Round, Stop
from .traces.caveats import caveats
from .traces.page import render_cell
from .traces.recording import domain_of, events_of, finish, header_of, seconds_of
from .traces.records import AnswerRecord, DirectRecord, DomainRecord, Event, Header, Result, RoundRecord, StopRecord
from .traces.trace import TraceWriter

T = TypeVar("T")

OnEvent = Callable[[Mapping[str, Any]], None]
"""Gets `{"step": "generate", "round": 1, "done": 1, "total": 2}` and the like, on the event loop's thread."""
OnRecord = Callable[[Header | Event], None]
"""Gets each record of the run as soon as it is there, the header first, on the event loop's thread."""


class Run(BaseModel):
    """What came of one question."""

    model_config = ConfigDict(frozen=True)

    asked: Question
    """The picture, the question and its options."""
    final: Answer
    """With the kept thought, or the direct one where none was kept."""
    direct: Answer
    """From the originals alone."""
    rounds: list[Round]
    stopped: Stop | None
    """Why nothing more was drawn, where a budget ended it; `None` where the loop ended of itself."""
    out_of_vocabulary: list[str]
    """Words of the question and its options that the model was never taught; it answers from the rest."""
    out_of_domain: float | None
    """How far the farthest picture lies from what the model was trained on: the share of pictures of its training world
    that lie nearer; `None` for a model that cannot say, and where the seconds were over before it was asked."""
    seconds: dict[str, float]
    """Wall time of `domain` where the model can say how far the picture lies, of `decide`, `generate` and `reflect`
    over all rounds, of `direct` and `answer`, and in `total`."""
    model: str
    """Its key."""
    edits: Edits
    """How its drawings come about."""
    store: Path
    """Folder of the store that holds the pictures."""
    trace: Path | None
    """Folder of the run; `None` where no trace was wanted."""

    @property
    def answer(self) -> str:
        """The final answer."""
        return self.final.text

    @property
    def direct_answer(self) -> str:
        """The answer from the original alone."""
        return self.direct.text

    @property
    def caveats(self) -> list[str]:
        """One sentence for each limit that the run met, such as that its drawings are no edits of the picture."""
        return list(caveats(self.model, self.out_of_vocabulary, self.out_of_domain, self.edits))

    def model_post_init(self, context: Any, /) -> None:
        """Let the store be known, so that `run.rounds[0].thought.open()` finds its picture, also of a run read back."""
        get_store(self.store)

    def _repr_html_(self) -> str:
        """For a notebook: question, thoughts, verdicts and both answers."""
        return render_cell(
            get_store(self.store),
            asked=self.asked,
            rounds=self.rounds,
            direct=self.direct,
            final=self.final,
            imagined=last_kept(self.rounds) is not None,
            stopped=self.stopped,
            caveats=self.caveats,
        )

    def to_json(self) -> dict[str, Any]:
        """The run as plain JSON values, as `g2u ask --json` prints it; pictures as paths."""
        store = get_store(self.store)
        return {
            "answer": self.answer,
            "direct_answer": self.direct_answer,
            "missing": self.final.missing,
            "written": self.final.written,
            "rounds": [
                {
                    "edit": turn.decision.edit,
                    "family": turn.decision.family,
                    "on": turn.decision.on,
                    "instruction": turn.decision.instruction,
                    "reason": turn.decision.reason,
                    "verdict": turn.verdict.model_dump() if turn.verdict else None,
                    "thought": str(store.path(turn.thought)) if turn.thought else None,
                }
                for turn in self.rounds
            ],
            "stopped": self.stopped.model_dump() if self.stopped else None,
            "out_of_vocabulary": self.out_of_vocabulary,
            "out_of_domain": self.out_of_domain,
            "seconds": self.seconds,
            "model": self.model,
            "edits": self.edits,
            "trace": str(self.trace) if self.trace else None,
        }


async def to_end(work: Awaitable[T]) -> T:
    """Await what must come to its end also when the caller is cancelled meanwhile; the cancellation comes after it."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    result = task.result()
    if cancelled:
        raise asyncio.CancelledError
    return result


async def aask(
    pictures: PictureLike | Sequence[PictureLike],
    question: str,
    *,
    options: Sequence[str] | None = None,
    gold_edits: Sequence[str] | None = None,
    context: Context | None = None,
    out: str | Path | None = Path("runs"),
    on_event: OnEvent | None = None,
    on_record: OnRecord | None = None,
    on_preview: OnPreview | None = None,
    **settings: Any,
) -> Run:
    """Ask one question about a picture or several; many may be under way at once, and share the model's batches.

    Args:
        pictures: What is asked about, or a list of them in order. Each is a path, bytes of a file, a picture of Pillow,
            a numpy array, an address or a reference into the run's store; `g2u.pictures.held` says what becomes of it.
        question: In words.
        options: What may be answered; empty for a free answer.
        gold_edits: Names of edits known to help, for the policy `oracle`.
        context: Settings; `None` for the defaults.
        out: Folder in which the run's own folder is made, with its trace and page, beside the store of its pictures
            where no other is set; `None` for no trace and no page.
        on_event: Told of every step.
        on_record: Told all that the trace holds, whether or not one is written.
        on_preview: Shown every drawing after each of its steps, by models that declare `previews`; the run is the
            same with it and without.
        **settings: Fields of `Context`, in the place of those that `context` has: `policy="score"`, `rounds=1`, ...

    Raises:
        G2UError: In one of its kinds, when something given cannot be used; nothing is written then.
    """
    context, out = context_with(context, settings), _folder(out)
    if context.pause != "never":
        hint = "Use `g2u.build_graph(checkpointer)`, or leave `pause` out."
        raise SettingError("A run of g2u.ask has no thread in which a person could be asked.", hint)
    wanted = pictures_of(pictures)
    model = await admit(context, question, options or [], gold_edits or [], len(wanted))
    options, gold_edits = list(options or []), list(gold_edits or [])
    engine = get_engine(context.model, context.weights)

    def prepare() -> tuple[ImageStore, Header, TraceWriter | None]:
        if out:
            check_folder(out)
        store = store_for(context, out)
        own = replace(context, store=str(store.root))
        refs = [take_held(one, store) for one in wanted]
        header = header_of(own, model, refs, question, options, gold_edits)
        return store, header, TraceWriter(out / header.run, header) if out else None

    events: list[Event] = []
    began, counted, told = time.perf_counter(), engine.counters(), on_record or (lambda _: None)
    # A thread goes on when its caller is cancelled: what it opened meanwhile must be closed all the same.
    opening = asyncio.ensure_future(asyncio.to_thread(prepare))  # a server's event loop must not wait for a disk
    trace: TraceWriter | None = None
    stopped: Stop | None = None

    def record(event: Event) -> None:
        events.append(event)
        if trace:
            trace.write(event)
        told(event)

    try:
        store, header, trace = await asyncio.shield(opening)
        refs, left = header.pictures, header.config.seconds
        told(header)
        asked = time.monotonic()
        if far := await domain_of(engine, store, refs, header.config):
            record(far)
        left = max(left - (time.monotonic() - asked), sys.float_info.min)  # that took its part of the seconds
        with watched(on_preview):
            async for part in graph.astream(
                {"pictures": [*refs], "question": question, "options": options, "gold_edits": gold_edits},
                context=replace(header.config, seconds=left),
                stream_mode=["updates", "custom"],
                version="v2",
            ):
                data = cast(Mapping[str, Any], part["data"])
                if part["type"] == "custom" and on_event:
                    on_event(data)
                for event in events_of(part["type"], data):
                    record(event)
                if part["type"] == "updates":
                    stopped = next((update["stopped"] for update in data.values() if "stopped" in update), stopped)
    except (asyncio.CancelledError, Exception) as error:
        cancelled = isinstance(error, asyncio.CancelledError)
        message = "Stopped by the caller." if cancelled else str(error)
        last = StopRecord(cause="cancelled" if cancelled else "error", message=message)

        async def close() -> None:
            _, _, opened = await opening
            await asyncio.to_thread(finish, opened, last)

        with contextlib.suppress(G2UError):  # the first error is the one to tell, whatever becomes of the page
            await to_end(close())
        raise
    seconds = seconds_of(events) | {"total": time.perf_counter() - began}
    result = Result(seconds=seconds, engine=asdict(engine.counters().since(counted)))
    await to_end(asyncio.to_thread(finish, trace, result))
    told(result)
    return Run(
        asked=Question(pictures=header.pictures, question=question, options=options, gold_edits=gold_edits),
        final=next(event.answer for event in events if isinstance(event, AnswerRecord)),
        direct=next(event.answer for event in events if isinstance(event, DirectRecord)),
        rounds=[event.round for event in events if isinstance(event, RoundRecord)],
        stopped=stopped,
        out_of_vocabulary=header.out_of_vocabulary,
        out_of_domain=next((event.out_of_domain for event in events if isinstance(event, DomainRecord)), None),
        seconds=seconds,
        model=context.model,
        edits=header.capabilities.edits,
        store=store.root,
        trace=trace.path.parent if trace else None,
    )


def ask(
    pictures: PictureLike | Sequence[PictureLike],
    question: str,
    *,
    options: Sequence[str] | None = None,
    gold_edits: Sequence[str] | None = None,
    context: Context | None = None,
    out: str | Path | None = Path("runs"),
    on_event: OnEvent | None = None,
    **settings: Any,
) -> Run:
    """Ask one question and wait; inside an event loop, such as a notebook's, `await aask(...)` instead.

    Args:
        pictures: As for `aask`, and so are the others.
        question: In words.
        options: What may be answered.
        gold_edits: Names of edits known to help.
        context: Settings.
        out: Folder for the run's own folder.
        on_event: Told of every step.
        **settings: Fields of `Context`: `policy="score"`, `rounds=1`, ...

    Raises:
        G2UError: In one of its kinds, when something given cannot be used; nothing is written then.
    """
    context = context_with(context, settings)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise SettingError("g2u.ask cannot wait inside a running event loop.", "Write `await g2u.aask(...)` there.")
    return asyncio.run(
        aask(
            pictures, question, options=options, gold_edits=gold_edits, context=context, out=out, on_event=on_event
        )
    )  # fmt: skip


def store_for(context: Context, out: Path | None) -> ImageStore:
    """The store that a run uses: that of `context.store`, else of `$G2U_PICTURES`, else `pictures` in `out`.

    Args:
        context: Settings of the run.
        out: Folder of runs; `None` for `runs/pictures` in the current folder where no other store is set.
    """
    return get_store(context.store or os.environ.get("G2U_PICTURES") or (out / "pictures" if out else ""))


def pictures_of(given: object) -> list[Any]:
    """What a question is about, each of which may be asked about.

    Args:
        given: A picture, or a list of them.

    Raises:
        PictureError: There is none, there are too many, or one is nothing that is taken.
    """
    found = given_pictures({"pictures": given if isinstance(given, (list, tuple)) else [given]})
    if not found:
        raise PictureError("There is no picture to ask about.", 'Give the path of a file, such as "picture.png".')
    for one in found:
        check_held(one)
    return found


def context_with(context: Context | None, settings: Mapping[str, Any]) -> Context:
    """The settings of a run: a context, and single ones in their places.

    Raises:
        SettingError: The context is none.
        UnknownNameError: There is no such setting.
    """
    if not isinstance(context, Context | None):
        message = f"context cannot be {short(context)}: a g2u.Context was expected."
        raise SettingError(message, 'Write `g2u.Context(policy="score")`, or give the settings themselves.')
    known = [field.name for field in fields(Context)]
    for name in settings:
        if name not in known:
            raise UnknownNameError("setting", name, known, "help(g2u.Context)")
    return replace(context or Context(), **settings)


def _folder(out: object) -> Path | None:
    if out is None or isinstance(out, (str, Path)):
        return None if out is None else Path(out)
    message = f"out cannot be {short(out)}: the path of a folder was expected, or None for no trace."
    raise SettingError(message, 'Write out="runs".')
