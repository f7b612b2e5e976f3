"""The benchmarks that are known by name: how each is scored, where its file is, and which files of it there are."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from g2u.errors import UnknownNameError

Form = Literal["any", "choices", "circular", "pairs", "yes-no", "maths", "free", "judged", "suite"]
"""How a row is asked and what is right; `any` tells that of each row by its cells, for files that nobody described."""
GROUPS = ("category", "l2-category", "split")
"""Columns that tables tell apart, in a file that nobody described, where it has them."""


class Version(BaseModel):
    """One file that was published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    md5: str
    what: str
    """Which one it is, in a few words."""


class Benchmark(BaseModel):
    """What is known of a benchmark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """As VLMEvalKit names it, where that has it."""
    title: str = ""
    paper: str = ""
    """That describes it."""
    form: Form = "any"
    groups: tuple[str, ...] = GROUPS
    """Columns that tables tell apart."""
    rows: int | None = None
    """That have a picture; `None` where that is not known."""
    url: str = ""
    """Of its file; empty where nobody published one in this form."""
    versions: tuple[Version, ...] = ()
    """The files that were published there, newest first; none where no sum is known."""
    withheld: bool = False
    """Whether its answers are kept by its owners, so that nobody else can score it."""
    public: bool = True
    """Whether its data can be had at all."""
    kit: bool = True
    """Whether VLMEvalKit has it."""
    lmms: str = ""
    """Task or group of lmms-eval; empty for none."""
    licence: str = ""
    """As its page names it, SPDX; empty where that is not known."""
    page: str = ""
    """Of its owners."""
    parts: tuple[str, ...] = ()
    """Of a suite: the names of its benchmarks."""
    note: str = ""
    """What else to know."""

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.name}.tsv"


@functools.cache
def benchmarks() -> Mapping[str, Benchmark]:
    """All of them, by name."""
    data = yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text("utf-8"))
    return MappingProxyType({one.name: one for one in TypeAdapter(list[Benchmark]).validate_python(data)})


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of a name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in benchmarks():
        raise UnknownNameError("benchmark", name, benchmarks(), "g2u bench list")
    return benchmarks()[name]


def described(name: str) -> Benchmark:
    """What is known of a file by the name of its benchmark; of a name that is not known, nothing but that.

    Circular copies are known by the word in the name, as the kit knows them.
    """
    form: Form = "circular" if "circular" in name.casefold() else "any"
    return benchmarks().get(name) or Benchmark(name=name, form=form, kit=False)
