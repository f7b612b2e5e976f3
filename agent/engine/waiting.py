"""Waiting for asynchronous work from code that is not, wherever it runs."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


def wait_for(start: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end on an event loop of its own, also where this thread is inside one already.

    It sees the context variables of the caller, by which LangGraph knows the run.

    Args:
        start: Makes the coroutine.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(start())
    result: Future[T] = Future()
    own = contextvars.copy_context()

    def work() -> None:
        try:
            result.set_result(own.run(asyncio.run, start()))
        except BaseException as error:  # raised again where the result is awaited
            result.set_exception(error)

    threading.Thread(target=work, name="g2u-wait").start()
    return result.result()
