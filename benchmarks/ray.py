"""What actors of Ray win: `python benchmarks/ray.py [--actors 2] [--gpus 2] [--items 24] [--repeats 3] [--json]`.

One study is answered in this process, then over Ray by one actor and by several, in turns within every repeat, so that
a machine that slows down slows both. The figure is the throughput of several over that of one of the same repeat,
counted from the time when as many batches as actors had come in to the last one: what an actor pays once, its start and
the loading of its model, is told apart, as the seconds before. The lines of every run are compared with those of this
process.

With `--gpus N` each of N actors has a GPU, which has to be there, and a tiny BAGEL is asked beside `mini`: official
layout, random weights (`tests/data/bagel`), a few steps. On a GPU numbers differ by rounding, so that the comparison
tells how many answers and drawings are the same, and the largest difference of a probability.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

sys.path.remove(str(Path(__file__).parent))  # where this file would be taken for the package of its name

import ray
from rich.console import Console
from rich.table import Table

from g2u.models.bagel.golden.golden import Meta
from g2u.models.bagel.golden.weights import completed
from g2u.models.bagel.network.config import GOLDEN_FILE, read_config
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.records import Line
from g2u.study.running.results import Results
from g2u.study.running.runner import run
from g2u.world.items.items import spread

TINY = Path(__file__).parents[1] / "tests" / "data" / "bagel"
ARMS = [
    Arm(name="direct", policy="none"),
    Arm(name="deblur", policy="fixed:deblur", reflect=False, rounds=1),
    Arm(name="sharpen", policy="fixed:sharpen", reflect=False, rounds=1),
]


@dataclass(frozen=True, kw_only=True)
class Took:
    """What a run took."""

    before: float
    """Seconds until as many batches as actors were there."""
    each: float
    """Answers a second from then on."""


@dataclass(frozen=True, kw_only=True)
class Alike:
    """How a run compares with that of one process, answer by answer."""

    answers: int
    same_answers: int
    drawings: int
    same_drawings: int
    largest_difference: float
    """Of the probabilities of an option."""


def main(
    actors: Annotated[int, typer.Option(min=2, help="Of the larger pool.")] = 2,
    gpus: Annotated[int, typer.Option(min=0, help="As many actors, one for each; 0 stays on the CPU.")] = 0,
    items: Annotated[int, typer.Option(min=8, help="Questions of the picture world.")] = 24,
    repeats: Annotated[int, typer.Option(min=1, help="Of both pools, in turns.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")] = False,
) -> None:
    """Measure, and compare the lines."""
    if gpus:
        actors = gpus
    else:
        os.environ["G2U_DEVICE"] = "cpu"
    ray.init(num_cpus=max(actors, os.cpu_count() or 1), include_dashboard=False, log_to_driver=False, logging_level=40)
    found = {}
    with tempfile.TemporaryDirectory(prefix="g2u-") as place:
        source = write_questions(Path(place) / "questions", items)
        for model, weights in models(tiny=bool(gpus)):
            with weights as folder:
                study = Study(model=model, weights=folder, arms=ARMS, items=Items(source=str(source)), steps=4)
                found[model] = measured(study, Path(place) / model, actors, repeats)
    ray.shutdown()
    if as_json:
        typer.echo(json.dumps({"actors": actors, "gpus": gpus, "models": found}, indent=2))
        return
    table = Table("model", "actors", "answers a second", "seconds before", "same answers", "same drawings", box=None)
    for model, one in found.items():
        for number, took in one["took"].items():
            alike = one["alike"][number]
            table.add_row(
                model,
                str(number),
                f"{took['each']:.2f}",
                f"{took['before']:.1f}",
                f"{alike['same_answers']} of {alike['answers']}",
                f"{alike['same_drawings']} of {alike['drawings']}",
            )
    Console().print(table)
    for model, one in found.items():
        typer.echo(f"{model}: {actors} actors answer {one['ratio']:.2f} times as fast as one.")


def measured(study: Study, folder: Path, actors: int, repeats: int) -> dict[str, Any]:
    """Medians over the repeats, and the comparison of the last ones with this process."""
    alone = run(study, folder / "alone")
    took: dict[int, list[Took]] = {1: [], actors: []}
    alike: dict[int, Alike] = {}
    for repeat in range(repeats):
        for number in took if repeat % 2 == 0 else reversed(took):
            lines, one = timed(study, folder / f"{number}-{repeat}", number)
            took[number].append(one)
            alike[number] = compared(alone, lines)
    ratios = [many.each / one.each for one, many in zip(took[1], took[actors], strict=True)]
    return {
        "ratio": median(ratios),
        "ratios": ratios,
        "took": {
            number: {name: median(getattr(one, name) for one in ones) for name in ("each", "before")}
            for number, ones in took.items()
        },
        "alike": {number: asdict(alike[number]) for number in took},
    }


def timed(study: Study, folder: Path, actors: int) -> tuple[Results, Took]:
    """One run over Ray."""
    told: list[tuple[float, int]] = []
    began = time.perf_counter()
    found = run(
        study,
        folder,
        engine="ray",
        actors=actors,
        on_progress=lambda done, total: told.append((time.perf_counter() - began, done)),
    )
    (first, some), (last, all_of_them) = told[actors], told[-1]  # all of them have loaded their model by about then
    return found, Took(before=first, each=(all_of_them - some) / (last - first))


def compared(alone: Results, found: Results) -> Alike:
    """Lines of two runs, each of which has all of them once."""
    pairs = [(line, found.by_key[line.key]) for line in alone.lines]
    assert len(found.lines) == len(pairs), "an answer is there twice, or none"
    drawn = [
        (one.thought, other.thought)
        for line, twin in pairs
        for one, other in zip(line.rounds, twin.rounds, strict=True)
        if one.thought
    ]
    return Alike(
        answers=len(pairs),
        same_answers=sum(said(one) == said(other) for one, other in pairs),
        drawings=len(drawn),
        same_drawings=sum(one == other for one, other in drawn),
        largest_difference=max(map(apart, pairs)),
    )


def said(line: Line) -> str:
    """What it answers; a failure in its own words."""
    return line.answer.text if line.answer else line.error or line.left_out


def apart(pair: tuple[Line, Line]) -> float:
    """The largest difference of a probability."""
    one, other = ((line.answer.probabilities if line.answer else {}) for line in pair)
    return max((abs(one[name] - other.get(name, 0.0)) for name in one), default=0.0)


def write_questions(folder: Path, count: int) -> Path:
    """Questions of the world as a file of one's own, so that nothing is measured against true results."""
    folder.mkdir()
    rows = []
    for number, item in enumerate(spread(count)):
        item.picture.save(folder / f"{number}.png")
        rows.append({"picture": f"{number}.png", "question": item.question, "options": list(item.options)})
        rows[-1]["answer"] = item.answer
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder / "questions.jsonl"


@contextmanager
def shipped() -> Iterator[str]:
    """Weights that a model finds by itself."""
    yield ""


@contextmanager
def tiny_bagel() -> Iterator[str]:
    """A folder of weights that are drawn from their seed."""
    meta = Meta.model_validate_json((TINY / GOLDEN_FILE).read_bytes())
    assert meta.seed is not None
    with completed(TINY, read_config(TINY).vae, meta.seed) as folder:
        yield str(folder)


def models(tiny: bool) -> Iterator[tuple[str, AbstractContextManager[str]]]:
    """Models and what gives the folder of their weights."""
    yield "mini", shipped()
    if tiny:
        yield "bagel", tiny_bagel()


if __name__ == "__main__":
    typer.run(main)
