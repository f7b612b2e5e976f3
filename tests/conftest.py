"""Settings that must be in place before LangGraph is imported, and a clock for what ends by a deadline."""

import os
import time

import pytest

from tests.waiting import Clock

# Checkpoints may then hold only types that are registered with the serialiser: a pixel array or a model would raise.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "time", clock.time)
    return clock
