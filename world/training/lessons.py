"""Lessons: what mini is told and what it should say, as tables of tokens.

A batch of training has tens of thousands of short texts. They are never made as strings: every prompt of the world is
a line of a table with holes for words of the picture, every completion a line of another, and a batch is a look-up. A
test holds the tables against the strings that the prompts and the tokenizer make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from g2u import prompts
from g2u.edits.library import EditCall, EditLibrary

from ..materials.words import SHAPES, WORDS, indices
from ..questions.phrasings import PHRASINGS
from ..questions.questions import Questions
from .tokenizer import VERDICTS

ANSWER_WORDS, DECIDE_WORDS, REFLECT_WORDS, DRAW_WORDS = 18, 38, 32, 22
"""Tokens that each kind of text is padded to."""


@dataclass(frozen=True)
class Texts:
    """Lines of tokens, padded at the end."""

    ids: Tensor
    """`[.., words]`, int64."""
    taught: Tensor
    """`[.., words]`, bool: tokens that the model should learn to say, the end token among them."""

    def __getitem__(self, index: Tensor | tuple[Tensor | slice | int | None, ...]) -> Texts:
        """The lines at `index`, which indexes the leading axes."""
        return Texts(self.ids[index], self.taught[index])

    def only(self, where: Tensor) -> Texts:
        """The same, taught only where a flag `[..]` of the line is set."""
        return Texts(self.ids, self.taught & where[..., None])


@dataclass(frozen=True)
class _Table:
    ids: Tensor
    """`[lines, longest]`."""
    length: Tensor
    """`[lines]`."""


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
        # Two shapes stand for the holes while the tables are made: no prompt and no edit names a shape.
        holes = SHAPES[:2]
        self._holes = [int(self.word[index]) for index in indices(holes)]
        questions = [phrasing.text.format(subject=holes[0], other=holes[1]) for phrasing in PHRASINGS]
        self._answer = self._table([prompts.render("mini", "answer", question=question) for question in questions])
        self._decide = self._table(
            [
                prompts.render("mini", "decide", question=question, tried=tried)
                for question in questions
                for tried in ([], *([call.edit] for call in self.calls))
            ]
        )
        self._call = self._table([f" {call.text}" for call in self.calls], end=True)
        self._reflect = self._table(
            [
                prompts.render("mini", "reflect", question=question, instruction=library.instruction(call))
                for question in questions
                for call in self.calls
            ]
        )
        self._verdict = self._table([f" {verdict}" for verdict in VERDICTS], end=True)
        self._draw = self._table([library.instruction(call, question) for question in questions for call in self.calls])

    def answers(self, questions: Questions) -> Texts:
        """Each question and its right answer."""
        answer = self.word[questions.options.gather(-1, questions.answer[..., None])[..., 0]]
        end = torch.full_like(answer, self._end)
        said = torch.stack([answer, end], dim=-1)
        return self._join(self._answer, questions.phrasing, questions, said, torch.full_like(answer, 2), ANSWER_WORDS)

    def decisions(self, questions: Questions, call: Tensor, tried: Tensor) -> Texts:
        """Question, and the call that it asks for.

        Args:
            questions: Of whom only phrasing and words count: who decides does not see the options.
            call: Index into `calls` for each question.
            tried: Index of a call that was tried before, -1 for none.
        """
        line = questions.phrasing * (len(self.calls) + 1) + tried + 1
        said, length = self._call.ids[call], self._call.length[call]
        return self._join(self._decide, line, questions, said, length, DECIDE_WORDS)

    def verdicts(self, questions: Questions, call: Tensor, verdict: Tensor) -> Texts:
        """Question, edit that was drawn, and the verdict on it (index into `VERDICTS`), for each question."""
        line = questions.phrasing * len(self.calls) + call
        said, length = self._verdict.ids[verdict], self._verdict.length[verdict]
        return self._join(self._reflect, line, questions, said, length, REFLECT_WORDS)

    def instructions(self, questions: Questions, call: Tensor) -> Texts:
        """What the drawer is told for each question and call (index into `calls`, never `none`)."""
        line = questions.phrasing * len(self.calls) + call
        nothing = self._draw.length[:1].expand_as(line) * 0
        return self._join(self._draw, line, questions, line[..., None] * 0, nothing, DRAW_WORDS)

    def _single(self, word: str) -> int:
        ids = self._tokenizer.encode(f" {word}")
        if len(ids) != 1:
            raise ValueError(f"the tokenizer cuts the word {word!r} into {len(ids)} tokens")
        return int(ids[0])

    def _table(self, texts: Sequence[str], end: bool = False) -> _Table:
        lines = [self._tokenizer.encode(text) + [self._end] * end for text in texts]
        ids = torch.full((len(lines), max(map(len, lines))), self.pad)
        for row, line in enumerate(lines):
            ids[row, : len(line)] = torch.tensor(line)
        lengths = torch.tensor([len(line) for line in lines], device=self._device)
        return _Table(ids.to(self._device), lengths)

    def _join(
        self, table: _Table, line: Tensor, questions: Questions, said: Tensor, length: Tensor, words: int
    ) -> Texts:
        """Prompts with their holes filled, followed by the first `length` tokens of what should be said."""
        told = holed = table.ids[line]
        for hole, word in zip(self._holes, (questions.subject, questions.other), strict=True):
            told = torch.where(holed == hole, self.word[word][..., None], told)
        # One prompt may go with several completions: everything takes the shape of both.
        lines = torch.broadcast_shapes(told.shape[:-1], said.shape[:-1])
        begin = table.length[line].expand(lines)[..., None]
        told = torch.nn.functional.pad(told, (0, words - told.shape[-1]), value=self.pad).expand(*lines, words)
        said = said.expand(*lines, -1)
        place = torch.arange(words, device=told.device).expand(*lines, words)
        after = (place - begin).clamp(0, said.shape[-1] - 1)
        taught = (place >= begin) & (place < begin + length.expand(lines)[..., None])
        return Texts(torch.where(taught, said.gather(-1, after), told), taught)
