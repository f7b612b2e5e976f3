"""Studies by name or by file: YAML that names sets of arms, arms of its own, items and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from g2u.edits.library import NONE, EditLibrary
from g2u.errors import StudyError, UnknownNameError

from .arms import Arm, Items, Study

SETS = Path(__file__).parent / "sets"
"""Folder of the built-in sets of arms, a YAML file each."""
PRESETS = Path(__file__).parent / "grids"
"""Folder of the built-in studies, a YAML file each."""


class _Loader(yaml.SafeLoader):
    """YAML whose `on` is the name of a field, not the word for true; records read `off` and `no` as they are meant."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if first in "tTfF" or not tag.endswith(":bool")]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def names(folder: Path) -> list[str]:
    """What there is in `SETS` or `PRESETS`."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def arms_of(sets: Iterable[str]) -> list[Arm]:
    """The arms of some sets, in order; one that several sets have is there once.

    Raises:
        UnknownNameError: There is no such set.
    """
    found: dict[str, Arm] = {}
    for name in sets:
        if name not in names(SETS):
            raise UnknownNameError("set of arms", name, names(SETS), "g2u study arms")
        for entry in yaml.safe_load((SETS / f"{name}.yaml").read_text("utf-8")):
            for filled in _each_edit(entry):
                arm = Arm.model_validate({**filled, "set": name})
                found.setdefault(arm.name, arm)
    return list(found.values())


def load_study(source: str, /, **changes: Any) -> Study:
    """A built-in study, or one of your own.

    Args:
        source: Key of `PRESETS`, or the path of a YAML file with the fields of `Study` and `sets`, names of `SETS`.
        **changes: Fields in the place of those of the file; `None` leaves one as it is. Those of `items` may be given
            by their own names: `count`, `split`, `tasks`, `source`, `scorer`, `lenient`.

    Raises:
        UnknownNameError: There is no such preset, set or field.
        StudyError: The file cannot be read, or the grid is not fair.
    """
    path = PRESETS / f"{source}.yaml" if source in names(PRESETS) else Path(source)
    if path.suffix not in (".yaml", ".yml"):
        raise UnknownNameError("preset", source, names(PRESETS), "g2u study presets")
    data = _yaml(path)
    if not isinstance(data, dict):
        raise StudyError(f"{str(path)!r} is no study; expected a YAML mapping with `sets` or `arms`.")
    return make_study(data, **changes)


def pick_arms(study: Study, wanted: Sequence[str], known: Iterable[Arm] = ()) -> Study:
    """A study of some arms by name.

    Args:
        study: Its own arms are known first.
        wanted: Names of arms, of the study or beside them.
        known: Arms that are known next, such as those of a study that is to grow; the built-in ones come last.

    Raises:
        UnknownNameError: There is no such arm.
        StudyError: The grid is not fair.
    """
    named = {arm.name: arm for arm in [*arms_of(names(SETS)), *known, *study.arms]}
    if unknown := next((name for name in wanted if name not in named), None):
        raise UnknownNameError("arm", unknown, named, "g2u study arms")
    return joined(study, arms=[named[name] for name in dict.fromkeys(wanted)])


def joined(study: Study, *, arms: Sequence[Arm], **changes: Any) -> Study:
    """A study with other arms and fields, checked like any other.

    Raises:
        StudyError: It is not fair.
    """
    fields = {name: getattr(study, name) for name in study.model_fields_set}
    try:
        return Study.model_validate(fields | changes | {"arms": list(arms)})
    except ValidationError as error:
        raise unfit(error) from error


def load_arms(path: Path) -> list[Arm]:
    """Arms of your own, a YAML list.

    Raises:
        StudyError: The file cannot be read, or is no list of arms.
        UnknownNameError: An arm has a field that there is not.
    """
    entries = _yaml(path)
    _refuse_sets(entries)
    try:
        return TypeAdapter(list[Arm]).validate_python(entries)
    except ValidationError as error:
        raise unfit(error) from error


def make_study(data: dict[str, Any], **changes: Any) -> Study:
    """A study of plain values, as YAML has them; see `load_study`."""
    data = dict(data)
    sets, own = data.pop("sets", []), data.pop("arms", [])
    if not isinstance(sets, list) or not isinstance(own, list):
        raise StudyError("`sets` and `arms` of a study are lists.")
    _refuse_sets(own)
    given = data.pop("items", None) or {}
    if not isinstance(given, dict):
        raise StudyError(f"`items` of a study cannot be {given!r}; expected a mapping such as {_ITEMS}.")
    shared = [arm.model_dump() for arm in arms_of(map(str, sets))]
    items = dict(given)
    for name, value in changes.items():
        if value is not None:
            (items if name in ("source", "split", "count", "tasks", "scorer", "lenient") else data)[name] = value
    try:
        return Study.model_validate({"name": "study", **data, "items": items, "arms": [*shared, *own]})
    except ValidationError as error:
        raise unfit(error) from error


_ITEMS = "{source: world, count: 52}"


def _refuse_sets(arms: Any) -> None:
    """An arm that says it is of a built-in set would be skipped where it has to be refused."""
    for arm in arms if isinstance(arms, list) else []:
        if isinstance(arm, dict) and arm.get("set"):
            message = f"The arm {arm.get('name')!r} cannot be of the set {arm['set']!r}: it is one of your own."
            raise StudyError(message, "Leave `set` out, or name the whole set under `sets`.")


def _yaml(path: Path) -> Any:
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StudyError(f"{str(path)!r} cannot be read: {' '.join(str(error).split())}.") from error


def unfit(error: ValidationError) -> StudyError | UnknownNameError:
    """What is wrong with a study or its arms, in one sentence."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        fields: Sequence[str] = [*Study.model_fields, "sets"]
        if len(first["loc"]) > 1:
            fields = list(Items.model_fields if first["loc"][0] == "items" else Arm.model_fields)
        return UnknownNameError("field of a study", str(first["loc"][-1]), fields)
    message = first["msg"].removeprefix("Value error, ")
    return StudyError(f"The study cannot be run{f' as {where!r} stands' if where else ''}: {message}.")


def _each_edit(entry: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """An entry whose name has `{edit}` in it stands for one arm for each edit of the library."""
    if "{edit}" not in entry["name"]:
        return [entry]
    edits = [name for name in EditLibrary.load().names if name != NONE]
    return [
        {key: value.replace("{edit}", edit) if isinstance(value, str) else value for key, value in entry.items()}
        for edit in edits
    ]
