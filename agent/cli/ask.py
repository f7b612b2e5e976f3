"""`g2u ask`: one question about one picture, or several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .output import Json, print_json, progress
from .values import VALUES, values_of


def ask(
    pictures: Annotated[
        list[str],
        typer.Argument(
            help="A picture file, or several in order; or their references, or addresses on hosts that "
            "$G2U_FETCH_HOSTS names."
        ),
    ],
    question: Annotated[str, typer.Argument(help="In words, in quotation marks.")],
    option: Annotated[list[str] | None, typer.Option(help="What may be answered; give it once for each.")] = None,
    model: Annotated[
        str,
        typer.Option(help="`g2u models` lists them; your own as package.module:load, or as path/to/file.py:load."),
    ] = "mini",
    weights: Annotated[str, typer.Option(help="Folder of weights, in place of the model's own.")] = "",
    policy: Annotated[
        str,
        typer.Option(
            help="Who picks the edit: self, score, self-naive, probe, own-words, writer:PROVIDER:MODEL, fixed:EDIT, "
            "random, wrong, oracle, native, none; your own as package.module:function, or as path/to/file.py:function."
        ),
    ] = "self",
    family: Annotated[list[str] | None, typer.Option(help="Only edits of this family; may be given again.")] = None,
    on: Annotated[
        int | None, typer.Option(help="Number of the only picture that may be edited; left out: any of them.")
    ] = None,
    gold_edit: Annotated[list[str] | None, typer.Option(help="Edit known to help, for `oracle` and `wrong`.")] = None,
    fusion: Annotated[
        str,
        typer.Option(
            help="How the thought meets the question: concat, thought-first, between, labelled, three-turn, replace, "
            "continued, latent, caption."
        ),
    ] = "concat",
    reflect: Annotated[bool, typer.Option(help="Let the model judge its thoughts.")] = True,
    rounds: Annotated[int, typer.Option(help="Thoughts at most.")] = 2,
    seconds: Annotated[float, typer.Option(help="Time of the run.")] = 600.0,
    steps: Annotated[int | None, typer.Option(help="Sampler steps per drawing; left out: the model's own.")] = None,
    preset: Annotated[str, typer.Option(help="Settings of the model's sampler, by name; left out: its first.")] = "",
    set_: Annotated[list[str] | None, VALUES] = None,
    temperature: Annotated[float, typer.Option(help="Of the chance by which the model writes; 0 for none.")] = 0.0,
    think: Annotated[bool, typer.Option(help="Let the model write a thought before it draws and answers.")] = False,
    seed: Annotated[int, typer.Option(help="Of the drawings' noise and of policies that draw lots.")] = 0,
    reader: Annotated[str, typer.Option(help="Prompt of the answers, a template of the model.")] = "answer",
    reading: Annotated[
        str, typer.Option(help="How options are answered: scored, the likeliest; written, in words; both.")
    ] = "scored",
    max_tokens: Annotated[int, typer.Option(help="Tokens of a written answer at most.")] = 32,
    out: Annotated[Path, typer.Option(help="Where the run's own folder is made.")] = Path("runs"),
    json: Json = False,
) -> None:
    """Ask about pictures; the model may edit one of them for itself before it answers."""
    from .. import asking

    with progress() as bars:
        bar = bars.add_task("load the model", total=None)

        def show(event: Mapping[str, Any]) -> None:
            if "done" in event:
                bars.update(
                    bar, description=f"{event['step']} {event['round']}", completed=event["done"], total=event["total"]
                )

        run = asking.ask(
            pictures,
            question,
            options=option,
            gold_edits=gold_edit,
            out=out,
            on_event=show,
            model=model,
            weights=weights,
            policy=policy,
            families=family or [],
            on=on,
            fusion=fusion,
            reflect=reflect,
            rounds=rounds,
            seconds=seconds,
            steps=steps,
            preset=preset,
            values=values_of(set_ or []),
            temperature=temperature,
            think=think,
            seed=seed,
            reader=reader,
            reading=reading,
            max_tokens=max_tokens,
        )
    if json:
        print_json(run.to_json())
        return
    from rich.console import Console

    from ..traces.terminal import show_trace
    from ..traces.trace import read_trace, store_of

    assert run.trace is not None, "a folder was given"
    found = read_trace(run.trace)
    show_trace(found, store_of(found), Console())
    typer.echo(run.answer)
