"""A model in a worker process, as a `UnifiedModel`."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar, cast

from PIL import Image
from pydantic import TypeAdapter, ValidationError

from ...errors import ProtocolError, WorkerError
from ..contract import METHODS
from ..protocol import (
    Capabilities,
    Identity,
    Prefix,
    PreviewCallback,
    Reading,
    Sampler,
    Segment,
    StepCallback,
    View,
)
from ..settings import Setting
from .process import Process

T = TypeVar("T")

MOST_ENDS: Final = 3
"""How often in a row it is started anew before something is read, scored or drawn."""
_NAMES: Final = tuple(dict.fromkeys(method.name for _, method in METHODS))


@dataclass(eq=False)
class WorkerPrefix:
    """A prefix that lives in the worker process, and all that it takes to make it there once more."""

    parts: tuple[tuple[Segment, View], ...]
    """Its segments; a longer prefix has those of its parent by reference."""
    process: Process
    """Where it lives."""
    number: int
    """What it is called there."""
    pictures: int
    """How many pictures it covers."""
    kept: int
    """Bytes that it keeps alive there, as the model says."""

    def __post_init__(self) -> None:
        """Let the process know once nobody has it any more."""
        self.lives_in(self.process, self.number)

    def lives_in(self, process: Process, number: int) -> None:
        """Where it lives from now on."""
        self.process, self.number = process, number
        weakref.finalize(self, process.released.append, number).atexit = False

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps alive in the process, and those of its last segment here."""
        last = self.parts[-1][0]
        if not isinstance(self.kept, int) or self.kept < 0:
            return self.kept  # whoever checks results refuses it
        return self.kept + (len(last) if isinstance(last, str) else last.width * last.height * 3)


class WorkerModel:
    """A model in a process of its own, started anew when it has ended; see `worker_loader`.

    The process ends with `close`, with the last reference to this object, and with the process that this one is in.

    Args:
        python: Of the environment that it runs in.
        place: Of the function that loads it.
        weights: Folder of weights; empty for the model's own.

    Raises:
        ExtensionError: There is no such Python, or it has no Pillow.
        WorkerError: The process ended, or the model raised an exception while it was loaded.
        ProtocolError: What it says of itself is not what a model says.
    """

    def __init__(self, python: str, place: str, weights: str) -> None:
        """Start the process, and wait until the model is loaded."""
        self._given = (python, place, weights)
        self._starting = threading.Lock()
        self._ends = 0
        self._process = Process(*self._given, _NAMES)
        self._end = weakref.finalize(self, self._process.end)
        said = self._process.described
        self.key: str = said["key"]
        self.prompt_set: str = said["prompt_set"]
        self.capabilities = _made(Capabilities, said["capabilities"], self.key)
        self.identity = _made(Identity, said["identity"], self.key)
        # What the model has not is none here either, so that the check of a model finds it.
        vars(self).update({name: None for name in _NAMES if name not in said["methods"]})

    @property
    def process(self) -> int:
        """Number of the process, as the system knows it."""
        return self._process.number

    @property
    def log(self) -> str:
        """The file into which the process writes what it prints."""
        return str(self._process.log)

    def close(self) -> None:
        """End the process; a further call starts it anew."""
        self._process.end()

    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Append one segment to each prefix; see `UnifiedModel`."""
        process = self._alive()
        made = self._call(process, "extend", [prefixes, segments, view])
        if not isinstance(made, list) or len(made) != len(segments):
            return made  # type: ignore[no-any-return] # whoever checks results refuses it
        return [
            WorkerPrefix((*(_own(past).parts if past else ()), (segment, view)), process, **one)
            if isinstance(one, dict)
            else one
            for past, segment, one in zip(prefixes, segments, made, strict=True)
        ]

    def read(
        self,
        prefixes: Sequence[Prefix],
        texts: Sequence[str],
        max_tokens: int,
        on_step: StepCallback,
        *chance: Any,
    ) -> list[Reading | None]:
        """Continue each text; see `UnifiedModel` and `TemperatureModel`."""
        arguments = [prefixes, texts, max_tokens, _ON_STEP, *chance]
        return self._call(self._alive(), "read", arguments, on_step)  # type: ignore[no-any-return]

    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Log-probabilities of texts; see `ScoringModel`."""
        return self._call(self._alive(), "score", [prefixes, texts, options])  # type: ignore[no-any-return]

    def count_tokens(self, option: str) -> int:
        """How many tokens a text has; see `ScoringModel`."""
        return self._call(self._alive(), "count_tokens", [option])  # type: ignore[no-any-return]

    def unknown_words(self, text: str) -> list[str]:
        """Words that the model was never taught; see `VocabularyModel`."""
        return self._alive().look_up("unknown_words", text)  # type: ignore[no-any-return]

    def out_of_domain(self, prefix: Prefix) -> float | None:
        """How far a picture lies from the model's training; see `DomainModel`."""
        return self._call(self._alive(), "out_of_domain", [prefix])  # type: ignore[no-any-return]

    def draw(
        self,
        prefixes: Sequence[Prefix],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
        thoughts: Sequence[str] = (),
        previews: Sequence[PreviewCallback | None] = (),
    ) -> list[Image.Image | None]:
        """Draw on the last picture of each prefix; see `DrawingModel` and `PreviewingModel`."""
        shown = [{"preview": row} if preview else None for row, preview in enumerate(previews)]
        arguments = [prefixes, instructions, sampler, seeds, _ON_STEP, thoughts, *([shown] if shown else [])]
        return self._call(self._alive(), "draw", arguments, on_step, previews)  # type: ignore[no-any-return]

    def _alive(self) -> Process:
        """The process, which is started anew where it has ended."""
        with self._starting:
            if self._process.alive:
                return self._process
            if self._ends == MOST_ENDS:
                again = f"was started anew {MOST_ENDS} times in a row and is not started again"
                message = f"The worker process of {self.key!r} {again}: it ended each time."
                raise WorkerError(message, "Load the model anew, once its environment is mended.")
            self._ends += 1
            self._process.end()  # what it started may live on
            begun = Process(*self._given, _NAMES)
            if begun.described != self._process.described:
                begun.end()
                message = f"The worker process of {self.key!r} came back as another model."
                raise WorkerError(message, "Its weights or its code were changed: load the model anew.")
            self._end.detach()
            self._process, self._end = begun, weakref.finalize(self, begun.end)
            return begun

    def _call(
        self,
        process: Process,
        method: str,
        arguments: Sequence[Any],
        on_step: StepCallback | None = None,
        previews: Sequence[PreviewCallback | None] = (),
    ) -> Any:
        pictures: list[Image.Image] = []
        packed = [self._packed(value, process, pictures) for value in arguments]
        result, shown = process.call(method, packed, pictures, on_step, previews)
        if method != "extend":  # which succeeds again and again where each reading ends the process
            self._ends = 0
        return _unpacked(result, shown)

    def _packed(self, value: Any, process: Process, pictures: list[Image.Image]) -> Any:
        """An argument as JSON has it; see `child._Host.unpacked`."""
        if isinstance(value, Image.Image):
            pictures.append(value)
            return {"picture": len(pictures) - 1}
        if isinstance(value, WorkerPrefix):
            if value.process is not process:
                value.lives_in(process, self._made_again(value, process))
            return {"prefix": value.number}
        if isinstance(value, Sampler):
            return {"sampler": value.model_dump()}
        if isinstance(value, list | tuple):
            return [self._packed(one, process, pictures) for one in value]
        return value

    def _made_again(self, prefix: WorkerPrefix, process: Process) -> int:
        """The number of a prefix in a process in which it was not made; its beginnings are given up on the way."""
        number: int | None = None
        for segment, view in prefix.parts:
            past = None if number is None else {"prefix": number}
            made = self._call(process, "extend", [[past], [segment], view])
            if number is not None:
                process.released.append(number)
            number = made[0]["number"]
        assert number is not None, "it has a part"
        return number


_ON_STEP: Final = {"on_step": None}


def _unpacked(value: Any, pictures: Sequence[Image.Image]) -> Any:
    """A result as the protocol has it, but prefixes, which come as number and counts."""
    if isinstance(value, list):
        return [_unpacked(one, pictures) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, one),) = value.items()
    if kind == "picture":
        return pictures[one]
    return Reading(**one) if kind == "reading" else one


def _made(kind: type[T], given: Any, key: str) -> T:
    """Capabilities or an identity from what the model says."""
    name = kind.__name__.lower()
    settings = given.get("settings") if isinstance(given, dict) and kind is Capabilities else {}
    try:
        for own, values in ((kind, given), *((Setting, setting) for setting in (settings or {}).values())):
            for unknown in sorted(set(values) - {one.name for one in fields(cast(Any, own))}):
                raise ProtocolError(
                    key, f"`{name}` has what g2u.models.protocol.{kind.__name__} has", f"{unknown!r} came"
                )
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        found = f"{'.'.join(map(str, first['loc']))} is wrong: {first['msg']}"
        raise ProtocolError(key, f"`{name}` is as g2u.models.protocol.{kind.__name__}", found) from None


def _own(prefix: Prefix) -> WorkerPrefix:
    assert isinstance(prefix, WorkerPrefix)
    return prefix
