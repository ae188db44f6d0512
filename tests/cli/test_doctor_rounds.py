"""How checks are run: side by side, each in its own time, and none of them ends the others."""

import asyncio
import threading
from time import perf_counter
from typing import Any, cast

import pytest

from headgate.cli.checkup.findings import Finding, passed
from headgate.cli.checkup.rounds import Clock, Task, make_all
from headgate.cli.checkup.world import World, in_thread
from headgate.core.errors import EngineError


def run(*tasks: Task, within: float = 30.0, seen: list[tuple[str, ...]] | None = None) -> list[Finding]:
    tell = (lambda _: None) if seen is None else (lambda names: seen.append(tuple(names)))
    return asyncio.run(make_all(tasks, Clock(within), tell))


async def well() -> list[Finding]:
    return [passed("port", "it is free")]


async def breaks() -> list[Finding]:
    raise KeyError("no\nsuch")


async def refuses() -> list[Finding]:
    raise EngineError("the engine is odd", "correct it")


async def hangs() -> list[Finding]:
    await in_thread(threading.Event().wait)
    return []


def test_a_check_that_breaks_is_a_line_with_a_hint_to_report_it():
    broken, other = run(Task(check="key", about="x", look=breaks), Task(check="port", look=well))
    assert (broken.name, broken.state) == ("key x", "FAIL")
    assert broken.found == "this check itself broke: KeyError: 'no\\nsuch'"
    assert "report this line" in broken.fix
    assert other.state == "ok"


def test_an_error_for_people_that_a_check_meets_is_its_finding():
    (found,) = run(Task(check="memory", look=refuses))
    assert (found.state, found.found, found.fix) == ("FAIL", "the engine is odd", "correct it")


def test_a_look_that_hangs_in_a_driver_ends_its_own_check_only_and_keeps_nobody():
    begun = perf_counter()
    late, other = run(Task(check="hardware", look=hangs, limit=0.2), Task(check="port", look=well))
    assert perf_counter() - begun < 10
    assert late.found == "this check did not end within 0.2 s"
    assert late.fix.startswith("headgate doctor --within 30s")
    assert other.state == "ok"
    assert late.seconds >= 0.2


def test_all_checks_together_have_one_time_and_what_is_not_reached_says_so():
    tasks = [Task(check="load", about=str(number), look=hangs, turn="in line") for number in range(3)]
    found = run(*tasks, within=0.3)
    assert [one.state for one in found] == ["FAIL"] * 3
    assert found[-1].fix.startswith("headgate doctor --within 1s")


@pytest.mark.parametrize("turn", ["at once", "in line", "at last"])
def test_findings_stand_in_the_order_of_the_tasks_whatever_ends_first(turn):
    first = asyncio.Event()

    async def waits() -> list[Finding]:
        await first.wait()
        return [passed("key", "second to end")]

    async def ends() -> list[Finding]:
        first.set()
        return [passed("port", "first to end")]

    found = run(
        Task(check="key", look=waits, turn="at last"),
        Task(check="port", look=ends, turn=turn),
        Task(check="clock", look=well),
    )
    assert [one.check for one in found] == ["key", "port", "port"]


def test_checks_that_share_a_gpu_are_made_one_after_the_other():
    running, most = 0, 0

    async def loads() -> list[Finding]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return []

    run(*(Task(check="load", look=loads, turn="in line") for _ in range(4)))
    assert most == 1


def test_people_are_told_what_is_under_way():
    seen: list[tuple[str, ...]] = []
    both = asyncio.Event()

    async def waits() -> list[Finding]:
        await both.wait()
        return []

    async def ends() -> list[Finding]:
        both.set()
        return []

    run(Task(check="port", look=waits), Task(check="key", about="x", look=ends), seen=seen)
    assert ("port", "key x") in seen
    assert seen[-1] == ()


def test_who_gives_up_waiting_for_a_look_does_not_end_it_for_the_others():
    world = World(cast("Any", None), {}, cast("Any", None))
    given_up = asyncio.Event()

    async def look() -> str:
        await given_up.wait()
        return "free"

    async def shared() -> list[Finding]:
        return [passed("port", await world._once(("look",), look))]

    async def later() -> list[Finding]:
        given_up.set()
        return []

    found = run(
        Task(check="port", look=shared, limit=0.05),
        Task(check="port", look=shared, turn="at last"),
        Task(check="key", look=later, turn="in line"),
    )
    assert [one.state for one in found] == ["FAIL", "ok"]
