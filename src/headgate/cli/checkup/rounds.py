"""Run checks side by side, each in its own time; one that hangs or breaks is a finding like any other.

It does not know what is checked. Their order is the order in which they were given.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from headgate.cli.checkup.findings import Finding, failed
from headgate.core.errors import HeadgateError

LIMIT = 20.0
"""Seconds for one check, unless it says otherwise."""

Turn = Literal["at once", "in line", "at last"]
"""Side by side; one after the other when these are done, because they share a GPU; or side by side after all others."""

Tell = Callable[[Sequence[str]], None]


class Task(Struct, frozen=True, kw_only=True):
    """A check that is to be made."""

    check: str
    about: str = ""
    look: Callable[[], Awaitable[list[Finding]]]
    limit: float = LIMIT
    turn: Turn = "at once"
    overtime: bool = False
    """It is made even if the time for all is over."""

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.check} {self.about}".rstrip()


class Clock:
    """The time for all checks together."""

    def __init__(self, within: float) -> None:
        self.within = within
        self._by = perf_counter() + within

    @property
    def left(self) -> float:
        """Seconds; 0 when it is over."""
        return max(0.0, self._by - perf_counter())


async def make_all(tasks: Sequence[Task], clock: Clock, tell: Tell) -> list[Finding]:
    """All checks, each in its turn; their findings stand in the order of the tasks.

    Args:
        tasks: to be made.
        clock: the time for all of them together.
        tell: told the names of those that are under way, for people.
    """
    found: dict[int, list[Finding]] = {}
    under_way: dict[int, str] = {}

    async def one(number: int) -> None:
        under_way[number] = tasks[number].name
        tell(tuple(under_way.values()))
        found[number] = await make(tasks[number], clock)
        del under_way[number]
        tell(tuple(under_way.values()))

    def of(turn: Turn) -> list[int]:
        return [number for number, task in enumerate(tasks) if task.turn == turn]

    await asyncio.gather(*map(one, of("at once")))
    for number in of("in line"):
        await one(number)
    await asyncio.gather(*map(one, of("at last")))
    return [finding for number in sorted(found) for finding in found[number]]


async def make(task: Task, clock: Clock) -> list[Finding]:
    """One check, in its time."""
    begun = perf_counter()
    limit = task.limit if task.overtime else min(task.limit, clock.left)
    patience = asyncio.timeout(limit)
    try:
        async with patience:
            findings = await task.look()
    except HeadgateError as error:
        findings = [failed(task.check, error.message, "no such error", error.hint, about=task.about)]
    except Exception as error:  # noqa: BLE001  # whatever breaks in a check, the others are still of use
        findings = [_late(task, limit, clock) if patience.expired() else _broken(task, error)]
    took = round(perf_counter() - begun, 3)
    return [replace(finding, seconds=took) for finding in findings]


def _late(task: Task, limit: float, clock: Clock) -> Finding:
    longer = 2 * clock.within if limit < task.limit else clock.within
    return failed(
        task.check,
        f"this check did not end within {limit:.3g} s",
        "an answer in that time",
        f"headgate doctor --within {longer:.0f}s  # or look at what does not answer",
        about=task.about,
    )


def _broken(task: Task, error: Exception) -> Finding:
    said = " ".join(str(error).split())
    return failed(
        task.check,
        f"this check itself broke: {type(error).__name__}{f': {said}' if said else ''}",
        "a check that ends",
        "report this line, with what `headgate --version` says: it is a mistake in Headgate",
        about=task.about,
    )
