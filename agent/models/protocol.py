"""What a unified model is to the rest of G2U: one protocol, and the small values that cross it.

The least that a model is, is `UnifiedModel`. What many have besides are protocols of their own, each with a capability
that declares it: `ReadingModel`, `DrawingModel`, `PreviewingModel`, `ScoringModel`, `TemperatureModel`, `DomainModel`
and `VocabularyModel`.

A model works on *batches* and on *prefixes*. A prefix is everything that can be computed before a question is known
(for `mini` the keys and values of patches); it is made of *segments*, pictures and for some models texts, once, by
`extend`, and shared by every text that is asked about them. The engine owns the prefixes, forms the batches and calls
a model from one thread only, so that a model needs neither locks nor caches of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from ..errors import CapabilityError, G2UError, UnknownNameError
from .settings import Setting, Value, settled_values

View = Literal["read", "draw"]
"""What a prefix is made for: `read`, to answer about its pictures; `draw`, to draw on the last one. It is the same
prefix for a model that does not declare `drawing_view`."""

Edits = Literal["native", "reimagine", "none"]
"""How drawings come about: `native`, from the picture's own pixels; `reimagine`, from a description of it; `none`, not
at all."""

Segment = Image.Image | str
"""A part of a prefix: an RGB picture, or a text."""


class Sampler(BaseModel):
    """How a picture is drawn; part of the identity of every drawing once `complete_sampler` has filled it in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int | None = Field(default=None, ge=1, le=1000)
    """Evaluations of the network from noise to picture; `None`: as many as the preset has."""
    preset: str = ""
    """Name of a set of settings of the model's own; empty for its first."""
    values: dict[str, Value] = {}
    """Settings of the model's own by name, see `Capabilities.settings`; those left out are as the preset has them."""


@dataclass(frozen=True, kw_only=True)
class Native:
    """How a model imagines by itself: it writes, draws where its own text says so, sees that, and writes on.

    What it sees before it writes are a text of its prompt set, `native`, the picture and the question, all in the view
    `draw`; then, in turns, its texts and drawings. The first text is read after the question, each further one with an
    empty text to `read`: it goes on right after the drawing. A drawing is asked for with what was written last: the
    first as the thought after the instruction, which is the question, each further one as the instruction.
    """

    trigger: str
    """What its text has in it where it wants to draw."""
    answer: tuple[str, str]
    """What stands before and after its answer."""
    rounds: int
    """Drawings at most, unless told otherwise."""
    max_tokens: int
    """Of each text, unless told otherwise."""
    temperature: float = 0.0
    """By which it writes, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a model declares it can do; the engine refuses the rest with a `CapabilityError`.

    A model has the methods of what it declares, and need not have the others.
    """

    edits: Edits
    instructions: frozenset[str] | None = None
    """The only sentences that it can draw, each as it is without a question; `None`: whatever it is told."""
    answers: frozenset[str] | None = None
    """The only answers that it can give to a question without options, see `free_answers`; `None`: any text. They are
    compared by `scores`."""
    presets: Mapping[str, int] = field(default_factory=lambda: {"": 1})
    """Settings of the sampler by name, with their steps, the default first; one without a name: there is no choice."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Single values of the sampler that a user may set, by name."""
    preset_values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """By preset, values of `settings` that it has in the place of their defaults."""
    seeded: bool = True
    """Whether another seed makes another drawing."""
    scores: bool = False
    """Whether it compares given texts, see `ScoringModel`."""
    log_probabilities: bool = False
    """Whether it tells the log-probability of what it reads."""
    temperature: bool = False
    """Whether it can write by chance, see `TemperatureModel`."""
    domain: bool = False
    """Whether it tells how far a picture lies from its training, see `DomainModel`."""
    closed_vocabulary: bool = False
    """Whether there are words that it was never taught, see `VocabularyModel`."""
    max_pictures: int
    """Pictures that one prefix may hold: those of a question and the thoughts beside them."""
    max_originals: int | None = None
    """Pictures that one question may be about; `None`: `max_pictures`. A model that has learned to see one picture
    and a drawing of it declares 1, since it would take a second picture for a drawing."""
    text_segments: bool = False
    """Whether a prefix may hold texts between and before its pictures."""
    drawing_view: bool = False
    """Whether a picture that is drawn on is encoded otherwise than one that is read."""
    thinks: bool = False
    """Whether it can write a thought before it draws or answers."""
    native: Native | None = None
    """How it imagines inside its own text, where it was trained to; for the policy `native`."""
    skills: frozenset[str] = frozenset()
    """What it was trained to draw beside what any drawing model can be told, such as `dense-maps`: edits may need one,
    see `g2u.edits.tools.Edit.needs`."""
    aspect: Literal["kept", "square"]
    """Whether a drawing has the aspect of its source."""
    same_weights: bool
    """Whether one set of weights reads and draws."""
    max_batch: int
    """Requests that one call may carry."""
    max_drawings: int | None = None
    """Drawings that one call may carry; `None`: `max_batch`. A call gives its drawings back together, so a model that
    makes them one after the other declares 1, lest the first waits for the last."""
    previews: bool = False
    """Whether it shows what is drawn so far, see `PreviewingModel`."""
    deterministic: bool
    """Same request, same batch size, same machine: same bits."""
    prefix_cache: bool
    """Whether `extend` does real work that is worth keeping."""
    prefix_bytes: int = 512 * 2**20
    """Bytes of prefixes that an engine keeps unless told otherwise: those of a few runs at a time."""

    @property
    def reading_settings(self) -> Mapping[str, Setting]:
        """Those of `settings` that are about how pictures are read, see `ReadingModel`."""
        return {name: setting for name, setting in self.settings.items() if setting.reads}

    @property
    def originals(self) -> int:
        """Pictures that one question may be about."""
        return self.max_originals or self.max_pictures


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which model made a result: enough to tell two of them apart."""

    model: str
    """Registry key, such as `mini`, or what a model from elsewhere calls itself."""
    weights: str
    """SHA-256 that names the weights, hexadecimal; over what, the model's loader says."""
    code: str
    """Version of the code that ran: of G2U, or of the package that the model comes from."""
    settings: tuple[str, ...] = ()
    """Whatever else changes results, such as a precision."""


@runtime_checkable
class Prefix(Protocol):
    """Computed state of a sequence of segments, owned by the engine, opaque to it."""

    @property
    def pictures(self) -> int:
        """How many pictures it covers."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps alive, shared parents counted once, in the parent."""
        ...


@dataclass(frozen=True)
class Reading:
    """Text that a model wrote."""

    text: str
    """The text, without special tokens and outer white space."""
    log_probability: float | None
    """Sum of the log-probabilities of its tokens, natural logarithm; `None` of a model that does not declare
    `log_probabilities`."""
    tokens: int
    """How many tokens it has, the end token counted."""


StepCallback = Callable[[int, int], Sequence[bool]]
"""Called as `on_step(done, total)` after each token or denoising step of a batch. The answer has one flag per request
of the batch: `False` means that nobody waits for it any more and the model may leave it out from now on. A model that
serves the requests of a batch one after the other counts the steps of all of them. One that waits, such as for a
server, asks who still waits by calling it again with the steps that are done so far, 0 at first."""

PreviewCallback = Callable[[int, int, Image.Image], None]
"""Called as `on_preview(done, total, picture)` after each denoising step of one drawing, before `on_step` is."""


class UnifiedModel(Protocol):
    """A model that reads. All sequences of one call have one entry per request, in the same order.

    What a call raises belongs to all of its requests, which are then tried in smaller batches. A model whose requests
    fail one by one, as those of a server do, gives the error in the place of the result instead.
    """

    key: str
    """Registry key; of a model from elsewhere, what it calls itself."""
    prompt_set: str
    """The templates that it was trained on or tuned for: a folder of `prompts/` by its name, or a folder of its own as
    an absolute path."""
    capabilities: Capabilities
    identity: Identity

    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Append one segment to each prefix (`None`: the empty one), all in one view. Given prefixes stay valid."""
        ...

    def read(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], max_tokens: int, on_step: StepCallback
    ) -> Sequence[Reading | G2UError | None]:
        """Continue each text greedily until the end token or `max_tokens`; `None` for requests left out."""
        ...


class TemperatureModel(Protocol):
    """What a model that declares `temperature` has in the place of `UnifiedModel.read`."""

    def read(
        self,
        prefixes: Sequence[Prefix],
        texts: Sequence[str],
        max_tokens: int,
        on_step: StepCallback,
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> Sequence[Reading | G2UError | None]:
        """Continue each text until the end token or `max_tokens`.

        Args:
            prefixes: As in `UnifiedModel.read`, and so are the others.
            texts: To be continued.
            max_tokens: Of each.
            on_step: See `StepCallback`.
            temperature: By which log-probabilities are divided before a token is drawn; 0: the likeliest is taken.
            seeds: Of the chance, one for each text; not looked at where the temperature is 0.
        """
        ...


class ReadingModel(Protocol):
    """What a model whose `settings` have some that are about reading has in the place of `UnifiedModel.extend`."""

    def extend(
        self,
        prefixes: Sequence[Prefix | None],
        segments: Sequence[Segment],
        view: View = "read",
        values: Mapping[str, Value] = MappingProxyType({}),
    ) -> list[Prefix]:
        """Append one segment to each prefix as `UnifiedModel.extend` does.

        Args:
            prefixes: As there, and so are the others.
            segments: To be appended.
            view: Of all of them.
            values: Of `Capabilities.reading_settings`, those left out as they are by default.
        """
        ...


class ScoringModel(Protocol):
    """What a model that declares `scores` has."""

    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Log-probability (natural, summed over tokens, end token included) of each option after its text."""
        ...

    def count_tokens(self, option: str) -> int:
        """How many tokens `score` sums over for an option, the end token counted."""
        ...


class VocabularyModel(Protocol):
    """What a model that declares `closed_vocabulary` has."""

    def unknown_words(self, text: str) -> list[str]:
        """Words of a text that it was never taught, in lower case and in order.

        A mere look-up: the one method that may be called from any thread.
        """
        ...


class DomainModel(Protocol):
    """What a model that declares `domain` has."""

    def out_of_domain(self, prefix: Prefix) -> float | None:
        """How far the first picture of a prefix lies from those that it was trained on.

        Returns:
            In [0, 1]: the share of pictures of its training world that lie nearer, 1 beyond all; `None`: cannot say.
        """
        ...


class DrawingModel(Protocol):
    """What a model has whose `edits` are not `none`."""

    def draw(
        self,
        prefixes: Sequence[Prefix],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
        thoughts: Sequence[str] = (),
    ) -> Sequence[Image.Image | G2UError | None]:
        """Draw the last picture of each prefix as its instruction says.

        Args:
            prefixes: In the view `draw`; the last segment of each is a picture.
            instructions: What to change.
            sampler: How; an engine hands over a complete one.
            seeds: Of the noise.
            on_step: See `StepCallback`.
            thoughts: What the model wrote before it draws, for one that declares `thinks`; empty for none.

        Returns:
            RGB pictures; `None` for requests left out.
        """
        ...


class PreviewingModel(Protocol):
    """What a model that declares `previews` has in the place of `DrawingModel.draw`."""

    def draw(
        self,
        prefixes: Sequence[Prefix],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
        thoughts: Sequence[str] = (),
        previews: Sequence[PreviewCallback | None] = (),
    ) -> Sequence[Image.Image | G2UError | None]:
        """Draw as `DrawingModel.draw` does, to the same bits.

        Args:
            prefixes: As there, and so are the others.
            instructions: What to change.
            sampler: How.
            seeds: Of the noise.
            on_step: See `StepCallback`.
            thoughts: What the model wrote before it draws.
            previews: Who is shown each drawing so far, `None` for nobody; empty for nobody at all.
        """
        ...


def complete_sampler(capabilities: Capabilities, sampler: Sampler, model: str) -> Sampler:
    """The sampler that a model draws with, nothing left open.

    Args:
        capabilities: Of the model.
        sampler: As wanted.
        model: Its key, for errors.

    Raises:
        CapabilityError: The model has no presets at all, and one is named.
        UnknownNameError: It has other presets, or other settings.
        SettingError: A value is of the wrong type or out of range, or the model has no settings of its own.
    """
    presets = capabilities.presets
    preset = sampler.preset or next(iter(presets))
    if preset not in presets:
        if list(presets) == [""]:
            message = f"The sampler of {model!r} has no presets, so none can be called {preset!r}."
            raise CapabilityError(message, "Leave the preset out.")
        raise UnknownNameError("preset", preset, presets)
    own = capabilities.preset_values.get(preset, {})
    values = settled_values(capabilities.settings, own, sampler.values, model)
    return Sampler(steps=sampler.steps or presets[preset], preset=preset, values=values)
