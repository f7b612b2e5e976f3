"""The edit library: what a model may do to its own picture, as tools with closed arguments.

Edits are data (`prompts/edits.yaml`); a YAML file of the user, named by `$G2U_EDITS` or given to `EditLibrary.load`,
adds edits or replaces shipped ones by name.

An instruction is a template of the arguments and of `question`, the stem of the question without its options. What
is drawn may depend on it (`Mark what is asked. Where is the star?`); whatever names an edit for every question, such as
reflection and the list of what a model can draw, has the sentence with an empty one (`Mark what is asked.`).

The leak lint keeps the answer out of the drawing. An edit call must not name an option of the question: not in its
arguments, and, where the wording is the user's, nowhere in its instruction. Two things are exempt. The fixed wording of
shipped edits was written before any question, or `Remove the noise.` could not be asked where `noise` is an option. And
the stem itself: every policy and the reader see it anyway, so that a drawer that is told it learns nothing more.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from reprlib import repr as short

from pydantic import ValidationError

from g2u import prompts

from ..errors import G2UError, ToolCallError, UnknownNameError
from ..files import settled_path
from .tools import NATIVE, NONE, WRITTEN, Argument, Edit, EditCall, Family

__all__ = ["NATIVE", "NONE", "WRITTEN", "Argument", "Edit", "EditCall", "EditLibrary", "Family", "leaks"]


class EditLibrary:
    """The edits that there are.

    Its names, families and calls, and what it iterates over, are those that the menu of any model can have; `every` has
    those that need a skill, too, and `get` finds all.

    Args:
        edits: In the order in which models see them; a later edit replaces an earlier one of the same name.
        linted: Names of the edits whose whole instruction is linted, since their wording did not come with G2U.
        digest: SHA-256 of the file that they came from, for traces; empty for the shipped library.
    """

    def __init__(self, edits: Iterable[Edit], linted: Iterable[str] = (), digest: str = "") -> None:
        """Index the edits by name."""
        self._edits = {edit.name: edit for edit in edits}
        self._linted = frozenset(linted)
        self.digest = digest

    @staticmethod
    def load(path: Path | None = None) -> EditLibrary:
        """The shipped library, with the edits of a YAML file merged over it by name; read once per process.

        Args:
            path: The file; `None` is the one that `$G2U_EDITS` names, if any.

        Raises:
            G2UError: The file cannot be read, or an entry is not an edit.
        """
        chosen = path or os.environ.get("G2U_EDITS")
        return _load(settled_path(chosen) if chosen else None)

    def __iter__(self) -> Iterator[Edit]:
        """The edits, in order."""
        return (edit for edit in self.every if not edit.needs)

    @property
    def every(self) -> list[Edit]:
        """The same with those that only models with a skill can draw."""
        return [edit for edit in self._edits.values() if not edit.open]

    @property
    def names(self) -> list[str]:
        """Names of the edits, in order."""
        return [edit.name for edit in self]

    @property
    def families(self) -> list[Family]:
        """Families that have an edit, in order of their first."""
        return list(dict.fromkeys(edit.family for edit in self))

    def get(self, name: str) -> Edit:
        """The edit of that name, or an `UnknownNameError` with the nearest names."""
        try:
            return self._edits[name]
        except KeyError:
            raise UnknownNameError("edit", name, self._edits, "g2u edits") from None

    def call(self, name: str, arguments: Mapping[str, object] | None = None, on: object = None) -> EditCall:
        """Check a call and complete it with the defaults.

        Args:
            name: Of the edit.
            arguments: Its own.
            on: Number of the picture that is edited, also as text; `None` where it is not said.

        Raises:
            UnknownNameError: There is no such edit.
            ToolCallError: An argument is unknown or not one of its choices, or `on` is no number.
        """
        edit = self.get(name)
        try:
            checked = edit.schema_model.model_validate(arguments or {})
        except ValidationError as error:
            first = error.errors()[0]
            known = ", ".join(edit.arguments) or "none"
            where = ".".join(str(part) for part in first["loc"])
            raise ToolCallError(f"{name}: {where}: {first['msg']}; its arguments are: {known}.") from error
        if on is not None and not re.fullmatch("[1-9][0-9]?", str(on)):
            raise ToolCallError(f"{name}: on: {short(on)} is no number of a picture; the first has 1.")
        return EditCall(edit=name, arguments=checked.model_dump(), on=None if on is None else int(str(on)))

    def parse(self, text: str) -> EditCall:
        """Read the call that a model wrote: one flat JSON object with the keys `edit` and, of several pictures, `on`.

        Raises:
            ToolCallError: With a message that tells the model how to mend it.
        """
        try:
            call = json.loads(text)
        except json.JSONDecodeError as error:
            raise ToolCallError('Not JSON. Write {"edit": NAME}.') from error
        if not isinstance(call, dict) or not isinstance(call.get("edit"), str):
            raise ToolCallError('No edit named. Write {"edit": NAME}.')
        try:
            on = call.pop("on", None)
            return self.call(call.pop("edit"), call, on)
        except UnknownNameError as error:
            raise ToolCallError(f"{error.message} The edits are: {', '.join(self.names)}.") from error

    def calls(self, families: Sequence[str] = (), skills: Container[str] = ()) -> list[EditCall]:
        """Every call with every choice of every argument.

        Args:
            families: Those wanted; empty for all. `none` is always among them.
            skills: Of the model, so that what needs one of them is among them, too.
        """
        return [
            EditCall(edit=edit.name, arguments=dict(zip(edit.arguments, values, strict=True)))
            for edit in self.every
            if (not edit.needs or edit.needs in skills) and (not families or edit.family in (*families, "none"))
            for values in itertools.product(*(argument.choices for argument in edit.arguments.values()))
        ]

    def instruction(self, call: EditCall, question: str = "") -> str:
        """The sentence that the drawer gets; empty for `none`.

        Args:
            call: What is to be drawn; empty too for `NATIVE`, which no sentence asks for.
            question: Stem of the question, for the templates that carry it; empty for the sentence that stands for
                every question.
        """
        return "" if call.edit == NATIVE else self.get(call.edit).fill(call.arguments, question)

    def leaks(self, call: EditCall, options: Iterable[str]) -> list[str]:
        """The options that a call gives away by itself; see the head of this module for what counts."""
        linted = call.edit in self._linted
        texts = self.get(call.edit).wordings(call.arguments) if linted else call.arguments.values()
        return leaks("\n".join(texts), options)


def leaks(instruction: str, options: Iterable[str]) -> list[str]:
    """The options that an instruction names, as whole words, whatever their case.

    The case of a single letter counts, so that `Draw a line.` does not name the option `A`.
    """
    return [option for option in options if _whole_words(option).search(instruction)]


def _whole_words(option: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in option.split())
    return re.compile(rf"(?<!\w){words}(?!\w)", 0 if len(option.strip()) == 1 else re.IGNORECASE)


@functools.cache
def _load(path: Path | None) -> EditLibrary:
    shipped = [Edit.model_validate(entry) for entry in prompts.load_edits()]
    if path is None:
        return EditLibrary(shipped)
    try:
        own = [Edit.model_validate(entry) for entry in prompts.load_edits(path)]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise G2UError(f"The edit library {path} cannot be read: {error.strerror}.").naming(path) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"The edit library {path} has an entry that is wrong at {where!r}: {first['msg']}."
        raise G2UError(message).naming(path) from error
    except ValueError as error:
        raise G2UError(f"The edit library {path} is not YAML of edits: {error}.").naming(path) from error
    return EditLibrary([*shipped, *own], linted=[edit.name for edit in own], digest=digest)
