"""How kept thoughts meet the question: what the reader sees before it.

A fusion is a row of a table: parts in order, and in which view. Its texts are templates of the prompt set `fusions`,
the same for every model. Whatever the fusion, the reader prompt comes last and is one and the same.

A question may be about several pictures. They are shown in order, and a thought belongs to the one that was edited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from g2u import prompts

from ..edits.library import EditLibrary
from ..models.protocol import Capabilities, View
from ..pictures.references import ImageRef
from ..state import Fusion, Round

Segments = list[ImageRef | str]


@dataclass(frozen=True)
class Shown:
    """What a reader sees before its prompt."""

    segments: tuple[ImageRef | str, ...]
    """Pictures, and texts between them, in order."""
    view: View = "read"
    """Whether the pictures are seen as those that are read or as those that are drawn on."""
    note: str = ""
    """Words about the thought that go into the reader prompt itself; empty for none."""
    goes_on: bool = False
    """Whether it goes on from a drawing, with what the model wrote before it."""


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
    goes_on: bool = False
    """Whether it goes on from the drawing, so that a text that asks to think before answering comes after it."""

    @property
    def texts(self) -> bool:
        """Whether there are texts between the pictures."""
        return any(part not in ("originals", "thoughts", "versions") for part in self.parts)

    @property
    def chained(self) -> bool:
        """Whether it shows one picture more for each kept thought."""
        return "chain" in self.parts

    def pictures(self, rounds: int, originals: int = 1) -> int:
        """How many pictures it shows at most.

        Args:
            rounds: Thoughts that the run draws at most.
            originals: Pictures that the question is about.
        """
        thoughts = min(rounds, originals)  # of each picture the last one
        shown = {"thoughts": thoughts, "labelled_thoughts": thoughts, "chain": rounds}
        shown |= dict.fromkeys(("originals", "labelled_originals", "versions"), originals)
        return sum(shown.get(part, 0) for part in self.parts)


def newest(kept: Sequence[Round]) -> dict[int, ImageRef]:
    """By the place of each picture that was edited, from 0 and in order, the last kept thought of it."""
    found = {turn.decision.call.place: turn.thought for turn in kept if turn.thought}
    return dict(sorted(found.items()))


def standing(originals: Sequence[ImageRef], kept: Sequence[Round]) -> list[ImageRef]:
    """Each picture as it stands: the last kept thought of it, or else itself."""
    thoughts = newest(kept)
    return [thoughts.get(place, original) for place, original in enumerate(originals)]


def _told(turn: Round, instruction: str) -> str:
    """The instruction of a round, with the number of its picture where there are several."""
    return prompts.render("fusions", "instruction", instruction=instruction, number=turn.decision.on)


def _chain(originals: Sequence[ImageRef], kept: Sequence[Round]) -> Segments:
    rows = ((_told(turn, turn.decision.instruction), turn.plan, turn.thought) for turn in kept if turn.thought)
    return [part for row in rows for part in row if part]


def _labelled(template: str, shown: Mapping[int, ImageRef], several: bool) -> Segments:
    """Pictures by their places, each after a label."""
    return [
        part
        for place, picture in shown.items()
        for part in (prompts.render("fusions", template, number=place + 1 if several else None), picture)
    ]


def _labelled_originals(originals: Sequence[ImageRef], kept: Sequence[Round]) -> Segments:
    return _labelled("original_label", dict(enumerate(originals)), len(originals) > 1)


def _labelled_thoughts(originals: Sequence[ImageRef], kept: Sequence[Round]) -> Segments:
    return _labelled("auxiliary_label", newest(kept), len(originals) > 1)


PARTS: Mapping[str, Callable[[Sequence[ImageRef], Sequence[Round]], Segments]] = {
    "originals": lambda originals, kept: list(originals),
    "thoughts": lambda originals, kept: list(newest(kept).values()),
    "versions": lambda originals, kept: list(standing(originals, kept)),
    "labelled_originals": _labelled_originals,
    "labelled_thoughts": _labelled_thoughts,
    "chain": _chain,
}
"""What is no fixed text, of the originals and the kept rounds: all originals; of each edited one the last thought; each
original or the last thought in its place; the first two with a label before each picture, which has its number where
the originals are several; and `chain`, each instruction with its thought. A model whose view for drawing is its own
goes on, in `continued`, from what it has computed for the first drawing of an only picture."""

FUSIONS: Mapping[Fusion, Layout] = {
    "concat": Layout(parts=("originals", "thoughts")),
    "thought-first": Layout(parts=("thoughts", "originals")),
    "between": Layout(parts=("originals", "question", "thoughts")),
    "labelled": Layout(parts=("labelled_originals", "labelled_thoughts")),
    "three-turn": Layout(parts=("originals", "enhance_first", "thoughts", "originals")),
    "replace": Layout(parts=("versions",)),
    "continued": Layout(parts=("originals", "chain"), view="draw", goes_on=True),
    "latent": Layout(parts=("originals", "thoughts"), view="draw", drawing_view=True),
    "caption": Layout(parts=("originals",), note=True),
}
"""Every fusion. `between` is how the paper writes its own, `three-turn` how its release does it, `labelled` how UniG2U
tells the pictures apart; `caption` is a control: the words of the imagination without its picture."""


def fuse(fusion: Fusion, originals: Sequence[ImageRef], kept: Sequence[Round], question: str) -> Shown:
    """What the reader sees of the originals and the kept thoughts.

    Args:
        fusion: Its name.
        originals: The pictures that were asked about, in order.
        kept: Rounds whose thought was kept; none for the direct answer, which has no fusion.
        question: Its stem.
    """
    if not kept:
        return Shown(tuple(originals))
    layout, segments = FUSIONS[fusion], Segments()
    known = {"question": question, "pictures": len(originals)}
    for part in layout.parts:
        shown = PARTS.get(part)
        segments += shown(originals, kept) if shown else [prompts.render("fusions", part, **known)]
    # Without the question, which the reader prompt has already.
    library = EditLibrary.load()
    told = [_told(turn, library.instruction(turn.decision.call)) for turn in kept] if layout.note else []
    return Shown(tuple(segments), layout.view, " ".join(told), layout.goes_on)


def lacking(fusion: Fusion, capabilities: Capabilities, rounds: int, originals: int = 1) -> str:
    """What a model lacks for a fusion, as the end of a sentence that begins with the model; empty for nothing.

    Args:
        fusion: Its name.
        capabilities: Of the model.
        rounds: Thoughts that the run draws at most.
        originals: Pictures that the question is about.
    """
    layout, most = FUSIONS[fusion], capabilities.max_pictures
    shown, left = layout.pictures(rounds, originals), most - originals
    few = "one picture" if most == 1 else f"{most} pictures"
    of = "" if originals == 1 else f" of a question about {originals}"
    shows = f"so {fusion!r}{of} has {left} rounds at most" if layout.chained else f"and {fusion!r}{of} shows {shown}"
    rows = (
        (layout.texts and not capabilities.text_segments, f"takes no text between pictures, as {fusion!r} has it"),
        (layout.drawing_view and not capabilities.drawing_view, f"has no view for drawing, which {fusion!r} shows"),
        (shown > most, f"takes {few}, {shows}"),
    )
    return next((told for missing, told in rows if missing), "")
