"""Lessons: what mini is told and what it should say, as tables of tokens.

A batch of training has tens of thousands of short texts. They are never made as strings: every text of the world is a
line of a table with holes for words of the picture, and a batch is a look-up. A test holds the tables against the
strings that the prompts and the tokenizer make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from g2u import prompts
from g2u.edits import EditCall, EditLibrary
from g2u.world.questions import OPTIONS, PHRASINGS, WORDS, Questions
from g2u.world.tokenizer import VERDICTS

ANSWER_WORDS, DECIDE_WORDS, REFLECT_WORDS, DRAW_WORDS = 32, 40, 32, 16
"""Tokens that each kind of text is padded to."""


@dataclass(frozen=True)
class Texts:
    """Lines of tokens, padded at the end."""

    ids: Tensor
    """`[.., words]`, int64."""
    taught: Tensor
    """`[.., words]`, bool: tokens that the model should learn to say, the end token among them."""

    def __getitem__(self, index: Tensor | tuple[Tensor | slice | None, ...]) -> Texts:
        """The lines at `index`, which indexes the leading axes."""
        return Texts(self.ids[index], self.taught[index])


class Lessons:
    """All texts of the world for one tokenizer.

    Args:
        tokenizer: Its tokens must cover each of `WORDS` with a single token after a space.
        device: Where the tables live.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, device: torch.device) -> None:
        """Build the tables."""
        self._tokenizer = tokenizer
        self._device = device
        library = EditLibrary.load()
        self.calls: list[EditCall] = library.calls()
        """Every edit call, `none` last; other tensors hold indices into it."""
        self._end = int(tokenizer.eos_token_id)
        self.pad = int(tokenizer.pad_token_id)
        """Token that fills lines up."""
        self.word = torch.tensor([self._single(word) for word in WORDS], device=device)
        """`[words]`, the token of each of `WORDS`, after a space."""
        # Six shapes stand for the holes while the tables are made: no prompt and no edit names a shape.
        self._holes = self.word[-OPTIONS - 2 :]
        subject, *options, answer = WORDS[-OPTIONS - 2 :]
        questions = [phrasing.text.format(subject=subject) for phrasing in PHRASINGS]
        self._answer = self._table(
            [
                (prompts.render("mini", "answer", question=question, options=shown), answer)
                for question in questions
                for shown in ((), options)
            ],
            ANSWER_WORDS,
        )
        self._decide = self._table(
            [
                (prompts.render("mini", "decide", question=question, tried=tried), call.text)
                for question in questions
                for tried in ([], *([call.edit] for call in self.calls))
                for call in self.calls
            ],
            DECIDE_WORDS,
        )
        self._reflect = self._table(
            [
                (prompts.render("mini", "reflect", question=question, instruction=library.instruction(call)), verdict)
                for question in questions
                for call in self.calls
                for verdict in VERDICTS
            ],
            REFLECT_WORDS,
        )
        self._draw = self._table([(library.instruction(call), "") for call in self.calls], DRAW_WORDS)

    def answers(self, questions: Questions, with_options: Tensor) -> Texts:
        """Question and right answer; `with_options`, 0 or 1 for each question, says where the options are shown."""
        answer = questions.options.gather(-1, questions.answer[..., None])
        words = torch.cat([questions.subject[..., None], questions.options, answer], dim=-1)
        return self._fill(self._answer[questions.phrasing * 2 + with_options], words)

    def decisions(self, questions: Questions, call: Tensor, tried: Tensor) -> Texts:
        """Question, and the call that it asks for.

        Args:
            questions: Of whom only phrasing and subject count: who decides does not see the options.
            call: Index into `calls` for each question.
            tried: Index of a call that was tried before, -1 for none.
        """
        line = (questions.phrasing * (len(self.calls) + 1) + tried + 1) * len(self.calls) + call
        return self._fill(self._decide[line], questions.subject[..., None])

    def verdicts(self, questions: Questions, call: Tensor, verdict: Tensor) -> Texts:
        """Question, edit that was drawn, and the verdict on it (index into `VERDICTS`), for each question."""
        line = (questions.phrasing * len(self.calls) + call) * len(VERDICTS) + verdict
        return self._fill(self._reflect[line], questions.subject[..., None])

    def instructions(self, call: Tensor) -> Texts:
        """What the drawer is told for each call (index into `calls`, never `none`)."""
        return self._draw[call]

    def _single(self, word: str) -> int:
        ids = self._tokenizer.encode(f" {word}")
        if len(ids) != 1:
            raise ValueError(f"the tokenizer cuts the word {word!r} into {len(ids)} tokens")
        return int(ids[0])

    def _table(self, pairs: Sequence[tuple[str, str]], words: int) -> Texts:
        ids = torch.full((len(pairs), words), self.pad)
        taught = torch.zeros(len(pairs), words, dtype=torch.bool)
        for row, (prompt, completion) in enumerate(pairs):
            told = self._tokenizer.encode(prompt)
            said = [*self._tokenizer.encode(f" {completion}"), self._end] if completion else []
            if len(told) + len(said) > words:
                raise ValueError(f"{len(told) + len(said)} tokens do not fit into {words}: {prompt!r}")
            ids[row, : len(told) + len(said)] = torch.tensor(told + said)
            taught[row, len(told) : len(told) + len(said)] = True
        return Texts(ids.to(self._device), taught.to(self._device))

    def _fill(self, texts: Texts, words: Tensor) -> Texts:
        ids = texts.ids
        for hole, token in enumerate(self._holes[: words.shape[-1]]):
            ids = torch.where(texts.ids == token, self.word[words[..., hole]][..., None], ids)
        return Texts(ids, texts.taught)
