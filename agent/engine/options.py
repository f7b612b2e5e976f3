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
    grace_seconds: float = 30.0
    """A model that is inside a call is waited for this long after a request's deadline, and after `close()`."""
    hang_seconds: float = 600.0
    """A model that gives no sign of life for this long inside a call is given up, and loaded anew for the next one."""

    def __post_init__(self) -> None:
        """Refuse what no engine can work with.

        Raises:
            BudgetError: A value is out of range.
        """
        seconds = self.linger_seconds, self.grace_seconds, self.hang_seconds
        if self.max_batch < 1 or min(seconds) < 0 or (self.prefix_bytes or 0) < 0:
            raise BudgetError(f"An engine needs a batch of at least 1 and no negative option, not {self}.")
