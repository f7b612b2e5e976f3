"""Judges: chat models that read what a rule cannot; their replies are kept, so that none is asked for twice."""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from g2u import prompts
from g2u.errors import BenchmarkError, G2UError, WriterError
from g2u.files import unwritable

from .scored import Case, Reading

AT_ONCE: Final = 16
"""Questions that a judge is asked at the same time."""
_PIECE: Final = 2**16
"""Bytes that are looked at together for the end of a line."""
_PROMPTS: Final = str(Path(__file__).parent.resolve() / "prompts")


@dataclass(frozen=True)
class Asked:
    """One question to a judge."""

    index: str
    """Of the row."""
    prompt: str
    attempt: int
    """From 0; the next one comes where a reply was none."""


class Judge(Protocol):
    """Whoever reads an answer; called from several threads."""

    @property
    def name(self) -> str:
        """What scores name it by."""

    def __call__(self, asked: Asked) -> str:
        """The reply.

        Raises:
            WriterError: It cannot be reached.
        """


@dataclass(frozen=True, kw_only=True)
class Judging:
    """How a rule uses a judge.

    Attributes:
        prompt: What it is asked about a case.
        take: What a reply says; `None`: nothing, so that it is asked once more.
        otherwise: What the answer is worth once no reply said anything.
        tries: Replies at most.
    """

    prompt: Callable[[Case], str]
    take: Callable[[Case, str], Reading | None]
    otherwise: Callable[[Case], Reading]
    tries: int


class ChatJudge:
    """A chat model of LangChain: `PROVIDER:MODEL`, or as it was registered for `writer:NAME`."""

    def __init__(self, name: str) -> None:
        """Name it; it is made when it is first asked."""
        self.name = name

    def __call__(self, asked: Asked) -> str:
        """As `Judge`."""
        # What scores by rule alone starts without LangChain.
        from g2u.loop.deciding.writers import get_writer

        message = importlib.import_module("langchain_core.messages").HumanMessage(asked.prompt)
        try:
            return str(get_writer(self.name).invoke([message]).text)
        except G2UError as error:
            raise WriterError(f"The judge {self.name!r} cannot be asked: {error.message}", error.hint) from error
        except Exception as error:  # every provider's client has errors of its own
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WriterError(f"The judge {self.name!r} gave no reply: {first}") from error


class KeptJudge:
    """A judge whose replies are in a file of JSON Lines: what is there is not asked again.

    Args:
        judge: Asked for what is not there.
        path: Of the file; made with the first reply. What a kill left of its last line is left out. Several processes
            may write to it.

    Raises:
        BenchmarkError: It is none of these files.
    """

    def __init__(self, judge: Judge, path: Path) -> None:
        """Read what is there."""
        self._judge, self._path, self._lock = judge, path, threading.Lock()
        self._replies: dict[str, str] = {}
        data = path.read_bytes() if path.exists() else b""
        for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
            try:
                found: Any = json.loads(line)
                self._replies[str(found["key"])] = str(found["reply"])
            except (ValueError, KeyError, TypeError) as error:
                hint = "Delete that line to have its reply made again."
                raise BenchmarkError(f"Line {number} of {str(path)!r} is no reply of a judge.", hint) from error

    @property
    def name(self) -> str:
        """As the judge's."""
        return self._judge.name

    def __call__(self, asked: Asked) -> str:
        """As `Judge`."""
        key = hashlib.sha256(f"{self.name}\0{asked.attempt}\0{asked.prompt}".encode()).hexdigest()
        if key not in self._replies:
            reply = self._judge(asked)
            line = {"key": key, "judge": self.name, "index": asked.index, "attempt": asked.attempt, "reply": reply}
            with self._lock:
                self._write(json.dumps(line).encode() + b"\n")
                self._replies[key] = reply
        return self._replies[key]

    def _write(self, line: bytes) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+b") as file:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX)  # until it is closed
                file.truncate(_whole_lines(file))
                file.write(line)
        except OSError as error:
            raise unwritable(self._path, error) from error


def _whole_lines(file: BinaryIO) -> int:
    """Bytes of a file up to the end of its last whole line; only what a kill left of one is behind it."""
    end = file.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - _PIECE)
        file.seek(begin)
        if (found := file.read(end - begin).rfind(b"\n")) >= 0:
            return begin + found + 1
        end = begin
    return 0


def judged(cases: Sequence[Case], judging: Judging, judge: Judge) -> Mapping[str, Reading | WriterError]:
    """What a judge says of some cases, by index; an error where it could not be reached."""

    def ask(case: Case) -> Reading | WriterError:
        try:
            for attempt in range(judging.tries):
                found = judging.take(case, judge(Asked(case.index, judging.prompt(case), attempt)))
                if found is not None:
                    return found
        except WriterError as error:
            return error
        return judging.otherwise(case)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip((case.index for case in cases), threads.map(ask, cases), strict=True))


def prompt(name: str, **variables: object) -> str:
    """A prompt of this folder; they are our own words in the form of the owners', so that judges are asked alike."""
    return prompts.render(_PROMPTS, name, **variables)
