"""BAGEL as a `UnifiedModel`: pictures and strings in, pictures and strings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from PIL import Image
from torch import Tensor

from ..protocol import Capabilities, Identity, Prefix, Reading, Sampler, Segment, StepCallback, View
from ..settings import Value
from .inference.chance import Chance
from .inference.context import Context, Guidance, empty, latent_grid, read_drawing, read_patches, read_text
from .inference.execution import Execution
from .inference.noise import SeenPicture, drawing_noise, encoding_noise
from .inference.sampler import PRESETS, SETTINGS, FlowSettings, picture_of, settings_of, values_of
from .inference.text import Words, score
from .kin import KIN, Kin
from .memory import PREFIX_BYTES
from .network.network import BagelNetwork, Grid
from .network.transforms import resize


def capabilities_of(kin: Kin) -> Capabilities:
    """What one of the kin declares on a CPU; on a GPU it is not deterministic."""
    return Capabilities(
        edits="native",
        presets={name: settings.timesteps - 1 for name, settings in kin.presets.items()},
        settings=SETTINGS,
        preset_values={name: values_of(settings) for name, settings in kin.presets.items()},
        skills=kin.skills,
        max_pictures=8,
        scores=True,
        log_probabilities=True,
        temperature=True,
        text_segments=True,
        drawing_view=True,
        thinks=True,
        native=kin.native,
        aspect="kept",
        same_weights=True,
        max_batch=8,
        max_drawings=1,  # they would come one after the other, and be handed back together
        deterministic=True,
        prefix_cache=True,
        prefix_bytes=PREFIX_BYTES,
    )


@dataclass(frozen=True)
class Guided:
    """What drawings inside a text are guided away from, all alike: the question, and what was seen before it."""

    without_text: Context
    """All before the question."""
    texts: Context
    """The texts alone, up to the question."""


@dataclass(frozen=True)
class BagelPrefix:
    """Segments as keys and values; a longer prefix has a copy of those of its parent."""

    context: Context
    texts: Context
    """The text segments alone, which a drawing is guided away from; empty in the view `read`."""
    seen: tuple[SeenPicture, ...] = ()
    """What it covers of pictures, in order."""
    told: bool = False
    """Whether a text has come since the last picture."""
    question: Guided | None = None
    """What all drawings are guided away from, where a native model has been told the question; see `Guided`."""

    @property
    def pictures(self) -> int:
        """How many pictures it covers."""
        return len(self.seen)

    @property
    def grid(self) -> Grid:
        """Rows and columns of latents of the last picture."""
        return self.seen[-1].grid

    @property
    def nbytes(self) -> int:
        """Bytes of all its keys and values."""
        return self.context.nbytes + self.texts.nbytes


class BagelModel:
    """A BAGEL. Requests of a batch are served one after the other, but for writing, which goes in lockstep.

    Args:
        network: Its network, in evaluation mode.
        words: Its tokenizer.
        execution: How it draws and writes.
        identity: Who it is; its registry key is in it.
        prefix_bytes: Of contexts that may be kept for later requests.
    """

    def __init__(
        self,
        network: BagelNetwork,
        words: Words,
        execution: Execution,
        identity: Identity,
        prefix_bytes: int = PREFIX_BYTES,
    ) -> None:
        """Keep the parts."""
        self.key = identity.model
        self.identity = identity
        deterministic = network.device.type == "cpu"
        self._kin = KIN.get(identity.model, KIN["bagel"])
        self.prompt_set = self._kin.prompt_set
        self.capabilities = replace(capabilities_of(self._kin), deterministic=deterministic, prefix_bytes=prefix_bytes)
        self._network = network
        self._words = words
        self._execution = execution

    @torch.inference_mode()
    def extend(
        self,
        prefixes: Sequence[Prefix | None],
        segments: Sequence[Segment],
        view: View = "read",
        values: Mapping[str, Value] = MappingProxyType({}),
    ) -> list[Prefix]:
        """Append one segment to each prefix; see `ReadingModel`.

        Pictures are resized by the rule of the autoencoder first, unless they are to be read by the `reader` of the
        official evaluation. To be read they are one block of patches, to be drawn on a block of latents and then one of
        patches.

        Raises:
            PictureError: A picture is too narrow.
            QuestionError: A text has more words than the model has positions.
        """
        return [
            self._extended(self._start() if prefix is None else _own(prefix), segment, view, values.get("reader"))
            for prefix, segment in zip(prefixes, segments, strict=True)
        ]

    @torch.inference_mode()
    def read(
        self,
        prefixes: Sequence[Prefix],
        texts: Sequence[str],
        max_tokens: int,
        on_step: StepCallback,
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Reading | None]:
        """Answer each text, a segment of its own; see `TemperatureModel`. An empty one is no segment, see `Native`.

        The word after the last pass is not part of a text, as in the official program, so that without an end token it
        has one word less than `max_tokens`.
        """
        asked = [
            self._told(_own(prefix).context, text) if text else _own(prefix).context
            for prefix, text in zip(prefixes, texts, strict=True)
        ]
        chance = Chance(temperature, seeds, self._network.device) if temperature else None
        written = self._execution.write(asked, max_tokens, lambda done: on_step(done, max_tokens), chance)
        return [
            Reading(self._words.decode(one.ids).strip(), one.log_probability, len(one.ids) + one.finished)
            if one
            else None
            for one in written
        ]

    @torch.inference_mode()
    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Log-probability of each option as the whole answer to its text; see `ScoringModel`."""
        return [
            score(
                self._network,
                self._told(_own(prefix).context, text),
                [self._words.encode(option) for option in chosen],
            )
            for prefix, text, chosen in zip(prefixes, texts, options, strict=True)
        ]

    def count_tokens(self, option: str) -> int:
        """Words of an option and the end token; see `ScoringModel`."""
        return len(self._words.encode(option)) + 1

    @torch.inference_mode()
    def draw(
        self,
        prefixes: Sequence[Prefix],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
        thoughts: Sequence[str] = (),
    ) -> list[Image.Image | None]:
        """Draw the last picture of each prefix in the size to which it was resized; see `DrawingModel`.

        With seed 0 the noises are those of the official program with that seed. With other seeds the initial noise is,
        and that of encoding the picture stays the one of seed 0, so that all drawings of a picture share its encoding.
        """
        settings = flow_settings(sampler, self._kin.presets)
        steps = settings.timesteps - 1
        wanted = [True] * len(prefixes)
        drawn: list[Image.Image | None] = []
        for row, (prefix, instruction, seed) in enumerate(zip(prefixes, instructions, seeds, strict=True)):
            latents: Tensor | None = None
            if wanted[row]:
                by_pictures = settings.picture_scale > 1
                guidance = self._guidance(_own(prefix), instruction, thoughts[row] if thoughts else "", by_pictures)
                noise = drawing_noise(self._network.config, _own(prefix).seen, seed)
                for done, step in enumerate(self._execution.flow(guidance, _own(prefix).grid, noise, settings), 1):
                    wanted = list(on_step(row * steps + done, len(prefixes) * steps))
                    latents = step.result if wanted[row] else None
                    if latents is None:
                        break
            drawn.append(None if latents is None else picture_of(self._network, latents, _own(prefix).grid))
        return drawn

    def _start(self) -> BagelPrefix:
        return BagelPrefix(empty(self._network), empty(self._network))

    def _told(self, context: Context, text: str) -> Context:
        """A context and one more text segment."""
        return read_text(self._network, context, self._words.encode(text))

    def _extended(self, prefix: BagelPrefix, segment: Segment, view: View, reader: Value | None) -> BagelPrefix:
        if isinstance(segment, str):
            texts = self._told(prefix.texts, segment) if view == "draw" else prefix.texts
            question = prefix.question
            if self._kin.native and view == "draw" and prefix.pictures and question is None:
                question = Guided(prefix.context, texts)
            told = self._told(prefix.context, segment)
            return replace(prefix, context=told, texts=texts, told=prefix.pictures > 0, question=question)
        picture = resize(segment, self._network.config.vae_transform)
        seen = (*prefix.seen, SeenPicture(latent_grid(self._network, picture), prefix.told))
        if view == "draw":
            noise = encoding_noise(self._network.config, seen)
            context = read_drawing(self._network, prefix.context, picture, noise)
        elif reader == "evaluation":
            limits = self._network.config.evaluation_transform
            context = read_patches(self._network, prefix.context, segment, limits)
        else:
            context = read_patches(self._network, prefix.context, picture)
        return replace(prefix, context=context, seen=seen, told=False)

    def _guidance(self, prefix: BagelPrefix, instruction: str, thought: str, by_pictures: bool) -> Guidance:
        main = self._told(prefix.context, instruction)
        if thought:
            main = self._told(main, thought)
        if prefix.question:
            return Guidance(main, prefix.question.without_text, prefix.question.texts if by_pictures else None)
        return Guidance(main, prefix.context, self._told(prefix.texts, instruction) if by_pictures else None)


def flow_settings(sampler: Sampler, presets: Mapping[str, FlowSettings] = PRESETS) -> FlowSettings:
    """What a sampler means: its preset, the first where it names none, with the steps and values that it wants."""
    preset = presets[sampler.preset or next(iter(presets))]
    timesteps = sampler.steps + 1 if sampler.steps else preset.timesteps
    return settings_of(timesteps, values_of(preset) | sampler.values)


def _own(prefix: Prefix) -> BagelPrefix:
    assert isinstance(prefix, BagelPrefix)
    return prefix
