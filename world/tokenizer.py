"""The tokenizer of mini: byte-level BPE, trained on every sentence that the world can say.

The world's words become single tokens; anything else falls apart into bytes, so no text is unreadable.
"""

from __future__ import annotations

from collections.abc import Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from g2u import prompts
from g2u.edits import EditLibrary
from g2u.world.questions import PHRASINGS, WORDS

END, PAD = "<|end|>", "<|pad|>"
VERDICTS = ("keep", "retry", "discard")


def train_tokenizer(size: int = 512) -> PreTrainedTokenizerFast:
    """Train it anew; takes less than a second and gives the same tokenizer every time."""
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


def _sentences() -> Iterator[str]:
    library = EditLibrary.load()
    for phrasing in PHRASINGS:
        question = phrasing.text.format(subject="star")
        yield prompts.render("mini", "answer", question=question, options=WORDS)
        for call in library.calls():
            yield prompts.render("mini", "decide", question=question, tried=[call.edit]) + f" {call.text}"
            for verdict in VERDICTS:
                instruction = library.instruction(call)
                yield prompts.render("mini", "reflect", question=question, instruction=instruction) + f" {verdict}"
    for word in WORDS:
        yield f" {word}"
