"""Settings that must be in place before LangGraph is imported, and a clock for what ends by a deadline."""

import os
import time
from collections.abc import Iterator

import pytest

from tests.waiting import Clock

# Checkpoints may then hold only types that are registered with the serialiser: a pixel array or a model would raise.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Fails the test that leaves a setting of ours behind, since it would fail another one, elsewhere."""
    before = _settings()
    yield
    assert _settings() == before, "The test left a setting behind in the environment."


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("G2U_")}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "time", clock.time)
    return clock
