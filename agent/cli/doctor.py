"""`g2u doctor`: what this machine can do, and what is missing."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from ..errors import SettingError
from ..models.checks import Check
from .output import Json, print_json

PACKAGES = ("g2u", "torch", "transformers", "diffusers", "langgraph", "pydantic", "pillow")


def doctor(
    model: Annotated[str, typer.Option(help="Look whether this model can run here; `g2u models` lists them.")] = "",
    weights: Annotated[str, typer.Option(help="Folder of its weights, in place of the model's own.")] = "",
    json: Json = False,
) -> None:
    """Check this installation, exit code 2 when something that is needed fails; or a model, exit code 1."""
    if model:
        from ..models.registry import examine_model

        checks = list(examine_model(model, weights))
    elif weights:
        raise SettingError("A folder of weights belongs to a model, and none was named.", "Add `--model MODEL`.")
    else:
        checks = [check for look in LOOKS for check in look()]
    if json:
        print_json([asdict(check) for check in checks])
    else:
        _show(checks)
    if not all(check.good for check in checks):
        raise typer.Exit(1 if model else 2)


def packages() -> Iterator[Check]:
    """Python and what is installed."""
    yield Check(name="python", good=True, found=platform.python_version())
    for name in PACKAGES:
        try:
            yield Check(name=name, good=True, found=version(name))
        except PackageNotFoundError:
            yield Check(name=name, good=False, found="not installed")


def device() -> Iterator[Check]:
    """What torch computes on; $G2U_DEVICE where that is set, each of several."""
    import torch

    from ..errors import CapabilityError
    from ..models.device import find_devices

    try:
        places = find_devices()
    except CapabilityError as error:
        yield Check(name="device", good=False, found=str(error))
        return
    for place in places:
        threads = f", {torch.get_num_threads()} threads" if place.type == "cpu" else ""
        yield Check(name="device", good=True, found=f"{place}{threads}")


def weights() -> Iterator[Check]:
    """Whether the shipped model is whole; loading it checks its hash."""
    from ..models.registry import examine_model

    yield from examine_model("mini")


def store() -> Iterator[Check]:
    """Whether pictures can be kept."""
    from ..errors import OutputError
    from ..files import check_folder
    from ..pictures.store import get_store

    root = get_store().root
    try:
        check_folder(root)
        yield Check(name="picture store", good=True, found=str(root))
    except OutputError as error:
        yield Check(name="picture store", good=False, found=str(error))


def terminal() -> Iterator[Check]:
    """How `g2u trace show` can draw pictures here."""
    from textual_image.renderable import Image

    yield Check(name="terminal pictures", good=True, found=Image.__module__.rpartition(".")[2])


LOOKS: tuple[Callable[[], Iterator[Check]], ...] = (packages, device, weights, store, terminal)
"""Everything that is looked at, in the order shown."""


def _show(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "", "found")
    for check in checks:
        table.add_row(check.name, "[green]good[/]" if check.good else "[red]missing[/]", Text(check.found))
    Console().print(table)
