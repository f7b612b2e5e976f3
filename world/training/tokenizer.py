"""The tokenizer of mini: byte-level BPE, trained on every sentence that the world can say.

The world's words become single tokens; anything else falls apart into bytes, so no text is unreadable.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from g2u import prompts
from g2u.edits.library import EditLibrary
from g2u.models.mini.words import words_of

from ..materials.words import WORDS
from ..questions.phrasings import PHRASINGS

END, PAD = "<|end|>", "<|pad|>"
VERDICTS = ("keep", "retry", "discard")

_OFTEN = 50
"""How often each word of the world is said, so that none falls apart."""


@functools.cache
def train_tokenizer(size: int = 1792) -> PreTrainedTokenizerFast:
    """Train it, once per process and size; takes about a second and gives the same tokenizer every time."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sentences(), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)


def known_words() -> list[str]:
    """Words that training ever shows in a question or an option, lower-case and sorted."""
    said = [*WORDS, *(re.sub(r"{\w+}", "", phrasing.text) for phrasing in PHRASINGS if not phrasing.held_out)]
    return sorted({word for text in said for word in words_of(text)})


def _sentences() -> Iterator[str]:
    library = EditLibrary.load()
    for phrasing in PHRASINGS:
        question = phrasing.text.format(subject="star", other="heart")
        yield prompts.render("mini", "answer", question=question)
        for call in library.calls():
            yield prompts.render("mini", "decide", question=question, tried=[call.edit]) + f" {call.text}"
            instruction = library.instruction(call)
            for verdict in VERDICTS:
                yield prompts.render("mini", "reflect", question=question, instruction=instruction) + f" {verdict}"
    for word in WORDS:
        yield f" {word}" * _OFTEN
