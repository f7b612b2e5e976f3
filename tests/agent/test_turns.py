"""Places for runs, and the queue for them."""

import asyncio

import pytest

from g2u.errors import BusyError
from g2u.turns import Turns


async def test_places_are_given_in_the_order_of_asking_and_the_queue_is_bounded() -> None:
    turns, done, ahead = Turns(2, most_waiting=2), list[int](), list[int]()
    held = asyncio.Event()

    async def run(number: int) -> None:
        async with turns.turn(ahead.append):
            await held.wait()
            done.append(number)

    runs = [asyncio.create_task(run(number)) for number in range(4)]
    await asyncio.sleep(0)
    assert (ahead, turns.waiting) == ([0, 1], 2)
    with pytest.raises(BusyError, match="2 runs wait"):
        await run(4)
    runs[2].cancel()
    await asyncio.sleep(0)
    runs.append(asyncio.create_task(run(5)))
    await asyncio.sleep(0)
    assert (ahead, turns.waiting) == ([0, 1, 1], 2)
    held.set()
    await asyncio.gather(*runs, return_exceptions=True)
    assert done == [0, 1, 3, 5] and turns.waiting == 0


async def test_a_run_that_fails_gives_its_place_back() -> None:
    turns = Turns(1, most_waiting=0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with turns.turn():
                raise ZeroDivisionError
    async with turns.turn():
        with pytest.raises(BusyError):
            await turns.turn().__aenter__()
