"""The two operations that may be done in more than one way: drawing, and writing word by word.

`PlainExecution` does them with the functions of `sampler` and `context`, as the official program does. Another one is
made with a network as well, has the same methods, and gives the same up to rounding; one that gives something else must
go by another name, since the name is part of the identity of results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from ..network.network import BagelNetwork, Grid
from .chance import Chance
from .context import Context, Guidance, read_words
from .sampler import FlowSettings, FlowStep, flow
from .text import Written, choose

PassCallback = Callable[[int], Sequence[bool]]
"""Called as `on_word(done)` after each pass, with the number of passes. The answer has one flag per context: `False`
means that nobody waits for its text any more and it may be left out from now on."""


class Execution(Protocol):
    """A way to draw and to write with a network that it was made with."""

    def flow(self, guidance: Guidance, grid: Grid, noise: Tensor, settings: FlowSettings) -> Iterator[FlowStep]:
        """Draw step by step; see `sampler.flow`."""
        ...

    def write(
        self, contexts: Sequence[Context], most: int, on_word: PassCallback, chance: Chance | None = None
    ) -> list[Written | None]:
        """Write after each context, all in lockstep.

        Args:
            contexts: What comes before; each text begins at the position of its own.
            most: Passes of the network; see `text.write`.
            on_word: See `PassCallback`.
            chance: By which words are drawn, with as many seeds as contexts; `None` takes the best words.

        Returns:
            What `text.write` gives for each alone, up to rounding; `None` for those left out.

        Raises:
            QuestionError: There are more words than the model has positions.
        """
        ...


class PlainExecution:
    """The way of the official program, one context after the other.

    Args:
        network: The network.
    """

    def __init__(self, network: BagelNetwork) -> None:
        """Keep the network."""
        self._network = network

    def flow(self, guidance: Guidance, grid: Grid, noise: Tensor, settings: FlowSettings) -> Iterator[FlowStep]:
        """Draw step by step; see `sampler.flow`."""
        return flow(self._network, guidance, grid, noise, settings)

    def write(
        self, contexts: Sequence[Context], most: int, on_word: PassCallback, chance: Chance | None = None
    ) -> list[Written | None]:
        """Write after each context; see `Execution`."""
        special = self._network.config.token_ids
        lines = [_Line(row, context, special.bos_token_id) for row, context in enumerate(contexts)]
        for done in range(1, most + 1):
            for line in lines:
                if line.going:
                    line.read(self._network)
            for line, wanted in zip(lines, on_word(done), strict=True):
                if line.going:
                    line.choose(special.eos_token_id, wanted, done == most, chance)
            if not any(line.going for line in lines):
                break
        return [None if line.dropped else Written(line.ids, line.total, line.finished) for line in lines]


@dataclass
class _Line:
    """A text under way."""

    row: int
    context: Context
    word: int
    """The last one, not read yet."""
    ids: list[int] = field(default_factory=list)
    total: float = 0.0
    scores: Tensor | None = None
    """Of the next word, `[vocabulary]`."""
    going: bool = True
    finished: bool = False
    dropped: bool = False

    def read(self, network: BagelNetwork) -> None:
        """Read the last word."""
        self.context, self.scores = read_words(network, self.context, [self.word])

    def choose(self, end: int, wanted: bool, last: bool, chance: Chance | None) -> None:
        """Take the next word, or stop."""
        assert self.scores is not None, "the word before was read"
        self.word = choose(self.scores, chance, self.row)
        self.finished = self.word == end
        self.dropped = not wanted
        self.going = wanted and not self.finished and not last
        if self.finished or self.going:
            self.total += float(self.scores.float().log_softmax(dim=-1)[self.word])
        if self.going:
            self.ids.append(self.word)
