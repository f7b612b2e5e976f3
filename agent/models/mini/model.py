"""Mini as a `UnifiedModel`: pictures and strings in, pictures and strings out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..protocol import Capabilities, Identity, Prefix, PreviewCallback, Reading, Sampler, Segment, StepCallback, View
from .answers import ANSWERS
from .domain import Domain, feature
from .inference import Memory, encode_pictures, predict_clean, read_words
from .prefix import MiniPrefix
from .scheduler import FlowMatchEulerDiscreteScheduler
from .squares import fit_square, to_pixels, to_square
from .text import Text
from .transformer import TIME_SHIFT, MiniTransformer, from_patches, to_patches


class MiniModel:
    """The embedded model.

    Args:
        network: Its network, in evaluation mode.
        text: How its texts become tokens and back.
        identity: Who it is.
        domain: Where the pictures lie that it was trained on, where that was measured.
    """

    key = "mini"
    prompt_set = "mini"

    def __init__(
        self,
        network: MiniTransformer,
        text: Text,
        identity: Identity,
        domain: Domain | None = None,
    ) -> None:
        """Keep the parts."""
        self.identity = identity
        self._network = network
        self.text = text
        """How texts become tokens and back."""
        self._domain = domain
        self._device = network.device
        config = network.config
        self.capabilities = Capabilities(
            edits="native",
            instructions=frozenset(config.instructions),
            answers=frozenset(config.answers) or ANSWERS,
            max_pictures=config.max_pictures,
            max_originals=1,
            aspect="kept",
            same_weights=True,
            max_batch=64,
            previews=True,
            scores=True,
            log_probabilities=True,
            temperature=True,
            domain=domain is not None,
            closed_vocabulary=bool(config.known_words),
            deterministic=True,
            prefix_cache=True,
        )
        self._nothing = torch.empty(config.layers, 2, config.heads, 0, 2 * config.pairs, device=self._device)

    @torch.inference_mode()
    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Append one picture to each prefix; other sizes are fitted into 128x128 between black bars.

        It knows one view, and no text segments.
        """
        parents = [None if prefix is None else _own(prefix) for prefix in prefixes]
        slot = 0 if parents[0] is None else parents[0].pictures
        fitted = [fit_square(_picture(segment), self._network.config.image) for segment in segments]
        pixels = torch.stack([to_pixels(square) for square, _ in fitted]).to(self._device)
        patches = to_patches(pixels, self._network.config.patch)
        memory = Memory([self._nothing if parent is None else parent.past() for parent in parents], patches.shape[1])
        made = encode_pictures(self._network, patches, slot, memory)
        # Copies, since a view would keep the whole batch alive for as long as one of its pictures is cached.
        return [
            MiniPrefix(parent, made[:, :, row].clone(), patches[row].clone(), box)
            for row, (parent, (_, box)) in enumerate(zip(parents, fitted, strict=True))
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
        """Continue each text; see `TemperatureModel`."""
        chances = [torch.Generator().manual_seed(seed) for seed in seeds] if temperature else []
        ids, lengths = self._pad([self.text.encode(text) for text in texts])
        memory = Memory([_own(prefix).past() for prefix in prefixes], ids.shape[1] + max_tokens)
        scores = self._read_padded(ids, lengths, memory)
        following = scores[torch.arange(len(texts)), lengths - 1]
        written: list[list[int]] = [[] for _ in texts]
        sums = [0.0] * len(texts)
        wanted = [True] * len(texts)
        rows = list(range(len(texts)))
        for step in range(max_tokens):
            token = following.argmax(dim=-1)
            if temperature:
                token = _by_chance(following, temperature, [chances[row] for row in rows])
            best = following.gather(1, token[:, None])[:, 0]
            for row, score, word in zip(rows, best.tolist(), token.tolist(), strict=True):
                written[row].append(word)
                sums[row] += score
            wanted = list(on_step(step + 1, max_tokens))
            going = [i for i, row in enumerate(rows) if wanted[row] and written[row][-1] != self.text.end]
            if not going or step + 1 == max_tokens:
                break
            rows = [rows[i] for i in going]
            if len(going) < len(following):
                token, lengths = token[going], lengths[going]
                memory.keep(going)
            lengths = lengths + 1
            following = read_words(
                self._network, token[:, None], lengths[:, None], torch.zeros_like(token)[:, None], memory
            )[:, 0]
        return [
            Reading(self.text.decode(words), total, len(words)) if keep else None
            for words, total, keep in zip(written, sums, wanted, strict=True)
        ]

    @torch.inference_mode()
    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Log-probability of each option; all options of a request are one pass, blind to each other."""
        told = [self.text.encode(text) for text in texts]
        said = [[[*self.text.encode(f" {option}"), self.text.end] for option in chosen] for chosen in options]
        rows, places, segments = [], [], []
        for text, chosen in zip(told, said, strict=True):
            # The end token is predicted, never read.
            rows.append(text + [token for option in chosen for token in option[:-1]])
            places.append([*range(len(text)), *(len(text) + i for option in chosen for i in range(len(option) - 1))])
            segments.append([0] * len(text) + [n for n, option in enumerate(chosen, 1) for _ in option[:-1]])
        ids, _ = self._pad(rows)
        index, _ = self._pad([[place + 1 for place in row] for row in places])
        segment, _ = self._pad(segments, value=-1)
        memory = Memory([_own(prefix).past() for prefix in prefixes], ids.shape[1])
        scores = read_words(self._network, ids, index, segment, memory)
        return [
            _option_scores(scores[row], len(text), chosen)
            for row, (text, chosen) in enumerate(zip(told, said, strict=True))
        ]

    def count_tokens(self, option: str) -> int:
        """Tokens of an option with its end token; see `ScoringModel`."""
        return len(self.text.encode(f" {option}")) + 1

    def unknown_words(self, text: str) -> list[str]:
        """Words that are not in `known_words` of its config; none where that has none; see `VocabularyModel`.

        Those that are known are read in every case: `STAR` as `star`.
        """
        return self.text.unknown(text)

    def out_of_domain(self, prefix: Prefix) -> float | None:
        """Score of the first picture; `None` where its weights came without a domain; see `DomainModel`."""
        return self._domain.score(feature(_own(prefix).first.keys_values)) if self._domain else None

    @torch.inference_mode()
    def draw(
        self,
        prefixes: Sequence[Prefix],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
        thoughts: Sequence[str] = (),
        previews: Sequence[PreviewCallback | None] = (),
    ) -> list[Image.Image | None]:
        """Draw the last picture of each prefix anew by Euler steps along the flow; see `PreviewingModel`.

        A drawing shows what its source shows, without the bars: the longer side has 128 pixels. A preview is
        the picture that it sees in the noise so far, and over it as much of the noise as steps are left.
        """
        config = self._network.config
        steps = sampler.steps or 1
        parents = [_own(prefix) for prefix in prefixes]
        source = torch.stack([parent.patches for parent in parents])
        ids, lengths = self._pad([self.text.encode(text) for text in instructions])
        memory = Memory([parent.past() for parent in parents], ids.shape[1] + config.patches)
        self._read_padded(ids, lengths, memory)

        shape = (config.patches, config.patch_values)
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        x = torch.stack(noise).to(self._device)
        scheduler = FlowMatchEulerDiscreteScheduler(shift=TIME_SHIFT)
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / steps, steps).tolist(), device=self._device)
        rows = list(range(len(parents)))
        for step, (time, level) in enumerate(zip(scheduler.timesteps, scheduler.sigmas, strict=False)):
            clean = predict_clean(self._network, x, source, (1.0 - level).expand(len(rows)), memory)
            flow = (x - clean) / level
            x = scheduler.step(flow, time, x, return_dict=False)[0]
            for place, row in enumerate(rows):
                if previews and (on_preview := previews[row]):
                    left = 1.0 - (step + 1) / steps
                    shown = clean[place] + left * flow[place] if left else x[place]
                    on_preview(step + 1, steps, self._picture(shown, parents[row]))
            wanted = on_step(step + 1, steps)
            going = [i for i, row in enumerate(rows) if wanted[row]]
            if len(going) < len(rows):
                rows = [rows[i] for i in going]
                x, source = x[going], source[going]
                memory.keep(going)
            if not rows:
                break
        drawn: list[Image.Image | None] = [None] * len(parents)
        for row, patches in zip(rows, x, strict=True):
            drawn[row] = self._picture(patches, parents[row])
        return drawn

    def _picture(self, patches: Tensor, parent: MiniPrefix) -> Image.Image:
        """Patches `[patches, values]` as the picture that they are without the bars of its source."""
        config = self._network.config
        return to_square(from_patches(patches[None], config.patch, config.side)[0]).crop(parent.box)

    def _read_padded(self, ids: Tensor, lengths: Tensor, memory: Memory) -> Tensor:
        """Read texts `[batch, longest]` of the given lengths; see `read_words`."""
        place = torch.arange(ids.shape[1], device=self._device).expand_as(ids)
        inside = place < lengths[:, None]
        return read_words(self._network, ids, place + 1, inside.long() - 1, memory)

    def _pad(self, rows: Sequence[Sequence[int]], value: int = 0) -> tuple[Tensor, Tensor]:
        """Rows of numbers as `[batch, longest]`, filled up with `value`, and their lengths `[batch]`."""
        padded = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)
        return padded.to(self._device), torch.tensor([len(row) for row in rows], device=self._device)


def _by_chance(scores: Tensor, temperature: float, chances: Sequence[torch.Generator]) -> Tensor:
    """A token `[batch]` of each row of log-probabilities `[batch, vocabulary]`; drawn on the CPU, the same anywhere."""
    shares = (scores.float().cpu() / temperature).softmax(dim=-1)
    drawn = [torch.multinomial(row, 1, generator=chance) for row, chance in zip(shares, chances, strict=True)]
    return torch.cat(drawn).to(scores.device)


def _own(prefix: Prefix) -> MiniPrefix:
    assert isinstance(prefix, MiniPrefix)
    return prefix


def _picture(segment: Segment) -> Image.Image:
    assert isinstance(segment, Image.Image), "the engine refuses texts"
    return segment


def _option_scores(scores: Tensor, told: int, options: Sequence[Sequence[int]]) -> list[float]:
    """Sum the log-probabilities of each option's tokens; `scores` `[words, vocabulary]` of text, then options."""
    sums, place = [], told
    for option in options:
        predicted = [told - 1, *range(place, place + len(option) - 1)]
        sums.append(scores[predicted, option].sum().item())
        place += len(option) - 1
    return sums
