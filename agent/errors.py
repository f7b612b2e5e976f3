"""Everything that can go wrong by a user's hand, one class per cause.

Each message says what happened and what was expected; `hint` is the next command to run. The command line
prints both and exits with code 2, without a stack trace. Anything that is not a `G2UError` is a bug of ours.

Servers tell their clients message and hint. Neither says where on the server's disk something is: that is a note of the
error (PEP 678), which tracebacks, logs and the command line show.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Self


class G2UError(RuntimeError):
    """Base of all errors that G2U raises on purpose.

    It is a `RuntimeError`, since the LangGraph server shows its clients the messages of Python's own kinds alone.

    Args:
        message: What happened and what was expected, one sentence.
        hint: The next command to run or thing to do; empty when the message already says it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep `message` and `hint` apart, so that programs can show either."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Message and hint on one line."""
        return f"{self.message} {self.hint}".strip()

    @property
    def in_full(self) -> str:
        """The same and the notes, for whoever has the disk: logs and terminals."""
        return " ".join([str(self), *getattr(self, "__notes__", [])])

    def naming(self, *places: str | Path) -> Self:
        """The same error, which calls files and folders by the last part of their path; a note has all of it.

        Args:
            places: What message and hint name by an absolute path, or lies above it; of several that lie in one
                another, the innermost first. Relative paths stay as they are.
        """
        for place in map(Path, places):
            whole = str(place)
            if place.is_absolute() and place.name and whole in str(self):
                self.message, self.hint = (text.replace(whole, place.name) for text in (self.message, self.hint))
                self.args = (self.message,)
                self.add_note(f"({place.name} is {whole}.)")
        return self


class PictureError(G2UError):
    """A picture is missing, unreadable, unsafe or outside the limits."""


class LargePictureError(PictureError):
    """A picture has more bytes or pixels than are taken."""


class UnknownPictureError(PictureError):
    """A reference names a picture that the store does not have."""


class AddressError(PictureError):
    """An address of a picture is one that must not be opened, or nothing was got from it."""


class ReviewError(G2UError):
    """A person is to be asked and cannot be, or the reply cannot be used."""


class QuestionError(G2UError):
    """A question or its options cannot be asked as they stand."""


class SettingError(G2UError):
    """Something given from Python has the wrong type."""


class UnknownNameError(G2UError):
    """A model, edit, policy, task or condition of that name does not exist.

    Args:
        kind: What was looked up, in the singular: `"edit"`.
        name: The name that was not found.
        known: All names that exist.
        command: The command that lists them; empty where they are few.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], command: str = "") -> None:
        """Suggest the nearest names; when none is near, say how to list them, or which these few are."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hints = [f"Did you mean {', '.join(near)}?"] if near else []
        if command:
            hints.append(f"`{command}` lists all.")
        elif not near:
            hints.append(f"There are: {', '.join(names)}.")
        super().__init__(f"There is no {kind} called {name!r}.", " ".join(hints))
        self.name = name
        self.near = near


class ExtensionError(G2UError):
    """A model, policy or writer of your own cannot be found or imported, or is not what it should be."""


class ProtocolError(G2UError):
    """A model of your own breaks the protocol of models.

    Args:
        model: Its key.
        rule: What the protocol says, as a sentence without its full stop.
        found: What came, as the end of a sentence that begins with `but`.
    """

    def __init__(self, model: str, rule: str, found: str) -> None:
        """Name the rule and what came."""
        hint = "`g2u models check MODEL` goes through all rules; docs/own-model.md has them."
        super().__init__(f"The model {model!r} breaks the protocol: {rule}, but {found}.", hint)


class WorkerError(G2UError):
    """The worker process of a model ended, or the model raised in it what is no error of G2U."""


class MissingExtraError(G2UError):
    """What was asked for needs a package that is not installed, since only an extra of G2U brings it.

    Args:
        what: What needs it, as the subject of a sentence: `"This evaluation"`.
        package: Its name.
        extra: The extra that brings it.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        """Say how the extra is installed."""
        hint = f"Install the extra `{extra}`: `pip install 'g2u[{extra}]'`."
        super().__init__(f"{what} needs {package}, which is not installed.", hint)


class CapabilityError(G2UError):
    """The model was asked for something that it declares it cannot do."""


class WeightsError(G2UError):
    """A weights folder is not what its index says: a missing shard, an unknown key, a wrong hash or shape."""


class ToolCallError(G2UError):
    """The text of a model is not a call of an edit in the library; `message` tells the model how to mend it."""


class BudgetError(G2UError):
    """A budget cannot be met as stated: no rounds, no seconds, no memory."""


class DeadlineError(G2UError):
    """The time given to a request was over before the work was done."""


class HungError(G2UError):
    """A model did not come back from a call; it is loaded anew for the next one.

    Args:
        seconds: Without a sign of life.
    """

    def __init__(self, seconds: float) -> None:
        """Say for how long nothing was heard."""
        hint = (
            "Ask again: the model is loaded anew. One on a GPU may need the program to be started anew; one that is "
            "merely slow, an engine with more `EngineOptions.hang_seconds`, see `g2u.register_engine`."
        )
        super().__init__(f"The model gave no sign of life for {seconds:g} seconds, and was given up.", hint)


class BusyError(G2UError):
    """As many runs wait for a place as may."""


class RemoteError(G2UError):
    """A server that a model asks is not reached, refuses, or gives what cannot be used."""


class WriterError(G2UError):
    """A chat model that writes instructions cannot be made, or gave no reply."""


class OutputError(G2UError):
    """A result cannot be written where it was asked for."""


class TraceError(G2UError):
    """A trace folder is missing, of another version or damaged beyond its last line."""


class WorldError(G2UError):
    """The world has no such picture: a seed outside its split, a fault that its task does not have."""


class StudyError(G2UError):
    """A study cannot be run or read as it stands: an unfair grid, a folder of another study, damaged lines."""


class BenchmarkError(G2UError):
    """A file of a benchmark is missing, is not the one that was published, or has a row that cannot be asked."""
