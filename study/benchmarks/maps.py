"""Column maps: which columns of a data set are question, options, answer and pictures, as a YAML file.

```yaml
name: pope
dataset: lmms-lab/POPE        # an id of the hub, or a folder or file seen from this one
split: test
form: yes-no
columns: {question: question, answer: answer, pictures: [image], groups: {category: category}}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from g2u.errors import BenchmarkError

from .catalogue import Benchmark, Form
from .documents import Document, Documents, Place, Told, scalars
from .questions import GOLD, GROUP


class Columns(BaseModel):
    """The names of columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = "question"
    answer: str = "answer"
    """A letter, the words of an option, or its place from 0 on where the column holds whole numbers."""
    pictures: list[str] = Field(default=["image"], min_length=1)
    """In order; one may hold lists."""
    options: str | list[str] = []
    """One column of lists, or a column for each option; left out for free answers."""
    index: str = ""
    """Left out: the number of the row, from 0 on."""
    hint: str = ""
    gold_edits: str = ""
    groups: dict[str, str] = {}
    """What tables tell apart: the name there, and the column."""


class ColumnMap(BaseModel):
    """A data set in the terms of a benchmark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="", pattern=r"^[\w.+-]*$")
    """Left out: that of the file."""
    dataset: str
    config: str = ""
    split: str = ""
    form: Form = "any"
    columns: Columns = Columns()


def read_map(data: Mapping[str, Any], path: Path, *, download: bool = False) -> tuple[Benchmark, Documents | Path]:
    """What a column map describes.

    Args:
        data: Of the file.
        path: Of it.
        download: Whether the hub may be asked for what is not here.

    Returns:
        The benchmark, and its rows; a path for a file in the form of VLMEvalKit, which needs no columns.

    Raises:
        BenchmarkError: It is no such map.
    """
    try:
        wanted = ColumnMap.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg'][0].lower()}{first['msg'][1:]}"
        hint = "Expected a column map (`dataset`, `columns`, ...) or a task of lmms-eval (`dataset_path`, ...)."
        raise BenchmarkError(f"{str(path)!r} is no column map: {what}.", hint) from error
    name, columns = wanted.name or path.stem, wanted.columns
    described = Benchmark(name=name, form=wanted.form, kit=False)
    if wanted.dataset.endswith(".tsv"):
        return described, path.parent / Path(wanted.dataset).expanduser()

    def tell(document: Document) -> Told:
        if isinstance(columns.options, str):
            cells = list(document[columns.options] or [])
        else:
            cells = [document[column] for column in columns.options]
        options = ["" if cell is None else str(cell) for cell in cells]
        while options and not options[-1].strip():  # one before another option stays: its place is its letter
            options.pop()
        others = scalars(document) if wanted.form == "maths" else {}
        others |= {f"{GROUP}{group}": str(document[column]) for group, column in columns.groups.items()}
        others |= {"hint": str(document[columns.hint] or "")} if columns.hint else {}
        if columns.gold_edits:
            gold = document[columns.gold_edits] or ""
            others[GOLD] = gold if isinstance(gold, str) else ",".join(gold)
        return Told(
            question=str(document[columns.question]), answer=document[columns.answer], options=options, others=others
        )

    place = Place(path=wanted.dataset, home=path.parent, config=wanted.config, split=wanted.split)
    return described, Documents(
        name=f"{wanted.dataset!r}",
        place=place,
        pictures_in=columns.pictures,
        index_in=columns.index,
        tell=tell,
        download=download,
    )
