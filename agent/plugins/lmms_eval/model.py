"""The class that lmms-eval makes and calls."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from reprlib import repr as short
from typing import Any, NamedTuple, TypeVar

from PIL import Image

from ...engine.waiting import wait_for
from ...errors import CapabilityError, MissingExtraError, OutputError, PictureError, SettingError
from ...pictures.references import ImageRef
from ...pictures.store import ImageStore
from .answering import Answerer, Imagined, Item
from .asked import asked_in
from .keeping import ERRORS, Folder, Place
from .settings import settings_of

try:
    from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
    from lmms_eval.api.model import lmms
    from loguru import logger
    from tqdm import tqdm
except ImportError as error:
    raise MissingExtraError("A model of lmms-eval", "lmms-eval", "lmms") from error

T = TypeVar("T")


class Loss(NamedTuple):
    """How unlikely a text is, as lmms-eval 0.7.3 can use it.

    By the kit's documentation a model gives log-probabilities, and its multiple-choice tasks take the smallest number:
    so it is a loss. A plain pair would become its `str` on the way; inside a `GenerationResult` it does not.
    """

    value: float
    """Minus the log-probability, natural logarithm."""
    greedy: bool
    """Whether the model would write just that text."""

    def strip(self) -> str:
        """Empty, as the kit's response cache asks of what it does not keep: it would give the pair back as a `str`."""
        return ""


class G2UModel(lmms):  # type: ignore[misc]  # which has no types
    """A model of G2U in lmms-eval.

    Args:
        batch_size: Not looked at: the engine forms its own batches.
        max_batch_size: The same.
        device: Where the model computes, such as `cuda:0`, where `$G2U_DEVICE` says nothing; empty for the GPU, if any.
        **given: See `settings_of`.

    Raises:
        G2UError: In one of its kinds, when something given cannot be used; nothing is written then.
    """

    is_simple = True

    def __init__(
        self,
        batch_size: object = None,
        max_batch_size: object = None,
        device: str | None = None,
        **given: Any,
    ) -> None:
        """Load the model, and begin the folder of the run."""
        super().__init__()
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            hint = "Start lmms-eval without a launcher; several GPUs: one process each, with its own `--offset`."
            raise SettingError("G2U works in one process of lmms-eval, and there are several.", hint)
        if device:
            os.environ.setdefault("G2U_DEVICE", device)
        settings = settings_of(given)
        self.folder = Folder(settings.out)
        self.settings = settings
        self._answerer = Answerer(settings, self.folder)
        wait_for(self._answerer.load)
        self.folder.begin(settings, self._answerer.model)

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """Reply to each request.

        Args:
            requests: Of tasks that want a reply.

        Returns:
            One for each request, in order; an empty one where the item failed, see `keeping`.
        """
        places = _places(requests)

        async def one(number: int) -> GenerationResult:
            text, kwargs, to_visual, document, task, split = requests[number].args
            return await self._replied(places[number], text, to_visual(self.task_dict[task][split][document]), kwargs)

        return self._each(places, one, GenerationResult(text=""))

    def generate_visual_cot(self, requests: list[Instance]) -> list[GenerationResult]:
        """The same for tasks that bring a drawing prompt.

        Args:
            requests: Of tasks that want a drawing before the reply.
        """
        return self.generate_until(requests)

    def generate_until_multi_round(self, requests: list[Instance]) -> list[list[str]]:
        """Reply in rounds, as long as the task goes on asking; each is asked and answered like an item of its own.

        Args:
            requests: Of tasks that ask again after each reply.

        Returns:
            For each request the replies of its rounds, in order, as the task keeps them.
        """
        places = _places(requests)

        async def one(number: int) -> list[str]:
            text, kwargs, to_visual, to_text, document, task, split = requests[number].args
            doc = self.task_dict[task][split][document]
            visuals, replies, told, over = to_visual(doc), list[str](), None, False
            for turn in itertools.count(1):
                replied = await self._replied(replace(places[number], round=turn), text, visuals, kwargs)
                visuals, text, over, kept, told = to_text(
                    doc, previous_output=[*replies, replied.text], round_idx=turn, previous_round_info=told
                )
                replies = list(kept)
                if over:
                    break
            return replies

        return self._each(places, one, [""])

    def loglikelihood(self, requests: list[Instance]) -> list[GenerationResult]:
        """How unlikely each text is as the whole reply to its request, by the model's own probabilities.

        Args:
            requests: Of tasks that compare texts, one for each text.

        Returns:
            A `Loss` for each request, in order, wrapped as lmms-eval 0.7.3 leaves it whole.

        Raises:
            CapabilityError: The model compares no texts, or a request has no picture.
        """
        able = self._answerer.model.capabilities
        if not able.scores:
            message = f"The model {self.settings.context.model!r} compares no texts, as this task asks of it."
            raise CapabilityError(message, "`g2u models` shows which do; or take a task that wants a written reply.")
        texts: dict[tuple[Place, str], dict[str, None]] = {}  # of one document, to be compared together
        keys = []
        for request in requests:
            if len(request.args) < 6:
                message = "This task asks how likely a text is without picture and question, which no model here tells."
                raise CapabilityError(message, "Take a metric other than `acc_mutual_info`.")
            text, target, _, document, task, split = request.args
            target = target(self.task_dict[task][split][document]) if callable(target) else target
            key = Place(task, split, document), text
            texts.setdefault(key, {})[str(target).strip()] = None
            keys.append((key, str(target).strip()))
        visuals = {key: request.args[2] for (key, _), request in zip(keys, requests, strict=True)}
        questions = list(texts)

        async def one(number: int) -> dict[str, Loss]:
            place, text = questions[number]
            options = list(texts[place, text])
            doc = self.task_dict[place.task][place.split][place.document]
            item = await self._item(place, text, visuals[place, text](doc))
            scores, greedy, imagined = await self._answerer.score(item, options)
            record = _record(item, text, imagined) | {"scores": dict(zip(options, scores, strict=True))}
            await asyncio.to_thread(self.folder.keep, place, imagined.drawings, record)
            return {
                option: Loss(-score, likeliest)
                for option, score, likeliest in zip(options, scores, greedy, strict=True)
            }

        failed: dict[str, Loss] = {}
        found = dict(zip(questions, self._each([place for place, _ in questions], one, failed), strict=True))
        return [GenerationResult(text=found[key].get(target, Loss(math.inf, False))) for key, target in keys]

    async def _item(self, place: Place, text: str, visuals: Sequence[Any] | None) -> Item:
        pictures = await asyncio.to_thread(_taken, self.folder.store, visuals or ())
        return Item(place=place, asked=asked_in(text), pictures=pictures)

    async def _replied(
        self, place: Place, text: str, visuals: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
    ) -> GenerationResult:
        item = await self._item(place, text, visuals)
        answer, imagined = await self._answerer.reply(item)
        reply = cut(answer.text, (kwargs or {}).get("until")) if self.settings.until == "heeded" else answer.text
        record = _record(item, text, imagined) | {
            "generation_kwargs": kwargs,
            "written": answer.text,
            "reply": reply,
            "tokens": answer.tokens,
            "log_probability": answer.log_probability,
            "shown": [ref.sha256 for ref in answer.pictures],
        }
        await asyncio.to_thread(self.folder.keep, place, imagined.drawings, record)
        return GenerationResult(text=reply, token_counts=TokenCounts(output_tokens=answer.tokens))

    def _each(self, places: Sequence[Place], work: Callable[[int], Awaitable[T]], failed: T) -> list[T]:
        """Do all of it, as many at the same time as keep the model busy; what fails is written down."""
        failures: list[Place] = []
        bar = tqdm(total=len(places), desc="G2U")

        async def one(number: int, free: asyncio.Semaphore) -> T:
            async with free:
                try:
                    return await work(number)
                except (OutputError, MissingExtraError):
                    raise  # no item's business
                except Exception as error:  # whatever fails in one item is that item's line
                    if self._answerer.engine.closed:
                        raise
                    await asyncio.to_thread(self.folder.fail, places[number], error)
                    failures.append(places[number])
                    return failed
                finally:
                    bar.update()

        async def every() -> list[T]:
            free = asyncio.Semaphore(self._answerer.at_once)
            return list(await asyncio.gather(*(one(number, free) for number in range(len(places)))))

        with bar:
            found = wait_for(every)
        if failures:
            where = sorted({str(self.folder.root / place.split_path / ERRORS) for place in failures})
            logger.warning(f"{len(failures)} of {len(places)} items failed, without a reply: see {', '.join(where)}.")
        return found


def cut(reply: str, until: str | Sequence[str] | None) -> str:
    """A reply up to the first stop word in it.

    Args:
        reply: As the model wrote it.
        until: Stop words; one or several.
    """
    stops = [until] if isinstance(until, str) else until or ()
    places = [place for stop in stops if stop and (place := reply.find(stop)) >= 0]
    return reply[: min(places)].strip() if places else reply


def _places(requests: Sequence[Instance]) -> list[Place]:
    """Which document each request is about; lmms-eval sends one several times where a task wants several replies."""
    seen: Counter[Place] = Counter()
    places = []
    for request in requests:
        document, task, split = request.args[-3:]
        place = Place(task, split, document)
        places.append(replace(place, again=seen[place]))
        seen[place] += 1
    return places


def _taken(store: ImageStore, visuals: Sequence[Any]) -> list[ImageRef]:
    """All pictures of an item, kept in order.

    Raises:
        PictureError: There is none, or one is no picture.
    """
    if not visuals:
        raise PictureError("The item has no picture.")
    for visual in visuals:
        if not isinstance(visual, Image.Image):
            raise PictureError(f"The task gives {short(visual)}, and a picture of Pillow was expected.")
    return [store.add_held(visual, "The picture") for visual in visuals]


def _record(item: Item, text: str, imagined: Imagined) -> dict[str, Any]:
    return {
        "task": item.place.task,
        "split": item.place.split,
        "document": item.place.document,
        "text": text,
        "question": item.asked.question,
        "pictures": [ref.sha256 for ref in item.pictures],
        "drawings": [ref.sha256 for ref in imagined.drawings],
        **imagined.told,
    }
