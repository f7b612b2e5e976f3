"""Everything that can go wrong by a user's hand, one class per cause.

Each message says what happened and what was expected; `hint` is the next command to run. The command line
prints both and exits with code 2, without a stack trace. Anything that is not a `G2UError` is a bug of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class G2UError(Exception):
    """Base of all errors that G2U raises on purpose.

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


class PictureError(G2UError):
    """A picture is missing, unreadable, unsafe or outside the limits."""


class QuestionError(G2UError):
    """A question or its options cannot be asked as they stand."""


class SettingError(G2UError):
    """Something given from Python has the wrong type."""


class UnknownNameError(G2UError):
    """A model, edit, policy, task or fault of that name does not exist.

    Args:
        kind: What was looked up, in the singular: `"edit"`.
        name: The name that was not found.
        known: All names that exist.
        command: The command that lists them.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], command: str = "") -> None:
        """Suggest the nearest names; list them all when none is near."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names
        hint = f"Did you mean {', '.join(near)}?" + (f" `{command}` lists all." if command else "")
        super().__init__(f"There is no {kind} called {name!r}.", hint)
        self.name = name
        self.near = near


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


class OutputError(G2UError):
    """A result cannot be written where it was asked for."""


class TraceError(G2UError):
    """A trace folder is missing, of another version or damaged beyond its last line."""


class WorldError(G2UError):
    """The world has no such picture: a seed outside its split, a fault that its task does not have."""
