"""Words: the tokenizer, the format of a chat, decoding in lockstep, and scores of options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Qwen2Tokenizer

from ....errors import WeightsError
from ..network.network import Blip3oNetwork
from .context import Context, read
from .decoding import Texts

HEAD = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
"""Before whatever is shown and asked."""
TAIL = "<|im_end|>\n<|im_start|>assistant\n"
"""After it."""
REIMAGINE = "\nPlease reconstruct the given image. {}"
"""After a picture that is drawn anew: the official sentence for it, and then what is to be changed, which no official
program ever asked for."""
BLANK = " "
"""What drawings are guided away from; read without the format of a chat."""

NEEDED = {
    "image_start": "[IMG]",
    "vision_start": "<|vision_start|>",
    "vision_end": "<|vision_end|>",
    "end": "<|im_end|>",
}
"""What the fields of `TokenIds` are in the tokenizer."""

TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
)
"""What of a tokenizer may be in a folder; the first stands for the two behind it."""

AT_ONCE = 256
"""Words of options that go through the network together: the most, unless a single option has more."""

PassCallback = Callable[[int], Sequence[bool]]
"""Called as `on_word(done)` after each word of all texts. The answer has one flag per text: `False` means that nobody
waits for it any more and it may be left out from now on."""


@dataclass(frozen=True)
class TokenIds:
    """Ids of special tokens."""

    image_start: int
    """After which the queries come."""
    vision_start: int
    vision_end: int
    end: int
    """Of an answer."""


class Words:
    """The tokenizer of a folder.

    Args:
        tokenizer: That of Qwen2.5-VL with the tokens that BLIP3o added.
        size: Words that the network knows.

    Raises:
        WeightsError: The tokenizer lacks a special token, or has words that the network does not know.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, size: int) -> None:
        """Look the special tokens up."""
        vocabulary = tokenizer.get_vocab()
        if missing := [word for word in NEEDED.values() if word not in vocabulary]:
            found = f"it has {len(vocabulary)} words, and not {', '.join(missing)}"
            raise WeightsError(f"The tokenizer is not that of BLIP3o: {found}.", "Take the one beside the weights.")
        if len(vocabulary) > size:
            raise WeightsError(f"The tokenizer has {len(vocabulary)} words, the network {size}.")
        self._tokenizer = tokenizer
        self.special = TokenIds(**{name: vocabulary[word] for name, word in NEEDED.items()})
        self.count = len(vocabulary)
        """Words that can be written."""

    @classmethod
    def from_folder(cls, folder: Path, size: int) -> Words:
        """Load the tokenizer of a folder.

        Raises:
            WeightsError: A file is missing or is not that of BLIP3o's tokenizer.
        """
        if missing := missing_tokenizer(folder):
            raise WeightsError(f"{folder} has no tokenizer of BLIP3o: it has no {', '.join(missing)}.")
        try:
            tokenizer = Qwen2Tokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise WeightsError(f"The tokenizer in {folder} is damaged: {error}.") from error
        return cls(tokenizer, size)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; what looks like a special token in it is one, as in the official program."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))


def missing_tokenizer(folder: Path) -> list[str]:
    """Files of the tokenizer that a folder lacks."""
    whole, *parts, settings = TOKENIZER_FILES[:4]
    wanted = [settings] if (folder / whole).is_file() else [*parts, settings]
    return [name for name in wanted if not (folder / name).is_file()]


@dataclass
class Written:
    """What was decoded, or is being."""

    ids: list[int] = field(default_factory=list)
    """Words, without the end token."""
    log_probability: float = 0.0
    """Sum over the words, the end token included where it was reached; natural."""
    finished: bool = False
    """Whether the end token was reached."""


def write(
    network: Blip3oNetwork,
    started: Sequence[tuple[Context, Tensor]],
    words: int,
    end: int,
    most: int,
    on_word: PassCallback,
) -> list[Written | None]:
    """Write the best words after each context, all in lockstep.

    Args:
        network: The network.
        started: What comes before each text: the context, and the hidden states of what was read last.
        words: How many of the vocabulary can be written.
        end: Id of the end token.
        most: Words of each text, the end token counted.
        on_word: See `PassCallback`.

    Returns:
        `None` for those left out.

    Raises:
        QuestionError: A text could become longer than the reader has positions.
    """
    texts = [Written() for _ in started]
    growing = Texts(network, [context for context, _ in started], most)
    scores = network.scores(torch.cat([hidden[:, -1] for _, hidden in started]))
    going, left_out = set(range(len(texts))), set[int]()
    for done in range(1, most + 1):
        chances, best = scores[:, :words].log_softmax(dim=-1).max(dim=-1)
        said = zip(texts, best.tolist(), chances.tolist(), strict=True)
        for row, (text, word, chance) in enumerate(said):
            if row in going:
                text.log_probability += chance
                text.finished = word == end
                text.ids += [] if text.finished else [word]
        left_out |= going & {row for row, wanted in enumerate(on_word(done)) if not wanted}
        going -= left_out | {row for row in going if texts[row].finished}
        if not going or done == most:
            break
        scores = growing.step(best)
    return [None if row in left_out else text for row, text in enumerate(texts)]


def score(
    network: Blip3oNetwork, context: Context, last: Tensor, options: Sequence[Sequence[int]], words: int, end: int
) -> list[float]:
    """Log-probability of each option as the whole text after a context: natural, summed, end token included.

    As many options as `AT_ONCE` allows go through the network together, blind to each other.

    Args:
        network: The network.
        context: What comes before.
        last: Hidden states of what was read last, `[1, tokens, width]`.
        options: Words of each.
        words: How many of the vocabulary can be written.
        end: Id of the end token.
    """
    first = network.scores(last[:, -1])[:, :words].log_softmax(dim=-1)
    sums: list[float] = []
    for some in _batches(options):
        sizes = [len(option) for option in some]
        hidden = _read_blindly(network, context, some)
        later = network.scores(hidden)[:, :words].log_softmax(dim=-1).split(sizes)
        for option, scores in zip(some, later, strict=True):
            said = torch.tensor([*option, end], device=scores.device)[:, None]
            sums.append(float(torch.cat([first, scores]).gather(1, said).sum()))
    return sums


def _read_blindly(network: Blip3oNetwork, context: Context, options: Sequence[Sequence[int]]) -> Tensor:
    """Hidden states `[words, width]` of options, each read after the same context alone."""
    sizes, device = torch.tensor([len(option) for option in options]), network.device
    total = int(sizes.sum())
    if not total:
        return torch.empty(0, network.config.reader.hidden_size, dtype=network.dtype, device=device)
    whose = torch.arange(len(options)).repeat_interleave(sizes)
    before = torch.ones(total, context.tokens, dtype=torch.bool)
    seen = torch.cat([before, (whose[:, None] == whose).tril()], dim=1).to(device)
    within = torch.cat([torch.arange(size) for size in sizes.tolist()])
    positions = (context.position + within).to(device).expand(3, 1, -1)
    x = network.embed_words([word for option in options for word in option])
    return network.run(x, positions, context.keys_values, seen[None, None])[0][0]


def _batches(options: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Options in their order, as many together as `AT_ONCE` allows, at least one."""
    some: list[Sequence[int]] = []
    for option in options:
        if some and sum(map(len, (*some, option))) > AT_ONCE:
            yield some
            some = []
        some.append(option)
    if some:
        yield some


def open_answer(network: Blip3oNetwork, context: Context, words: Words, text: str) -> tuple[Context, Tensor]:
    """Read a question up to where the answer begins; the context, and hidden states `[1, tokens, width]`."""
    return read(network, context, [words.encode(f"{text}{TAIL}")])
