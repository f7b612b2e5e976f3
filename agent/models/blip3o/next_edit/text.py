"""The tokenizer, and what the model is told: the chat of Qwen3, and the official sentence of an edit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase, Qwen2Tokenizer

from ....errors import WeightsError
from ..inference.text import missing_tokenizer

HEAD = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
"""Before what is asked."""
TAIL = "<|im_end|>\n<|im_start|>assistant\n"
"""After it; an answer begins here."""
EDIT = "Please edit this image according to the following instruction: {}.\n"
"""What the official program says before the picture; the full stop is its own, whatever the instruction ends with."""
SHOWN, SHOWN_END = "<|vision_start|>", "<|vision_end|>"
"""Around the words of a picture."""
DRAWN, SCALE = "<im_start>", "<S0>"
"""Before the words of a picture that is drawn."""
ENDS = ("<|im_end|>", "<|endoftext|>")
"""Words that end a text, the first what the chat has."""


class Words:
    """The tokenizer of a folder.

    Args:
        tokenizer: That of Qwen3 with the words that BLIP3o-NEXT added.
        size: Words that the network knows.
        first: Id of `<im_start>`.

    Raises:
        WeightsError: The tokenizer lacks a word, or has words that the network does not know.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, size: int, first: int) -> None:
        """Look the special words up."""
        vocabulary = tokenizer.get_vocab()
        hint = "Take the one beside the weights."
        wanted = ("<|im_start|>", ENDS[0], SHOWN, SHOWN_END, DRAWN, SCALE)
        if missing := [word for word in wanted if word not in vocabulary]:
            found = f"it has {len(vocabulary)} words, and not {', '.join(missing)}"
            raise WeightsError(f"The tokenizer is not that of BLIP3o-NEXT-edit: {found}.", hint)
        if len(vocabulary) > size:
            raise WeightsError(f"The tokenizer has {len(vocabulary)} words, the network {size}.", hint)
        if vocabulary[DRAWN] != first:
            found = f"{DRAWN} is word {vocabulary[DRAWN]}, and by the configuration {first}"
            raise WeightsError(f"The tokenizer is not that of these weights: {found}.", hint)
        self._tokenizer = tokenizer
        self.end: int = vocabulary[ENDS[0]]
        """Id of the word that ends an answer."""
        self.ends = frozenset(vocabulary[word] for word in ENDS if word in vocabulary)
        """Ids of all words that end a text."""
        self.count = first
        """Words of texts, which come before those of pictures."""

    @classmethod
    def from_folder(cls, folder: Path, size: int, first: int) -> Words:
        """Load the tokenizer of a folder.

        Raises:
            WeightsError: A file is missing or damaged, or it is another tokenizer.
        """
        if missing := missing_tokenizer(folder):
            raise WeightsError(f"{folder} has no tokenizer: it has no {', '.join(missing)}.")
        try:
            tokenizer = Qwen2Tokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise WeightsError(f"The tokenizer in {folder} is damaged: {error}.") from error
        return cls(tokenizer, size, first)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; what looks like a special word in it is one, as in the official program."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special words."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def shown(self, picture: Sequence[int]) -> list[int]:
        """A picture between its two markers."""
        return [*self.encode(SHOWN), *picture, *self.encode(SHOWN_END)]

    def edit(self, instruction: str, picture: Sequence[int]) -> list[int]:
        """All up to where the words of the new picture begin: the picture comes after its instruction."""
        told = self.encode(f"{HEAD}{EDIT.format(instruction)}")
        return [*told, *self.shown(picture), *self.encode(f"{TAIL}{DRAWN}{SCALE}")]
