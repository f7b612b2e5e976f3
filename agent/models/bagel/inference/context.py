"""What was read: keys and values, segment by segment.

A context is never changed; reading one more segment makes a new one, so that any context may be the start of many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from ....errors import QuestionError
from ...device import upload
from ..network.config import TransformConfig
from ..network.network import BagelNetwork, Grid
from ..network.transformer import KeysValues
from ..network.transforms import resize, to_patches, to_tensor

ReaderLayout = Literal["fresh", "continued"]
"""What is before a question about a picture and its drawing: `fresh`, both pictures as they are read;
`continued`, all that the drawing was made from, then the drawing as latents and as it is read."""


@dataclass(frozen=True)
class Context:
    """Segments that were read."""

    keys_values: tuple[KeysValues, ...]
    """Layer by layer."""
    position: int
    """Of the next segment; a text takes one per token, a picture block one in all."""

    @property
    def tokens(self) -> int:
        """How many were read."""
        return len(self.keys_values[0][0])

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values."""
        return sum(keys.nbytes + values.nbytes for keys, values in self.keys_values)


@dataclass(frozen=True)
class Guidance:
    """The three contexts that a drawing is guided by."""

    main: Context
    """All of it."""
    without_text: Context
    """All before the instruction; what `main` begins with, keys and values too."""
    without_pictures: Context | None
    """The texts alone; `None` where nothing is guided by pictures."""


def empty(network: BagelNetwork) -> Context:
    """The context of nothing."""
    return Context(network.transformer.no_past(), 0)


def embed_words(network: BagelNetwork, context: Context, ids: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Tokens `[words, width]` and positions `[words]` of words after a context.

    Raises:
        QuestionError: There are more than the model has positions.
    """
    end, most = context.position + len(ids), network.config.llm.max_position_embeddings
    if end > most:
        raise QuestionError(f"The context would have {end} positions; the model has {most}.", "Shorten the text.")
    return network.embed_words(ids), torch.arange(context.position, end, device=network.device)


def read_words(network: BagelNetwork, context: Context, ids: Sequence[int]) -> tuple[Context, Tensor]:
    """Read words as they are, and score the word after the last one: `[vocabulary]`.

    Raises:
        QuestionError: There are more than the model has positions.
    """
    embedded, positions = embed_words(network, context, ids)
    x, grown = network.run_block(embedded, positions, context.keys_values, causal=True, latents=False)
    return Context(grown, context.position + len(ids)), network.transformer.logits(x[-1:])[0]


def read_text(network: BagelNetwork, context: Context, ids: Sequence[int]) -> Context:
    """Read a text segment: the words between a begin and an end token."""
    special = network.config.token_ids
    words = [special.bos_token_id, *ids, special.eos_token_id]
    embedded, positions = embed_words(network, context, words)
    _, grown = network.run_block(embedded, positions, context.keys_values, causal=True, latents=False, wanted=False)
    return Context(grown, context.position + len(words))


def read_patches(
    network: BagelNetwork, context: Context, picture: Image.Image, limits: TransformConfig | None = None
) -> Context:
    """Read a picture through the reader.

    Args:
        network: The network.
        context: What comes before.
        picture: RGB, already resized by `vae_transform`, unless the limits are others.
        limits: By which it is resized for the reader; `None` for `vit_transform`.
    """
    pixels = to_tensor(resize(picture, limits or network.config.vit_transform), network.device)
    patch = network.config.vit.patch_size
    grid = (pixels.shape[1] // patch, pixels.shape[2] // patch)
    return _read_block(network, context, network.embed_patches(to_patches(pixels, patch), grid), latents=False)


def read_latents(network: BagelNetwork, context: Context, picture: Image.Image, noise: Tensor) -> Context:
    """Read a picture through the autoencoder, as what a drawing starts from.

    Args:
        network: The network.
        context: What comes before.
        picture: RGB, already resized by `vae_transform`.
        noise: `[channels, height / stride, width / stride]` of the autoencoder, standard normal, for its sampling.
    """
    pixels = to_tensor(picture, network.device)
    latents = network.autoencoder.encode(pixels, upload(noise, network.device))
    tokens = to_patches(latents, network.config.latent_patch_size)
    clean = torch.zeros((), device=network.device)
    embedded = network.embed_latents(tokens, latent_grid(network, picture), clean)
    return _read_block(network, context, embedded, latents=True)


def read_drawing(network: BagelNetwork, context: Context, picture: Image.Image, noise: Tensor) -> Context:
    """Read a picture in both ways, as what is drawn on: latents, then patches; see `read_latents`."""
    return read_patches(network, read_latents(network, context, picture, noise), picture)


def edit_guidance(
    network: BagelNetwork,
    picture: Image.Image,
    instruction: Sequence[int],
    noise: Tensor,
    system: Sequence[int] = (),
    thought: Sequence[int] = (),
    by_pictures: bool = True,
) -> Guidance:
    """The contexts for drawing a picture as an instruction says.

    Args:
        network: The network.
        picture: RGB, already resized by `vae_transform`.
        instruction: Words of the instruction.
        noise: See `read_latents`.
        system: Words of a text before the picture, for drawing with thinking.
        thought: Words that the model wrote after the instruction, which the main context alone has.
        by_pictures: Whether the drawing is guided by pictures; see `FlowSettings.picture_scale`.
    """
    start = read_text(network, empty(network), system) if system else empty(network)
    without_text = read_drawing(network, start, picture, noise)
    main = read_text(network, without_text, instruction)
    if thought:
        main = read_text(network, main, thought)
    return Guidance(main, without_text, read_text(network, start, instruction) if by_pictures else None)


def text_guidance(network: BagelNetwork, words: Sequence[int]) -> Guidance:
    """The contexts for drawing from a text alone."""
    main = read_text(network, empty(network), words)
    return Guidance(main, empty(network), main)


def answer_context(
    network: BagelNetwork,
    layout: ReaderLayout,
    pictures: Sequence[Image.Image],
    question: Sequence[int],
    drawn_from: Context | None = None,
    noise: Tensor | None = None,
) -> Context:
    """What an answer is written after.

    Args:
        network: The network.
        layout: See `ReaderLayout`.
        pictures: RGB, already resized by `vae_transform`; in layout `continued` those drawn in `drawn_from`, one.
        question: Words of the question.
        drawn_from: In layout `continued`, the main context of the drawing.
        noise: In layout `continued`, see `read_latents`.
    """
    if layout == "continued":
        assert drawn_from is not None and noise is not None and len(pictures) == 1
        context = read_drawing(network, drawn_from, pictures[0], noise)
    else:
        context = empty(network)
        for picture in pictures:
            context = read_patches(network, context, picture)
    return read_text(network, context, question)


def latent_grid(network: BagelNetwork, picture: Image.Image) -> Grid:
    """Rows and columns of latent tokens of a picture that was resized by `vae_transform`."""
    stride = network.config.latent_stride
    return picture.height // stride, picture.width // stride


def _read_block(network: BagelNetwork, context: Context, x: Tensor, latents: bool) -> Context:
    place = torch.full((1,), context.position, device=network.device)
    _, grown = network.run_block(x, place, context.keys_values, causal=False, latents=latents, wanted=False)
    return Context(grown, context.position + 1)
