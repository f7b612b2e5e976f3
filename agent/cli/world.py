"""`g2u world`: pictures of which everything is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import TaskID

from ..errors import G2UError, SettingError, UnknownNameError
from .output import Json, print_json, progress, say

world = typer.Typer(help="The picture world: pictures of which everything is known.", no_args_is_help=True)

_TASKS = "shapes, objects, writing, chart, turned, clutter, backdrop, pattern, maze, tangle, puzzle, crowd, faint"
_CONDITIONS = (
    "untraced, unmarked, tangled, faint, busy, shuffled, cluttered, turned, cropped, bars, faded, blur, pixelated, "
    "noise, dark, bright"
)
_SPLITS = "train, development, held-out, held-out-style or held-out-wording."


@world.command()
def sample(
    task: Annotated[str, typer.Option(help=f"One of {_TASKS}.")] = "shapes",
    seed: Annotated[int, typer.Option(help="Of the item, within its split.")] = 0,
    split: Annotated[str, typer.Option(help=_SPLITS)] = "held-out",
    fault: Annotated[
        str | None,
        typer.Option(
            help=f"One that the task has of {_CONDITIONS}, two joined by +, or none; left out: one by the seed."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the picture.")] = Path("."),
    json: Json = False,
) -> None:
    """Make one picture with a question and all that is known of it."""
    import io

    from g2u.world.items.items import sample as make

    from ..files import check_folder, write_atomic

    check_folder(out)
    item = make(task, seed, split, fault)
    picture = out / f"{item.task}-{item.fault}-{item.split}-{item.seed}.png"
    buffer = io.BytesIO()
    item.picture.save(buffer, "PNG")
    write_atomic(picture, buffer.getvalue())
    known = {
        "picture": str(picture),
        "task": item.task,
        "split": item.split,
        "seed": item.seed,
        "question": item.question,
        "kind": item.kind,
        "options": item.options,
        "answer": item.answer,
        "gold_edits": item.gold_edits,
        "fault": item.fault,
    }
    if json:
        print_json(known)
        return
    for name, value in known.items():
        typer.echo(f"{name}: {', '.join(value) if isinstance(value, list) else value}")


@world.command()
def export(
    out: Annotated[Path, typer.Option(help="File to write, such as world.tsv.", show_default=False)],
    task: Annotated[str, typer.Option(help=f"Comma-separated, of {_TASKS}; left out: all.")] = "",
    items: Annotated[int, typer.Option(min=1, help="Pictures, tasks and faults in turn.")] = 200,
    split: Annotated[str, typer.Option(help=_SPLITS)] = "held-out",
) -> None:
    """Write pictures and questions as a benchmark in the form of VLMEvalKit, with gold edits as a further column."""
    from g2u.study.benchmarks.of_world import write_world

    columns = write_world(out, items, split=split, tasks=_parts(task))
    say(f"{items:,} rows in {out}: {', '.join(columns)}.")
    say(f"Ask them: g2u study run --preset quick --source {out} --out runs/{out.stem}")


@world.command(name="eval")
def evaluation(
    what: Annotated[str, typer.Option(help="answers, reflect (verdicts on thoughts) or edits (drawings).")] = "answers",
    model: Annotated[str, typer.Option(help="`g2u models` lists them.")] = "mini",
    weights: Annotated[str, typer.Option(help="Folder of weights; left out: the model's own.")] = "",
    split: Annotated[str, typer.Option(help=_SPLITS)] = "held-out",
    tasks: Annotated[str, typer.Option(help=f"Comma-separated, of {_TASKS}; left out: all.")] = "",
    items: Annotated[
        int | None,
        typer.Option(help="Pictures, in turn; left out: 200 for answers, 300 for reflect, 8 per edit for edits."),
    ] = None,
    arms: Annotated[
        str,
        typer.Option(
            help="For answers, comma-separated, of direct, gold, self, self-unjudged, score, self-naive, random, "
            "wrong, clean; left out: all."
        ),
    ] = "",
    steps: Annotated[
        str,
        typer.Option(
            help="Sampler steps per drawing; left out: the model's own. For edits several: 1,2,4,8,20 if left out."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Examine a model on pictures that it has never seen: its answers, its verdicts or its drawings.

    What a new style costs: run it with `--split held-out` and again with `--split held-out-style`; wordings likewise.
    """
    if what not in _EVALUATIONS:
        raise UnknownNameError("evaluation", what, _EVALUATIONS)
    if arms and what != "answers":
        raise SettingError(f"`--arms` belongs to `--what answers`, not to `--what {what}`.", "Leave `--arms` out.")
    settings: dict[str, Any] = {"weights": weights, "split": split, "tasks": _parts(tasks)}
    if items is not None:
        settings["items"] = items
    if arms:
        settings["arms"] = _parts(arms)
    if steps:
        numbers = [_whole(part) for part in _parts(steps)]
        if what != "edits" and len(numbers) != 1:
            hint = "`--what edits` compares several."
            raise SettingError(f"`--what {what}` takes one number of steps, not {steps!r}.", hint)
        settings["steps"] = numbers if what == "edits" else numbers[0]
    with progress() as bars:
        shown: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in shown:
                shown[name] = bars.add_task(name, total=total)
            bars.update(shown[name], completed=done)

        found = _EVALUATIONS[what](model, settings | {"on_progress": show})
    if failures := found.get("failures"):
        say(f"{failures} answers failed; they count as wrong. `g2u study run` keeps them, with the reasons.")
    if json:
        print_json(found)
        return
    _print_tables(found, markdown=False)


@world.command()
def report(
    file: Annotated[Path, typer.Argument(help="What `g2u world eval --json` printed.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="For a page of documentation.")] = False,
) -> None:
    """Show the tables of an evaluation that was kept."""
    found = _read_evaluation(file)
    try:
        _print_tables(found, markdown)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        hint = "Make it anew with `g2u world eval --json > FILE`."
        raise G2UError(f"{file} is an evaluation of another version: {error!r}.", hint) from error


def _read_evaluation(file: Path) -> dict[str, Any]:
    import json

    hint = "Keep one with `g2u world eval --json > FILE`, and name that file."
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise G2UError(f"There is no file {str(file)!r}; an evaluation was expected.", hint) from error
    except OSError as error:
        raise G2UError(f"{str(file)!r} cannot be read: {error.strerror}.", hint) from error
    except UnicodeDecodeError as error:
        raise G2UError(f"{str(file)!r} is no text, and an evaluation is one.", hint) from error
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
        raise G2UError(f"{str(file)!r} is not JSON, and an evaluation is: {reason}.", hint) from error
    if not isinstance(found, dict) or not found.keys() & _SIGNS.keys():
        raise G2UError(f"{str(file)!r} is JSON, but no evaluation.", hint)
    return found


_SIGNS = {"summary": "answers", "kinds": "reflect", "edits": "edits"}
"""Key by which an evaluation is known to what was examined."""


def _print_tables(found: dict[str, Any], markdown: bool) -> None:
    from .layout import print_table
    from .reports import TABLES

    what = next(what for sign, what in _SIGNS.items() if sign in found)
    for title, table in TABLES[what](found):
        if markdown:
            typer.echo(f"{title}:\n\n{table.markdown()}\n")
        else:
            print_table(title, table)


def _answers(model: str, settings: dict[str, Any]) -> dict[str, Any]:
    from g2u.study.evaluate import evaluate

    return evaluate(model, **settings)


def _reflect(model: str, settings: dict[str, Any]) -> dict[str, Any]:
    from g2u.world.judging.verdicts import examine_verdicts

    return examine_verdicts(model, **settings)


def _edits(model: str, settings: dict[str, Any]) -> dict[str, Any]:
    from g2u.world.judging.drawings import examine_drawings

    return examine_drawings(model, **settings)


_EVALUATIONS: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    "answers": _answers,
    "reflect": _reflect,
    "edits": _edits,
}
"""What can be examined."""


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise SettingError(f"A number of steps is a whole number such as 2, not {text!r}.")
    return int(text)
