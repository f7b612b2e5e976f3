"""Questions of benchmarks as items of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from g2u.edits.library import EditLibrary
from g2u.errors import BenchmarkError, ExtensionError, PictureError, SettingError, StudyError, UnknownNameError
from g2u.pictures.store import ImageStore
from g2u.scoring.scorers import check_scorer

from ..benchmarks.questions import Question, clusters_of, question_of
from ..benchmarks.sources import Source
from .records import ItemRecord

NAME = "benchmark"
"""Group that says which benchmark a question is of."""

OnFault = Callable[[BenchmarkError], None]


def benchmark_records(
    source: Source, store: ImageStore, scorer: str = "", on_fault: OnFault | None = None, on_bare: OnFault | None = None
) -> Iterator[ItemRecord]:
    """The questions of a benchmark, those that belong together one after the other, and else in the order of the file.

    An id is the name of the benchmark, a slash and the index. A question is its stem: whoever decides what to draw does
    not see the options, so that copies of a question in which these stand in another order share one drawing.

    Args:
        source: The benchmark.
        store: For the pictures, each decoded when its item is wanted.
        scorer: Of the questions whose form names none.
        on_fault: Is told of each row that cannot be asked, which is passed over; `None`: the first one raises.
        on_bare: Is told of each row without a picture, which is never asked.

    Raises:
        BenchmarkError: A row cannot be asked.
        StudyError: Its answers are graded by a chat model, and none is named.
    """
    known, where = source.benchmark, source.reader.name
    if known.form == "judged" and not scorer:
        hint = "Add `--scorer judge:PROVIDER:MODEL`; another scorer makes another benchmark of it."
        raise StudyError(f"The answers to {known.name} are graded by a chat model, and none is named.", hint)
    asked: dict[str, Question] = {}

    def tell(error: BenchmarkError) -> None:
        if on_fault is None:
            raise error
        on_fault(error)

    for row in source.reader.rows(pictures=False, on_fault=on_fault and tell):
        try:
            clusters_of([row.index], known.form, where)  # refuses an index that says nothing
            asked[row.index] = question_of(row, known, where)
        except BenchmarkError as error:
            tell(error)
    together: dict[str, list[str]] = {}
    clusters = clusters_of(list(asked), known.form, where)
    for index, cluster in clusters.items():
        together.setdefault(f"cluster {cluster}" if cluster else index, []).append(index)
    for index in (index for indices in together.values() for index in indices):
        try:
            record = _record(source, index, asked[index], clusters[index], scorer, store)
        except BenchmarkError as error:
            tell(error)
            continue
        if record is not None:
            yield record
        elif on_bare is not None:
            on_bare(BenchmarkError(f"{where}: row {index!r}, column 'image': it is empty."))


def _record(
    source: Source, index: str, question: Question, cluster: str, scorer: str, store: ImageStore
) -> ItemRecord | None:
    """One item; `None` for a row without a picture."""
    where = f"{source.reader.name}: row {index!r}"
    try:
        pictures = [
            store.add_bytes(data, f"{where}, column 'image': picture {place}")
            for place, data in enumerate(source.reader.pictures(index), 1)
        ]
        if not pictures:
            return None
        for edit in question.gold_edits or ():
            EditLibrary.load().get(edit)
        record = ItemRecord(
            id=f"{source.name}/{index}",
            pictures=pictures,
            question=question.text,
            options=list(question.options),
            answers=list(question.answers),
            scorer=question.scorer or scorer,
            cluster=f"{source.name}/{cluster}" if cluster else "",
            gold_edits=list(question.gold_edits) if question.gold_edits else None,
            groups={NAME: source.name, **question.groups},
        )
        check_scorer(record.expected)
    except PictureError as error:
        raise BenchmarkError(error.message, error.hint) from error
    except (SettingError, UnknownNameError, ExtensionError) as error:
        raise BenchmarkError(f"{where}: {error.message}", error.hint) from error
    return record
