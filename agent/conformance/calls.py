"""Rules of what a model gives when it is called: in batches and alone, again, in odd sizes, and by what it declares."""

from __future__ import annotations

import math
from typing import Any, cast

from PIL import Image

from g2u import prompts

from ..edits.library import EditLibrary
from ..errors import G2UError
from ..models.protocol import DomainModel, ScoringModel, VocabularyModel
from ..models.settings import Setting, Value
from .bench import (
    OPTIONS,
    QUESTIONS,
    ROUNDING,
    TOKENS,
    Bench,
    demand,
    nearly_same,
    painted,
    refused,
    same_bits,
)

ODD_SIZES = ((1, 1), (1, 40), (40, 1), (37, 53), (301, 17))
"""Width and height; the fourth must be taken, the others may be refused with a sentence."""
UNHEARD = "zqxvkwj"
"""A word that no vocabulary has."""


def check_prompts(bench: Bench) -> None:
    """The templates that every run asks for are there and can be filled."""
    library = EditLibrary.load()
    known: dict[str, Any] = {
        "answer": {"options": OPTIONS},
        "decide": {"edits": list(library), "tried": ["deblur"], "error": "Not JSON."},
        "reflect": {"instruction": "Remove the blur."},
    }
    wanted = ["answer", *(["decide", "reflect"] if bench.draws else [])]
    for name in wanted:
        try:
            text = prompts.render(bench.model.prompt_set, name, question="Which?", **known[name])
        except Exception as error:  # of Jinja in many kinds
            demand(False, f"the template {name!r} cannot be filled: {error}")
        demand("Which?" in text, f"the template {name!r} does not ask the question")


def check_prefixes(bench: Bench) -> None:
    """A prefix counts its pictures, and stays as it is when it is extended and used."""
    first = bench.prefix(bench.pictures[0])
    before = bench.read([first], QUESTIONS[:1])[0]
    demand(first.pictures == 1, f"a prefix of one picture counts {first.pictures}")
    demand(first.nbytes > 0 or not bench.able.prefix_cache, "a prefix that is worth keeping counts no bytes")
    if bench.able.max_pictures > 1:
        second = bench.extend([first], bench.pictures[1:2], "read")[0]
        demand(second.pictures == 2, f"a prefix of two pictures counts {second.pictures}")
        bench.read([second], QUESTIONS[1:2])
    after = bench.read([first], QUESTIONS[:1])[0]
    demand(first.pictures == 1, f"a prefix of one picture counts {first.pictures} once it was extended")
    demand(after.text == before.text, f"a prefix that was extended reads {after.text!r}, and before {before.text!r}")


def check_most_pictures(bench: Bench) -> None:
    """A prefix can hold as many pictures as are declared."""
    many = [bench.pictures[number % len(bench.pictures)] for number in range(min(bench.able.max_pictures, 16))]
    prefix = bench.prefix(*many)
    demand(prefix.pictures == len(many), f"a prefix of {len(many)} pictures counts {prefix.pictures}")
    bench.read([prefix], QUESTIONS[:1])


def check_order(bench: Bench) -> None:
    """Pictures in another order are another prefix: of several, a question may ask for the first."""
    one, other = bench.pictures[0], bench.pictures[1]
    there, back = (
        bench.score([bench.prefix(*both)], QUESTIONS[:1], [OPTIONS])[0] for both in ((one, other), (other, one))
    )
    demand(there != back, f"two pictures score {there} in either order")


def check_last_picture(bench: Bench) -> None:
    """A drawing is of the last picture of its prefix."""
    wide, high = painted(96, 48, 3), painted(48, 96, 4)
    for first, last in ((wide, high), (high, wide)):
        drawn = bench.draw([bench.prefix(first, last, view="draw")], [1])[0]
        near = (drawn.width > drawn.height) == (last.width > last.height)
        said = f"after a picture of {first.width}x{first.height} that of one of {last.width}x{last.height}"
        demand(near, f"{said} has {drawn.width}x{drawn.height} pixels")


def check_readings(bench: Bench) -> None:
    """A reading keeps to its tokens; its log-probability is none above 0, and there where that is declared."""
    for most in (1, TOKENS):
        reading = bench.read([bench.prefix(bench.pictures[0])], QUESTIONS[:1], max_tokens=most)[0]
        demand(reading.tokens <= most, f"a reading of at most {most} tokens counts {reading.tokens}")
        found = reading.log_probability
        if not bench.able.log_probabilities:
            demand(found is None, f"it declares no log-probabilities, and {found} came")
        else:
            demand(found is not None, "it declares log-probabilities, and none came")
            demand(cast(float, found) <= 1e-6, f"a log-probability above 0 came: {found}")


def check_log_probabilities(bench: Bench) -> None:
    """The log-probability of a whole reading is what `score` gives its text."""
    prefix = bench.prefix(bench.pictures[0])
    reading = bench.read([prefix], QUESTIONS[:1])[0]
    tokens = cast(ScoringModel, bench.model).count_tokens(reading.text) if reading.text else 0
    if reading.tokens == TOKENS or tokens != reading.tokens:  # cut off, or written otherwise than it is read
        return
    scored = bench.score([prefix], QUESTIONS[:1], [[reading.text]])[0][0]
    told = cast(float, reading.log_probability)
    near = abs(scored - told) <= 5 * ROUNDING * tokens
    demand(near, f"{reading.text!r} was read at {told:.3f}, and is scored at {scored:.3f}")


def check_scores(bench: Bench) -> None:
    """Scores are log-probabilities of whole texts: none above 0, together at most 1, in the order of the options."""
    prefix = bench.prefix(bench.pictures[0])
    there = bench.score([prefix], QUESTIONS[:1], [OPTIONS])[0]
    back = bench.score([prefix], QUESTIONS[:1], [OPTIONS[::-1]])[0][::-1]
    highest = max(there)
    demand(highest <= 1e-6, f"a log-probability above 0 came: {highest}")
    total = math.fsum(map(math.exp, there))
    demand(total <= 1.001, f"the probabilities of {len(OPTIONS)} texts of which one can come add up to {total:.3f}")
    for option, one, other in zip(OPTIONS, there, back, strict=True):
        counted = cast(ScoringModel, bench.model).count_tokens(option)
        demand(counted >= 1, f"`count_tokens` of {option!r} is {counted}, and its end is a token")
        near = abs(one - other) <= ROUNDING * counted
        demand(near, f"the score of {option!r} depends on where it stands: {one:.3f} and {other:.3f}")


def check_determinism(bench: Bench) -> None:
    """The same request in a batch of the same size gives the same bits."""
    for _ in range(2):  # more often, since chance may fall out alike
        readings = [bench.read([bench.prefix(bench.pictures[0])], QUESTIONS[:1])[0] for _ in range(3)]
        demand(len(set(readings)) == 1, f"one reading came as {readings[0]} and as {readings[-1]}")
        if bench.able.scores:
            scores = [bench.score([bench.prefix(bench.pictures[0])], QUESTIONS[:1], [OPTIONS]) for _ in range(3)]
            demand(scores[0] == scores[1] == scores[2], f"one scoring came as {scores[0]} and as {scores[-1]}")
    if bench.draws:
        drawn = [bench.drawing(bench.pictures[0]) for _ in range(3)]
        demand(all(same_bits(drawn[0], one) for one in drawn), "one drawing with one seed came in other bits")


def check_batches(bench: Bench) -> None:
    """A request in a batch gives what it gives alone, up to rounding."""
    count = bench.batch
    pictures, texts = bench.pictures[:count], list(QUESTIONS[:count])
    prefixes = bench.extend([None] * count, pictures, "read")
    together = bench.read(prefixes, texts)
    for row in range(count):
        alone = bench.read([bench.prefix(pictures[row])], texts[row : row + 1])[0]
        said = f"the text {texts[row]!r} reads {together[row].text!r} in a batch of {count} and {alone.text!r} alone"
        demand(together[row].text == alone.text, said)
    if bench.able.scores:
        asked = [OPTIONS[: 2 + row % 3] for row in range(count)]
        scores = bench.score(prefixes, texts, asked)
        for row in range(count):
            by_itself = bench.score([bench.prefix(pictures[row])], texts[row : row + 1], asked[row : row + 1])[0]
            for option, one, other in zip(asked[row], scores[row], by_itself, strict=True):
                near = abs(one - other) <= ROUNDING * cast(ScoringModel, bench.model).count_tokens(option)
                demand(near, f"{option!r} scores {one:.3f} in a batch of {count} and {other:.3f} alone")
    if bench.draws:
        drawn = bench.draw(bench.extend([None] * count, pictures, "draw"), list(range(count)))
        for row in range(count):
            alike = nearly_same(drawn[row], bench.drawing(pictures[row], row))
            demand(alike, f"drawing {row + 1} of a batch of {count} is another than that of the same request alone")


def check_seeds(bench: Bench) -> None:
    """Another seed makes another drawing, or, where it says that it has none, the same one."""
    one, other = (bench.drawing(bench.pictures[0], seed) for seed in (1, 2))
    if bench.able.seeded:
        demand(not same_bits(one, other), "two seeds made one drawing")
    else:
        demand(same_bits(one, other), "it declares no seeds, and two of them made two drawings")


def check_odd_sizes(bench: Bench) -> None:
    """Pictures of any size are read and drawn, or refused with a sentence."""
    for size in ODD_SIZES:
        picture = painted(*size, seed=5)

        def use(picture: Image.Image = picture) -> None:
            bench.read([bench.prefix(picture)], QUESTIONS[:1])
            if bench.draws:
                bench.drawing(picture)

        try:
            turned_away = refused(use)
        except Exception as error:  # whatever the model raises for it
            if isinstance(error, G2UError) or type(error).__name__ == "BrokenRuleError":
                raise
            demand(False, f"a picture of {size[0]}x{size[1]} raised {type(error).__name__}: {error}")
        ordinary = size == ODD_SIZES[3]
        demand(not (turned_away and ordinary), f"an ordinary picture of {size[0]}x{size[1]} was refused")


def check_aspect(bench: Bench) -> None:
    """A drawing has the aspect that is declared."""
    for width, height in ((96, 64), (64, 96)):
        drawn = bench.drawing(painted(width, height, 3))
        wanted = width / height if bench.able.aspect == "kept" else 1.0
        found = drawn.width / drawn.height
        near = abs(math.log(found / wanted)) < 0.15
        demand(near, f"the drawing of a picture of {width}x{height} has {drawn.width}x{drawn.height} pixels")


def check_presets(bench: Bench) -> None:
    """Every preset draws, in the steps that are wanted."""
    for preset in bench.able.presets:
        totals: list[int] = []
        sampler = bench.sampler(4, preset)

        def on_step(done: int, total: int, totals: list[int] = totals) -> list[bool]:
            totals.append(total)
            return [True]

        drawn = bench.draw([bench.prefix(bench.pictures[0], view="draw")], [1], on_step, sampler=sampler)
        demand(drawn[0] is not None, f"the preset {preset!r} left out a drawing that was wanted")
        demand(set(totals) == {4}, f"a drawing of 4 steps by the preset {preset!r} told of {sorted(set(totals))}")


def check_settings(bench: Bench) -> None:
    """Every setting that is declared can be set from end to end of its range, and some of them changes the drawing."""
    picture, changed = bench.pictures[0], False
    # Of several edits that a model was taught, a setting may be of one alone.
    for instruction in sorted(bench.able.instructions or [bench.instruction]):
        plain = bench.drawing(picture, instruction=instruction)
        for name, setting in bench.able.settings.items():
            for value in _others(setting):
                drawn = bench.drawing(picture, instruction=instruction, sampler=bench.sampler(values={name: value}))
                changed = changed or not same_bits(plain, drawn)
        if changed:
            return
    demand(changed, f"no value of {', '.join(bench.able.settings)} changes a drawing")


def check_reading_values(bench: Bench) -> None:
    """Pictures can be read by every value that is about reading."""
    for name, setting in bench.able.reading_settings.items():
        for value in _others(setting):
            prefix = bench.extend([None], bench.pictures[:1], "read", {name: value})[0]
            demand(prefix.pictures == 1, f"a prefix of one picture read with {name}={value} counts {prefix.pictures}")
            bench.read([prefix], QUESTIONS[:1])


def _others(setting: Setting) -> list[Value]:
    """Values of a setting that are not its default."""
    if isinstance(setting.default, bool):
        return [not setting.default]
    if isinstance(setting.default, str):
        return [choice for choice in setting.choices if choice != setting.default]
    kind, least, most = type(setting.default), setting.least, setting.most
    ends = [least if least is not None else setting.default / 2, most if most is not None else setting.default * 2 + 1]
    return [value for end in ends if (value := kind(end)) != setting.default]


def check_views(bench: Bench) -> None:
    """A picture that is drawn on can be read as the drawer sees it, too."""
    bench.read([bench.prefix(bench.pictures[0], view="draw")], QUESTIONS[:1])


def check_texts(bench: Bench) -> None:
    """A prefix may hold texts before and between pictures; they count as no picture."""
    first = bench.prefix("The original:", bench.pictures[0])
    demand(first.pictures == 1, f"a prefix of a text and a picture counts {first.pictures} pictures")
    bench.read([first], QUESTIONS[:1])


def check_thoughts(bench: Bench) -> None:
    """A drawing may follow a thought."""
    prefix = bench.prefix("Think first.", bench.pictures[0], view="draw")
    bench.draw([prefix], [1], thoughts=["<think>It is too dark.</think>"])


def check_native(bench: Bench) -> None:
    """It can imagine inside its own text: told a question, it goes on right after each drawing, and draws again."""
    native = bench.able.native
    assert native is not None, "it is declared"
    told = [prompts.render(bench.model.prompt_set, name, question="Which?") for name in ("native", "native_question")]
    demand("Which?" in told[1], "the template 'native_question' does not ask the question")
    begun = bench.prefix(told[0], bench.pictures[0], view="draw")
    bench.read([begun], told[1:])
    drawn = bench.draw([begun], [1], thoughts=[f"I look. {native.trigger}"])[0]
    longer = bench.prefix(told[0], bench.pictures[0], told[1], f"I look. {native.trigger}", drawn, view="draw")
    demand(longer.pictures == 2, f"a text with two pictures in it counts {longer.pictures}")
    bench.read([longer], [""])
    bench.draw([longer], [2])


def check_temperature(bench: Bench) -> None:
    """At 0 nothing is by chance; above, a seed decides, and another one may decide otherwise."""
    prefix = bench.prefix(bench.pictures[0])
    plain = bench.read([prefix], QUESTIONS[:1])[0]
    cold = bench.read([prefix], QUESTIONS[:1], None, 0.0, [3])[0]
    demand(plain.text == cold.text, f"at temperature 0 it reads {cold.text!r}, and without one {plain.text!r}")
    warm = [bench.read([prefix], QUESTIONS[:1], None, 4.0, [seed])[0].text for seed in (*range(12), 0)]
    demand(warm[0] == warm[-1], f"at one seed it reads {warm[0]!r} and {warm[-1]!r}")
    demand(len(set(warm)) > 1, f"at temperature 4 twelve seeds all read {warm[0]!r}")


def check_domain(bench: Bench) -> None:
    """How far a picture lies is a share."""
    prefix = bench.prefix(bench.pictures[0])
    share = cast(DomainModel, bench.model).out_of_domain(prefix)
    demand(share is not None, "it declares `domain`, and cannot say how far a picture lies")
    inside = isinstance(share, int | float) and 0 <= share <= 1
    demand(inside, f"how far a picture lies is {share!r}, and a number in [0, 1] was expected")


def check_vocabulary(bench: Bench) -> None:
    """A word that is in no vocabulary is one that it does not know, in lower case and in its place."""
    found = cast(VocabularyModel, bench.model).unknown_words(f"Where is the {UNHEARD.upper()}?")
    demand(isinstance(found, list) and found[-1:] == [UNHEARD], f"of a text that ends with {UNHEARD!r} it told {found}")


def check_previews(bench: Bench) -> None:
    """What is drawn so far is shown before each step is told, and the drawing is the same to the bits."""
    shown: list[tuple[int, str]] = []

    def on_preview(done: int, total: int, picture: Image.Image) -> None:
        whole = isinstance(picture, Image.Image) and picture.mode == "RGB"
        demand(whole, f"a preview is an RGB picture, and {picture!r} came")
        shown.append((done, "shown"))

    def on_step(done: int, total: int) -> list[bool]:
        shown.append((done, "told"))
        return [True]

    prefix = bench.prefix(bench.pictures[0], view="draw")
    drawn = bench.draw([prefix], [1], on_step, previews=[on_preview])[0]
    steps = [(done, what) for done in range(1, 4) for what in ("shown", "told")]
    demand(shown == steps, f"of 3 steps these were shown and told: {shown}")
    demand(same_bits(drawn, bench.drawing(bench.pictures[0])), "who is shown a drawing gets another one")
