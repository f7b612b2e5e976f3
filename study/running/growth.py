"""How a study grows: what may be asked beside what was asked before, and what has to stay as it was begun.

Arms, items and seeds may become more; whatever else decides an answer is the same for all of a folder, or what is asked
is refused, and the refusal names what differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from reprlib import Repr
from typing import Any

from g2u.errors import StudyError

from ..grid.arms import WORLD, Arm, Items, Study
from ..grid.items import WORLD_COUNT
from ..grid.presets import joined, load_study, pick_arms
from ..grid.records import Header, ItemRecord, Part
from .jobs import count_own, parts_of

_OPEN = ("model", "weights", "seeds", "reading", "steps", "seconds", "tried")
"""What a preset may leave open and a folder then says."""
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def requested(found: Header | None, source: str, /, arms: Sequence[str] = (), **changes: Any) -> Study | None:
    """What is asked of a folder.

    Args:
        found: The study that it holds; `None` where it holds none.
        source: A preset or file as `load_study` takes it; empty for the study of the folder. What that leaves open is
            as in the folder.
        arms: Names of those to ask, see `pick_arms`; empty for all.
        **changes: As for `load_study`; `None` leaves one as it is.

    Returns:
        The grid to ask; `None` for what the folder asks already, no more.

    Raises:
        UnknownNameError: There is no such preset, set, field or arm.
        StudyError: The file cannot be read, the grid is not fair, or there is neither a file nor a study in the folder.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if source:
        study = load_study(source, **given)
        if found:
            study = _filled(study, found.study)
    elif found is None:
        hint = "Add `--preset quick` or `--config FILE.yaml`; a folder that holds a study goes on without."
        raise StudyError("Name either a preset or a file.", hint)
    elif not given and not arms:
        return None
    else:
        of_items = {name: given.pop(name) for name in list(given) if name in Items.model_fields}
        items = found.study.items.model_dump() | of_items
        study = joined(found.study, arms=found.study.arms, items=items, **given)
    return pick_arms(study, arms, found.study.arms if found else ()) if arms else study


def _filled(study: Study, found: Study) -> Study:
    """A study with what it leaves open as another one has it."""
    left = {name: getattr(found, name) for name in _OPEN if name not in study.model_fields_set}
    given = study.items.model_fields_set - ({"source"} if not study.items.source else set())
    items = {name: getattr(study.items if name in given else found.items, name) for name in Items.model_fields}
    return joined(study, arms=study.arms, items=Items.model_validate(items), **left)


def union(folder: Path, found: Header, wanted: Header) -> Study:
    """The grid that holds what a folder asks and what is asked now.

    Args:
        folder: Of the study; errors name it.
        found: What it holds.
        wanted: As a header of what is asked now would be.

    Raises:
        StudyError: Something differs that has to be the same, or the arms of both are no fair grid together.
    """
    go_on = f"Name a new folder, or go on with what is there: `g2u study run --out {folder}`."
    elsewhere = "Go on where it was begun, or ask all anew in another folder: `g2u study run --out NEW`."
    _refuse_differences(folder, _settings(found.study), _settings(wanted.study), go_on)
    _refuse_differences(folder, _surroundings(found), _surroundings(wanted), elsewhere)
    own, asked = found.study, wanted.study
    named = {arm.name: arm for arm in own.arms}
    for arm in asked.arms:
        if before := named.get(arm.name):
            _refuse_differences(folder, _fields(before), _fields(arm), go_on)
    counts = [count_of(study.items) for study in (own, asked)]
    count = None if None in counts else max(filter(None, counts))
    return joined(
        own,
        arms=[*own.arms, *(arm for arm in asked.arms if arm.name not in named)],
        weights=asked.weights,  # another folder of the same weights
        items=asked.items.model_copy(update={"count": count}),
        seeds=max(own.seeds, asked.seeds),
    )


def count_of(items: Items) -> int | None:
    """How many items are asked; `None` for all of a file."""
    return items.count or (WORLD_COUNT if items.of_world else None)


def parts_with(
    found: Header | None, had: Sequence[ItemRecord], study: Study | None, items: Sequence[ItemRecord]
) -> list[Part]:
    """What is asked in all, as parts none of which another one holds.

    Args:
        found: The study before; `None` where there was none.
        had: Its items.
        study: What is asked now; `None` for no more than before.
        items: All there are now.
    """
    there, before = count_own(items), count_own(had)
    parts = parts_of(found, had) if found else []
    if found and count_of(found.study.items) is None and study is None:  # all of a file that has more of them now
        parts = [part.model_copy(update={"items": there}) if part.items == before else part for part in parts]
    if study is not None:
        count = min(count_of(study.items) or there, there)
        parts.append(Part(arms=[arm.name for arm in study.arms], items=count, seeds=study.seeds))
    largest = [part for part in parts if not any(one.holds(part) and one != part for one in parts)]
    return [part for number, part in enumerate(largest) if part not in largest[:number]]


def refuse_other_items(source: Items, had: Sequence[ItemRecord], made: Sequence[ItemRecord]) -> None:
    """Make sure that the questions that were asked are still the first ones.

    Raises:
        StudyError: One of them is another now, or gone.
    """
    where = "the world" if source.of_world else repr(source.told)
    hint = "New questions go behind the others. To ask the changed ones, name a new folder: `g2u study run --out NEW`."
    for before, now in zip_longest(had, made[: len(had)]):
        if now is None:
            raise StudyError(f"The item {before.id!r} of this study is no longer in {where}.", hint)
        fields = [name for name in ItemRecord.model_fields if getattr(before, name) != getattr(now, name)]
        if fields:
            old, new = (_shown(getattr(record, fields[0])) for record in (before, now))
            raise StudyError(f"The item {before.id!r} has another {fields[0]} in {where} now: {new} was {old}.", hint)


def _settings(study: Study) -> Iterator[tuple[str, Any]]:
    """What has to be the same in all of a folder, by name, of that which a user sets."""
    yield "the model", study.model
    for name in ("reading", "steps", "seconds", "tried"):
        yield name, getattr(study, name)
    yield "items from", WORLD if study.items.of_world else "a file"
    for name in ("split", "tasks", "scorer", "lenient", "paraphrases"):
        yield f"items.{name}", getattr(study.items, name)


def _surroundings(header: Header) -> Iterator[tuple[str, Any]]:
    """The rest of what decides an answer: what stands behind the name of a model, prompts, code and device."""
    yield "the name of the model", header.model.model
    yield "the weights of the model", header.model.weights
    yield "the version of the model", header.model.code
    yield "the settings of the model", list(header.model.settings)
    yield "the device", header.device
    yield "the source files of the model", header.code
    for name, value in header.prompts.items():
        yield f"the prompt {name}", value


def _fields(arm: Arm) -> Iterator[tuple[str, Any]]:
    for name, value in arm.model_dump(exclude={"name", "about", "set"}).items():
        yield f"{name} of the arm {arm.name!r}", value


def _refuse_differences(
    folder: Path, found: Iterator[tuple[str, Any]], wanted: Iterator[tuple[str, Any]], hint: str
) -> None:
    own, other = dict(found), dict(wanted)
    names = [name for name in {**own, **other} if own.get(name) != other.get(name)]
    if not names:
        return
    old, new = (_shown(values.get(names[0])) for values in (own, other))
    also = f" ({', '.join(names[1:4])}{' and more' if len(names) > 4 else ''} differ as well)" if names[1:] else ""
    raise StudyError(f"{str(folder)!r} holds another study: {names[0]} was {old} there and is {new} now{also}.", hint)


def _shown(value: Any) -> str:
    """A value of a setting in a sentence; a hash by its beginning, a picture by its hash."""
    text = getattr(value, "sha256", value)
    if isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return text[:12]
    return "nothing" if value is None else _SHORT.repr(value)
