"""Requests of a batch at the same time, each until it is done or nobody waits for it."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import httpx

from ...errors import G2UError
from ..protocol import StepCallback

T = TypeVar("T")
Job = Callable[[httpx.AsyncClient], Coroutine[Any, Any, T]]
"""Asks a server over the connections that it is given."""
ASK_SECONDS: Final = 0.2
"""Between two questions whether somebody waits, while a server works."""


def run_together(
    jobs: Sequence[Job[T]], steps: int, on_step: StepCallback, concurrent: int = 1
) -> list[T | G2UError | None]:
    """Run all jobs in an event loop of their own, which leaves nothing open behind it.

    Args:
        jobs: One for each request.
        steps: That each counts when it is done; a server tells of none before.
        on_step: Told of steps, and asked who still waits before the first and in between.
        concurrent: Jobs at the same time; the others wait.

    Returns:
        What came of each; its error; `None` for a request that nobody waits for.
    """
    return asyncio.run(_run(jobs, steps, on_step, concurrent))


async def _run(jobs: Sequence[Job[T]], steps: int, on_step: StepCallback, concurrent: int) -> list[T | G2UError | None]:
    places = asyncio.Semaphore(concurrent)

    async def in_turn(job: Job[T], connections: httpx.AsyncClient) -> T:
        async with places:
            return await job(connections)

    total, done = steps * len(jobs), 0
    wanted: Sequence[bool] = on_step(0, total)
    limits = httpx.Limits(max_connections=concurrent)
    # Its own time-outs would add up over a reply that comes in drops, so the whole try has one.
    async with httpx.AsyncClient(verify=_certificates(), timeout=None, limits=limits) as connections:
        tasks = [asyncio.create_task(in_turn(job, connections)) for job in jobs]
        try:
            pending = set(tasks)
            while pending:
                for task, wait in zip(tasks, wanted, strict=True):
                    if not wait:
                        task.cancel()
                finished, pending = await asyncio.wait(
                    pending, timeout=ASK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for task in finished:
                    for _ in range(steps if not task.cancelled() and not task.exception() else 0):
                        done += 1
                        wanted = on_step(done, total)
                        if not any(wanted):
                            break
                if pending:
                    wanted = on_step(done, total)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return [_result(task, wait) for task, wait in zip(tasks, wanted, strict=True)]


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Those of the certificate authorities, which take a tenth of a second to read."""
    return httpx.create_ssl_context()


def _result(task: asyncio.Task[T], wanted: bool) -> T | G2UError | None:
    if task.cancelled() or not wanted:
        return None
    error = task.exception()
    if error is not None and not isinstance(error, G2UError):
        raise error
    return task.result() if error is None else error
