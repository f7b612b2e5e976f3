"""How an engine trades memory and waiting for speed."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BudgetError


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How an engine trades memory and waiting for speed; none of it changes results beyond rounding."""

    max_batch: int = 16
    """Requests in one call of the model, at most; 1 switches batching off. The model's own limits hold as well."""
    linger_seconds: float = 0.002
    """A batch that is not full waits for the next request this long, when others are known to be about."""
    prefix_bytes: int | None = None
    """Encoded pictures kept for later requests; 0 switches reuse off; `None`: as the model declares."""

    def __post_init__(self) -> None:
        """Refuse what no engine can work with.

        Raises:
            BudgetError: A value is out of range.
        """
        if self.max_batch < 1 or self.linger_seconds < 0 or (self.prefix_bytes or 0) < 0:
            raise BudgetError(f"An engine needs a batch of at least 1 and no negative option, not {self}.")
