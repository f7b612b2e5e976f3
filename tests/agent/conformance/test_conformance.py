"""Each rule of the protocol, kept by honest models and broken by one that is dishonest in just that."""

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from g2u.conformance.rules import RULES, Finding, check_conformance
from g2u.models.protocol import Capabilities, Native, Reading
from g2u.models.registry import load_model
from g2u.models.settings import Setting
from tests.agent.conformance.honest import Honest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Calls are tiny: more threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def check(model: Any) -> dict[str, Finding]:
    return {finding.rule: finding for finding in check_conformance(model)}


def failed(model: Any) -> dict[str, str]:
    return {name: finding.found for name, finding in check(model).items() if finding.status == "failed"}


class NoExtend(Honest):
    extend: Any = None


class LessPrompts(Honest):
    prompt_set = "fusions"


class GrowingPrefixes(Honest):
    """Extends a prefix in place, so that the shorter one is no longer there."""

    def extend(self, prefixes: Any, segments: Any, view: Any = "read", *values: Any) -> list[Any]:
        made = super().extend(prefixes, segments, view, *values)
        for past, new in zip(prefixes, made, strict=True):
            if past is not None:
                object.__setattr__(past, "segments", new.segments)
        return made


class OnePicture(Honest):
    """Forgets all pictures but the last two, and counts them so."""

    def extend(self, prefixes: Any, segments: Any, view: Any = "read", *values: Any) -> list[Any]:
        made = super().extend(prefixes, segments, view, *values)
        for one in made:
            object.__setattr__(one, "segments", one.segments[-2:])
        return made


class Unordered(Honest):
    """Sees pictures in an order of its own."""

    def extend(self, prefixes: Any, segments: Any, view: Any = "read", *values: Any) -> list[Any]:
        made = super().extend(prefixes, segments, view, *values)
        for one in made:
            if not any(isinstance(segment, str) for segment in one.segments):
                object.__setattr__(one, "segments", tuple(sorted(one.segments, key=Image.Image.tobytes)))
        return made


class FirstPicture(Honest):
    """Draws the first picture of a prefix."""

    def noisy(self, seen: Any, sampler: Any, seed: int) -> Image.Image:
        pictures = [one for one in seen.segments if not isinstance(one, str)]
        return super().noisy(replace(seen, segments=tuple(pictures[:1])), sampler, seed)


class Endless(Honest):
    """Writes one token more than it may."""

    def read(self, prefixes: Any, texts: Any, max_tokens: int, *more: Any) -> list[Any]:
        return [
            reading and Reading(reading.text, reading.log_probability, max_tokens + 1)
            for reading in super().read(prefixes, texts, max_tokens, *more)
        ]


class Overconfident(Honest):
    """Tells each option that it is nearly certain."""

    def score(self, prefixes: Any, texts: Any, options: Any) -> list[list[float]]:
        return [[-0.1 - 1e-3 * len(option) for option in chosen] for chosen in options]


class MadeUpConfidence(Honest):
    """Says of every reading that it was nearly certain."""

    def read(self, *given: Any) -> list[Any]:
        return [reading and Reading(reading.text, -1e-4, reading.tokens) for reading in super().read(*given)]


class Cold(Honest):
    """Takes a temperature and does nothing with it."""

    def read(self, prefixes: Any, texts: Any, max_tokens: int, on_step: Any, *_: Any) -> list[Any]:
        return super().read(prefixes, texts, max_tokens, on_step)


class Moody(Honest):
    """Writes by chance without being asked to."""

    def word_shares(self, seen: Any, text: str, number: int) -> list[float]:
        shares = super().word_shares(seen, text, number)
        random.shuffle(shares)
        return shares


class Swapping(Honest):
    """Gives the requests of a batch each other's results."""

    def read(self, *given: Any) -> list[Any]:
        return super().read(*given)[::-1]


class Seedless(Honest):
    def noisy(self, seen: Any, sampler: Any, seed: int) -> Image.Image:
        return super().noisy(seen, sampler, 0)


class Wide(Honest):
    """Reads pictures that are at least eight pixels high alone."""

    def extend(self, prefixes: Any, segments: Any, view: Any = "read", *values: Any) -> list[Any]:
        for one in segments:
            if isinstance(one, Image.Image) and one.height < 8:
                raise ValueError("cannot reshape array")
        return super().extend(prefixes, segments, view, *values)


class Square(Honest):
    def noisy(self, seen: Any, sampler: Any, seed: int) -> Image.Image:
        return super().noisy(seen, sampler, seed).resize((64, 64))


class TwoSteps(Honest):
    """Draws in two steps, however many are wanted."""

    def draw(self, prefixes: Any, texts: Any, sampler: Any, *more: Any) -> list[Any]:
        return super().draw(prefixes, texts, sampler.model_copy(update={"steps": 2}), *more)


class DeafToSettings(Honest):
    def noisy(self, seen: Any, sampler: Any, seed: int) -> Image.Image:
        plain = {name: setting.default for name, setting in self.capabilities.settings.items()}
        return super().noisy(seen, sampler.model_copy(update={"values": plain}), seed)


class OneReader(Honest):
    """Reads in the usual way alone."""

    def extend(self, prefixes: Any, segments: Any, view: Any = "read", *values: Any) -> list[Any]:
        for given in values:
            {"usual": 1}[given["reader"]]
        return super().extend(prefixes, segments, view)


class NeverGoesOn(Honest):
    """Must be asked before it writes."""

    def read(self, prefixes: Any, texts: Any, *more: Any) -> list[Any]:
        if not all(texts):
            raise ValueError("nothing to read")
        return super().read(prefixes, texts, *more)


class NoPreviews(Honest):
    def draw(self, prefixes: Any, texts: Any, sampler: Any, seeds: Any, on_step: Any, *_: Any) -> list[Any]:
        return super().draw(prefixes, texts, sampler, seeds, on_step)


class OneView(Honest):
    """Cannot read what it was given to draw on."""

    def read(self, prefixes: Any, *more: Any) -> list[Any]:
        if any(seen.view == "draw" for seen in prefixes):
            raise KeyError("draw")
        return super().read(prefixes, *more)


class PicturesAlone(Honest):
    """Takes a text for a picture."""

    def extend(self, prefixes: Any, segments: Any, view: Any = "read", *values: Any) -> list[Any]:
        texts = [Image.new("RGB", (8, 8)) if isinstance(one, str) else one for one in segments]
        return super().extend(prefixes, texts, view, *values)


class Thoughtless(Honest):
    def draw(self, prefixes: Any, texts: Any, sampler: Any, seeds: Any, on_step: Any, *more: Any) -> list[Any]:
        if more and any(more[0]):
            raise NotImplementedError("no thoughts yet")
        return super().draw(prefixes, texts, sampler, seeds, on_step, *more)


class FarAway(Honest):
    def out_of_domain(self, prefix: Any) -> float | None:
        return 17.5


class KnowsEverything(Honest):
    def unknown_words(self, text: str) -> list[str]:
        return []


class Silent(Honest):
    """Tells of no step when it reads."""

    def read(self, prefixes: Any, texts: Any, max_tokens: int, on_step: Any, *more: Any) -> list[Any]:
        return super().read(prefixes, texts, max_tokens, lambda done, total: [True] * len(texts), *more)


class DrawsToTheEnd(Honest):
    """Asks after each step who is there, and goes on."""

    def draw(self, prefixes: Any, texts: Any, sampler: Any, seeds: Any, on_step: Any, *more: Any) -> list[Any]:
        def everyone(done: int, total: int) -> list[bool]:
            on_step(done, total)
            return [True] * len(texts)

        return super().draw(prefixes, texts, sampler, seeds, everyone, *more)


class ReadsToTheEnd(Honest):
    def read(self, prefixes: Any, texts: Any, max_tokens: int, on_step: Any, *more: Any) -> list[Any]:
        for step in range(max_tokens):
            on_step(step + 1, max_tokens)
        return super().read(prefixes, texts, max_tokens, lambda done, total: [True] * len(texts), *more)


class WornPrefixes(Honest):
    """Writes something else whenever a prefix is used again."""

    def __init__(self) -> None:
        self.used: list[Any] = []

    def read(self, prefixes: Any, *more: Any) -> list[Any]:
        readings = super().read(prefixes, *more)
        again = [any(seen is one for one in self.used) for seen in prefixes]
        self.used += prefixes
        return [
            reading and Reading(f"{reading.text} again", reading.log_probability, reading.tokens) if worn else reading
            for reading, worn in zip(readings, again, strict=True)
        ]


BROKEN: dict[str, tuple[Callable[[], Any], str]] = {
    "protocol": (NoExtend, "method `extend`"),
    "prompts": (LessPrompts, "'answer' cannot be filled"),
    "prefixes": (GrowingPrefixes, "counts 2 once it was extended"),
    "most pictures": (OnePicture, "a prefix of 3 pictures counts 2"),
    "order": (Unordered, "in either order"),
    "last picture": (FirstPicture, "that of one of 48x96 has 96x48 pixels"),
    "readings": (Endless, "of at most 1 tokens counts 2"),
    "scores": (Overconfident, "add up to 3.6"),
    "log-probabilities": (MadeUpConfidence, "was read at -0.000"),
    "temperature": (Cold, "twelve seeds all read"),
    "determinism": (Moody, "one reading came as"),
    "batches": (Swapping, "in a batch of 4 and"),
    "seeds": (Seedless, "two seeds made one drawing"),
    "odd sizes": (Wide, "1x1 raised ValueError: cannot reshape array"),
    "aspect": (Square, "96x64 has 64x64 pixels"),
    "presets": (TwoSteps, "told of [2]"),
    "settings": (DeafToSettings, "no value of strength, flip, mode, reader changes a drawing"),
    "reading values": (OneReader, "KeyError: 'close'"),
    "previews": (NoPreviews, "these were shown and told"),
    "views": (OneView, "KeyError: 'draw'"),
    "texts": (PicturesAlone, "a text and a picture counts 2 pictures"),
    "thoughts": (Thoughtless, "NotImplementedError: no thoughts yet"),
    "native": (NeverGoesOn, "ValueError: nothing to read"),
    "domain": (FarAway, "17.5"),
    "vocabulary": (KnowsEverything, "it told []"),
    "steps": (Silent, "a reading tells of no step"),
    "cancel": (DrawsToTheEnd, "of 40 steps"),
    "deadline": (ReadsToTheEnd, "a reading went on for"),
    "prefix cache": (WornPrefixes, "a kept prefix reads"),
}
"""For each rule a model that breaks it, and what is said of it."""


def test_every_rule_has_its_dishonest_model() -> None:
    assert list(BROKEN) == list(RULES)


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_named(rule: str) -> None:
    make, found = BROKEN[rule]
    assert found.lower() in failed(make()).get(rule, "nothing").lower()


def test_an_honest_model_keeps_to_every_rule() -> None:
    assert {name: finding.status for name, finding in check(Honest()).items()} == dict.fromkeys(RULES, "passed")


def test_what_is_not_declared_is_not_asked() -> None:
    least = Honest()
    least.capabilities = Capabilities(  # type: ignore[misc]
        edits="none", max_pictures=1, aspect="kept", same_weights=True, max_batch=1, deterministic=False,
        prefix_cache=False,
    )  # fmt: skip
    found = check(least)
    asked = {name for name, finding in found.items() if finding.status != "not declared"}
    assert asked == {"protocol", "prompts", "prefixes", "most pictures", "readings", "odd sizes", "steps", "deadline"}
    # It tells log-probabilities that it does not declare.
    assert list(failed(least)) == ["readings"]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"answers": frozenset({"red"}), "scores": False}, "compared by `scores`"),
        ({"text_segments": False}, "one that `thinks` takes `text_segments`"),
        ({"thinks": False}, "one that is `native` takes"),
        ({"native": Native(trigger="", answer=("a", "b"), rounds=1, max_tokens=1)}, "`native` has a trigger"),
        ({"presets": {}}, "`presets` has at least one"),
        ({"max_originals": 9}, "it is 9 of 3"),
        ({"max_batch": 0}, "`max_batch` is at least 1"),
        ({"preset_values": {"slow": {}}}, "there is no preset 'slow'"),
        ({"settings": {"strength": Setting(default=3.0, most=1.0)}}, "at most 1"),
    ],
)
def test_declarations_that_contradict_themselves_are_named(changes: dict[str, Any], found: str) -> None:
    assert found.lower() in failed(Honest().declaring(**changes))["protocol"].lower()


def test_a_setting_may_be_of_one_edit_alone() -> None:
    class Taught(Honest):
        """Draws one of its two edits always alike."""

        def draw(self, prefixes: Any, instructions: Any, sampler: Any, *more: Any) -> list[Any]:
            usual = {name: one.default for name, one in self.capabilities.settings.items()}
            plain = sampler.model_copy(update={"values": usual})
            return super().draw(prefixes, instructions, plain if "A plain one." in instructions else sampler, *more)

    taught = Taught().declaring(instructions=frozenset(["A plain one.", "The other."]))
    assert "settings" not in failed(taught)
    assert "changes a drawing" in failed(taught.declaring(instructions=frozenset(["A plain one."])))["settings"]


def test_a_step_that_takes_longer_than_a_short_deadline_is_no_fault() -> None:
    class Slow(Honest):
        """Computes for longer than the first deadline before it tells of a step."""

        def read(self, *given: Any) -> list[Any]:
            time.sleep(0.3)
            return super().read(*given)

    assert "deadline" not in failed(Slow())


def test_infinite_scores_and_results_of_the_wrong_length_are_named() -> None:
    class Infinite(Honest):
        def score(self, prefixes: Any, texts: Any, options: Any) -> list[list[float]]:
            return [[-math.inf for _ in chosen] for chosen in options]

    class Short(Honest):
        def read(self, *given: Any) -> list[Any]:
            return super().read(*given)[:1]

    assert "not finite" in failed(Infinite())["scores"]
    assert "1 came for 4" in failed(Short())["batches"]


def test_the_example_keeps_to_every_rule() -> None:
    assert failed(load_model(str(ROOT / "examples/own_model.py:load"))) == {}


def test_mini_keeps_to_every_rule() -> None:
    assert failed(load_model("mini")) == {}
