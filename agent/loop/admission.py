"""What may enter the graph: settings, question and model are checked once, before anything is drawn or written."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from reprlib import repr as short
from typing import get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from g2u import prompts

from ..edits.library import EditLibrary
from ..edits.menu import Menu
from ..engine.registry import get_engine
from ..errors import BudgetError, CapabilityError, QuestionError, SettingError, UnknownNameError
from ..models.protocol import Capabilities, Sampler, UnifiedModel, complete_sampler
from ..pictures.several import MOST_ASKED
from ..state import Context, Fusion, Pause, Reading
from .deciding.native import drawn_at_most, is_native
from .deciding.policies import check_policy, lacking_policy, writes
from .fusions import FUSIONS, lacking

MAX_ROUNDS = 16
"""Thoughts that one run may draw."""
MAX_STEPS = 1000
"""Sampler steps that one drawing may take."""
MAX_TOKENS = 4096
"""Tokens that one free answer may have."""
MAX_TEMPERATURE = 10.0
"""Of the chance by which a model writes."""
MAX_QUESTION = 2000
"""Characters of a question."""
MAX_OPTIONS = 64
"""Options of a question."""
MAX_OPTION = 200
"""Characters of an option."""

_CHOICES = {"fusion": Fusion, "pause": Pause, "reading": Reading}
"""Types of the settings that are one of a few names."""


class _Given(BaseModel):
    """What a caller gives, with its types as declared: Python itself checks none of them."""

    model_config = ConfigDict(strict=True, revalidate_instances="always")

    context: Context
    question: str
    options: Sequence[str]
    gold_edits: Sequence[str]


async def admit(
    context: Context,
    question: str,
    options: Sequence[str] = (),
    gold_edits: Sequence[str] = (),
    pictures: int = 1,
) -> UnifiedModel:
    """Refuse a run that cannot work; load its model otherwise.

    Args:
        context: Settings of the run.
        question: In any language; not empty, 2,000 characters at most.
        options: None, or 2 to 64 different ones of 200 characters at most.
        gold_edits: Names of edits known to help; read by the policy `oracle` alone.
        pictures: How many the question is about.

    Raises:
        QuestionError: The question or its options cannot be asked.
        SettingError: Something given is of the wrong type, or `on` names a picture that there is not.
        BudgetError: A number of the settings is out of its range.
        UnknownNameError: No such model, policy, edit, family, fusion, preset or reader prompt.
        ToolCallError: A fixed or gold edit is misspelt or cannot be picked for this question.
        CapabilityError: The model cannot do what the settings need, or takes fewer pictures.
        WeightsError: The model cannot be loaded.
        MissingExtraError: The policy needs a package that is not installed.
        WriterError: The chat model of the policy cannot be made.
    """
    check_types(context, question, options, gold_edits)
    check_question(question, options)
    check_ranges(context)
    if context.on is not None and context.on > pictures:
        are = "one picture" if pictures == 1 else f"{pictures} pictures"
        message = f"Picture {context.on} cannot be edited (on={context.on}): the question is about {are}."
        raise SettingError(message, "Leave `on` out." if pictures == 1 else f"Name 1 to {pictures}, or leave `on` out.")
    menu = Menu(
        library=EditLibrary.load(),
        families=context.families,
        options=options,
        skills=None,
        pictures=pictures,
        on=context.on,
    )
    # A chat model is made only for a model that can draw what it writes. A policy of your own may have to be imported.
    written = await asyncio.to_thread(writes, context.policy)
    wanted = [] if written else await asyncio.to_thread(check_policy, context.policy, menu, gold_edits)
    model = await get_engine(context.model, context.weights).ready()
    sampler_of(context, model)
    await asyncio.to_thread(check_reader, context, model.prompt_set)  # it looks into a folder
    check_writes(context, model.capabilities)
    check_pictures(context.model, model.capabilities, pictures)
    if context.policy != "none":
        check_capabilities(context, model.capabilities, free=not options, pictures=pictures)
    if written:
        await asyncio.to_thread(check_writing, context, model)
        await asyncio.to_thread(check_policy, context.policy, menu, gold_edits)
    able = replace(menu, instructions=model.capabilities.instructions, skills=model.capabilities.skills)
    for call in wanted:
        if not able.drawable(call):
            hint = "`g2u models` lists the models; one that draws whatever it is told can."
            raise CapabilityError(f"The model {context.model!r} was not taught to draw the edit {call.edit!r}.", hint)
    return model


def check_settings(context: Context) -> None:
    """Refuse settings with which nothing could be asked, as far as that is known without a question and a model.

    Raises:
        G2UError: As `admit`.
    """
    check_types(context, "", (), ())
    check_ranges(context)
    with suppress(QuestionError):  # the gold edits come with the question
        check_policy(
            context.policy, Menu(library=EditLibrary.load(), families=context.families, options=(), skills=None), ()
        )


def check_types(context: Context, question: str, options: Sequence[str], gold_edits: Sequence[str]) -> None:
    """Refuse values of other types than declared, such as a plain text in the place of a list of texts."""
    try:
        _Given(context=context, question=question, options=options, gold_edits=gold_edits)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"] if part != "context")
        if first["type"] == "literal_error":
            raise UnknownNameError(name, str(first["input"]), get_args(_CHOICES[name])) from error
        message = f"{name or 'context'} cannot be {short(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}."
        raise SettingError(message) from error


def check_question(question: str, options: Sequence[str]) -> None:
    """Refuse what is empty, too long or no Unicode, and options that are one, too many or alike."""
    if not question.strip():
        raise QuestionError("The question is empty.", 'Ask in words: g2u ask PICTURE "What colour is the circle?"')
    if len(question) > MAX_QUESTION:
        raise QuestionError(f"A question has at most {MAX_QUESTION:,} characters, not {len(question):,}.")
    if len(options) > MAX_OPTIONS:
        raise QuestionError(f"A question has at most {MAX_OPTIONS} options, not {len(options)}.")
    if longest := max((len(option) for option in options if len(option) > MAX_OPTION), default=0):
        raise QuestionError(f"An option has at most {MAX_OPTION} characters, not {longest:,}.")
    for text in (question, *options):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            found = ascii(text[error.start])
            raise QuestionError(f"{short(text)} has a character that is no Unicode text: {found}.") from error
    alike = {" ".join(option.split()).casefold() for option in options}
    if options and (len(options) < 2 or "" in alike or len(alike) < len(options)):
        raise QuestionError(f"Options must be at least two, none empty, no two alike; these are {list(options)}.")


def check_ranges(context: Context) -> None:
    """Refuse budgets outside their ranges."""
    if not 1 <= context.rounds <= MAX_ROUNDS:
        raise BudgetError(f"A run has 1 to {MAX_ROUNDS} rounds, not {context.rounds}.")
    if context.on is not None and not 1 <= context.on <= MOST_ASKED:
        raise BudgetError(f"Pictures are numbered from 1 to {MOST_ASKED} at most, so on={context.on} names none.")
    if context.steps is not None and not 1 <= context.steps <= MAX_STEPS:
        raise BudgetError(f"A drawing takes 1 to {MAX_STEPS} steps, not {context.steps}.")
    if not (0 <= context.temperature <= MAX_TEMPERATURE):
        raise BudgetError(f"A temperature is 0 to {MAX_TEMPERATURE:g}, not {context.temperature}.")
    if not 1 <= context.max_tokens <= MAX_TOKENS:
        raise BudgetError(f"An answer has 1 to {MAX_TOKENS:,} tokens at most, not {context.max_tokens}.")
    if not (context.seconds > 0 and math.isfinite(context.seconds)):
        raise BudgetError(f"A run needs a positive, finite number of seconds, not {context.seconds}.")


def check_pictures(model: str, capabilities: Capabilities, pictures: int) -> None:
    """Refuse more pictures than the model takes in one question.

    Raises:
        CapabilityError: There are more.
    """
    if pictures > (most := capabilities.originals):
        takes = "one picture" if most == 1 else f"{most} pictures"
        message = f"The model {model!r} takes {takes} a question, and this one is about {pictures}."
        raise CapabilityError(
            message, "Ask about fewer, or use a model that takes several pictures: `g2u models` lists what each does."
        )


def check_capabilities(context: Context, capabilities: Capabilities, *, free: bool, pictures: int = 1) -> None:
    """Refuse a model that cannot draw, cannot see a thought as the settings need that, or lacks what its policy needs.

    Args:
        context: Settings of the run.
        capabilities: Of the model.
        free: Whether the question has no options.
        pictures: How many the question is about.
    """
    asked = lacking_policy(context.policy, capabilities, free)
    lacks = lacking(context.fusion, capabilities, context.rounds, pictures)
    able = [fusion for fusion in FUSIONS if not lacking(fusion, capabilities, context.rounds, pictures)]
    most = (
        drawn_at_most(context.policy, capabilities.native) if is_native(context.policy) and capabilities.native else 0
    )
    rows = (
        (
            most + pictures > capabilities.max_pictures,
            f"takes {capabilities.max_pictures} pictures, and {context.policy!r} may come to {most + pictures}",
            f"Let it draw less often, as `native:{max(1, capabilities.max_pictures - pictures)}` does.",
        ),
        (capabilities.edits == "none", "cannot draw", "Use the policy `none`, or another model."),
        (
            context.reflect and capabilities.max_pictures < 2,
            "takes one picture, and to judge a thought it must see two",
            "Switch reflection off.",
        ),
        (asked, asked, "Use the policy `self`, in which the model writes what it picks, or another model."),
        (lacks, lacks, f"It can do the fusions {', '.join(able)}."),
    )
    for refused, what, hint in rows:
        if refused:
            raise CapabilityError(f"The model {context.model!r} {what}.", hint)


def check_writing(context: Context, model: UnifiedModel) -> None:
    """Refuse instructions in free words to a model that was taught its own ones, or that cannot be asked for them."""
    taught, hint = model.capabilities.instructions, "Use another policy, such as `score`, or another model."
    if taught is not None:
        what = f"draws only the {len(taught)} instructions that it was taught, and {context.policy!r} writes its own"
        raise CapabilityError(f"The model {context.model!r} {what}.", hint)
    if context.policy == "own-words" and "write" not in prompts.templates(model.prompt_set):
        raise CapabilityError(f"The model {context.model!r} has no prompt that asks it for an instruction.", hint)


def check_reader(context: Context, prompt_set: str) -> None:
    """Refuse a reader prompt that the model's prompt set does not have."""
    readers = prompts.readers(prompt_set)
    if context.reader not in readers:
        raise UnknownNameError("reader prompt", context.reader, readers)


def check_writes(context: Context, capabilities: Capabilities) -> None:
    """Refuse a temperature to a model without one, and to let one think that cannot or where a thought has no place."""
    if context.temperature and not capabilities.temperature:
        message = f"The model {context.model!r} writes without chance: it has no temperature."
        raise CapabilityError(message, "Leave the temperature out, or use another model.")
    if is_native(context.policy) and (context.think or context.fusion not in ("concat", "continued")):
        name, what = ("think", context.think) if context.think else ("fusion", context.fusion)
        message = (
            f"With the policy {context.policy!r} the model thinks and sees in its own way: {name}={what} cannot be."
        )
        raise SettingError(message, f"Leave {name} out.")
    if context.think and not capabilities.thinks:
        hint = "Switch thinking off, or use another model."
        raise CapabilityError(f"The model {context.model!r} cannot think before it draws and answers.", hint)


def sampler_of(context: Context, model: UnifiedModel) -> Sampler:
    """How a run draws, nothing left open.

    Raises:
        CapabilityError: The model has no presets, and one is named.
        UnknownNameError: It has other presets or settings.
        SettingError: A setting of its own is of the wrong type or out of range.
    """
    wanted = Sampler(steps=context.steps, preset=context.preset, values=context.values)
    return complete_sampler(model.capabilities, wanted, context.model)
