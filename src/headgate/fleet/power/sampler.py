"""What attempts at home drew, while they ran: the sensors of this machine, read when attempts begin and end, and now and then.

    draw = power.begin(model)     an attempt begins
    power.end(draw)               its joules; None is unknown

What is quick to ask is asked at these two moments, the rest by a task, on another thread. All meters are the event loop's. What
was drawn in all goes to `keep`, by the minute: a gate that is killed loses no more of it. An engine on another machine is nobody's
to measure from here: the wattage that the user types counts for it, or its energy is unknown.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from time import perf_counter, time

from headgate.core.power import MICROJOULES, Draw, Meter, PowerRow
from headgate.core.types import Model
from headgate.fleet.power.sensor import Sensor
from headgate.fleet.power.sensors import Found

EVERY = 0.25
"""Seconds between two readings of sensors that are slow to ask."""
HOUR = 3_600

Keep = Callable[[Sequence[PowerRow]], None]
"""Stores what was drawn, or raises; blocks."""


class Watched:
    """A sensor with its meter."""

    __slots__ = ("clock", "kept", "meter", "sensor", "silent")

    def __init__(self, sensor: Sensor, idle: float | None, clock: Callable[[], float]) -> None:
        self.sensor = sensor
        self.clock = clock
        self.meter = Meter(clock(), idle)
        self.silent = False
        """It could not be read the last time."""
        self.kept = (clock(), 0, 0)
        """Until when its energy is kept, and how much of it: measured, given."""

    def take(self, drawn: int | None) -> None:
        """What it has read just now."""
        self.silent = drawn is None
        self.meter.read(self.clock(), drawn or 0)

    def read(self) -> None:
        """Ask a quick one."""
        self.take(self.sensor.read(busy=self.meter.running))

    def begin(self) -> Draw:
        """An attempt begins."""
        if self.sensor.quick:
            self.read()
        return self.meter.begin(self.clock())

    def end(self, draw: Draw) -> int | None:
        """An attempt ends: its microjoules."""
        if self.sensor.quick:
            self.read()
        energy = self.meter.end(draw, self.clock())
        return None if self.silent else energy


Drawn = list[tuple[Watched, Draw]]
"""An attempt on all the meters that see it."""


class Power:
    """The meters of one gate.

    Args:
        found: this machine's sensors.
        here: names of engines at home that run on this very machine; other engines at home run on others.
        idle: watts that the typed machine draws while it waits.
        clock: seconds of a steady clock.
    """

    def __init__(
        self,
        found: Found,
        here: Iterable[str] = (),
        *,
        idle: float | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.notes = found.notes
        self._measured = tuple(Watched(sensor, None, clock) for sensor in found.sensors)
        typed = () if found.typed is None else (Watched(found.typed, idle or 0.0, clock),)
        self._elsewhere = typed
        own = self._measured or typed
        self._here: Mapping[str, tuple[Watched, ...]] = dict.fromkeys(here, own)
        self._all = (*self._measured, *typed)
        self._unkept: dict[tuple[int, str], PowerRow] = {}
        self._keep: Keep = lambda _: None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def measures(self) -> bool:
        """Whether there is anything that tells energy."""
        return bool(self._all)

    def begin(self, model: Model) -> Drawn:
        """An attempt with a model at home begins."""
        return [(one, one.begin()) for one in self._here.get(model.engine, self._elsewhere)]

    def end(self, drawn: Drawn) -> float | None:
        """It ends: its joules; None when they are unknown."""
        total = 0
        known = bool(drawn)
        for watched, draw in drawn:
            energy = watched.end(draw)
            if energy is None:
                known = False
            else:
                total += energy
        return total / MICROJOULES if known else None

    # ── All of it, by the hour ───────────────────────────────────────────────────────────────────────────────────────

    def start(self, keep: Keep) -> None:
        """Read the sensors now and then, and keep what they say by the minute; belongs to a running event loop."""
        self._keep = keep
        if self._all:
            self._tasks = [
                asyncio.create_task(self._sample(), name="headgate-power"),
                asyncio.create_task(self._keep_on(), name="headgate-power-kept"),
            ]

    async def close(self) -> None:
        """Keep what has not been kept, and let go of the sensors."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._all:
            await self.read()
            with suppress(Exception):  # the ledger says itself that it cannot be written
                await self.keep()
        for one in self._all:
            one.sensor.close()

    async def read(self) -> None:
        """Ask all sensors."""
        for one in self._all:
            if one.sensor.quick:
                one.read()
            else:
                one.take(await asyncio.to_thread(one.sensor.read, busy=one.meter.running))

    async def keep(self) -> None:
        """Store what was drawn since the last time; what cannot be stored waits for the next."""
        self._gather(time())
        if not self._unkept:
            return
        rows = self._unkept
        self._unkept = {}
        try:
            await asyncio.to_thread(self._keep, tuple(rows.values()))
        except BaseException:
            for key, row in rows.items():
                later = self._unkept.get(key)
                self._unkept[key] = row if later is None else row + later
            raise

    def _gather(self, now: float) -> None:
        """Put what was drawn since the last time down under the hour in which most of it was."""
        for one in self._all:
            at, measured, given = one.kept
            seconds = int(one.clock() - at)
            if not seconds:
                continue
            meter = one.meter
            hour = int((now - seconds / 2) // HOUR) * HOUR
            row = PowerRow(
                source=one.sensor.source,
                hour=hour,
                seconds=seconds,
                energy=meter.measured - measured,
                requests_energy=meter.given - given,
            )
            key = (hour, row.source)
            self._unkept[key] = row + self._unkept[key] if key in self._unkept else row
            one.kept = (at + seconds, meter.measured, meter.given)

    async def _sample(self) -> None:
        every = EVERY if any(not one.sensor.quick for one in self._all) else 1.0
        while True:
            await asyncio.sleep(every)
            await self.read()

    async def _keep_on(self) -> None:
        while True:
            await asyncio.sleep(
                60.0 - time() % 60.0
            )  # by the minute of the clock, so that no row spans two hours
            with suppress(
                Exception
            ):  # it waits for the next time; the writer says what is wrong with the ledger
                await self.keep()
