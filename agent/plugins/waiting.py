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

    It has the context of the caller, such as the stream of the graph that calls.

    Args:
        start: Makes the coroutine.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(start())
    result: Future[T] = Future()

    def work() -> None:
        try:
            result.set_result(asyncio.run(start()))
        except BaseException as error:  # raised again where the result is awaited
            result.set_exception(error)

    threading.Thread(target=contextvars.copy_context().run, args=(work,), name="g2u-wait").start()
    return result.result()
