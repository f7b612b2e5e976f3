"""The calls that one question allows."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from ..errors import ToolCallError, UnknownNameError
from .library import NONE, EditCall, EditLibrary


@dataclass(frozen=True, kw_only=True)
class Menu:
    """What a policy may pick from: drawable calls of the wanted families that give no option away."""

    library: EditLibrary
    families: Sequence[str] = ()
    """Those wanted; empty for all."""
    options: Sequence[str] = ()
    """Of the question; for the leak lint alone."""
    instructions: frozenset[str] | None = None
    """The only ones that the model can draw; `None` for any."""
    skills: frozenset[str] | None = frozenset()
    """Of the model, for edits that need one; `None` where it is not known yet, so that none is missing."""
    pictures: int = 1
    """How many the question is about; where there are several, every call says which it edits."""
    on: int | None = None
    """The number of the only one that may be edited; `None` for any."""

    def __post_init__(self) -> None:
        """Refuse families that do not exist.

        Raises:
            UnknownNameError: There is no such family.
        """
        for family in self.families:
            if family not in self.library.families:
                raise UnknownNameError("family", family, self.library.families, "g2u edits")

    @property
    def calls(self) -> list[EditCall]:
        """In the library's order, each on every picture that may be edited, `none` among them."""
        return [
            placed
            for call in self.library.calls(self.families, self._skills)
            if self.drawable(call) and not self.library.leaks(call, self.options)
            for placed in self._on_each(call)
        ]

    def drawable(self, call: EditCall) -> bool:
        """Whether the model can draw a call; `none` asks for no drawing."""
        needs = self.library.get(call.edit).needs
        if needs and needs not in self._skills:
            return False
        return call.edit == NONE or self.instructions is None or self.library.instruction(call) in self.instructions

    @property
    def _skills(self) -> Container[str]:
        return self.skills if self.skills is not None else {edit.needs for edit in self.library.every}

    def placed(self, call: EditCall) -> EditCall:
        """A call with the number of its picture as this question has it: of the first one where it names none.

        Raises:
            ToolCallError: There is no such picture, or it is another one that may be edited.
        """
        if call.edit == NONE:
            return call.model_copy(update={"on": None})
        on = call.on or self.on or 1
        if on > self.pictures:
            are = "is one picture" if self.pictures == 1 else f"are {self.pictures} pictures"
            raise ToolCallError(f"{call.edit}: on: there is no picture {on}; there {are}.")
        if self.on and on != self.on:
            raise ToolCallError(f"{call.edit}: on: picture {on} may not be edited, picture {self.on} alone.")
        return call.model_copy(update={"on": on if self.pictures > 1 else None})

    def settle(self, call: EditCall, keep: Iterable[str] = (), *, written: bool = False) -> tuple[EditCall, str]:
        """Make a call one of the menu.

        Args:
            call: As wanted.
            keep: Names of arguments that a person asked for, which are not changed.
            written: Let through an instruction in somebody's own words too, which is on no menu.

        Returns:
            The call, or the first one on the menu of the same edit of the same picture; and a sentence that says so
            when it is another.

        Raises:
            ToolCallError: No such call of its edit is on the menu, or its words give an option away.
        """
        call = self.placed(call)
        if written and not self.families and self.library.get(call.edit).open and self.drawable(call):
            if self.library.leaks(call, self.options):  # which one is not told: the writer does not know the options
                raise ToolCallError("It may name an answer. Say in other words what to do.")
            return call, ""
        calls = self.calls
        if call in calls:
            return call, ""
        same, kept = [other for other in calls if (other.edit, other.on) == (call.edit, call.on)], list(keep)
        for other in same:
            if all(other.arguments[name] == call.arguments[name] for name in kept):
                return other, f" {call.text} names an option, so {other.text} takes its place."
        if same:
            message = f"{call.text} names an option of the question, and no drawing may be told one."
            free = [", ".join(f"{name}={value}" for name, value in other.arguments.items()) for other in same]
            raise ToolCallError(message, f"Take {' or '.join(free)} instead, or leave the arguments out.")
        names = ", ".join(dict.fromkeys(other.edit for other in calls))
        cause = "it names an option, is of a family that is not wanted, or the model cannot draw it"
        raise ToolCallError(f"{call.edit} cannot be picked: {cause}. Those that can be are: {names}.")

    def _on_each(self, call: EditCall) -> list[EditCall]:
        if self.pictures == 1 or call.edit == NONE:
            return [call]
        numbers = [self.on] if self.on else range(1, self.pictures + 1)
        return [call.model_copy(update={"on": number}) for number in numbers]
