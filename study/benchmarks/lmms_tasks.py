"""Tasks of lmms-eval that need no code: YAML files whose `doc_to_*` are columns or templates.

One with `!function` anywhere in it runs code that comes beside it, and is refused; so is one that includes such a file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from g2u.errors import BenchmarkError

from .catalogue import Benchmark
from .documents import Document, Documents, Place, Told, scalars

_ENVIRONMENT: Final = SandboxedEnvironment(undefined=StrictUndefined)
_ENVIRONMENT.filters["regex_replace"] = lambda text, pattern, new, count=0: re.sub(pattern, new, text, count=count)
_NEEDED: Final = ("dataset_path", "doc_to_text", "doc_to_target", "doc_to_visual")
_SPLITS: Final = ("test_split", "validation_split", "training_split")
"""The first one that a task has is asked."""


def is_task(data: Any) -> bool:
    """Whether the content of a YAML file is a task of lmms-eval, or a part of one."""
    return isinstance(data, Mapping) and bool({"dataset_path", "doc_to_text", "task", "include"} & set(data))


def read_task_file(path: Path, within: Sequence[Path] = ()) -> dict[str, Any]:
    """The keys of a YAML file, of a task those of the files that it includes among them.

    Args:
        path: Of the file.
        within: Files that include it.

    Raises:
        BenchmarkError: It cannot be read, or has a key with `!function`, which is named.
    """
    try:
        text = path.read_text("utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
        if root is not None and (code := next(_code(root, ""), None)):
            key, function = code
            message = f"{str(path)!r} needs code: its key {key!r} is `!function {function}`, and none is run."
            raise BenchmarkError(message, "Describe the data set by a column map of your own, see docs/benchmarks.md.")
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BenchmarkError(f"{str(path)!r} cannot be read: {' '.join(str(error).split())}.") from error
    if not isinstance(data, dict):
        raise BenchmarkError(f"{str(path)!r} is no column map and no task of lmms-eval.")
    included = data.pop("include", None) or []
    for name in reversed(included if isinstance(included, list) else [included]):
        other, own = path.parent / str(name), (*within, path.resolve())
        if other.resolve() in own:
            raise BenchmarkError(f"{str(other)!r} includes itself.", "Leave out its `include`, or that in between.")
        data = {**read_task_file(other, own), **data}
    return dict(data)


def read_task(data: Mapping[str, Any], path: Path, *, download: bool = False) -> tuple[Benchmark, Documents]:
    """What a task asks.

    Args:
        data: Of the file.
        path: Of it.
        download: Whether the hub may be asked for what is not here.

    Raises:
        BenchmarkError: A key that is needed is not there, or is neither a column nor a template.
    """
    name = str(data.get("task") or path.stem)
    if missing := next((key for key in _NEEDED if not isinstance(data.get(key), str)), None):
        found = f"is {data[missing]!r}" if missing in data else "is not there"
        raise BenchmarkError(f"The task {name!r} cannot be read: its key {missing!r} {found}; expected a text.")
    options = dict(data.get("dataset_kwargs") or {})
    place = Place(
        path=data["dataset_path"],
        home=path.parent,
        config=str(data.get("dataset_name") or ""),
        split=str(next((data[split] for split in _SPLITS if data.get(split)), "")),
        data_files=options.get("data_files"),
    )

    def tell(document: Document) -> Told:
        choices = _choices(data.get("doc_to_choice"), document, name)
        question = str(_value(data["doc_to_text"], document, name, "doc_to_text"))
        answer = _value(data["doc_to_target"], document, name, "doc_to_target")
        if choices and isinstance(answer, str) and answer.isdigit() and answer not in choices:
            answer = int(answer)
        return Told(question=question, answer=answer, options=choices, others=scalars(document))

    described = Benchmark(name=re.sub(r"[^\w.+-]", "-", name), kit=False, lmms=name)
    documents = Documents(
        name=f"the task {name!r}", place=place, pictures_in=[data["doc_to_visual"]], tell=tell, download=download
    )
    return described, documents


def _choices(told: Any, document: Document, task: str) -> list[str]:
    if told is None:
        return []
    found = _value(told, document, task, "doc_to_choice") if isinstance(told, str) else told
    try:
        found = ast.literal_eval(found) if isinstance(found, str) else found
    except (ValueError, SyntaxError) as error:
        raise BenchmarkError(f"The task {task!r}: 'doc_to_choice' gives {found!r}, which is no list.") from error
    return [str(one) for one in (found.values() if isinstance(found, dict) else found)]


def _value(told: str, document: Document, task: str, key: str) -> Any:
    """The cell of a column, or what a template makes of the document."""
    if told in document:
        return document[told]
    try:
        return _ENVIRONMENT.from_string(told).render(**document)
    except Exception as error:  # whatever a template does with a cell of a kind that it did not expect
        raise BenchmarkError(f"The task {task!r}: its {key!r} cannot be filled in: {error}.") from error


def _code(node: yaml.Node, key: str) -> Iterator[tuple[str, str]]:
    """The keys whose value is a function, and the function."""
    if node.tag == "!function":
        yield key, str(node.value)
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _code(value, f"{key}.{name.value}".lstrip("."))
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            yield from _code(value, f"{key}.{place}")
