"""Waits that end in time, with one timer for all of them."""

import asyncio

import pytest

from headgate.engines.patience import Patience

LONG, SHORT = 30.0, 0.01


async def forever() -> None:
    await asyncio.Event().wait()


async def value() -> int:
    await asyncio.sleep(0)
    return 7


async def test_what_comes_in_time_is_given_and_the_next_wait_has_a_limit_of_its_own():
    with Patience() as patience:
        assert await patience.wait(value(), LONG) == 7
        with pytest.raises(TimeoutError):
            await patience.wait(forever(), SHORT)


async def test_a_timer_that_fires_early_waits_for_the_limit_that_has_moved():
    with Patience() as patience:
        assert await patience.wait(value(), SHORT) == 7
        assert await patience.wait(asyncio.sleep(5 * SHORT, 7), LONG) == 7


async def test_what_the_task_does_between_two_waits_takes_no_patience():
    with Patience() as patience:
        assert await patience.wait(value(), SHORT) == 7
        await asyncio.sleep(5 * SHORT)
        assert await patience.wait(value(), SHORT) == 7
        with pytest.raises(TimeoutError):
            await patience.wait(forever(), SHORT)


async def test_a_limit_that_has_passed_ends_the_wait_at_once():
    with Patience() as patience, pytest.raises(TimeoutError):
        await patience.wait(forever(), -1.0)


async def test_a_wait_that_is_cancelled_by_somebody_else_is_no_timeout():
    async def wait() -> None:
        with Patience() as patience:
            await patience.wait(forever(), LONG)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_timeout_leaves_no_cancellation_behind():
    with Patience() as patience, pytest.raises(TimeoutError):
        await patience.wait(forever(), SHORT)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    async with asyncio.timeout(LONG):
        assert await value() == 7


async def test_cancellation_and_timeout_at_once_are_a_cancellation():
    loop = asyncio.get_running_loop()

    async def wait() -> None:
        with Patience() as patience:
            task = asyncio.current_task()
            assert task is not None
            loop.call_at(loop.time(), task.cancel)
            await patience.wait(forever(), 0.0)

    task = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await task
