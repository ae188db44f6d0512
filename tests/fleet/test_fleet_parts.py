"""Slots, breakers and the purse: small state machines with one owner."""

import asyncio
from datetime import datetime

import pytest

from headgate.core.types import Failure
from headgate.fleet.admission import Admission
from headgate.fleet.breaker import FAILURES, LONGEST_PAUSE, PAUSE, Breaker
from headgate.gateway.purse import Purse

REFUSED = Failure(reason="refused", detail="x")


async def test_slots_are_given_first_come_first_served():
    admission = Admission(parallel=1, patience=5)
    order: list[int] = []

    async def use(number: int) -> None:
        assert admission.enter() or await admission.wait(5)
        order.append(number)
        await asyncio.sleep(0)
        admission.leave(0.01)

    await asyncio.gather(*(use(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]
    assert admission.running == 0


async def test_whoever_waited_too_long_is_told_and_leaves_no_trace():
    admission = Admission(parallel=1, patience=0.01)
    assert admission.enter()
    assert not await admission.wait(5)
    assert not admission.waiting
    admission.leave(None)
    assert admission.running == 0
    assert admission.enter()


async def test_a_cancelled_wait_gives_its_turn_to_the_next():
    admission = Admission(parallel=1, patience=5)
    admission.enter()
    first, second = asyncio.create_task(admission.wait(5)), asyncio.create_task(admission.wait(5))
    await asyncio.sleep(0)
    admission.leave(0.1)  # the first one's turn comes …
    first.cancel()  # … in the moment in which it goes away
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second
    admission.leave(0.1)
    assert admission.running == 0


def test_a_queue_that_would_take_too_long_is_full():
    admission = Admission(parallel=2, patience=3)
    assert not admission.full
    admission.leave(10.0)
    admission.running = 2
    assert admission.expected_wait == 5.0
    assert admission.full


def test_a_breaker_opens_after_failures_in_a_row_and_waits_longer_each_time():
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.note(REFUSED, 0.0)
    assert not breaker.is_open(0.0)
    breaker.note(REFUSED, 0.0)
    assert breaker.is_open(PAUSE - 0.1)
    assert not breaker.is_open(PAUSE)
    breaker.note(REFUSED, PAUSE / 2)  # a call that was under way when it opened
    assert not breaker.is_open(PAUSE)
    breaker.note(REFUSED, PAUSE)
    assert breaker.is_open(PAUSE * 3 - 0.1)
    breaker.note(None, PAUSE * 3)
    assert not breaker.is_open(PAUSE * 3)
    breaker.note(REFUSED, PAUSE * 3)
    assert not breaker.is_open(PAUSE * 3)


def test_an_engine_that_says_when_to_come_back_is_believed_within_reason():
    breaker = Breaker()
    breaker.note(Failure(reason="http_error", detail="x", status=429, retry_after=7.0), 100.0)
    assert breaker.is_open(106.9)
    assert not breaker.is_open(107.0)
    breaker.note(Failure(reason="http_error", detail="x", status=429, retry_after=86_400.0), 200.0)
    assert not breaker.is_open(200.0 + LONGEST_PAUSE)


@pytest.mark.parametrize("reason", ["malformed", "context_overflow", "truncated", "wrong_model"])
def test_what_says_nothing_about_the_engine_does_not_open_its_breaker(reason):
    breaker = Breaker()
    for _ in range(20):
        breaker.note(Failure(reason=reason, detail="x"), 0.0)
    breaker.note(Failure(reason="http_error", detail="x", status=400), 0.0)
    assert not breaker.is_open(0.0)


def test_parallel_requests_cannot_overrun_the_day_together():
    purse = Purse(1.0, spent=0.4)
    assert purse.left == pytest.approx(0.6)
    assert purse.reserve(0.5)
    assert purse.left == pytest.approx(0.1)
    assert not purse.reserve(0.5)
    purse.release(0.5)
    purse.spend(0.2)
    assert purse.left == pytest.approx(0.4)
    purse.spend(10)
    assert purse.left == 0.0
    assert Purse(None).left is None


def test_a_new_day_brings_new_money():
    now = [datetime(2026, 11, 23, 23, 59).astimezone().timestamp()]
    purse = Purse(1.0, spent=1.0, clock=lambda: now[0])
    assert purse.left == 0.0
    now[0] += 120
    assert purse.left == 1.0
    unlimited = Purse(None, spent=3.0, clock=lambda: now[0])
    unlimited.spend(1.0)
    assert unlimited.spent == 4.0
    now[0] += 86_400
    unlimited.spend(0.5)
    assert unlimited.spent == 0.5
