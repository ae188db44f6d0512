"""What a machine draws, shared out among the attempts that it worked on: the one rule, in whole microjoules.

    above idle   what was drawn over some stretch, minus what the machine draws when nobody asks it anything
    shares       each attempt that ran gets of this in proportion to its seconds, each second divided by those who ran in it
    idle         all the rest

A `Meter` follows one sensor. It is told of attempts as they begin and end, and of the sensor's readings whenever there are any,
and what it gives to attempts and what it calls idle is always exactly what was read (`Meter.owed` aside: an attempt that ends
between two readings is given what the last ones let expect, and the difference is made up by the next).

Seconds are those of any steady clock. This module does not know sensors (`fleet.power`), nor what a joule costs.
"""

from typing import Final, Self

from msgspec import Struct

MICROJOULES: Final = 1_000_000
"""In a joule."""
JOULES_PER_KWH: Final = 3_600_000.0
MOST_WATTS: Final = 2_000
"""More no processor draws."""
QUIET: Final = 60.0
"""Seconds over which the idle draw is averaged: programs beside the gate come and go."""
ENOUGH: Final = 0.1
"""Seconds of quiet from which the first average is taken; sensors count in steps of a thousandth."""


def energy_cost(joules: float | None, price_per_kwh: float | None) -> float | None:
    """Dollars for that energy; None where either is unknown."""
    return None if joules is None or price_per_kwh is None else joules / JOULES_PER_KWH * price_per_kwh


def counted(before: int, after: int, wraps_at: int, seconds: float) -> int:
    """What a counter of microjoules has counted between two readings; at `wraps_at` it begins again at 0.

    A counter that went back for another reason (the machine slept, the driver was loaded anew) has counted nothing that
    anybody knows of: to have come round, it would have had to count more than any machine draws in these seconds.
    """
    if after >= before:
        return after - before
    round_ = after + wraps_at - before
    return round_ if 0 <= round_ <= MOST_WATTS * MICROJOULES * seconds else 0


class Draw:
    """An attempt on one meter, as long as it runs."""

    __slots__ = ("energy", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        """The meter's turn at which it began, or was last given something."""
        self.energy = 0
        """Microjoules given to it so far."""


class Meter:
    """One sensor's energy, shared out.

    Args:
        now: seconds of the clock on which everything else happens.
        idle: watts that the machine draws when nobody asks it anything, if somebody says so; else they are learned from
            the readings between attempts, and until there was one, what attempts drew is unknown.
    """

    def __init__(self, now: float, idle: float | None = None) -> None:
        self.idle = idle
        """Watts, as known by now."""
        self.measured = 0
        """Microjoules read so far."""
        self.given = 0
        """Of these, what attempts got."""
        self.owed = 0
        """What attempts got too much of, between two readings: the next ones are short of it."""
        self._typed = idle is not None
        self._at = self._read = now
        self._running: set[Draw] = set()
        self._busy = 0.0  # seconds since the last reading in which an attempt ran
        self._turn = 0.0  # the same, each divided by the attempts that ran in it
        self._taken = 0  # microjoules given since the last reading, in advance
        self._above: float | None = None  # watts above idle, when somebody was last served

    @property
    def idle_energy(self) -> int:
        """Microjoules that were read and that no attempt got."""
        return self.measured - self.given + self.owed + self._taken

    @property
    def running(self) -> bool:
        """Whether an attempt runs."""
        return bool(self._running)

    def begin(self, now: float) -> Draw:
        """An attempt begins."""
        self._advance(now)
        draw = Draw(self._turn)
        self._running.add(draw)
        return draw

    def end(self, draw: Draw, now: float) -> int | None:
        """An attempt ends: the microjoules that are its own; None if nothing is known yet by which to tell."""
        self._advance(now)
        self._running.discard(draw)
        turns = self._turn - draw.since
        if self.idle is None or (turns > 0 and self._above is None):
            return None
        if turns > 0 and self._above is not None:
            more = int(turns * self._above * MICROJOULES)
            self._taken += more
            self.given += more
            draw.energy += more
        return draw.energy

    def read(self, now: float, drawn: int) -> None:
        """The sensor says that so many microjoules were drawn since it was last read."""
        self._advance(now)
        length = self._at - self._read
        self.measured += drawn
        self.owed += self._taken
        if not self._busy:
            self._learn(drawn, length)
        above = 0
        if self._busy and self.idle is not None:
            above = max(0, drawn - int(self.idle * length * MICROJOULES))
            # where it ran for an instant of the stretch, what others drew would be watts that no machine has
            self._above = min(above / MICROJOULES / self._busy, MOST_WATTS)
        self._settle(above, drawn)
        self._read, self._busy, self._turn, self._taken = self._at, 0.0, 0.0, 0

    def _settle(self, above: int, drawn: int) -> None:
        """Give what was drawn above idle to those who still run; first of all, what was given in advance is made up."""
        made_up = min(self.owed, above if self._busy else drawn)
        self.owed -= made_up
        pot = max(0, above - made_up)
        turns = {draw: self._turn - draw.since for draw in self._running}
        total = sum(turns.values())
        for draw, own in turns.items():
            share = int(pot * (own / total)) if total > 0 else 0
            draw.energy += share
            draw.since = 0.0
            self.given += share

    def _learn(self, drawn: int, length: float) -> None:
        """Nobody ran since the last reading: this is what idling takes."""
        if self._typed or length <= 0:
            return
        watts = drawn / MICROJOULES / length
        if self.idle is not None:
            self.idle += (watts - self.idle) * min(1.0, length / QUIET)
        elif length >= ENOUGH:
            self.idle = watts

    def _advance(self, now: float) -> None:
        passed = now - self._at
        if passed <= 0:  # a clock that stands still, or readings that crossed each other
            return
        self._at = now
        if self._running:
            self._busy += passed
            self._turn += passed / len(self._running)


class PowerRow(Struct, frozen=True, kw_only=True):
    """What one sensor read in one hour while the gate was open."""

    source: str
    hour: int
    """Unix time of its first second."""
    seconds: int
    """How long it was read."""
    energy: int
    """Microjoules read."""
    requests_energy: int
    """Of these, what attempts got."""

    def __add__(self, other: Self) -> "PowerRow":
        return PowerRow(
            source=self.source,
            hour=self.hour,
            seconds=self.seconds + other.seconds,
            energy=self.energy + other.energy,
            requests_energy=self.requests_energy + other.requests_energy,
        )
