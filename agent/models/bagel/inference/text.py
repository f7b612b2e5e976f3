"""Words: the tokenizer, decoding word by word, and scores of options."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Qwen2Tokenizer

from ....errors import WeightsError
from ..network.config import TokenIds
from ..network.network import BagelNetwork
from .chance import Chance
from .context import Context, embed_words, read_words

SPECIAL_TOKENS = {
    "bos_token_id": "<|im_start|>",
    "eos_token_id": "<|im_end|>",
    "start_of_image": "<|vision_start|>",
    "end_of_image": "<|vision_end|>",
}
"""What the fields of `TokenIds` are in the tokenizer."""

TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")
"""What the tokenizer is made from, and nothing beside: `tokenizer.json`, which transformers would read in the place of
the first two, is none of the official program's."""

AT_ONCE = 256
"""Words of options that go through the network together, begin tokens included: the most, unless a single option has
more. So memory does not grow with the number of options; scores over the vocabulary take 0.4 GB for 256 words."""

WordCallback = Callable[[int, Tensor], bool]
"""Called as `on_word(done, logits)` with the scores `[vocabulary]` that the next word is taken from; `False` stops."""


@dataclass(frozen=True)
class Written:
    """What was decoded."""

    ids: list[int]
    """Words, without begin and end tokens."""
    log_probability: float
    """Sum over the words, the end token included where it was reached; natural, at temperature 1."""
    finished: bool
    """Whether the end token was reached."""


class Words:
    """The tokenizer of a folder, without any segment tokens of its own.

    Args:
        tokenizer: The Qwen2 tokenizer.
        special: The ids that the network uses.

    Raises:
        WeightsError: The tokenizer has other ids for the special tokens.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, special: TokenIds) -> None:
        """Check the special tokens."""
        wanted = {word: getattr(special, field) for field, word in SPECIAL_TOKENS.items()}
        vocabulary = tokenizer.get_vocab()
        if wrong := [word for word, index in wanted.items() if vocabulary.get(word) != index]:
            found = ", ".join(f"{word} is {vocabulary.get(word)}, not {wanted[word]}" for word in wrong)
            raise WeightsError(f"The tokenizer is not that of BAGEL: {found}.")
        self._tokenizer = tokenizer

    @classmethod
    def from_folder(cls, folder: Path, special: TokenIds) -> Words:
        """Load the tokenizer of a folder.

        Raises:
            WeightsError: A file is missing or is not that of BAGEL's tokenizer.
        """
        if missing := [name for name in TOKENIZER_FILES if not (folder / name).is_file()]:
            raise WeightsError(f"{folder} has no tokenizer of BAGEL: it has no {', '.join(missing)}.")
        try:
            with tempfile.TemporaryDirectory(prefix="g2u-tokenizer-") as alone:
                for name in TOKENIZER_FILES:
                    shutil.copy(folder / name, alone)
                tokenizer = Qwen2Tokenizer.from_pretrained(alone, local_files_only=True)
        except (OSError, ValueError, TypeError) as error:
            raise WeightsError(f"The tokenizer in {folder} is damaged: {error}.") from error
        return cls(tokenizer, special)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; what looks like a special token in it is one, as in the official program."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return str(self._tokenizer.decode(list(ids)))


def write(
    network: BagelNetwork,
    context: Context,
    most: int,
    chance: Chance | None = None,
    on_word: WordCallback | None = None,
) -> Written:
    """Write after a context, word by word.

    Args:
        network: The network.
        context: What comes before; the text begins at its position.
        most: Passes of the network; the first one reads the begin token. The word after the last pass is not read, and
            not part of the text, as in the official program.
        chance: By which words are drawn, that of one text; `None` takes the best word.
        on_word: See `WordCallback`.
    """
    special = network.config.token_ids
    ids: list[int] = []
    word, total = special.bos_token_id, 0.0
    for done in range(1, most + 1):
        context, logits = read_words(network, context, [word])
        going = on_word is None or on_word(done, logits)
        word = choose(logits, chance)
        ended = word == special.eos_token_id
        if not ended and (not going or done == most):
            break
        total += float(logits.float().log_softmax(dim=-1)[word])
        if ended:
            return Written(ids, total, True)
        ids.append(word)
    return Written(ids, total, False)


def choose(logits: Tensor, chance: Chance | None = None, text: int = 0) -> int:
    """The next word by its scores `[vocabulary]`: the best one, or one drawn by the chance of a text."""
    return int((logits if chance is None else logits.float() + chance.noise(text, logits)).argmax())


def score(network: BagelNetwork, context: Context, options: Sequence[Sequence[int]]) -> list[float]:
    """Log-probability of each option as the text after a context: natural, summed, end token included.

    As many options as `AT_ONCE` allows go through the network together, blind to each other.

    Args:
        network: The network.
        context: What comes before.
        options: Words of each.

    Raises:
        QuestionError: The words of one are more than the model has positions.
    """
    special = network.config.token_ids
    sums: list[float] = []
    for some in _batches(options):
        scores = word_scores(network, context, [[special.bos_token_id, *option] for option in some])
        said = [[*option, special.eos_token_id] for option in some]
        each = zip(scores, said, strict=True)
        sums += [float(rows[torch.arange(len(words)), words].sum()) for rows, words in each]
    return sums


def word_scores(network: BagelNetwork, context: Context, texts: Sequence[Sequence[int]]) -> list[Tensor]:
    """Log-probabilities of the word after each word of some texts, each text read after the same context alone.

    Returns:
        `[words, vocabulary]` for each, float32.

    Raises:
        QuestionError: A text has more words than the model has positions.
    """
    sizes = [len(text) for text in texts]
    embedded, positions = zip(*(embed_words(network, context, text) for text in texts), strict=True)
    seen = None
    if len(texts) > 1:
        whose = torch.arange(len(texts)).repeat_interleave(torch.tensor(sizes)).to(network.device)
        seen = (whose[:, None] == whose).tril()
    x, _ = network.run_block(
        torch.cat(embedded), torch.cat(positions), context.keys_values, causal=True, latents=False, seen=seen
    )
    return list(network.transformer.logits(x).float().log_softmax(dim=-1).split(sizes))


def _batches(options: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Options in their order, as many together as `AT_ONCE` allows, at least one."""
    some: list[Sequence[int]] = []
    for option in options:
        if some and sum(1 + len(one) for one in (*some, option)) > AT_ONCE:
            yield some
            some = []
        some.append(option)
    if some:
        yield some
