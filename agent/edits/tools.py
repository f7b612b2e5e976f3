"""One edit: a tool that a model may call on its own picture, and such a call.

Its arguments are closed, strings out of a set, but for those of the edit `written`: an instruction in somebody's own
words. That is a call like any other, on no menu, for policies that write instead of picking.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from jinja2 import TemplateError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model, model_validator

from g2u import prompts

NONE = "none"
"""Name of the edit that means: answer without imagining."""

RESERVED: Mapping[str, str] = {
    "edit": "that key names the edit in a call",
    "question": "that variable of an instruction is the question",
    "on": "that key numbers the picture in a call",
}
"""Names that an argument cannot have, and why."""

NATIVE = "native"
"""What stands for an edit where a model draws because its own text asks for it: none was picked, and none has this
name."""

WRITTEN = "written"
"""Name of the edit whose instruction is its argument `instruction`."""

MAX_TEXT = 500
"""Characters of an argument that takes any text."""

Family = Literal["enhancement", "extension", "structure", "none", "written", "native"]
"""`written` is that of instructions in somebody's own words, which belong to no other for certain; `native` of drawings
that were no edit at all, see `NATIVE`."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Argument(BaseModel):
    """One argument of an edit: a string out of a closed set, or any text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choices: list[str] = []
    """Empty for any text."""
    default: str = ""
    """One of the choices; an argument that takes any text has none and must be given."""
    about: str = ""
    """Shown to models and users."""

    @model_validator(mode="after")
    def _default_is_a_choice(self) -> Self:
        if self.choices and self.default not in self.choices:
            raise ValueError(f"the default {self.default!r} is not one of the choices")
        if self.default and not self.choices:
            raise ValueError(f"without choices it takes any text, which has no default such as {self.default!r}")
        return self

    @property
    def field(self) -> tuple[Any, Any]:
        """Type and default for a pydantic model."""
        if self.choices:
            return Literal.__getitem__(tuple(self.choices)), Field(self.default, description=self.about)
        text = StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)
        return Annotated[str, text], Field(description=self.about)


class Edit(BaseModel):
    """A tool that a model may call on its picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    family: Family
    helps: str
    """When it is worth picking; shown to models that choose from descriptions."""
    instruction: str = ""
    """Jinja template of the sentence that the drawer gets, of the arguments and `question`; empty for `none` alone."""
    arguments: dict[Name, Argument] = {}
    needs: str = ""
    """A skill that the model must declare, see `Capabilities.skills`, since others cannot draw what is asked; empty for
    none. Such an edit is on the menus of those models alone."""
    version: int = Field(ge=1)
    """Raised with every change of the wording."""

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        idle = self.name == NONE
        if idle != (self.family == "none") or idle == bool(self.instruction):
            raise ValueError(f"every edit but {NONE!r} has a family and an instruction")
        if NATIVE in (self.name, self.family):
            raise ValueError(f"{NATIVE!r} stands for drawings that are no edit")
        for name in RESERVED.keys() & self.arguments.keys():
            raise ValueError(f"an argument cannot be called {name!r}: {RESERVED[name]}")
        defaults = {name: argument.default or "?" for name, argument in self.arguments.items()}
        try:
            wordings = self.wordings(defaults)
        except TemplateError as error:
            raise ValueError(f"the instruction cannot be filled: {error}") from error
        if not idle and not all(wording.strip() for wording in wordings):
            raise ValueError("the instruction is empty where there is no question")
        return self

    @property
    def open(self) -> bool:
        """Whether an argument takes any text; such an edit is on no menu, since its calls cannot be listed."""
        return not all(argument.choices for argument in self.arguments.values())

    def fill(self, arguments: Mapping[str, str], question: str = "") -> str:
        """The instruction with its variables filled in."""
        return prompts.fill(self.instruction, {**arguments, "question": question})

    def wordings(self, arguments: Mapping[str, str]) -> list[str]:
        """Everything that the instruction says of its own: as it is without a question, and around one."""
        return [self.fill(arguments, question) for question in ("", "?")]

    @functools.cached_property
    def schema_model(self) -> type[BaseModel]:
        """The arguments as a pydantic model, for checking a call and for its JSON schema."""
        fields: dict[str, Any] = {name: argument.field for name, argument in self.arguments.items()}
        return create_model(self.name, __config__=ConfigDict(extra="forbid"), **fields)


class EditCall(BaseModel):
    """An edit with all of its arguments."""

    model_config = ConfigDict(frozen=True)

    edit: str
    arguments: dict[str, str] = {}
    on: int | None = Field(default=None, ge=1)
    """Number of the picture that is edited, 1 for the first, of a question about several; `None`: the only one."""

    @property
    def text(self) -> str:
        """The one spelling of the call for models, flat JSON: `{"edit": "trace_path", "colour": "red", "on": 2}`."""
        return json.dumps({"edit": self.edit, **self._told})

    @property
    def short(self) -> str:
        """The same for people, as `fixed:` and their replies have it: `trace_path(colour=red, on=2)`."""
        told = ", ".join(f"{name}={value}" for name, value in self._told.items())
        return f"{self.edit}({told})" if told else self.edit

    @property
    def place(self) -> int:
        """Where the edited picture stands among those of the question, from 0."""
        return (self.on or 1) - 1

    @property
    def _told(self) -> dict[str, str | int]:
        return {**self.arguments, **({"on": self.on} if self.on else {})}
