"""The policy `native`: no edit is picked; the model writes in its own way, and what it writes asks for drawings."""

from __future__ import annotations

from collections.abc import Sequence

from ...edits.library import NATIVE, NONE, EditCall
from ...edits.menu import Menu
from ...errors import BudgetError, SettingError
from ...models.protocol import Native
from ...pictures.references import ImageRef
from ...state import Decision
from .situation import Situation

MAX_DRAWN = 16
"""Drawings that it may make."""


def is_native(policy: str) -> bool:
    """Whether a policy is this one, by its full name."""
    return policy.partition(":")[0] == "native"


def drawn_at_most(policy: str, native: Native) -> int:
    """How many drawings `native` or `native:K` makes at most; without K as many as the model was trained to.

    Raises:
        BudgetError: K is no number, or out of range.
    """
    wanted = policy.partition(":")[2]
    if wanted and not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= MAX_DRAWN):
        raise BudgetError(f"The policy {policy!r} draws no number of times; expected native:1 to native:{MAX_DRAWN}.")
    return int(wanted or native.rounds)


def check_native(name: str, menu: Menu, gold: Sequence[EditCall]) -> list[EditCall]:
    """How often it draws must be a number in range; what it draws cannot be kept to families or to one picture."""
    drawn_at_most(name, Native(trigger="", answer=("", ""), rounds=1, max_tokens=1))
    if menu.families or menu.on:
        message = f"With the policy {name!r} the model draws what its own text asks for, and picks no edits."
        raise SettingError(message, "Leave families and `on` out.")
    return []


async def choose_native(situation: Situation) -> Decision:
    """The model writes on; whether its text asks for a drawing decides."""
    assert situation.note, "the loop gives it"
    native = (await situation.engine.ready()).capabilities.native
    assert native is not None, "a model that declares none is refused before"
    # After a drawing it goes on right away; at first it is asked.
    *before, last = situation.told
    segments, text = (situation.told, "") if isinstance(last, ImageRef) else (before, last)
    temperature = situation.temperature or native.temperature
    reading = await situation.engine.read(
        situation.store,
        segments,
        text,
        max_tokens=native.max_tokens,
        temperature=temperature,
        seed=situation.seed + situation.round,
        view="draw",
        deadline=situation.deadline,
    )
    situation.note(reading.text)
    draws = native.trigger in reading.text
    asks = f"has {native.trigger} and asks for a drawing" if draws else f"has no {native.trigger}, so it draws no more"
    return Decision(
        edit=NATIVE if draws else NONE,
        family="native" if draws else "none",
        on=len(situation.pictures) if draws and len(situation.pictures) > 1 else None,
        policy=situation.policy,
        reason=f"The model's own text {asks}; no edit was picked. Written at temperature {temperature:g}.",
    )
