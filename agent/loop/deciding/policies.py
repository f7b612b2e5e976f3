"""Who picks the edit: a table from a policy's name to an async function, and the policies that are told what to do.

Every policy that picks does so from the menu of the question. A call that is not on it is moved to the first choice of
its arguments that is, and the reason of the decision says so; where there is none, `self` asks the model again, the
others refuse. Arguments that a person gave, to `fixed`, are never moved.

A policy of your own is an async function of the same kind: registered in this process, brought by an installed package,
or named by its place.
"""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ...edits.library import NONE, EditCall, EditLibrary
from ...edits.menu import Menu
from ...errors import ExtensionError, QuestionError, SettingError, ToolCallError, UnknownNameError
from ...extensions import FORM, find, find_installed, installed, is_place, is_reachable
from ...models.protocol import Capabilities
from ...state import Decision
from .choosing import choose_naive, choose_probe, choose_score, choose_self, probed
from .native import check_native, choose_native, is_native
from .situation import ATTEMPTS, Situation, probabilities
from .writers import choose_own_words, choose_writer, get_writer

__all__ = [
    "ATTEMPTS",
    "POLICIES",
    "Decider",
    "Entry",
    "Policy",
    "Situation",
    "ask_policy",
    "check_policy",
    "get_policy",
    "is_native",
    "is_own",
    "lacking_policy",
    "probabilities",
    "register_policy",
    "writes",
]


async def ask_policy(policy: Policy, situation: Situation) -> Decision:
    """Ask it, each time: the usual `Decider`.

    Raises:
        ExtensionError: A policy of your own gives something else than a decision.
    """
    decision = await policy(situation)
    if not isinstance(decision, Decision):
        what = f"The policy {situation.policy!r} gave {type(decision).__name__}, and a `Decision` was expected."
        raise ExtensionError(what, "Return `situation.decision(...)`.")
    return decision


async def choose_fixed(situation: Situation) -> Decision:
    """The call in the policy's name, once."""
    if situation.round > 1:
        return situation.nothing_more()
    call, note = fixed_call(situation.policy, situation.menu)
    return situation.decision(call, f"Fixed by the caller.{note}")


async def choose_random(situation: Situation) -> Decision:
    """An edit drawn evenly and then its arguments and the picture, once."""
    return _draw_lots(situation, situation.menu.calls, f"{situation.seed} {situation.round} {_shown(situation)}")


async def choose_wrong(situation: Situation) -> Decision:
    """An edit that is not known to help, drawn evenly and then the rest of its call, once: a control."""
    calls = [call for call in situation.menu.calls if call.edit not in situation.gold_edits]
    return _draw_lots(situation, calls, f"wrong {situation.seed} {_shown(situation)}")


def _shown(situation: Situation) -> str:
    return " ".join(picture.sha256 for picture in situation.pictures)


def _draw_lots(situation: Situation, calls: Sequence[EditCall], seed: str) -> Decision:
    calls = [call for call in calls if call.edit != NONE]
    if situation.round > 1 or not calls:
        return situation.nothing_more()
    chance = random.Random(seed)
    edit = chance.choice(list(dict.fromkeys(call.edit for call in calls)))
    call = chance.choice([call for call in calls if call.edit == edit])
    return situation.decision(call, f"Drawn at random with seed {situation.seed}.")


async def choose_oracle(situation: Situation) -> Decision:
    """The gold edits, one a round, of the first picture where `Context.on` names no other."""
    if situation.round > len(situation.gold_edits):
        return situation.nothing_more()
    menu = situation.menu
    call, note = menu.settle(menu.library.call(situation.gold_edits[situation.round - 1]))
    return situation.decision(call, f"Known to help.{note}")


async def choose_none(situation: Situation) -> Decision:
    """Answer without imagining."""
    return situation.decision(EditCall(edit=NONE), "Imagining is switched off.")


def check_nothing(name: str, menu: Menu, gold: Sequence[EditCall]) -> list[EditCall]:
    """For policies that always can work."""
    return []


def check_fixed(name: str, menu: Menu, gold: Sequence[EditCall]) -> list[EditCall]:
    """The call must be one of the menu, or an instruction in the caller's words."""
    return [fixed_call(name, menu)[0]]


def check_oracle(name: str, menu: Menu, gold: Sequence[EditCall]) -> list[EditCall]:
    """There must be gold edits, all on the menu."""
    check_wrong(name, menu, gold)
    return [menu.settle(call)[0] for call in gold]


def check_wrong(name: str, menu: Menu, gold: Sequence[EditCall]) -> list[EditCall]:
    """There must be gold edits."""
    if not gold:
        hint = "Give them with `--gold-edit EDIT`."
        raise QuestionError(f"The policy {name!r} needs the gold edits of the question, and none were given.", hint)
    return []


def check_probe(name: str, menu: Menu, gold: Sequence[EditCall]) -> list[EditCall]:
    """How many it draws must be a number in range."""
    probed(name)
    return []


def check_own_words(name: str, menu: Menu, gold: Sequence[EditCall]) -> list[EditCall]:
    """Words cannot be kept to families."""
    if menu.families:
        message = f"The policy {name!r} writes its own instructions, which cannot be kept to families of edits."
        raise SettingError(message, "Leave the families out.")
    return []


def check_writer(name: str, menu: Menu, gold: Sequence[EditCall]) -> list[EditCall]:
    """The chat model must be there."""
    get_writer(name.partition(":")[2])
    return check_own_words(name, menu, gold)


Decider = Callable[["Policy", Situation], Awaitable[Decision]]
"""Asks a policy; one of a study's own may know what the policy has picked before."""
Policy = Callable[[Situation], Awaitable[Decision]]
"""Picks what to imagine: `situation.decision(call, reason)` of a call of `situation.menu.calls`."""


@dataclass(frozen=True)
class Entry:
    """A policy: a row of `POLICIES`, or what stands at a place of your own where a function alone says too little."""

    choose: Policy
    check: Callable[[str, Menu, Sequence[EditCall]], list[EditCall]] = check_nothing
    """Refuses a name or a question with which it cannot work; gives the calls that are settled from the start."""
    argument: str = ""
    """What stands after the colon of its name, as users are told; empty for nothing."""
    optional: bool = False
    """Whether that may be left out."""
    writes: bool = False
    """Whether it writes instructions in words of its own."""
    scores: bool = False
    """Whether it compares texts, which the model must declare."""
    doubts: bool = False
    """Whether it looks how sure a free answer is, which the model must tell."""
    native: bool = False
    """Whether it lets the model imagine in its own way, which the model must declare."""


POLICIES: Mapping[str, Entry] = {
    "self": Entry(choose_self),
    "score": Entry(choose_score, scores=True),
    "self-naive": Entry(choose_naive, scores=True),
    "probe": Entry(choose_probe, check_probe, argument="K", optional=True, scores=True, doubts=True),
    "own-words": Entry(choose_own_words, check_own_words, writes=True),
    "writer": Entry(choose_writer, check_writer, argument="PROVIDER:MODEL", writes=True),
    "fixed": Entry(choose_fixed, check_fixed, argument="EDIT"),
    "random": Entry(choose_random),
    "wrong": Entry(choose_wrong, check_wrong),
    "oracle": Entry(choose_oracle, check_oracle),
    "native": Entry(choose_native, check_native, argument="K", optional=True, native=True),
    "none": Entry(choose_none),
}
"""Every policy that comes with G2U, by the part of its name before the colon."""
GROUP = "g2u.policies"
"""Of the entry points by which an installed package brings a policy."""
_REGISTERED: dict[str, Entry] = {}


def register_policy(name: str, policy: Policy | Entry) -> None:
    """Let a name stand for a policy of your own in this process, in the place of one that was registered before.

    Other processes, such as the actors of a study over Ray, do not know it: they find a policy by the place of its
    function, `package.module:function` or `path/to/file.py:function`, or by an entry point of the group `g2u.policies`.

    Args:
        name: Of your choice; none of those that G2U has, and without a colon.
        policy: An async function from the situation to the decision, or an `Entry`.

    Raises:
        SettingError: The name is one of G2U's, or has a colon.
        ExtensionError: The policy is no async function.
    """
    if not name or ":" in name or name in POLICIES:
        message = f"A policy of your own cannot be called {name!r}."
        raise SettingError(message, f"Give a name without a colon that is none of {', '.join(POLICIES)}.")
    _REGISTERED[name] = _as_entry(name, policy)


def get_policy(name: str) -> Policy:
    """Look a policy up by its full name.

    Raises:
        UnknownNameError: There is none of that name.
        ExtensionError: Its module cannot be found or imported, or it is no policy.
    """
    return _entry(name).choose


def writes(name: str) -> bool:
    """Whether a policy writes instructions of its own: for models that draw whatever they are told."""
    return _entry(name).writes


def is_own(name: str) -> bool:
    """Whether the code of a policy comes from elsewhere: it is registered, installed, or named by a place.

    Nothing is imported, and a name that stands for nothing is no policy of anybody's.
    """
    return name.partition(":")[0] not in POLICIES and (
        is_place(name) or name in _REGISTERED or name in installed(GROUP)
    )


def lacking_policy(name: str, capabilities: Capabilities, free: bool) -> str:
    """What a model lacks for a policy, as the end of a sentence that begins with the model; empty for nothing.

    Args:
        name: Of the policy.
        capabilities: Of the model.
        free: Whether the question has no options.
    """
    entry = _entry(name)
    if entry.native and not capabilities.native:
        return f"declares no `native` way to imagine inside its own text, which the policy {name!r} needs"
    if entry.scores and not capabilities.scores:
        return f"declares no `scores`, and the policy {name!r} compares texts by them"
    if entry.doubts and free and not capabilities.log_probabilities:
        return f"declares no `log_probabilities`, by which the policy {name!r} tells how sure a free answer is"
    return ""


def check_policy(name: str, menu: Menu, gold_edits: Sequence[str]) -> list[EditCall]:
    """Refuse a policy that cannot work for a question, before anything is drawn or written.

    Returns:
        The calls that are settled from the start: those of `fixed` and `oracle`.

    Raises:
        UnknownNameError: There is no such policy, edit or writer.
        ExtensionError: A policy of your own cannot be found or imported, or is none.
        ToolCallError: A fixed or gold edit is misspelt or not on the menu; of a fixed one, with the arguments given.
        QuestionError: The policy needs gold edits and there are none.
        BudgetError: It would draw too many.
        SettingError: It cannot keep to the families that are wanted.
        MissingExtraError: It needs a package that is not installed.
        WriterError: Its chat model cannot be made.
    """
    entry = _entry(name)
    return entry.check(name, menu, [menu.library.call(edit) for edit in gold_edits])


def _entry(name: str) -> Entry:
    head, colon, _ = name.partition(":")
    entry = POLICIES.get(head) or _REGISTERED.get(head)
    if entry is None and head in installed(GROUP):
        entry = _as_entry(name, find_installed(GROUP, head))
    if entry and (entry.argument if colon else not entry.argument or entry.optional):
        return entry
    # A misspelt `fixed:deblur` is no module that is missing.
    if entry is None and (is_place(name, dotted=True) or is_reachable(name)):
        return _as_entry(name, find(name))
    known = {**installed(GROUP), **_REGISTERED, **POLICIES}
    rows = [(key, row) for key, row in known.items() if isinstance(row, Entry)]
    plain = [key for key, row in rows if not row.argument or row.optional]
    longer = [f"{key}:{row.argument}" for key, row in rows if row.argument]
    raise UnknownNameError("policy", name, [*plain, *longer, *installed(GROUP), *FORM.split(", ")], "g2u ask --help")


def _as_entry(name: str, policy: Policy | Entry) -> Entry:
    if isinstance(policy, Entry):
        return policy
    if not inspect.iscoroutinefunction(policy):
        message = f"The policy {name!r} is of type {type(policy).__name__}, and an async function was expected."
        raise ExtensionError(message, "Write `async def choose(situation: Situation) -> Decision`.")
    return Entry(policy)


def fixed_call(policy: str, menu: Menu) -> tuple[EditCall, str]:
    """The call in the name of a policy, and what `Menu.settle` says of it.

    Raises:
        UnknownNameError: There is no such edit.
        ToolCallError: As `named_call`; the question has no such picture, or the menu has no such call with the
            arguments given.
    """
    call, given = named_call(policy, menu.library)
    return menu.settle(call, keep=given, written=True)


def named_call(policy: str, library: EditLibrary) -> tuple[EditCall, list[str]]:
    """The call in `fixed:EDIT` or `fixed:EDIT(argument=value, on=2, ...)`, and which arguments it gives.

    Raises:
        UnknownNameError: There is no such edit.
        ToolCallError: It is spelt otherwise, or an argument is unknown or not one of its choices.
    """
    match = re.fullmatch(r"fixed:(\w+)(?:\((.*)\))?", policy, re.DOTALL)
    # A comma ends a value where another name follows, so that an instruction may have commas.
    parts = re.split(r",(?=\s*\w+\s*=)", match[2] or "") if match else []
    pairs = [pair.partition("=") for pair in parts if pair.strip()]
    if not match or not all(equals for _, equals, _ in pairs):
        raise ToolCallError(f"{policy!r} names no edit; expected fixed:EDIT or fixed:EDIT(argument=value).")
    given = {key.strip(): value.strip() for key, _, value in pairs}
    on = given.pop("on", None)
    return library.call(match[1], given, on), list(given)
