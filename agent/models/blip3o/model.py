"""BLIP3o as a `UnifiedModel`: pictures and strings in, pictures and strings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from PIL import Image
from torch import Tensor

from ...errors import PictureError
from ..device import upload
from ..protocol import Capabilities, Identity, Prefix, Reading, Sampler, Segment, StepCallback, View
from .inference.context import Context, Part, query_states, read
from .inference.sampler import (
    SETTINGS,
    STEPS,
    DrawingSettings,
    PixelStep,
    draw_features,
    draw_latents,
    picture_of,
    settings_of,
)
from .inference.text import BLANK, HEAD, REIMAGINE, TAIL, Words, open_answer, score, write
from .memory import PREFIX_BYTES
from .network.network import Blip3oNetwork
from .network.pictures import to_patches, to_square

CAPABILITIES = Capabilities(
    edits="reimagine",
    presets={"": STEPS},
    settings=SETTINGS,
    max_pictures=8,
    scores=True,
    log_probabilities=True,
    text_segments=True,
    drawing_view=True,
    aspect="square",
    same_weights=True,
    max_batch=8,
    max_drawings=4,  # a GPU is full with one: more together take the memory and spare little time
    deterministic=True,
    prefix_cache=True,
    prefix_bytes=PREFIX_BYTES,
)
"""What a BLIP3o declares on a CPU; on a GPU it is not deterministic."""


@dataclass(frozen=True)
class Blip3oPrefix:
    """Segments as keys and values; a longer prefix has a copy of those of its parent."""

    context: Context
    pictures: int = 0
    """How many pictures it covers."""

    @property
    def nbytes(self) -> int:
        """Bytes of all its keys and values."""
        return self.context.nbytes


class Blip3oModel:
    """A BLIP3o. Texts of a batch are written in lockstep, and pictures drawn in one.

    Args:
        network: Its network, in evaluation mode.
        words: Its tokenizer.
        identity: Who it is; its registry key is in it.
        prefix_bytes: Of contexts that may be kept for later requests.
    """

    prompt_set = "blip3o"

    def __init__(
        self, network: Blip3oNetwork, words: Words, identity: Identity, prefix_bytes: int = PREFIX_BYTES
    ) -> None:
        """Keep the parts."""
        self.key = identity.model
        self.identity = identity
        deterministic = network.device.type == "cpu"
        self.capabilities = replace(CAPABILITIES, deterministic=deterministic, prefix_bytes=prefix_bytes)
        self._network = network
        self._words = words

    @torch.inference_mode()
    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Append one segment to each prefix; see `UnifiedModel`.

        To be read, a picture has about its own size; to be drawn anew it is a square of 448 pixels, and its tokens have
        other positions, as in the official program.

        Raises:
            PictureError: A picture is too narrow.
            QuestionError: There are more tokens than the reader has positions.
        """
        return [
            self._extended(Blip3oPrefix(Context(plain=view == "draw")) if prefix is None else _own(prefix), segment)
            for prefix, segment in zip(prefixes, segments, strict=True)
        ]

    @torch.inference_mode()
    def read(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], max_tokens: int, on_step: StepCallback
    ) -> list[Reading | None]:
        """Answer each text by the best words; see `UnifiedModel`."""
        started = [
            open_answer(self._network, _own(prefix).context, self._words, text)
            for prefix, text in zip(prefixes, texts, strict=True)
        ]
        end, words = self._words.special.end, self._words.count
        written = write(self._network, started, words, end, max_tokens, lambda done: on_step(done, max_tokens))
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
                *open_answer(self._network, _own(prefix).context, self._words, text),
                [self._words.encode(option) for option in chosen],
                self._words.count,
                self._words.special.end,
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
        """Draw what each prefix shows anew, after its instruction; see `DrawingModel`.

        The noises are those of the official program for its first picture with that seed on a CPU in float32.
        """
        settings = settings_of(sampler.steps or STEPS, sampler.values)
        states = [self._states(_own(prefix), told) for prefix, told in zip(prefixes, instructions, strict=True)]
        noises = [self._noises(seed, settings.blank) for seed in seeds]
        features, *blank = self._features(states, noises, settings)
        total = settings.steps

        def watch(done: int, step: PixelStep) -> Sequence[bool]:
            return on_step(done, total)

        latents = draw_latents(
            self._network,
            features,
            blank[0] if blank else None,
            torch.stack([noise[-1] for noise in noises]),
            settings,
            watch,
        )
        return [None if one is None else picture_of(self._network, one) for one in latents]

    def _extended(self, prefix: Blip3oPrefix, segment: Segment) -> Blip3oPrefix:
        network, context = self._network, prefix.context
        parts: list[Part] = [] if context.tokens else [self._words.encode(HEAD)]
        if isinstance(segment, str):
            parts.append(self._words.encode(segment))
        else:
            special = self._words.special
            shown = to_square(segment, network.config.drawing_side) if context.plain else segment
            patches = to_patches(shown, network.config.reader.vision_config)
            parts += [[special.vision_start], patches, [special.vision_end]]
        return Blip3oPrefix(read(network, context, parts)[0], prefix.pictures + (not isinstance(segment, str)))

    def _states(self, prefix: Blip3oPrefix, instruction: str) -> Tensor:
        if not prefix.pictures:
            raise PictureError("What is drawn anew is a picture, and none was shown.")
        asked = self._words.encode(f"{REIMAGINE.format(instruction)}{TAIL}")
        return query_states(self._network, prefix.context, [[*asked, self._words.special.image_start]])

    @cached_property
    def _blank_states(self) -> Tensor:
        """Of the blank prompt, whatever is drawn."""
        blank = [*self._words.encode(BLANK), self._words.special.image_start]
        return query_states(self._network, Context(plain=True), [blank])

    def _features(
        self, states: Sequence[Tensor], noises: Sequence[Sequence[Tensor]], settings: DrawingSettings
    ) -> tuple[Tensor, ...]:
        """Features of each drawing, and, where pixels are guided, those of the blank prompt for each; all in one."""
        kinds = [torch.cat(list(states))]
        if settings.blank:
            kinds.append(self._blank_states.expand(len(states), -1, -1))
        noise = torch.cat([torch.stack([one[kind] for one in noises]) for kind in range(len(kinds))])
        drawn = draw_features(self._network, torch.cat(kinds), noise, settings.flow_steps, settings.flow_guidance)
        return drawn.chunk(len(kinds))

    def _noises(self, seed: int, blank: bool) -> list[Tensor]:
        """Of the features, of those of the blank prompt where they are wanted, and of the latents.

        All come from one generator on the CPU, in the order of the official program.
        """
        config, generator = self._network.config, torch.Generator().manual_seed(seed)
        side, latent_side = config.feature_side, config.unet.sample_size
        drawn = [
            torch.randn(config.flow.channels, side, side, generator=generator).flatten(1).T for _ in range(1 + blank)
        ]
        drawn.append(torch.randn(config.unet.in_channels, latent_side, latent_side, generator=generator))
        return [upload(noise.to(self._network.dtype), self._network.device) for noise in drawn]


def _own(prefix: Prefix) -> Blip3oPrefix:
    assert isinstance(prefix, Blip3oPrefix)
    return prefix
