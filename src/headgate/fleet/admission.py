"""Does what the scheduler says: wakes who waits, loads and unloads models, and comes back when a turn is over.

    lane = admission.enter(model) or await admission.wait(model, …)     then the call, then     admission.leave(lane, seconds)

All decisions are `scheduler`'s; here are the event loop, the clock and the tasks. It does not know engines: `Hands` does the
loading.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from itertools import count
from time import monotonic, time
from typing import Literal, Protocol

from msgspec import Struct

from headgate.fleet.effects import Effects, Load, Refuse, Resident, Start, Unload
from headgate.fleet.lanes import LaneFacts, Pool
from headgate.fleet.scheduler import Scheduler
from headgate.fleet.turns import Ticket

REMEMBERED = 50
"""Loads and unloads that are remembered, for whoever looks."""

WANTED = 300.0
"""Seconds in which a model that somebody could not wait for is still worth loading."""

log = logging.getLogger("headgate.fleet")


class Denied(Struct, frozen=True):
    """No slot, and why."""

    why: str
    down: bool = False
    """Because the model cannot be loaded, and not because others are served."""


class Moved(Struct, frozen=True):
    """A model that went into memory or out of it, or would not."""

    model: str
    what: Literal["loaded", "unloaded", "failed"]
    at: float
    """Unix time at which it was done."""
    seconds: float
    """What it took."""
    why: str = ""
    """Why it could not be loaded."""


class Hands(Protocol):
    """What moves models in and out of memory."""

    async def load(self, lane: str) -> int | Denied | None:
        """Load a lane: the bytes that it takes, None if nobody knows, or why it could not be loaded."""
        ...

    async def unload(self, lane: str) -> None:
        """Unload a lane."""
        ...


class Admission:
    """The slots of all engines, and the memory of those that the gate manages.

    Args:
        scheduler: decides.
        hands: load and unload.
    """

    def __init__(self, scheduler: Scheduler, hands: Hands) -> None:
        self.scheduler = scheduler
        self.hands = hands
        self.cold: frozenset[str] = frozenset()
        """Lanes that would have to be loaded before they serve."""
        self.moved: deque[Moved] = deque(maxlen=REMEMBERED)
        """What was loaded and unloaded lately, oldest first."""
        self._ids = count(1)
        self._turns: dict[int, asyncio.Future[str | Denied]] = {}
        self._wanted: dict[int, str] = {}
        """Requests of our own for models that somebody could not wait for, by ticket."""
        self._moving: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: float | None = None

    # ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def enter(self, name: str) -> str | None:
        """Take a slot of that model if nobody has to wait for it: the lane that serves, or None."""
        return self.scheduler.enter(name)

    async def wait(
        self, name: str, *, caller: str, batch: bool, patience: float, deadline: float
    ) -> str | Denied:
        """Wait for a slot.

        Args:
            name: the model.
            caller: whose request it is: waiting is fair between callers.
            batch: nobody sits and waits for it.
            patience: seconds.
            deadline: seconds until the request is of no use any more; `patience` may be shorter.

        Returns:
            The lane that serves, which has to be left; or why there is none.
        """
        loop = asyncio.get_running_loop()
        now = monotonic()
        ticket = Ticket(
            id=next(self._ids), lane=name, caller=caller, batch=batch, arrived=now, deadline=now + deadline
        )
        turn: asyncio.Future[str | Denied] = loop.create_future()
        self._turns[ticket.id] = turn
        alarm = loop.call_later(patience, self._give_up, ticket, patience)
        try:
            self.carry_out(self.scheduler.ask(ticket, now))
            return await turn
        except asyncio.CancelledError:
            given = turn.result() if turn.done() and not turn.cancelled() else None
            if isinstance(given, str):
                self.leave(given, None)
            else:
                self.carry_out(self.scheduler.withdraw(ticket, monotonic()))
            raise
        finally:
            alarm.cancel()
            self._turns.pop(ticket.id, None)

    def leave(self, lane: str, seconds: float | None) -> None:
        """Give the slot back, with the time that the call took where that says something about the pace."""
        effects = self.scheduler.leave(lane, seconds, monotonic())
        if effects or self.scheduler.wake_at != self._alarm_at:
            self.carry_out(effects)

    def want(self, name: str) -> None:
        """Somebody wanted that model and could not wait for it: have it loaded all the same, so that the next one finds it."""
        if name not in self.cold or name in self._wanted.values():
            return
        now = monotonic()
        ticket = Ticket(id=next(self._ids), lane=name, batch=True, arrived=now, deadline=now + WANTED)
        self._wanted[ticket.id] = name
        asyncio.get_running_loop().call_later(WANTED, self._want_no_more, ticket)
        self.carry_out(self.scheduler.ask(ticket, now))

    def _want_no_more(self, ticket: Ticket) -> None:
        if self._wanted.pop(ticket.id, None) is not None:
            self.carry_out(self.scheduler.withdraw(ticket, monotonic()))

    def has_slot(self, name: str) -> bool:
        """Whether the next request for that model finds a slot at once."""
        return self.scheduler.has_slot(name)

    def has_room(self, name: str) -> bool:
        """Whether that model is in memory, or could be without another one leaving it."""
        lane = self.scheduler.lanes[name]
        return name not in self.cold or lane.pool is None or lane.memory <= self.scheduler.free(lane.pool)

    def load_seconds(self, name: str) -> float:
        """Seconds that loading a model takes, if it has to be loaded."""
        return self.scheduler.lanes[name].load_seconds if name in self.cold else 0.0

    def expected_wait(self, name: str, caller: str, *, batch: bool) -> float:
        """Seconds that a newcomer would probably wait for that model."""
        return self.scheduler.expected_wait(name, caller, monotonic(), batch=batch)

    def _give_up(self, ticket: Ticket, patience: float) -> None:
        turn = self._turns.get(ticket.id)
        if turn is None or turn.done():
            return
        waiting = len(self.scheduler.lanes[ticket.lane].waiting)
        self.carry_out(self.scheduler.withdraw(ticket, monotonic()))
        if not turn.done():  # what was withdrawn may have made room for this very one
            turn.set_result(Denied(f"no slot within {patience:.1f} s, {waiting} in the queue"))

    # ── Memory ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def learn(
        self, engine: str, pool: Pool, lanes: Iterable[LaneFacts], residents: Iterable[Resident]
    ) -> None:
        """What is known of an engine's lanes, now that it is up, and what it has in memory."""
        self.carry_out(self.scheduler.learn(engine, pool, lanes, residents, monotonic()))

    def seen(self, engine: str, residents: Iterable[Resident], asked: float) -> None:
        """What an engine has in memory; it was asked at that time."""
        self.carry_out(self.scheduler.seen(engine, residents, monotonic(), asked))

    def gone(self, engine: str, why: str) -> None:
        """An engine does not answer any more."""
        self.carry_out(self.scheduler.gone(engine, why, monotonic()))

    def back(self, engine: str) -> None:
        """An engine answers again."""
        self.carry_out(self.scheduler.back(engine, monotonic()))

    async def close(self) -> None:
        """Stop loading, and let nobody wait."""
        if self._alarm is not None:
            self._alarm.cancel()
        for task in self._moving:
            task.cancel()
        await asyncio.gather(*self._moving, return_exceptions=True)
        for turn in self._turns.values():
            if not turn.done():
                turn.set_result(Denied("the gate is being closed"))

    async def _load(self, name: str) -> None:
        begun = monotonic()
        try:
            result = await self.hands.load(name)
        except Exception as error:
            log.exception("loading %s failed", name)
            result = Denied(f"loading {name} failed: {error!r}", down=True)
        now = monotonic()
        if isinstance(result, Denied):
            log.warning("%s could not be loaded: %s", name, result.why)
            self.moved.append(Moved(name, "failed", time(), now - begun, result.why))
            self.carry_out(self.scheduler.load_failed(name, result.why, now))
        else:
            self.moved.append(Moved(name, "loaded", time(), now - begun))
            self.carry_out(self.scheduler.loaded(name, now - begun, result, now))

    async def _unload(self, name: str) -> None:
        begun = monotonic()
        try:
            await self.hands.unload(name)
        except Exception:
            log.exception("unloading %s failed", name)
        now = monotonic()
        self.moved.append(Moved(name, "unloaded", time(), now - begun))
        self.carry_out(self.scheduler.unloaded(name, now))

    # ── Effects ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def carry_out(self, effects: Effects) -> None:
        """Do what the scheduler says."""
        for effect in effects:
            match effect:
                case Start(ticket, lane):
                    turn = self._turns.get(ticket)
                    if turn is None or turn.done():
                        # nobody but us wanted it, or its caller hung up in this very moment
                        self._wanted.pop(ticket, None)
                        self.leave(lane, None)
                    else:
                        turn.set_result(lane)
                case Refuse(ticket, why, down):
                    self._wanted.pop(ticket, None)
                    turn = self._turns.get(ticket)
                    if turn is not None and not turn.done():
                        turn.set_result(Denied(why, down))
                case Load(lane):
                    self._move(self._load(lane), f"headgate loads {lane}")
                case Unload(lane):
                    self._move(self._unload(lane), f"headgate unloads {lane}")
        if self.scheduler.pools:
            self.cold = self.scheduler.cold()
            self._set_alarm()

    def _move(self, moving: "asyncio._CoroutineLike[None]", name: str) -> None:
        task = asyncio.get_running_loop().create_task(moving, name=name)
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)

    def _set_alarm(self) -> None:
        """Come back when the scheduler wants to look again."""
        if self.scheduler.wake_at == self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._alarm_at = self.scheduler.wake_at
        if self._alarm_at is not None:
            wait = max(0.0, self._alarm_at - monotonic())
            self._alarm = asyncio.get_running_loop().call_later(wait, self._wake)

    def _wake(self) -> None:
        self._alarm = self._alarm_at = None
        self.carry_out(self.scheduler.tick(monotonic()))
