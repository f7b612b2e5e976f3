"""The questions of a study: of the world, of which everything is known, of benchmarks, or of a file of your own."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from g2u.errors import BenchmarkError, StudyError, UnknownNameError
from g2u.pictures.store import ImageStore
from g2u.world.items.items import Item, sample, spread

from ..benchmarks.cache import found_file
from ..benchmarks.catalogue import benchmarks
from ..benchmarks.sources import is_benchmark, open_source, parts_of
from ..benchmarks.tsv import TsvFile, md5_of
from .arms import WORLD, Items
from .benchmarks import benchmark_records
from .own import read_items
from .records import ItemRecord

WORLD_COUNT = 200
"""Items of the world where a study says no number."""


@dataclass
class Noted:
    """What there is to say of the sources of a study."""

    versions: dict[str, str] = field(default_factory=dict)
    """As `Header.versions`."""
    passed_over: dict[str, list[str]] = field(default_factory=dict)
    """As `Header.passed_over`."""


def make_items(wanted: Items, store: ImageStore, noted: Noted | None = None) -> list[ItemRecord]:
    """Put the pictures into the store and say what is asked about them.

    Args:
        wanted: Which ones. Of several sources one each is taken in turn, so that more of them come behind those before.
        store: For the pictures.
        noted: Gets what there is to say of the sources.

    Raises:
        StudyError: No source is named, a file of questions cannot be read, a line of it is none, or its picture cannot
            be used.
        BenchmarkError: A benchmark is not here, or cannot be read or asked.
        UnknownNameError: The world has no such split or task; there is no such benchmark; a gold edit is no edit.
    """
    if not wanted.source:
        raise StudyError(
            "This study asks questions of your own, and names no file.",
            "Add `--source FILE.jsonl`, or the name of a benchmark: `g2u bench list`.",
        )
    if wanted.of_world:
        if wanted.scorer:
            raise StudyError("The world scores its own questions.", "Leave the scorer out, or name a file.")
        items = spread(wanted.count or WORLD_COUNT, wanted.split, tasks=wanted.tasks)
        return [record for item in items for record in _world_records(item, wanted.paraphrases, store)]
    noted = noted or Noted()
    sources = parts_of(wanted.sources)
    if len(sources) == 1 and not is_benchmark(sources[0]):
        return read_items(_own(sources[0]), store, wanted.count, wanted.scorer)
    records: dict[str, Iterator[ItemRecord]] = {}
    for source in sources:
        name, of_source = _records(source, wanted, store, noted)
        if name in records:
            raise StudyError(f"There are two sources called {name!r}.", "Give one of the files another name.")
        records[name] = of_source
    found = list(itertools.islice(_in_turn(list(records.values())), wanted.count))
    if not found:
        raise StudyError(f"There is no question that can be asked in {wanted.told}.", "See `g2u bench check`.")
    return found


def _records(source: str, wanted: Items, store: ImageStore, noted: Noted) -> tuple[str, Iterator[ItemRecord]]:
    """The name of a source, with which its ids begin, and its questions."""
    if not is_benchmark(source):
        path = _own(source)
        name = path.stem
        return name, (
            one.model_copy(update={"id": f"{name}/{one.id}", "cluster": f"{name}/{one.cluster}" if one.cluster else ""})
            for one in read_items(path, store, None, wanted.scorer)
        )
    opened = open_source(source)
    if known := opened.version:
        noted.versions[opened.name] = f"{known.md5} ({known.what})"
    elif isinstance(opened.reader, TsvFile):
        noted.versions[opened.name] = md5_of(opened.reader.path)

    def tell(error: BenchmarkError) -> None:
        noted.passed_over.setdefault(opened.name, []).append(str(error))

    return opened.name, benchmark_records(opened, store, wanted.scorer, tell if wanted.lenient else None, tell)


def _in_turn(sources: Sequence[Iterator[ItemRecord]]) -> Iterator[ItemRecord]:
    """One of each source in turn, until none has any left."""
    left = list(sources)
    while left:
        for source in list(left):
            if (record := next(source, None)) is None:
                left.remove(source)
            else:
                yield record


def _own(source: str) -> Path:
    """The path of a file of one's own questions.

    Raises:
        UnknownNameError: It is no path, and no benchmark has that name.
    """
    path = Path(source)
    if not path.suffix and not path.exists() and path.name == source:
        raise UnknownNameError("benchmark", source, [*benchmarks(), WORLD], "g2u bench list")
    return path


def is_there(wanted: Items) -> bool:
    """Whether the files of a study are still where they were named."""
    for source in parts_of(wanted.sources):
        known = benchmarks().get(source)
        if not (found_file(known) if known else Path(source).exists()):
            return False
    return True


@functools.lru_cache(maxsize=256)
def world_item(name: str) -> Item:
    """The item of the world that has this id in a study."""
    split, task, fault, seed = name.split("/")[:4]
    return sample(task, int(seed), split, fault)


def write_items(records: Sequence[ItemRecord]) -> bytes:
    """The bytes of `items.jsonl`."""
    return b"".join(record.model_dump_json().encode() + b"\n" for record in records)


def parse_items(data: bytes) -> dict[str, ItemRecord]:
    """The items of `items.jsonl`, by id.

    Raises:
        StudyError: It is damaged.
    """
    try:
        records = [ItemRecord.model_validate_json(line) for line in data.splitlines()]
    except ValueError as error:
        raise StudyError(f"The items of the study are damaged: {error}", "Run the study in a new folder.") from error
    return {record.id: record for record in records}


def _world_records(item: Item, paraphrases: bool, store: ImageStore) -> Iterator[ItemRecord]:
    record = ItemRecord(
        id=f"{item.split}/{item.task}/{item.fault}/{item.seed}",
        pictures=[store.add_image(item.picture)],
        question=item.question,
        options=item.options,
        answers=[item.answer],
        gold_edits=item.gold_edits,
        groups={
            "task": item.task,
            "fault": item.fault,
            "kind": item.kind,
            "taught": "no" if item.unseen else "yes",
        },
    )
    yield record
    if paraphrases and item.paraphrase:
        change = {"id": f"{record.id}/reworded", "question": item.paraphrase, "paraphrase_of": record.id}
        yield record.model_copy(update=change)
