"""`g2u edits`: what there is to imagine."""

from __future__ import annotations

from .output import Json, print_json


def edits(json: Json = False) -> None:
    """List the edits that a model may make; $G2U_EDITS names a YAML file of your own."""
    from ..edits.library import EditLibrary

    library = EditLibrary.load()
    if json:
        print_json([edit.model_dump() for edit in library.every])
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console()
    for edit in library.every:
        # A line of its own, since columns cut or break names in a narrow terminal.
        console.print(Text.assemble((edit.name, "bold"), "  ", edit.family), soft_wrap=True)
        rows = {
            "helps when": edit.helps,
            "for models that declare": edit.needs,
            "instruction": edit.fill({name: f"<{name}>" for name in edit.arguments}, "<the question>"),
            **{name: ", ".join(argument.choices) for name, argument in edit.arguments.items()},
        }
        for name, value in rows.items():
            if value:
                console.print(Padding(Text.assemble((f"{name}: ", "dim"), value), (0, 0, 0, 2)))
