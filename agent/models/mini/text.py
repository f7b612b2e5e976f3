"""Texts as tokens of mini, spelt as it was taught, and back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from tokenizers import Tokenizer

from .words import respell, words_of

SPACE: Final = "\u0120"
"""How byte-level tokens write the space before a word."""


class Text:
    """The tokenizer of mini, with the words that it was taught.

    Args:
        tokenizer: Byte-level BPE; reads names of its special tokens as plain text from then on.
        end: The end token.
        known_words: In lower case; empty where that is not known.
    """

    def __init__(self, tokenizer: Tokenizer, end: int, known_words: Collection[str]) -> None:
        """Keep them."""
        self.tokenizer = tokenizer
        self.tokenizer.encode_special_tokens = True
        self.end = end
        """The end token."""
        self._words = frozenset(known_words)
        self._tokens = frozenset(tokenizer.get_vocab())

    def encode(self, text: str) -> list[int]:
        """Token ids, without special tokens."""
        text = respell(text, self._as_taught)
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out, without spaces around it."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def unknown(self, text: str) -> list[str]:
        """Words of a text that were never taught; none where that is not known."""
        return [word for word in words_of(text) if word not in self._words] if self._words else []

    def _as_taught(self, word: str) -> str:
        """The spelling of a known word that is one token, nearest to the given one; other words as they are.

        A word that was taught is one token after a space; in another case it would be read in pieces, which were not.
        """
        if word.lower() not in self._words:
            return word
        spellings = (word, word.lower(), word.capitalize(), word.upper())
        return next((spelling for spelling in spellings if SPACE + spelling in self._tokens), word)
