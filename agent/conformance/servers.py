"""What a server must heed to be a model of G2U, each asked by pictures and texts that have one right answer.

A server that ignores what it is sent mostly looks as if it worked: it gives an answer, it draws a picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, TypeVar

import httpx
from PIL import Image

from ..errors import G2UError, RemoteError
from ..models.protocol import Reading, Segment
from ..models.remote.forms import chat, edit, read_chat, read_edit
from ..models.remote.model import RemoteModel
from ..models.remote.showing import same_aspect, side_by_side
from ..models.remote.together import run_together
from .bench import BrokenRuleError, demand, everyone
from .coloured import COLOURS, FORMS, LANDSCAPE, PORTRAIT, coloured, difference, leftness, named, warmth

T = TypeVar("T")

PAINTS: Final = [name for name in COLOURS if name != "grey"]
"""Colours that are asked for."""
COLOUR: Final = f"Which colour is the form{{where}}? Reply with one word: {', '.join(PAINTS)}."
FORM: Final = f"Which form is it? Reply with one word: {', '.join(FORMS)}."
COUNT: Final = "Count from one to fifty in words."
RECOLOUR: Final = "Change the colour of the circle to {colour}. Keep everything else as it is."
TOKENS: Final = 64
"""Of a reply at most: one word, and what some models say around it."""
FEW: Final = 4
"""Tokens of the reply that is to be cut off."""
WARMER: Final = 80.0
"""By how much red minus blue of a drawing that was to be red must exceed that of one that was to be blue."""
ASIDE: Final = 0.8
"""Share of what is drawn that must lie on the side on which it lay."""
ALIKE: Final = 2.0
"""Mean difference, of 255, up to which two drawings are one: a GPU rounds in another order each time."""


class Asked:
    """A model behind servers, asked past what it would refuse itself.

    Args:
        model: The one.
    """

    def __init__(self, model: RemoteModel) -> None:
        """Nothing was asked yet."""
        self.settings = model.settings
        self._model = model

    def read(self, segments: Sequence[Segment], text: str, max_tokens: int = TOKENS) -> Reading:
        """What the reader replies."""
        settings, client = self.settings.reader, self._model.client("reader")

        async def ask(connections: httpx.AsyncClient) -> Reading:
            sent = chat(settings, segments, text, max_tokens, 0.0, 0)
            return read_chat(client, settings, await client.ask(connections, sent))

        return _only(run_together([ask], 1, partial(everyone, 1)))

    def draw(self, picture: Image.Image, instruction: str, seed: int = 1) -> Image.Image:
        """What the editor draws, in the size in which it comes."""
        settings, client = self.settings.editor, self._model.client("editor")
        assert settings is not None, "it has a client"

        async def ask(connections: httpx.AsyncClient) -> Image.Image:
            sent = edit(settings, picture, instruction, settings.steps, seed)
            return read_edit(client, await client.ask(connections, sent))

        return _only(run_together([ask], 1, partial(everyone, 1)))


def _only(found: Sequence[T | G2UError | None]) -> T:
    (one,) = found
    if isinstance(one, G2UError):
        raise one
    assert one is not None, "it was waited for"
    return one


def check_reader_prompt(asked: Asked) -> None:
    """The reader heeds the text."""
    picture = coloured("triangle", "blue")
    colour, form = (asked.read([picture], text).text for text in (COLOUR.format(where=""), FORM))
    demand(bool(named(colour, PAINTS)), f"asked for a colour it replied {colour[:80]!r}")
    demand(bool(named(form, FORMS)), f"asked for a form it replied {form[:80]!r}")


def check_reader_picture(asked: Asked) -> None:
    """The reader heeds the picture."""
    for form, colour in (("circle", "red"), ("square", "green"), ("triangle", "blue")):
        text = asked.read([coloured(form, colour)], COLOUR.format(where="")).text
        demand(_is(text, colour), f"of a {colour} {form} it said {text[:80]!r}")


def check_two_pictures(asked: Asked) -> None:
    """Two pictures reach the reader, in their order."""
    for first, second in (("green", "red"), ("red", "blue")):
        pictures = [coloured("circle", first), coloured("circle", second)]
        for place, colour in (("first", first), ("second", second)):
            text = asked.read(pictures, COLOUR.format(where=f" in the {place} picture")).text
            said = f"of a {first} and a {second} circle it said that the {place} is {text[:80]!r}"
            demand(_is(text, colour), said)


def check_side_by_side(asked: Asked) -> None:
    """The reader tells pictures apart that stand side by side in one."""
    for left, right in (("green", "red"), ("red", "blue")):
        sheet = side_by_side([coloured("circle", left), coloured("circle", right)], asked.settings.longest_side)
        for place, colour in (("left", left), ("right", right)):
            text = asked.read([sheet], COLOUR.format(where=f" on the {place}")).text
            demand(_is(text, colour), f"of a {left} and a {right} circle it said that the {place} one is {text[:80]!r}")


def check_token_limit(asked: Asked) -> None:
    """The reader keeps to a limit of tokens."""
    reading = asked.read([coloured("circle", "red")], COUNT, FEW)
    demand(reading.tokens <= FEW, f"with a limit of {FEW} tokens it wrote {reading.tokens}")
    words = len(reading.text.split())
    demand(words <= 2 * FEW, f"with a limit of {FEW} tokens it wrote {words} words")


def check_editor_prompt(asked: Asked) -> None:
    """The editor heeds the instruction."""
    picture = coloured("circle", "grey")
    red, blue = (warmth(asked.draw(picture, RECOLOUR.format(colour=colour))) for colour in ("red", "blue"))
    said = f"told to make a circle red and blue it drew middles of red minus blue {red:.0f} and {blue:.0f}"
    demand(red - blue >= WARMER, said)


def check_editor_picture(asked: Asked) -> None:
    """The editor draws on the picture that it is sent."""
    left, right = (
        leftness(asked.draw(coloured("circle", "grey", side), RECOLOUR.format(colour="red")))
        for side in ("left", "right")
    )
    said = f"of circles on the left and on the right it drew {left:.0%} and {right:.0%} into the left half"
    demand(left >= ASIDE and right <= 1 - ASIDE, said)


def check_same_seed(asked: Asked) -> None:
    """One seed makes one drawing."""
    one, again = (asked.draw(coloured("circle", "grey"), RECOLOUR.format(colour="red"), 1) for _ in range(2))
    apart = difference(one, again)
    demand(apart <= ALIKE, f"two drawings with one seed differ by {apart:.1f} of 255")


def check_other_seed(asked: Asked) -> None:
    """Another seed makes another drawing."""
    one, again, other = (
        asked.draw(coloured("circle", "grey"), RECOLOUR.format(colour="red"), seed) for seed in (1, 1, 2)
    )
    apart, alike = difference(one, other), difference(one, again)
    demand(apart > 0, "two seeds made one drawing")
    said = f"drawings with two seeds differ by {apart:.2f} of 255, and two with one seed by {alike:.2f}"
    demand(alike > ALIKE or apart > 2 * alike, said)  # one that keeps to no seed at all is told so before


def check_size(asked: Asked) -> None:
    """A drawing has the aspect of its picture."""
    for size in (LANDSCAPE, PORTRAIT):
        picture = coloured("circle", "grey", size=size)
        drawing = asked.draw(picture, RECOLOUR.format(colour="red"))
        said = f"a picture of {size[0]}x{size[1]} came back with {drawing.width}x{drawing.height} pixels"
        demand(same_aspect(drawing, picture), said)
        spread = math.sqrt(drawing.width * drawing.height / (picture.width * picture.height))
        demand(spread >= 0.25, f"{said}, and details are lost")


def _is(text: str, colour: str) -> bool:
    """Whether a reply names that colour as its answer: the only one, or the last."""
    found = named(text, PAINTS)
    return bool(found) and found[-1] == colour


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Something that a server must heed."""

    check: Callable[[Asked], None]
    """Raises a `BrokenRuleError` where it does not; its docstring says what is demanded."""
    part: Literal["reader", "editor"]
    """Who is asked."""
    means: str
    """What follows where it is not heeded."""
    remedy: str
    """What to do then."""
    of: Callable[[Asked], bool] = lambda asked: True
    """Whether the settings promise it."""

    @property
    def about(self) -> str:
        """What is demanded, in one line."""
        return (self.check.__doc__ or "").splitlines()[0]


def _seeded(asked: Asked) -> bool:
    return asked.settings.editor is not None and asked.settings.editor.seeded


_LOOSE: Final = "Set `seeds: false` of the editor, or look for the server's own name of the seed and set it in `extra`."

DEMANDS: Final[dict[str, Demand]] = {
    "reader: text": Demand(
        check=check_reader_prompt,
        part="reader",
        means="It answers something else than what was asked.",
        remedy="Look whether the server wants marks around the text, and set `text` of the reader.",
    ),
    "reader: picture": Demand(
        check=check_reader_picture,
        part="reader",
        means="It answers without having seen the picture: every result is a guess.",
        remedy="Serve a model that takes pictures, with the template of its own chat.",
    ),
    "reader: two pictures": Demand(
        check=check_two_pictures,
        part="reader",
        means="The thought or the original is not seen, so that imagining cannot help.",
        remedy="Set `pictures: 1` of the reader: pictures are then sent side by side in one.",
        of=lambda asked: not asked.settings.stitched,
    ),
    "reader: side by side": Demand(
        check=check_side_by_side,
        part="reader",
        means="The thought and the original cannot be told apart.",
        remedy="Use the fusions `replace` or `caption`, which show one picture.",
        of=lambda asked: asked.settings.stitched,
    ),
    "reader: token limit": Demand(
        check=check_token_limit,
        part="reader",
        means="Answers become as long as the server likes, and cost as much.",
        remedy="Set the `dialect`, which names the limit as the server does.",
    ),
    "editor: instruction": Demand(
        check=check_editor_prompt,
        part="editor",
        means="It draws something else than what was wanted.",
        remedy="Serve a model that edits by instruction, and look whether its server passes the prompt on.",
    ),
    "editor: picture": Demand(
        check=check_editor_picture,
        part="editor",
        means="It draws from the text alone: the thought shows another scene.",
        remedy="Serve a model that edits; one that draws from texts is of no use here.",
    ),
    "editor: one seed": Demand(
        check=check_same_seed,
        part="editor",
        means="No drawing can be had again, and seeds of a study mean nothing.",
        remedy=_LOOSE,
        of=_seeded,
    ),
    "editor: other seed": Demand(
        check=check_other_seed,
        part="editor",
        means="Seeds of a study are repetitions of one drawing.",
        remedy=_LOOSE,
        of=_seeded,
    ),
    "editor: size": Demand(
        check=check_size,
        part="editor",
        means="Such drawings are refused, since what they show is distorted or cut off.",
        remedy="Set `canvas: square` of the editor: bars are added before, and cut off after.",
        of=lambda asked: asked.settings.editor is not None and asked.settings.editor.canvas == "source",
    ),
}
"""Everything that is asked, by name, in order."""


@dataclass(frozen=True, kw_only=True)
class ServerFinding:
    """What came of a demand."""

    demand: str
    status: Literal["heeded", "not heeded", "no reply"]
    """`no reply`: the server gave nothing by which it could be told."""
    found: str
    """What is demanded, or what came instead."""
    means: str = ""
    """What follows from that; empty where it is heeded."""
    remedy: str = ""
    """What to do; empty where it is heeded."""


def verify_server(model: RemoteModel) -> Iterator[ServerFinding]:
    """Ask all that the settings of a model promise; each finding comes as soon as it is there.

    Args:
        model: Whose servers are asked.
    """
    asked = Asked(model)
    for name, wanted in DEMANDS.items():
        if (wanted.part == "editor" and asked.settings.editor is None) or not wanted.of(asked):
            continue
        try:
            wanted.check(asked)
        except BrokenRuleError as broken:
            found = f"{str(broken)[:1].upper()}{str(broken)[1:]}."
            yield ServerFinding(demand=name, status="not heeded", found=found, means=wanted.means, remedy=wanted.remedy)
        except RemoteError as error:
            yield ServerFinding(demand=name, status="no reply", found=error.message, remedy=error.hint)
        else:
            yield ServerFinding(demand=name, status="heeded", found=wanted.about)
