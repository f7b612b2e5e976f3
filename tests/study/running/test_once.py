"""What is made once, whoever asks for it."""

import asyncio
from pathlib import Path

from pydantic import BaseModel

from g2u.study.running.once import Once


class Number(BaseModel):
    value: int


async def test_processes_that_make_the_same_at_the_same_time_get_what_was_there_first(tmp_path: Path) -> None:
    one, other = (Once(tmp_path, Number) for _ in range(2))  # as in two processes
    both, first = asyncio.Barrier(2), asyncio.Event()

    async def slow() -> Number:
        await both.wait()
        await first.wait()
        return Number(value=1)

    async def quick() -> Number:
        await both.wait()
        return Number(value=2)

    waiting = asyncio.ensure_future(one.get("a" * 64, slow))
    assert await other.get("a" * 64, quick) == Number(value=2)
    first.set()
    assert await waiting == Number(value=2)
    assert (one.made, other.made) == (1, 1)


async def test_what_was_there_and_cannot_be_used_is_replaced(tmp_path: Path) -> None:
    async def make() -> Number:
        return Number(value=3)

    async def bad() -> Number:
        return Number(value=0)

    await Once(tmp_path, Number).get("a" * 64, bad)
    assert await Once(tmp_path, Number).get("a" * 64, make, lambda kept: kept.value > 0) == Number(value=3)
    assert await Once(tmp_path, Number).get("a" * 64, bad) == Number(value=3)
