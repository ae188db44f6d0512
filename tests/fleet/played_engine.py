"""An engine that carries out what the scheduler decides, on a clock of its own, and minds what must never happen."""

import heapq

from headgate.fleet.lanes import LaneFacts, Pool
from headgate.fleet.scheduler import Load, Refuse, Resident, Scheduler, Start, Unload
from headgate.fleet.turns import Ticket

LONG = 1e6


def lane(name, **facts):
    """A lane of an engine `home` in a memory `card`: four slots, 10 bytes, 4 s to load."""
    usual = {"engine": "home", "weights": name, "slots": 4, "pool": "card", "memory": 10, "load_seconds": 4.0}
    return LaneFacts(name=name, **{**usual, **facts})


class PlayedEngine:
    """Loads take what their facts say, unloads one second, answers `service` seconds."""

    def __init__(self, *lanes, slots=8, memory=20, service=2.0):
        self.facts = {facts.name: facts for facts in lanes}
        engines = {facts.engine for facts in lanes}
        pools = {facts.pool for facts in lanes if facts.pool is not None}
        self.slots = dict.fromkeys(engines, slots)
        self.memory = memory
        self.scheduler = Scheduler(lanes, self.slots, [Pool(name, memory) for name in pools])
        self.service = service
        self.now = 0.0
        self.tickets: dict[int, Ticket] = {}
        self.waiting: set[int] = set()
        self.started: dict[int, float] = {}
        self.served_in: dict[int, str] = {}
        self.refused: dict[int, Refuse] = {}
        self.order: list[int] = []
        self.loads: list[str] = []
        self.unloads: list[str] = []
        self.failing: dict[str, str] = {}
        """By lane: why its next load will fail."""
        self.foreign = 0
        self.away: set[str] = set()
        """Engines that do not answer."""
        self.here = {name for name, facts in self.facts.items() if facts.pool is None}
        self.loading: set[str] = set()
        self.leaving: set[str] = set()
        self.running: dict[str, int] = dict.fromkeys(self.facts, 0)
        self._events: list[tuple[float, int, str, str]] = []
        self._number = 0

    # ── What callers do ──────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, name, caller="ann", *, batch=False, within=LONG):
        """One request; gives its number."""
        self._number += 1
        number = self._number
        entered = self.scheduler.enter(name)
        self.tickets[number] = Ticket(
            id=number, lane=name, caller=caller, batch=batch, arrived=self.now, deadline=self.now + within
        )
        if entered is not None:
            self._start(number, entered)
            self._mind()
        else:
            self.waiting.add(number)
            self._carry_out(self.scheduler.ask(self.tickets[number], self.now))
        return number

    def withdraw(self, number):
        """The caller of a waiting request has hung up."""
        self.waiting.remove(number)
        self._carry_out(self.scheduler.withdraw(self.tickets[number], self.now))

    def waited(self, number):
        """Seconds."""
        return self.started[number] - self.tickets[number].arrived

    # ── What time does ───────────────────────────────────────────────────────────────────────────────────────────────

    def until(self, moment):
        """Let time pass."""
        while (following := self._next()) <= moment:
            self.now = max(self.now, following)
            if self._events and self._events[0][0] <= self.now:
                _, _, what, name = heapq.heappop(self._events)
                getattr(self, f"_{what}")(name)
            else:
                self._carry_out(self.scheduler.tick(self.now))
                wake = self.scheduler.wake_at
                assert wake is None or wake > self.now, "an alarm that rings for ever"
        self.now = max(self.now, moment)

    def run(self):
        """Let time pass until nothing happens any more."""
        while (following := self._next()) < LONG:
            self.until(following)

    def _next(self):
        moments = [event[0] for event in self._events[:1]]
        if self.scheduler.wake_at is not None:
            moments.append(self.scheduler.wake_at)
        return min(moments, default=LONG)

    # ── What the engine does ─────────────────────────────────────────────────────────────────────────────────────────

    def look(self):
        """Tell the scheduler what is in memory."""
        for engine in self.slots.keys() - self.away:
            self._carry_out(self.scheduler.seen(engine, self.residents(engine), self.now))

    def residents(self, engine):
        """What is in an engine's memory."""
        residents = [
            Resident(self.facts[name].weights, self.facts[name].context, self.facts[name].memory)
            for name in self.here | self.loading
            if self.facts[name].engine == engine and self.facts[name].pool is not None
        ]
        if self.foreign and engine == "home":
            residents.append(Resident("somebody else's", None, self.foreign))
        return residents

    def vanish(self, engine):
        """It ends, with all that was idle in it; what it answers comes still."""
        self.away.add(engine)
        if engine == "home":
            self.foreign = 0
        for facts in self.facts.values():
            if facts.engine == engine and facts.pool is not None:
                if facts.name in self.loading:
                    self.failing[facts.name] = "it ended"
                elif not self.running[facts.name]:
                    self.here.discard(facts.name)
        self._carry_out(self.scheduler.gone(engine, "it does not answer", self.now))

    def come_back(self, engine):
        """It is there again."""
        self.away.discard(engine)
        pool = self.scheduler.pools["card"]
        self._carry_out(self.scheduler.learn(engine, pool, (), self.residents(engine), self.now))
        self._carry_out(self.scheduler.back(engine, self.now))

    def drop(self, name):
        """It unloads a model by itself."""
        assert not self.running[name]
        self.here.discard(name)

    def _carry_out(self, effects):
        for effect in effects:
            match effect:
                case Start(ticket=number, lane=name):
                    self.waiting.remove(number)
                    self._start(number, name)
                case Refuse(ticket=number):
                    self.waiting.remove(number)
                    self.refused[number] = effect
                case Load(lane=name):
                    self._load(name)
                case Unload(lane=name):
                    assert not self.running[name], f"{name} is unloaded while it answers"
                    assert name in self.here
                    self.here.discard(name)
                    self.leaving.add(name)
                    self.unloads.append(name)
                    self._later(1.0, "unloaded", name)
        self._mind()

    def _start(self, number, name):
        asked = self.facts[self.tickets[number].lane]
        server = self.facts[name]
        assert number not in self.started
        assert server.weights == asked.weights
        assert server.context is None or asked.context <= server.context
        self.started[number] = self.now
        self.served_in[number] = name
        self.order.append(number)
        self.running[name] += 1
        self._later(self.service, "answered", name)

    def _load(self, name):
        pool = self.facts[name].pool
        assert not [other for other in self.loading if self.facts[other].pool == pool], "two loads at a time"
        assert self.facts[name].engine not in self.away, "loaded into an engine that is not there"
        self.loads.append(name)
        self.loading.add(name)
        if self.taken(pool) + self.foreign > self.memory:
            self.foreign = 0  # engines send away what nobody uses
        self._later(self.facts[name].load_seconds, "loaded", name)

    def _later(self, seconds, what, name):
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, what, name))

    def _answered(self, name):
        self.running[name] -= 1
        self._carry_out(self.scheduler.leave(name, self.service, self.now))

    def _loaded(self, name):
        self.loading.remove(name)
        why = self.failing.pop(name, None)
        if why is not None:
            self._carry_out(self.scheduler.load_failed(name, why, self.now))
            return
        self.here.add(name)
        facts = self.facts[name]
        self._carry_out(self.scheduler.loaded(name, facts.load_seconds, facts.memory, self.now))

    def _unloaded(self, name):
        self.leaving.remove(name)
        self._carry_out(self.scheduler.unloaded(name, self.now))

    def taken(self, pool):
        return sum(
            self.facts[name].memory
            for name in self.here | self.loading | self.leaving
            if self.facts[name].pool == pool
        )

    def _mind(self):
        """What must hold at any moment."""
        for name, running in self.running.items():
            assert running <= self.facts[name].slots, f"{name} has more requests than slots"
        for engine, slots in self.slots.items():
            busy = [self.running[name] for name, facts in self.facts.items() if facts.engine == engine]
            assert sum(busy) <= slots, f"{engine} has more requests than slots"
        for pool in {facts.pool for facts in self.facts.values()} - {None}:
            assert self.taken(pool) <= self.memory, f"{pool} has too much in it"
        assert self.scheduler.waiting == len(self.waiting)


def loaded(*names, **given):
    """An engine in whose memory these models are already."""
    engine = PlayedEngine(*[lane(name) for name in (*names, *given.pop("others", ()))], **given)
    for name in names:
        engine.ask(name, caller="nobody")
        engine.run()
    engine.loads.clear()
    return engine


def contexts(**given):
    """One model with two contexts."""
    short = lane("short", weights="m", context=8000)
    long = lane("long", weights="m", context=32000, memory=16)
    return PlayedEngine(short, long, **given)
