"""How a kept thought meets the question: what the reader sees before it.

A fusion is a row of a table: parts in order, and in which view. Its texts are templates of the prompt set `fusions`,
the same for every model. Whatever the fusion, the reader prompt comes last and is one and the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from g2u import prompts

from ..edits.library import EditLibrary
from ..models.protocol import Capabilities, View
from ..pictures.references import ImageRef
from ..state import Fusion, Round


@dataclass(frozen=True)
class Shown:
    """What a reader sees before its prompt."""

    segments: tuple[ImageRef | str, ...]
    """Pictures, and texts between them, in order."""
    view: View = "read"
    """Whether the pictures are seen as those that are read or as those that are drawn on."""
    note: str = ""
    """Words about the thought that go into the reader prompt itself; empty for none."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A fusion: a row of `FUSIONS`."""

    parts: tuple[str, ...]
    """Keys of `PARTS`, and names of templates of the prompt set `fusions`, in order."""
    view: View = "read"
    note: bool = False
    """Whether the reader is told the instructions of the kept thoughts."""
    drawing_view: bool = False
    """Whether it means something only for a model that sees pictures to be drawn on otherwise than those to be read."""
    thinks: bool = True
    """Whether a text that asks to think may come before it."""

    @property
    def texts(self) -> bool:
        """Whether there are texts between the pictures."""
        return any(part not in ("original", "thought") for part in self.parts)

    @property
    def chained(self) -> bool:
        """Whether it shows one picture more for each kept thought."""
        return "chain" in self.parts

    def pictures(self, rounds: int) -> int:
        """How many pictures it shows at most, in a run of so many rounds."""
        return sum({"original": 1, "thought": 1, "chain": rounds}.get(part, 0) for part in self.parts)


def _chain(original: ImageRef, kept: Sequence[Round]) -> list[ImageRef | str]:
    return [part for turn in kept if turn.thought for part in (turn.decision.instruction, turn.thought)]


PARTS: Mapping[str, Callable[[ImageRef, Sequence[Round]], list[ImageRef | str]]] = {
    "original": lambda original, kept: [original],
    "thought": lambda original, kept: [turn.thought for turn in kept[-1:] if turn.thought],
    "chain": _chain,
}
"""What is no fixed text, of the original and the kept rounds: the original, the last thought, and `chain`, each
instruction with its thought. A model whose view for drawing is its own goes on, in `continued`, from what it has
computed for the first drawing."""

FUSIONS: Mapping[Fusion, Layout] = {
    "concat": Layout(parts=("original", "thought")),
    "thought-first": Layout(parts=("thought", "original")),
    "between": Layout(parts=("original", "question", "thought")),
    "labelled": Layout(parts=("original_label", "original", "auxiliary_label", "thought")),
    "three-turn": Layout(parts=("original", "enhance_first", "thought", "original")),
    "replace": Layout(parts=("thought",)),
    "continued": Layout(parts=("original", "chain"), view="draw", thinks=False),
    "latent": Layout(parts=("original", "thought"), view="draw", drawing_view=True),
    "caption": Layout(parts=("original",), note=True),
}
"""Every fusion. `between` is how the paper writes its own, `three-turn` how its release does it, `labelled` how UniG2U
tells the pictures apart; `caption` is a control: the words of the imagination without its picture."""


def fuse(fusion: Fusion, original: ImageRef, kept: Sequence[Round], question: str) -> Shown:
    """What the reader sees of the original and the kept thoughts.

    Args:
        fusion: Its name.
        original: The picture that was asked about.
        kept: Rounds whose thought was kept; none for the direct answer, which has no fusion.
        question: Its stem.
    """
    if not kept:
        return Shown((original,))
    layout, segments = FUSIONS[fusion], list[ImageRef | str]()
    for part in layout.parts:
        shown = PARTS.get(part)
        segments += shown(original, kept) if shown else [prompts.render("fusions", part, question=question)]
    # Without the question, which the reader prompt has already.
    told = [EditLibrary.load().instruction(turn.decision.call) for turn in kept] if layout.note else []
    return Shown(tuple(segments), layout.view, " ".join(told))


def lacking(fusion: Fusion, capabilities: Capabilities, rounds: int) -> str:
    """What a model lacks for a fusion, as the end of a sentence that begins with the model; empty for nothing.

    Args:
        fusion: Its name.
        capabilities: Of the model.
        rounds: Thoughts that the run draws at most.
    """
    layout, most = FUSIONS[fusion], capabilities.max_pictures
    few = "one picture" if most == 1 else f"{most} pictures"
    shows = f"so {fusion!r} has {most - 1} rounds at most" if layout.chained else f"and {fusion!r} shows more"
    rows = (
        (layout.texts and not capabilities.text_segments, f"takes no text between pictures, as {fusion!r} has it"),
        (layout.drawing_view and not capabilities.drawing_view, f"has no view for drawing, which {fusion!r} shows"),
        (layout.pictures(rounds) > most, f"takes {few}, {shows}"),
    )
    return next((told for missing, told in rows if missing), "")
