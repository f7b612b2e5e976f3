"""BAGEL as a `UnifiedModel`: pictures and strings in, pictures and strings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from ..protocol import Capabilities, Identity, Prefix, Reading, Sampler, Segment, StepCallback, View
from .inference.context import Context, Guidance, empty, latent_grid, read_drawing, read_patches, read_text
from .inference.execution import Execution
from .inference.sampler import PRESETS, SETTINGS, FlowSettings, picture_of, settings_of, values_of
from .inference.text import Words, score
from .memory import PREFIX_BYTES
from .network.network import BagelNetwork, Grid
from .network.transforms import resize

CAPABILITIES = Capabilities(
    edits="native",
    presets={name: settings.timesteps - 1 for name, settings in PRESETS.items()},
    settings=SETTINGS,
    preset_values={name: values_of(settings) for name, settings in PRESETS.items()},
    max_pictures=8,
    scores=True,
    log_probabilities=True,
    text_segments=True,
    drawing_view=True,
    thinks=True,
    aspect="kept",
    same_weights=True,
    max_batch=8,
    max_drawings=1,  # they would come one after the other, and be handed back together
    deterministic=True,
    prefix_cache=True,
    prefix_bytes=PREFIX_BYTES,
)
"""What a BAGEL declares on a CPU; on a GPU it is not deterministic."""


@dataclass(frozen=True)
class BagelPrefix:
    """Segments as keys and values; a longer prefix has a copy of those of its parent."""

    context: Context
    texts: Context
    """The text segments alone, which a drawing is guided away from; empty in the view `read`."""
    grid: Grid = (0, 0)
    """Rows and columns of latents of the last picture."""
    pictures: int = 0
    """How many pictures it covers."""

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

    prompt_set = "bagel"

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
        self.capabilities = replace(CAPABILITIES, deterministic=deterministic, prefix_bytes=prefix_bytes)
        self._network = network
        self._words = words
        self._execution = execution

    @torch.inference_mode()
    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Append one segment to each prefix; see `UnifiedModel`.

        Pictures are resized by the rule of the autoencoder first. To be read they are one block of patches, to be drawn
        on a block of latents and then one of patches.

        Raises:
            PictureError: A picture is too narrow.
            QuestionError: A text has more words than the model has positions.
        """
        return [
            self._extended(self._start() if prefix is None else _own(prefix), segment, view)
            for prefix, segment in zip(prefixes, segments, strict=True)
        ]

    @torch.inference_mode()
    def read(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], max_tokens: int, on_step: StepCallback
    ) -> list[Reading | None]:
        """Answer each text, a segment of its own, by the best words; see `UnifiedModel`.

        The word after the last pass is not part of a text, as in the official program, so that without an end token it
        has one word less than `max_tokens`.
        """
        asked = [self._told(_own(prefix).context, text) for prefix, text in zip(prefixes, texts, strict=True)]
        written = self._execution.write(asked, max_tokens, lambda done: on_step(done, max_tokens))
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
        settings = flow_settings(sampler)
        steps = settings.timesteps - 1
        wanted = [True] * len(prefixes)
        drawn: list[Image.Image | None] = []
        for row, (prefix, instruction, seed) in enumerate(zip(prefixes, instructions, seeds, strict=True)):
            latents: Tensor | None = None
            if wanted[row]:
                by_pictures = settings.picture_scale > 1
                guidance = self._guidance(_own(prefix), instruction, thoughts[row] if thoughts else "", by_pictures)
                noise = self._noises(_own(prefix).grid, seed)[1]
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

    def _extended(self, prefix: BagelPrefix, segment: Segment, view: View) -> BagelPrefix:
        if isinstance(segment, str):
            texts = self._told(prefix.texts, segment) if view == "draw" else prefix.texts
            return BagelPrefix(self._told(prefix.context, segment), texts, prefix.grid, prefix.pictures)
        picture = resize(segment, self._network.config.vae_transform)
        grid = latent_grid(self._network, picture)
        context = (
            read_drawing(self._network, prefix.context, picture, self._noises(grid, 0)[0])
            if view == "draw"
            else read_patches(self._network, prefix.context, picture)
        )
        return BagelPrefix(context, prefix.texts, grid, prefix.pictures + 1)

    def _guidance(self, prefix: BagelPrefix, instruction: str, thought: str, by_pictures: bool) -> Guidance:
        main = self._told(prefix.context, instruction)
        return Guidance(
            main=self._told(main, thought) if thought else main,
            without_text=prefix.context,
            without_pictures=self._told(prefix.texts, instruction) if by_pictures else None,
        )

    def _noises(self, grid: Grid, seed: int) -> tuple[Tensor, Tensor]:
        """Of encoding a picture, `[channels, height, width]` of its latents, and of its drawing, `[latents, values]`.

        Both come from one generator on the CPU, in the order of the official program.
        """
        config = self._network.config
        rows, columns = grid
        side = config.latent_patch_size
        generator = torch.Generator().manual_seed(seed)
        encoding = torch.randn(config.vae.z_channels, rows * side, columns * side, generator=generator)
        return encoding, torch.randn(rows * columns, config.latent_values, generator=generator)


def flow_settings(sampler: Sampler) -> FlowSettings:
    """What a sampler means: its preset, `paper` where it names none, with the steps and values that it wants."""
    preset = PRESETS[sampler.preset or next(iter(PRESETS))]
    timesteps = sampler.steps + 1 if sampler.steps else preset.timesteps
    return settings_of(timesteps, values_of(preset) | sampler.values)


def _own(prefix: Prefix) -> BagelPrefix:
    assert isinstance(prefix, BagelPrefix)
    return prefix
