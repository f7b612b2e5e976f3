"""Questions about the world in plain English, with the answers that are right.

A question is a phrasing and up to two words of the picture, its subject and another. All phrasings of all kinds are one
table, so that training can turn a whole batch into tokens without making strings. Kinds of question belong to kinds of
picture: the modules that paint pictures also ask about them.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..materials.words import WORDS
from .phrasings import PHRASINGS


@dataclass(frozen=True)
class Questions:
    """Questions about a batch of pictures; index tensors on the pictures' device."""

    phrasing: Tensor
    """`[batch, questions]`, index into `PHRASINGS`."""
    subject: Tensor
    """`[batch, questions]`, index into `WORDS`; 0 where the phrasing has no subject."""
    other: Tensor
    """`[batch, questions]`, the same for the second word of the picture."""
    options: Tensor
    """`[batch, questions, 4]`, indices into `WORDS`, in the order shown; -1 after the last where there are fewer."""
    answer: Tensor
    """`[batch, questions]`, which of the options is right."""

    def __getitem__(self, index: tuple[int | slice, ...]) -> Questions:
        """The questions at `index`, which indexes the leading axes."""
        return Questions(*(tensor[index] for tensor in vars(self).values()))

    def text(self) -> str:
        """In words; for a single question, whose tensors have no leading axes."""
        subject, other = WORDS[int(self.subject)], WORDS[int(self.other)]
        return PHRASINGS[int(self.phrasing)].text.format(subject=subject, other=other)

    def paraphrase(self) -> str:
        """In other words, of those that training has too or has not either; empty where there are none.

        For a single question.
        """
        own = PHRASINGS[int(self.phrasing)]
        like = [
            index
            for index, other in enumerate(PHRASINGS)
            if (other.kind, other.relation, other.held_out) == (own.kind, own.relation, own.held_out)
        ]
        following = like[(like.index(int(self.phrasing)) + 1) % len(like)]
        if following == int(self.phrasing):
            return ""
        subject, other_word = WORDS[int(self.subject)], WORDS[int(self.other)]
        return PHRASINGS[following].text.format(subject=subject, other=other_word)

    def option_words(self) -> list[str]:
        """The options in words; for a single question."""
        return [WORDS[index] for index in self.options.tolist() if index >= 0]
