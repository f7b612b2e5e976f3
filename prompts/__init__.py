"""Every prompt of G2U as data: Jinja templates per prompt set, and the edit library as YAML.

A prompt set is a folder (`mini/`) with one template per step: `decide`, `reflect` and `answer`, beside which there may
be other readers, `answer_...`; `naive` for the policy `self-naive`, `write` for `own-words`; `followed` and `kept` for
a model that rates drawings; and, for one that thinks, what asks it to: `think_draw` and `think_answer`. The reader
`answer_verbatim` adds nothing to a question, for benchmarks that say themselves how they want to be answered. Five sets
belong to no model: `fusions`, the texts between pictures, `writer`, what a chat model is asked for, `judge`, by which
one marks answers, `remote`, what a server is told of pictures that it gets side by side, and `lmms_eval`, what is drawn
where a task of that kit leaves it open. A model from elsewhere may have a set of its own: a folder beside its code,
named by its absolute path. Nothing here knows of models or graphs, so that a prompt can be read, changed and hashed
without running anything.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateNotFound
from jinja2.sandbox import SandboxedEnvironment

FOLDER = Path(__file__).parent
EDITS = FOLDER / "edits.yaml"
EXAMPLES = FOLDER / "writer" / "examples.yaml"

OPTIONAL: Mapping[str, Any] = {"options": (), "edits": (), "tried": (), "error": "", "note": "", "pictures": 1}
"""Variables that a caller may leave out, with what they are then; any other missing variable is an error."""


@functools.cache
def _environment(folder: Path) -> SandboxedEnvironment:
    """Sandboxed, since instructions come out of YAML files that users pass around."""
    return SandboxedEnvironment(loader=FileSystemLoader(folder), undefined=StrictUndefined, autoescape=False)


def _place(prompt_set: str) -> tuple[SandboxedEnvironment, str]:
    """Where the templates of a set are, and what stands before their names there."""
    own = Path(prompt_set)
    return (_environment(own), "") if own.is_absolute() else (_environment(FOLDER), f"{prompt_set}/")


def render(prompt_set: str, name: str, **variables: object) -> str:
    """Fill one template of a prompt set.

    Args:
        prompt_set: Folder of templates, as a model names it in `prompt_set`: a set of this folder, or an absolute path.
        name: Template without its ending, such as `decide`.
        **variables: What the template asks for; those of `OPTIONAL` may be left out.

    Raises:
        LookupError: There is no such template.
        jinja2.UndefinedError: A variable that is not optional is missing.
    """
    environment, beginning = _place(prompt_set)
    try:
        template = environment.get_template(f"{beginning}{name}.j2")
    except TemplateNotFound as error:
        raise LookupError(f"There is no prompt {name!r} in the set {prompt_set!r}.") from error
    return template.render(**{**OPTIONAL, **variables})


def templates(prompt_set: str) -> list[str]:
    """Names of the templates of a prompt set, sorted."""
    environment, beginning = _place(prompt_set)
    return [name[len(beginning) : -3] for name in environment.list_templates(["j2"]) if name.startswith(beginning)]


def readers(prompt_set: str) -> list[str]:
    """The templates of a prompt set that ask for the answer: `answer`, and those called `answer_...`."""
    return [name for name in templates(prompt_set) if name == "answer" or name.startswith("answer_")]


def fill(template: str, variables: Mapping[str, str]) -> str:
    """Fill a template given as text, such as the instruction of an edit.

    Raises:
        jinja2.TemplateError: The text is no template, or asks for a variable that is not given.
    """
    return _compiled(template).render(**variables)


@functools.lru_cache(maxsize=1024)
def _compiled(template: str) -> Template:
    """Once for each text: a menu fills those of all edits for every decision."""
    return _environment(FOLDER).from_string(template)


def load_edits(path: Path | None = None) -> list[dict[str, Any]]:
    """Read a YAML file of edits, unchecked; `None` is the shipped library.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not a YAML list of mappings.
    """
    try:
        edits = yaml.safe_load((path or EDITS).read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    if not isinstance(edits, list) or not all(isinstance(edit, dict) for edit in edits):
        raise ValueError("a list of edits was expected")
    return edits


@functools.cache
def load_examples() -> list[dict[str, str]]:
    """Questions about other pictures and a good instruction for each, for the prompt of the policy `writer`."""
    examples: list[dict[str, str]] = yaml.safe_load(EXAMPLES.read_text("utf-8"))
    return examples


@functools.cache
def digest() -> dict[str, str]:
    """SHA-256 of every shipped prompt file, by its path inside this folder; part of every trace."""
    files = sorted([EDITS, EXAMPLES, *FOLDER.glob("*/*.j2")])
    return {file.relative_to(FOLDER).as_posix(): _sha256(file) for file in files}


def own_digest(prompt_set: str) -> dict[str, str]:
    """SHA-256 of every template of a set that is not shipped, by its path; nothing for one that is."""
    own = Path(prompt_set)
    return {str(file): _sha256(file) for file in sorted(own.glob("*.j2"))} if own.is_absolute() else {}


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
