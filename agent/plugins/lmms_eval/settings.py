"""What `--model_args` may say: everything that changes an answer, since lmms-eval's cache knows nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from reprlib import repr as short
from typing import Any, Final, Literal, cast, get_args

from g2u import prompts

from ...errors import SettingError, UnknownNameError
from ...loop.admission import check_settings
from ...loop.asked import parsed
from ...state import Context

Mode = Literal["direct", "thought", "agent"]
"""What is done with an item: it is answered; or a picture is drawn first, as the task says; or as the loop chooses."""
Until = Literal["ignored", "heeded"]
"""Whether a reply is cut at the stop words of its task. lmms-eval gives a blank line as one to every task that has
none, which ends a worked answer after its first paragraph."""

MAX_TOKENS: Final = 1024
"""Of a reply, in every mode, unless told otherwise; what tasks say of it differs between direct and drawn ones."""
OUT: Final = "runs/lmms-eval"
"""Folder of pictures and records, unless told otherwise."""
VERBATIM: Final = "answer_verbatim"
"""The reader prompt that adds no word to the task's, of prompt sets that have it."""

_OWN: Final = ("mode", "instruction", "until", "out")
_NOT_TAKEN: Final = {
    "pause": "nobody is there who could be asked",
    "store": "pictures are kept in `out`",
    "reading": "the task says how it wants to be answered",
}
"""Settings of a run that have no place here, and why."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a model of lmms-eval works, nothing left open but what its model decides."""

    mode: Mode
    context: Context
    """Model, drawer, loop, tokens and seed; its `reader` is empty where the model decides it, see `reader_of`."""
    instruction: str
    """What is drawn where the task says nothing of that, `{question}` standing for its question; empty for the prompt
    `lmms_eval/draw`."""
    until: Until
    out: Path

    def drawing_prompt(self, question: str) -> str:
        """What is drawn for a question whose task says nothing of that."""
        if self.instruction:
            return self.instruction.replace("{question}", question)
        return prompts.render("lmms_eval", "draw", question=question)

    def reader_of(self, prompt_set: str) -> str:
        """Name of the prompt of the answers.

        Args:
            prompt_set: Of the model. Where it has no reader that adds nothing, the usual one is what it was taught.
        """
        return self.context.reader or (VERBATIM if VERBATIM in prompts.readers(prompt_set) else "answer")

    def as_record(self) -> dict[str, Any]:
        """As JSON values."""
        own = {"mode": self.mode, "instruction": self.instruction, "until": self.until}
        return own | {name: value for name, value in vars(self.context).items() if name not in _NOT_TAKEN}


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Read the arguments of the model.

    Args:
        given: By name, as lmms-eval has parsed them; lists and mappings as JSON text.

    Raises:
        UnknownNameError: There is no such argument, or no such value of one.
        SettingError: A value is of the wrong type.
        G2UError: As `check_settings`.
    """
    known = [*_OWN, *(field.name for field in fields(Context) if field.name not in _NOT_TAKEN)]
    for name in given:
        if name in _NOT_TAKEN:
            raise SettingError(f"{name!r} is no argument of this model: {_NOT_TAKEN[name]}.", "Leave it out.")
        if name not in known:
            raise UnknownNameError("model argument", name, known)
    named = {name: str(given.get(name, default)) for name, default in (("mode", "direct"), ("until", "ignored"))}
    for name, choices in (("mode", get_args(Mode)), ("until", get_args(Until))):
        if named[name] not in choices:
            raise UnknownNameError(name, named[name], choices)
    texts = {name: given.get(name, default) for name, default in (("instruction", ""), ("out", OUT))}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise SettingError(f"{name} cannot be {short(value)}: a text was expected.")
    of_context = {name: _value(name, value) for name, value in given.items() if name not in _OWN}
    context = Context(**{"max_tokens": MAX_TOKENS, "reading": "written", "reader": "", **of_context})
    check_settings(context)
    return Settings(
        mode=cast(Mode, named["mode"]),
        context=context,
        instruction=texts["instruction"],
        until=cast(Until, named["until"]),
        out=Path(texts["out"]).resolve(),
    )


def _value(name: str, value: object) -> Any:
    """A field of a context: whole numbers come as decimal ones where they have a sign or a point."""
    value = parsed(value)
    if isinstance(value, float) and value.is_integer() and name not in ("seconds", "temperature"):
        return int(value)
    return value
