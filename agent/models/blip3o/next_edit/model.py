"""BLIP3o-NEXT-edit as a `UnifiedModel`: pictures and strings in, pictures and strings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from ....errors import PictureError, QuestionError
from ...protocol import Capabilities, Identity, Prefix, Reading, Sampler, Segment, StepCallback, View
from .network import NextEditNetwork
from .sampler import SETTINGS, STEPS, draw_latents, draw_noise, states_of, write_picture
from .text import HEAD, TAIL, Words

CAPABILITIES = Capabilities(
    edits="native",
    presets={"": STEPS},
    settings=SETTINGS,
    max_pictures=8,
    max_originals=1,  # it was trained on edits of one picture
    scores=True,
    log_probabilities=True,
    text_segments=True,
    drawing_view=True,
    aspect="square",
    same_weights=True,
    max_batch=1,  # the official program makes one drawing at a time; what more would change, nobody compared
    deterministic=True,
    prefix_cache=True,
)
"""What it declares on a CPU; on a GPU it is not deterministic."""


@dataclass(frozen=True)
class NextEditPrefix:
    """Words of texts and pictures, and the latents of the last picture in the view `draw`."""

    ids: tuple[int, ...] = ()
    """Of all, to be read in the order in which they were shown."""
    pictures: int = 0
    """How many pictures it covers."""
    last: tuple[int, ...] = ()
    """Ids of the words of the last picture."""
    latents: Tensor | None = None
    """Of the last picture, where it may be drawn on."""

    @property
    def nbytes(self) -> int:
        """Bytes of the ids and latents."""
        return 8 * (len(self.ids) + len(self.last)) + (0 if self.latents is None else self.latents.nbytes)


class NextEditModel:
    """A BLIP3o-NEXT-edit: one request at a time.

    Args:
        network: Its network, in evaluation mode.
        words: Its tokenizer.
        identity: Who it is; its registry key is in it.
    """

    prompt_set = "bagel"

    def __init__(self, network: NextEditNetwork, words: Words, identity: Identity) -> None:
        """Keep the parts."""
        self.key = identity.model
        self.identity = identity
        self.capabilities = replace(CAPABILITIES, deterministic=network.device.type == "cpu")
        self._network = network
        self._words = words

    @torch.inference_mode()
    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Append one segment to each prefix; see `UnifiedModel`. To be drawn on, a picture has latents, too."""
        return [
            self._extended(NextEditPrefix() if prefix is None else _own(prefix), segment, view)
            for prefix, segment in zip(prefixes, segments, strict=True)
        ]

    @torch.inference_mode()
    def read(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], max_tokens: int, on_step: StepCallback
    ) -> list[Reading | None]:
        """Answer by the best words of texts; see `UnifiedModel`.

        Raises:
            QuestionError: There are more words than the reader has positions.
        """
        (prefix,), (text,) = prefixes, texts
        prompt = self._asked(prefix, text, max_tokens)
        hidden, cache = self._network.run(prompt)
        ids: list[int] = []
        total = 0.0
        for done in range(1, max_tokens + 1):
            shares = self._shares(hidden[0, -1])
            word = int(shares.argmax())
            total += float(shares[word])
            (wanted,) = on_step(done, max_tokens)
            if not wanted:
                return [None]
            if word == self._words.end:
                return [Reading(self._words.decode(ids).strip(), total, len(ids) + 1)]
            ids.append(word)
            if done < max_tokens:
                hidden, cache = self._network.run([word], cache)
        return [Reading(self._words.decode(ids).strip(), total, len(ids))]

    @torch.inference_mode()
    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Log-probability of each option as the whole answer to its text; see `ScoringModel`."""
        return [
            [self._score(prefix, text, option) for option in chosen]
            for prefix, text, chosen in zip(prefixes, texts, options, strict=True)
        ]

    def count_tokens(self, option: str) -> int:
        """Words of an option and the end; see `ScoringModel`."""
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
        """Draw on the last picture of each prefix; see `DrawingModel`.

        All chance of a drawing comes from one generator on the CPU, that of its words before its noise.

        Raises:
            PictureError: No picture was shown.
            QuestionError: There are more words than the reader has positions.
        """
        (prefix,), (instruction,), (seed,) = map(_own, prefixes), instructions, seeds
        if prefix.latents is None:
            raise PictureError("What is drawn on is a picture in the view `draw`, and none was shown.")
        network, total = self._network, sampler.steps or STEPS
        prompt = self._words.edit(instruction, prefix.last)
        self._fits(len(prompt) + network.config.seen.tokens)
        chance = torch.Generator().manual_seed(seed)
        written = write_picture(network, prompt, self._words.ends, chance, lambda: all(on_step(0, total)))
        if written is None:
            return [None]
        states, noise = states_of(network, prompt, written), draw_noise(network, chance)
        guidance, latents = float(sampler.values["guidance"]), noise
        for done, step in enumerate(draw_latents(network, states, prefix.latents, noise, total, guidance), start=1):
            latents = step.result
            if not all(on_step(done, total)):
                return [None]
        return [network.picture_of(latents)]

    def _extended(self, prefix: NextEditPrefix, segment: Segment, view: View) -> NextEditPrefix:
        if isinstance(segment, str):
            return replace(prefix, ids=(*prefix.ids, *self._words.encode(segment)))
        picture = self._network.words_of(segment)
        latents = self._network.latents_of(segment) if view == "draw" else None
        ids = (*prefix.ids, *self._words.shown(picture))
        return NextEditPrefix(ids, prefix.pictures + 1, tuple(picture), latents)

    def _asked(self, prefix: Prefix, text: str, more: int) -> list[int]:
        prompt = [*self._words.encode(HEAD), *_own(prefix).ids, *self._words.encode(f"{text}{TAIL}")]
        self._fits(len(prompt) + more)
        return prompt

    def _score(self, prefix: Prefix, text: str, option: str) -> float:
        ids = [*self._words.encode(option), self._words.end]
        prompt = self._asked(prefix, text, len(ids))
        hidden, _ = self._network.run([*prompt, *ids[:-1]])
        shares = self._shares(hidden[0, len(prompt) - 1 :])
        return float(shares.gather(1, torch.tensor(ids, device=shares.device)[:, None]).sum())

    def _shares(self, hidden: Tensor) -> Tensor:
        """Log-probabilities of the words of texts, those of pictures being out of the question."""
        return self._network.scores(hidden)[..., : self._words.count].log_softmax(dim=-1)

    def _fits(self, count: int) -> None:
        most = self._network.config.reader.max_position_embeddings
        if count > most:
            message = f"Text and pictures could have {count:,} words; the model has {most:,} positions."
            raise QuestionError(message, "Shorten it, or show fewer pictures.")


def _own(prefix: Prefix) -> NextEditPrefix:
    assert isinstance(prefix, NextEditPrefix)
    return prefix
