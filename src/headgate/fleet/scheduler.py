"""Who is served when, and which models are in memory for it: a reducer over what happens.

    enter · ask · withdraw · leave · loaded · load_failed · unloaded · seen · tick  →  Start · Refuse · Load · Unload

Every method takes what has happened and the time, and gives back what is to be done; nothing is done here, so tests and the
simulation need no clock, no engine and no event loop. What holds at any moment:

- an engine, and a lane, is never sent more requests than it has slots;
- a lane is only unloaded when nothing runs in it, and only one is loaded at a time into one memory;
- what is loaded, loading and leaving fits into its memory together;
- a request that waits is started, refused or withdrawn, once.

It does not know requests, routes, money or HTTP, nor how a model is loaded (`fleet`).
"""

from collections.abc import Iterable, Mapping
from math import inf

from headgate.fleet import forecast
from headgate.fleet.effects import Effect, Effects, Load, Refuse, Resident, Start, Unload
from headgate.fleet.lanes import Lane, LaneFacts, Pool, mean, used
from headgate.fleet.residency import (
    Swap,
    is_shorter,
    loaded_as,
    next_swap,
    same_weights,
    stands_in,
    worth_warming,
)
from headgate.fleet.turns import Clocks, Ticket, rank

LONGEST_QUEUE = 1000
"""Requests that wait for one engine."""

RETRY = 10.0
"""Seconds until a lane whose load failed is tried again; twice as long each time."""

LONGEST_RETRY = 300.0


class Scheduler:
    """The slots and the memory of all engines of a gate.

    Args:
        lanes: all there are.
        slots: requests at a time, by engine.
        pools: the memories that lanes share.
    """

    def __init__(
        self, lanes: Iterable[LaneFacts], slots: Mapping[str, int], pools: Iterable[Pool] = ()
    ) -> None:
        self.lanes = {facts.name: Lane(facts) for facts in lanes}
        self.slots = dict(slots)
        self.pools = {pool.name: pool for pool in pools}
        self.running = dict.fromkeys(self.slots, 0)
        self.clocks = {engine: Clocks() for engine in self.slots}
        self.swaps: dict[str, Swap] = {}
        """By pool: what is being made room for, or loaded."""
        self.foreign: dict[str, int] = dict.fromkeys(self.slots, 0)
        """Bytes that an engine's other models take, by engine."""
        self.waiting = 0
        """Requests that wait, for all engines together."""
        self.wake_at: float | None = None
        """When `tick` should be called, if nothing else happens before."""
        self._engines = {
            engine: [lane for lane in self.lanes.values() if lane.engine == engine] for engine in self.slots
        }
        self._in_pool = {
            pool: [lane for lane in self.lanes.values() if lane.pool == pool] for pool in self.pools
        }
        self._relate()

    # ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def enter(self, name: str) -> str | None:
        """Take a slot at once, if nobody has to wait for it. The common case, in a microsecond.

        Returns:
            The lane that serves: this one, or a longer one of the same model that is loaded in its place. None: `ask`.
        """
        lane = self.lanes[name]
        if lane.waiting or self.running[lane.engine] >= self.slots[lane.engine]:
            return None
        server = lane if lane.state == "ready" else self._server(lane)
        if server is None or server.draining or server.running >= server.slots:
            return None
        server.running += 1
        self.running[lane.engine] += 1
        return server.name

    def has_slot(self, name: str) -> bool:
        """Whether `enter` would find one."""
        lane = self.lanes[name]
        server = self._server(lane)
        taken = lane.waiting or self.running[lane.engine] >= self.slots[lane.engine]
        return server is not None and not (taken or server.draining or server.running >= server.slots)

    def ask(self, ticket: Ticket, now: float) -> Effects:
        """Wait for a slot."""
        lane = self.lanes[ticket.lane]
        if self._is_left_alone(lane, now):
            return (Refuse(ticket.id, lane.why_not, down=True),)
        if lane.state == "out" and lane.pool is not None and lane.memory > self.pools[lane.pool].capacity:
            need, have = lane.memory / 2**30, self.pools[lane.pool].capacity / 2**30
            return (Refuse(ticket.id, f"it takes {need:.1f} GiB, and {lane.pool} has {have:.1f}", down=True),)
        if sum([len(other.waiting) for other in self._engines[lane.engine]]) >= LONGEST_QUEUE:
            return (Refuse(ticket.id, f"{LONGEST_QUEUE:,} requests wait for {lane.engine}", down=False),)
        lane.waiting.add(ticket)
        self.clocks[lane.engine].come(ticket.party)
        self.waiting += 1
        return self._settle(now)

    def withdraw(self, ticket: Ticket, now: float) -> Effects:
        """The request waits no longer. Whoever withdraws one that was started calls `leave`."""
        lane = self.lanes[ticket.lane]
        if lane.waiting.remove(ticket):
            self._forget(ticket)
        return self._settle(now)

    def leave(self, name: str, seconds: float | None, now: float) -> Effects:
        """A request has ended in that lane, after so many seconds where these say something about the pace."""
        lane = self.lanes[name]
        lane.running -= 1
        self.running[lane.engine] -= 1
        lane.served(seconds, now)
        if not self.waiting and not self.swaps:
            return ()
        return self._settle(now)

    def expected_wait(self, name: str, caller: str, now: float, *, batch: bool = False) -> float:
        """Seconds that a newcomer would probably wait; 0 where the pace is unknown, or he would be told no at once."""
        asked = self.lanes[name]
        if self._is_left_alone(asked, now):
            return 0.0
        lane = next((other for other in self._engines[asked.engine] if stands_in(other, asked)), asked)
        newcomer = Ticket(id=0, lane=name, caller=caller, batch=batch, arrived=now, deadline=inf)
        ahead = forecast.ahead_of(newcomer, lane, self.clocks[lane.engine], now)
        at_once = min(lane.slots, self.slots[lane.engine])
        service = lane.service or 0.0
        if lane.pool is not None and (lane.state != "ready" or lane.draining):
            pool = lane.pool
            room = forecast.Room(
                self._in_pool[pool], self.free(pool), self._foreign(pool), self.swaps.get(pool)
            )
            return forecast.until_ready(lane, newcomer, room, now) + ahead // at_once * service
        free = min(lane.slots - lane.running, self.slots[lane.engine] - self.running[lane.engine])
        return max(0.0, (ahead + 1 - free) * service / at_once)

    # ── Memory ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def loaded(self, name: str, seconds: float, memory: int | None, now: float) -> Effects:
        """A lane has been loaded, in so many seconds, and takes so many bytes."""
        lane = self.lanes[name]
        lane.enter("ready", now)
        lane.failures, lane.retry_at, lane.why_not = 0, 0.0, ""
        lane.load_seconds = mean(lane.load_seconds or None, seconds)
        if memory is not None:
            self._weigh(lane, memory)
        self._end_swap(lane)
        return self._settle(now)

    def load_failed(self, name: str, why: str, now: float) -> Effects:
        """A lane could not be loaded. Whoever waits for it is told why, and it is left alone for a while."""
        lane = self.lanes[name]
        lane.enter("out", now)
        lane.retry_at = max(lane.retry_at, now + min(RETRY * 2**lane.failures, LONGEST_RETRY))
        lane.failures += 1
        lane.why_not = why
        self._end_swap(lane)
        return (*self._refuse(lane, why), *self._settle(now))

    def unloaded(self, name: str, now: float) -> Effects:
        """A lane is out of memory."""
        lane = self.lanes[name]
        if lane.state == "leaving":
            lane.unload_seconds = mean(lane.unload_seconds or None, now - lane.since)
        lane.enter("out", now)
        return self._settle(now)

    def learn(
        self, engine: str, pool: Pool, lanes: Iterable[LaneFacts], residents: Iterable[Resident], now: float
    ) -> Effects:
        """An engine has come up: what its lanes take of a memory that is managed from now on, and what is in it."""
        self.pools.setdefault(pool.name, pool)
        members = self._in_pool.setdefault(pool.name, [])
        for facts in lanes:
            lane = self.lanes[facts.name]
            if lane.pool is None:
                lane.pool = pool.name
                members.append(lane)
                if not lane.running:
                    lane.enter("out", now)
            lane.context, lane.slots = facts.context, facts.slots
            lane.memory = lane.memory or facts.memory
            lane.load_seconds = lane.load_seconds or facts.load_seconds
            lane.service = lane.service or facts.service
            lane.expect(facts.rate, now)
        self._relate()
        return self.seen(engine, residents, now)

    def gone(self, engine: str, why: str, now: float) -> Effects:
        """An engine does not answer any more: whoever waits for it is told, nothing is in its memory, and nothing is loaded into it."""
        refused: list[Effect] = []
        for lane in self._engines[engine]:
            refused += self._refuse(lane, why)
            if lane.pool is not None:
                lane.retry_at, lane.why_not = inf, why
                if lane.state == "ready" and not lane.running:
                    lane.enter("out", now)
        self.foreign[engine] = 0
        return (*refused, *self._settle(now))

    def back(self, engine: str, now: float) -> Effects:
        """An engine answers again, so what could not be loaded is worth another try."""
        for lane in self._engines[engine]:
            lane.failures, lane.retry_at, lane.why_not = 0, 0.0, ""
        return self._settle(now)

    def cold(self) -> frozenset[str]:
        """The lanes that would have to be loaded before they serve."""
        return frozenset(
            lane.name for lane in self.lanes.values() if lane.state != "ready" and self._server(lane) is None
        )

    def seen(
        self, engine: str, residents: Iterable[Resident], now: float, asked: float | None = None
    ) -> Effects:
        """What an engine says it has in memory: it unloads by itself, and others may use it too.

        Lanes that have changed since it was asked are left as they are: its answer is older.
        """
        asked = now if asked is None else asked
        found = {resident.weights: resident for resident in residents}
        managed = [lane for lane in self._engines[engine] if lane.pool is not None]
        here = loaded_as(managed, {weights: resident.context for weights, resident in found.items()})
        for lane in managed:
            if lane.state == "ready" and lane not in here and not lane.running and lane.since <= asked:
                lane.enter("out", now)
        for lane in here:
            free = not self._has_sibling(lane) and not self._is_swapping(lane)
            if lane.state == "out" and free and lane.since <= asked:
                lane.enter("ready", now)
            if lane.state == "ready" and (memory := found[lane.weights].memory):
                self._weigh(lane, memory)
        ours = {lane.weights for lane in managed if lane.here}
        self.foreign[engine] = sum(
            [resident.memory or 0 for resident in found.values() if resident.weights not in ours]
        )
        return self._settle(now)

    def tick(self, now: float) -> Effects:
        """Time has passed."""
        return self._settle(now)

    # ── What follows ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _settle(self, now: float) -> Effects:
        """What follows from a change: requests that can start, then memory that is to be used otherwise."""
        effects = self._start_waiting(now)
        moments = []
        for pool in self.pools:
            wake = self._advance(pool, now, effects)
            if wake is not None:
                moments.append(wake)
        self.wake_at = min(moments, default=None)
        return tuple(effects)

    def _start_waiting(self, now: float) -> list[Effect]:
        """Start all that can start."""
        started: list[Effect] = []
        if self.waiting:
            for engine in self.slots:
                while (start := self._start_one(engine, now)) is not None:
                    started.append(start)
        return started

    def _refuse(self, lane: Lane, why: str) -> list[Effect]:
        """Tell whoever waits for a lane that it cannot be had."""
        refused = list(lane.waiting)
        lane.waiting.clear()
        for ticket in refused:
            self._forget(ticket)
        return [Refuse(ticket.id, why, down=True) for ticket in refused]

    def _forget(self, ticket: Ticket) -> None:
        """A ticket waits no longer."""
        self.waiting -= 1
        self.clocks[self.lanes[ticket.lane].engine].go(ticket.party)

    def _start_one(self, engine: str, now: float) -> Start | None:
        """Give a free slot to whoever's turn it is."""
        if self.running[engine] >= self.slots[engine]:
            return None
        clocks = self.clocks[engine]
        best: tuple[tuple[bool, float, float, float], Ticket, Lane, Lane] | None = None
        for lane in self._engines[engine]:
            if not lane.waiting:
                continue
            server = self._server(lane)
            if server is None or server.draining or server.running >= server.slots:
                continue
            ticket = lane.waiting.next(clocks, now)
            assert ticket is not None
            key = rank(ticket, clocks, now)
            if best is None or key < best[0]:
                best = key, ticket, lane, server
        if best is None:
            return None
        _, ticket, lane, server = best
        lane.waiting.remove(ticket)
        clocks.charge(ticket.party, (server.service or 1.0) / server.slots)
        self._forget(ticket)
        server.running += 1
        self.running[engine] += 1
        return Start(ticket.id, server.name)

    def _is_left_alone(self, lane: Lane, now: float) -> bool:
        """Whether it could not be loaded, and is not tried again yet."""
        return lane.retry_at > now and self._server(lane) is None

    def _server(self, lane: Lane) -> Lane | None:
        """The lane that is in memory and serves this one's requests; None when there is none."""
        if lane.state == "ready":
            return lane
        for other in self._engines[lane.engine]:
            if other.state == "ready" and stands_in(other, lane):
                return other
        return None

    def _advance(self, pool: str, now: float, effects: list[Effect]) -> float | None:
        """Take the next step towards what should be in memory; tell when there will be one, if nothing else happens."""
        swap = self.swaps.get(pool)
        if swap is not None and self.lanes[swap.load].state == "out" and not self._is_wanted(swap):
            for name in swap.evict:
                self.lanes[name].draining = False
            del self.swaps[pool]
            swap = None
            effects += self._start_waiting(now)
        lanes, free, foreign = self._in_pool[pool], self.free(pool), self._foreign(pool)
        if swap is None:
            found = next_swap(lanes, free, foreign, now)
            if isinstance(found, Swap):
                swap = found
            elif found is None and (warm := worth_warming(lanes, free, now)):
                swap = Swap(warm)
            else:
                return found
            self.swaps[pool] = swap
        for name in swap.evict:
            victim = self.lanes[name]
            if victim.state == "ready":
                victim.draining = True
                if not victim.running:
                    victim.enter("leaving", now)
                    effects.append(Unload(name))
        lane = self.lanes[swap.load]
        gone = all(self.lanes[name].state == "out" for name in swap.evict)
        if lane.state == "out" and gone and lane.memory <= free + foreign:
            lane.enter("loading", now)
            effects.append(Load(lane.name))
        elif lane.state == "out" and gone:
            del self.swaps[pool]  # others took the room meanwhile
            return self._advance(pool, now, effects)
        return None

    def _is_wanted(self, swap: Swap) -> bool:
        """Whether somebody still waits for what a swap would load, or it was nobody's loss."""
        return bool(self.lanes[swap.load].waiting) or not swap.evict

    def _is_swapping(self, lane: Lane) -> bool:
        return any(lane.name in (swap.load, *swap.evict) for swap in self.swaps.values())

    def _relate(self) -> None:
        """Find out which lanes serve the requests of which others."""
        for lane in self.lanes.values():
            lane.shorter = tuple([other for other in self._engines[lane.engine] if is_shorter(other, lane)])

    def _has_sibling(self, lane: Lane) -> bool:
        """Whether the same model is in memory as another lane."""
        return any(other.here and same_weights(other, lane) for other in self._engines[lane.engine])

    def _end_swap(self, lane: Lane) -> None:
        swap = self.swaps.get(lane.pool or "")
        if swap is not None and swap.load == lane.name:
            self.swaps.pop(lane.pool or "")

    def free(self, pool: str) -> int:
        """Bytes of a pool that no model takes."""
        return self.pools[pool].capacity - used(self.lanes, pool) - self._foreign(pool)

    def _foreign(self, pool: str) -> int:
        """Bytes of a pool that others' models take."""
        return sum([self.foreign[engine] for engine in {lane.engine for lane in self._in_pool[pool]}])

    def _weigh(self, lane: Lane, memory: int) -> None:
        """A lane takes so many bytes. It is loaded, so it is never more than there are."""
        capacity = self.pools[lane.pool].capacity if lane.pool is not None else memory
        lane.memory = min(memory, capacity)
