"""Slots and breakers: small state machines with one owner."""

import asyncio

import pytest

from headgate.core.memory import Shape, caches_of, kv_bytes
from headgate.core.types import Failure
from headgate.fleet.admission import Admission, Denied
from headgate.fleet.breaker import FAILURES, LONGEST_PAUSE, PAUSE, TRIAL, Breaker
from headgate.fleet.lanes import Lane, LaneFacts, Pool
from headgate.fleet.scheduler import Scheduler

REFUSED = Failure(reason="refused", detail="x")


class Hands:
    """Loads and unloads as the test says."""

    def __init__(self) -> None:
        self.moved: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = ""

    async def load(self, lane: str) -> int | Denied | None:
        self.moved.append(f"load {lane}")
        await self.gate.wait()
        return Denied(self.fails, down=True) if self.fails else None

    async def unload(self, lane: str) -> None:
        self.moved.append(f"unload {lane}")
        await self.gate.wait()


def admission_of(*lanes: str, parallel: int = 1, capacity: int | None = None) -> Admission:
    """Lanes of one engine; with a capacity, each takes 10 of it and has to be loaded first."""
    facts = [
        LaneFacts(name=name, engine="e", weights=name, slots=parallel, memory=10, pool=capacity and "GPU")
        for name in lanes
    ]
    pools = [Pool("GPU", capacity)] if capacity is not None else []
    return Admission(Scheduler(facts, {"e": parallel}, pools), Hands())


def wait(admission: Admission, name: str = "a", *, caller: str = "x", patience: float = 5.0):
    return admission.wait(name, caller=caller, batch=False, patience=patience, deadline=60.0)


async def test_slots_are_given_first_come_first_served():
    admission = admission_of("a")
    order: list[int] = []

    async def use(number: int) -> None:
        lane = admission.enter("a") or await wait(admission)
        order.append(number)
        await asyncio.sleep(0)
        admission.leave(lane, 0.01)

    await asyncio.gather(*(use(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]
    assert admission.scheduler.running == {"e": 0}


async def test_whoever_waited_too_long_is_told_and_leaves_no_trace():
    admission = admission_of("a")
    assert admission.enter("a") == "a"
    denied = await wait(admission, patience=0.01)
    assert isinstance(denied, Denied)
    assert "no slot within" in denied.why
    assert not admission.scheduler.waiting
    admission.leave("a", None)
    assert admission.scheduler.running == {"e": 0}
    assert admission.enter("a") == "a"


async def test_a_cancelled_wait_gives_its_turn_to_the_next():
    admission = admission_of("a")
    assert admission.enter("a")
    first, second = asyncio.create_task(wait(admission)), asyncio.create_task(wait(admission))
    await asyncio.sleep(0)
    admission.leave("a", 0.1)  # the first one's turn comes …
    first.cancel()  # … in the moment in which it goes away
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == "a"
    admission.leave("a", 0.1)
    assert admission.scheduler.running == {"e": 0}


async def test_a_model_is_loaded_for_whoever_waits_and_makes_room_when_idle():
    admission = admission_of("a", "b", capacity=15)
    assert admission.enter("a") is None
    assert await wait(admission, "a") == "a"
    admission.leave("a", None)
    assert admission.cold == {"b"}
    assert await wait(admission, "b") == "b"
    assert admission.hands.moved == ["load a", "unload a", "load b"]
    assert admission.cold == {"a"}
    await admission.close()


async def test_a_load_that_fails_tells_everybody_who_waits_and_is_not_tried_again_at_once():
    admission = admission_of("a", capacity=15)
    admission.hands.fails = "the file is broken"
    answers = await asyncio.gather(wait(admission), wait(admission, caller="y"))
    assert answers == [Denied("the file is broken", down=True)] * 2
    assert await wait(admission) == Denied("the file is broken", down=True)
    assert admission.hands.moved == ["load a"]
    await admission.close()


async def test_what_was_asked_often_before_is_loaded_when_the_engine_comes_up_and_nothing_else():
    admission = admission_of("a", "b")
    facts = [
        LaneFacts(name=name, engine="e", weights=name, memory=10, pool="GPU", rate=rate)
        for name, rate in (("a", 0.001), ("b", 0.5))
    ]
    admission.learn("e", Pool("GPU", 100), facts, [])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert admission.hands.moved == ["load b"]
    assert admission.enter("b") == "b"
    await admission.close()


async def test_a_model_that_nobody_could_wait_for_is_not_wanted_for_ever(monkeypatch):
    monkeypatch.setattr("headgate.fleet.admission.WANTED", 0.01)
    admission = admission_of("a", "b", capacity=15)
    assert await wait(admission, "a") == "a"  # and it goes on answering, so that b finds no room
    admission.want("b")
    admission.want("b")
    assert admission.scheduler.waiting == 1
    async with asyncio.timeout(5):
        while admission.scheduler.waiting:
            await asyncio.sleep(0.001)
    admission.leave("a", None)
    await asyncio.sleep(0)
    assert admission.hands.moved == ["load a"]
    await admission.close()


async def test_closing_lets_nobody_wait_and_stops_loading():
    admission = admission_of("a", capacity=15)
    admission.hands.gate.clear()
    waiting = asyncio.create_task(wait(admission))
    await asyncio.sleep(0)
    await admission.close()
    assert await waiting == Denied("the gate is being closed")


def test_a_load_may_take_several_times_what_is_usual_and_after_a_failure_what_the_user_allows():
    lane = Lane(LaneFacts(name="a", engine="e", weights="a"))
    assert lane.load_within(300.0) == 300.0, "nothing is known yet"
    lane.load_seconds = 4.0
    assert lane.load_within(300.0) == 60.0
    lane.load_seconds = 30.0
    assert lane.load_within(300.0) == 180.0
    assert lane.load_within(20.0) == 20.0, "a limit that the user sets is the limit"
    lane.failures = 1
    assert lane.load_within(300.0) == 300.0


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


def test_after_a_pause_one_request_tries_and_the_others_wait_for_what_comes_of_it():
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.note(REFUSED, 0.0)
    assert not breaker.try_again(PAUSE - 0.1)
    assert breaker.try_again(PAUSE)
    assert breaker.is_open(PAUSE)
    assert not breaker.try_again(PAUSE)
    breaker.note(None, PAUSE + 1)
    assert breaker.try_again(PAUSE + 1)
    assert breaker.try_again(PAUSE + 1)


def test_a_trial_whose_caller_hung_up_is_followed_by_another():
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.note(REFUSED, 0.0)
    assert breaker.try_again(PAUSE)
    assert not breaker.try_again(PAUSE + TRIAL - 0.1)
    assert breaker.try_again(PAUSE + TRIAL)


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


def test_requests_of_lm_studio_and_texts_to_embed_share_one_cache_and_all_others_have_one_each():
    shape = Shape(weights=0, layers=32, kv_heads=(8,), key_length=128, value_length=128)
    assert [caches_of(kind, 4, embeds=False) for kind in ("ollama", "llamacpp", "lmstudio")] == [4, 4, 1]
    assert caches_of("ollama", 4, embeds=True) == 1
    assert kv_bytes(shape, 8192, caches_of("ollama", 4, embeds=False)) == 4 * 2**30
