"""What a unified model is to the rest of G2U: one protocol, and the small values that cross it.

A model works on *batches* and on *prefixes*. A prefix is everything that can be computed from pictures alone (for
`mini` the keys and values of their patches); it is made once by `extend` and shared by every text that is asked
about them. The engine owns the prefixes, forms the batches and calls a model from one thread only, so that a model
needs neither locks nor caches of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field


class Sampler(BaseModel):
    """How a picture is drawn; part of the identity of every drawing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=1, ge=1, le=1000)
    """Evaluations of the network from noise to picture."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a model declares it can do; the engine refuses the rest with a `CapabilityError`."""

    edits: Literal["native", "reimagine", "none"]
    """`native`: draws from the picture's own pixels; `reimagine`: from a description of it; `none`: cannot."""
    instructions: frozenset[str] | None = None
    """The only sentences that it can draw, each as it is without a question; `None`: whatever it is told."""
    max_pictures: int
    """Pictures that one prefix may hold."""
    aspect: Literal["kept", "square"]
    """Whether a drawing has the aspect of its source."""
    same_weights: bool
    """Whether one set of weights reads and draws."""
    max_batch: int
    """Requests that one call may carry."""
    deterministic: bool
    """Same request, same batch size, same machine: same bits."""
    prefix_cache: bool
    """Whether `extend` does real work that is worth keeping."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which model made a result: enough to tell two of them apart."""

    model: str
    """Registry key, such as `mini`."""
    weights: str
    """SHA-256 over the weight files, hexadecimal."""
    code: str
    """Version of G2U whose code ran."""


@runtime_checkable
class Prefix(Protocol):
    """Computed state of a sequence of pictures, owned by the engine, opaque to it."""

    @property
    def pictures(self) -> int:
        """How many pictures it covers."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps alive, shared parents counted once, in the parent."""
        ...


@dataclass(frozen=True)
class Reading:
    """Text that a model wrote."""

    text: str
    """The text, without special tokens and outer white space."""
    log_probability: float
    """Sum of the log-probabilities of its tokens, natural logarithm."""
    tokens: int
    """How many tokens it has, the end token counted."""


StepCallback = Callable[[int, int], Sequence[bool]]
"""Called as `on_step(done, total)` after each token or denoising step of a batch. The answer has one flag per request
of the batch: `False` means that nobody waits for it any more and the model may leave it out from now on."""


class UnifiedModel(Protocol):
    """A model that reads and draws. All sequences of one call have one entry per request, in the same order."""

    key: str
    """Registry key."""
    prompt_set: str
    """Folder of `prompts/` whose templates the model was trained on or tuned for."""
    capabilities: Capabilities
    identity: Identity

    def extend(self, prefixes: Sequence[Prefix | None], pictures: Sequence[Image.Image]) -> list[Prefix]:
        """Append one RGB picture to each prefix (`None`: the empty one). The given prefixes stay valid."""
        ...

    def read(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], max_tokens: int, on_step: StepCallback
    ) -> list[Reading | None]:
        """Continue each text greedily until the end token or `max_tokens`; `None` for requests left out."""
        ...

    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Log-probability (natural, summed over tokens, end token included) of each option after its text."""
        ...

    def count_tokens(self, option: str) -> int:
        """How many tokens `score` sums over for an option, the end token counted."""
        ...

    def unknown_words(self, text: str) -> list[str]:
        """Words of a text that it was never taught, in lower case and in order; none where its vocabulary is open.

        A mere look-up: the one method that may be called from any thread.
        """
        ...

    def out_of_domain(self, prefix: Prefix) -> float | None:
        """How far the first picture of a prefix lies from those that it was trained on.

        Returns:
            In [0, 1]: the share of pictures of its training world that lie nearer, 1 beyond all; `None`: cannot say.
        """
        ...

    def draw(
        self,
        prefixes: Sequence[Prefix],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
    ) -> list[Image.Image | None]:
        """Draw the last picture of each prefix as its instruction says; RGB; `None` for requests left out."""
        ...
