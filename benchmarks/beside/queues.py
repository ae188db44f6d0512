"""Who is served when and what is loaded: by Headgate's scheduler, by Ollama alone, by a gate that keeps the order of arrival.

All drive the same card (`virtual_gpu`). Ollama is modelled by what its `server/sched.go` does: a request for a model that is
loaded goes straight to its runner and waits there, first come first served, for one of `OLLAMA_NUM_PARALLEL` places, however many
wait; any other enters one queue of `OLLAMA_MAX_QUEUE`. Its head is loaded, one at a time. When memory is full the idle runner
whose keep-alive ends first goes; when none is idle the head waits until the busy one whose keep-alive would end first is idle,
and meanwhile requests for that one still join it. A runner that is idle for `OLLAMA_KEEP_ALIVE` goes by itself.

A gate that keeps the order of arrival sends Ollama so many requests at a time, and the next one when one is answered.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from beside.virtual_gpu import Costs, Gpu, Job, World
from headgate.fleet.lanes import LaneFacts, Pool
from headgate.fleet.scheduler import Effects, Load, Refuse, Scheduler, Start, Unload
from headgate.fleet.turns import Ticket

MAX_QUEUE = 512
KEEP_ALIVE = 300.0
RETRY = 1.0
"""Seconds after which a client that got a 503 asks again."""

ENGINE, POOL = "ollama", "gpu"


class Queue(Protocol):
    """Whoever decides."""

    def arrive(self, job: Job) -> None:
        """Somebody has sent a request."""
        ...


Make = Callable[[World, Gpu, Sequence[Costs], int, Callable[[Job], None]], Queue]


class HeadgateQueue:
    """Headgate's scheduler; its effects are carried out on the virtual card."""

    def __init__(
        self, world: World, gpu: Gpu, models: Sequence[Costs], memory: int, answered: Callable[[Job], None]
    ) -> None:
        self.world, self.gpu, self.answered = world, gpu, answered
        self.scheduler = Scheduler(
            [
                LaneFacts(
                    name=model.name,
                    engine=ENGINE,
                    weights=model.name,
                    slots=model.slots,
                    pool=POOL,
                    memory=model.memory,
                    load_seconds=model.load,
                )
                for model in models
            ],
            {ENGINE: sum(model.slots for model in models)},
            [Pool(POOL, memory)],
        )
        self.waiting: dict[int, Job] = {}
        self.asked = 0
        self.alarm: float | None = None

    def arrive(self, job: Job) -> None:
        """Start it, or let it wait."""
        lane = self.scheduler.enter(job.model)
        if lane is not None:
            self._start(job, lane)
        else:
            self._wait(job.model, job)

    def _wait(self, name: str, job: Job) -> Ticket:
        """Queue for a model."""
        now = self.world.now
        job.expected = self.scheduler.expected_wait(name, job.caller, now, batch=job.batch)
        self.asked += 1
        self.waiting[self.asked] = job
        ticket = Ticket(
            id=self.asked,
            lane=name,
            caller=job.caller,
            batch=job.batch,
            arrived=now,
            deadline=job.arrived + (86_400 if job.batch else 600),
        )
        self._do(self.scheduler.ask(ticket, now))
        return ticket

    def _start(self, job: Job, lane: str) -> None:
        job.model = lane
        self.gpu.start(job, self._ended)

    def _ended(self, job: Job) -> None:
        now = self.world.now
        self._do(self.scheduler.leave(job.model, now - job.started, now))
        self.answered(job)

    def _do(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Start(ticket=ticket, lane=lane):
                    self._begin(ticket, lane)
                case Load(lane=lane):
                    self.gpu.load(lane, self._loaded)
                case Unload(lane=lane):
                    self.gpu.unload(lane, self._unloaded)
                case Refuse(ticket=ticket, why=why):
                    self._refused(ticket, why)
        wake = self.scheduler.wake_at
        if wake is not None and wake != self.alarm:
            self.alarm = wake
            self.world.at(max(wake, self.world.now), lambda: self._tick(wake))

    def _begin(self, ticket: int, lane: str) -> None:
        self._start(self.waiting.pop(ticket), lane)

    def _refused(self, ticket: int, why: str) -> None:
        raise AssertionError(f"refused {self.waiting[ticket]}: {why}")

    def _tick(self, wake: float) -> None:
        if self.alarm == wake:
            self.alarm = None
            self._do(self.scheduler.tick(self.world.now))

    def _loaded(self, lane: str) -> None:
        model = self.gpu.models[lane]
        self._do(self.scheduler.loaded(lane, model.load, model.memory, self.world.now))

    def _unloaded(self, lane: str) -> None:
        self._do(self.scheduler.unloaded(lane, self.world.now))


class Runner:
    """One loaded model of Ollama."""

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self.ready = False
        self.expiring = False
        self.running = 0
        self.waiting: deque[Job] = deque()
        self.used_at = 0.0

    @property
    def idle(self) -> bool:
        return not self.running and not self.waiting


class OllamaQueue:
    """First come, first served, with Ollama's eviction."""

    def __init__(
        self, world: World, gpu: Gpu, models: Sequence[Costs], memory: int, answered: Callable[[Job], None]
    ) -> None:
        self.world, self.gpu, self.memory, self.answered = world, gpu, memory, answered
        self.models = {model.name: model for model in models}
        self.runners: dict[str, Runner] = {}
        self.pending: deque[Job] = deque()
        self.occupied = False
        """The one who loads is waiting for an unload or a load."""
        self.leaving = 0
        """Bytes that are being given back."""

    def arrive(self, job: Job) -> None:
        """Join the runner, or the queue of those that need a load."""
        runner = self.runners.get(job.model)
        if runner is not None:
            self._join(runner, job)
        elif len(self.pending) >= MAX_QUEUE:
            self.world.after(RETRY, lambda: self.arrive(job))
        else:
            self.pending.append(job)
            self._process()

    def _join(self, runner: Runner, job: Job) -> None:
        runner.waiting.append(job)
        self._serve(runner)

    def _serve(self, runner: Runner) -> None:
        while runner.ready and runner.waiting and runner.running < runner.costs.slots:
            runner.running += 1
            self.gpu.start(runner.waiting.popleft(), self._ended)

    def _ended(self, job: Job) -> None:
        runner = self.runners[job.model]
        runner.running -= 1
        runner.used_at = self.world.now
        self._serve(runner)
        if runner.idle:
            if runner.expiring:
                self._unload(runner)
            else:
                self.world.after(KEEP_ALIVE, lambda: self._expire(runner))
        self.answered(job)

    def _expire(self, runner: Runner) -> None:
        here = self.runners.get(runner.costs.name) is runner
        if here and runner.idle and runner.ready and self.world.now >= runner.used_at + KEEP_ALIVE:
            self._unload(runner)

    def _process(self) -> None:
        """Do what the head of the queue needs, and go on with the next."""
        while self.pending and not self.occupied:
            costs = self.models[self.pending[0].model]
            runner = self.runners.get(costs.name)
            if runner is not None:
                self._join(runner, self.pending.popleft())
                continue
            self.occupied = True
            taken = self.leaving + sum(other.costs.memory for other in self.runners.values())
            if costs.memory <= self.memory - taken:
                fresh = self.runners[costs.name] = Runner(costs)
                fresh.waiting.append(self.pending.popleft())
                self.gpu.load(costs.name, self._loaded)
            elif self.runners:
                by_age = sorted(self.runners.values(), key=lambda other: other.used_at)
                victim = next((other for other in by_age if other.idle), by_age[0])
                victim.expiring = True
                if victim.idle:
                    self._unload(victim)

    def _loaded(self, name: str) -> None:
        runner = self.runners[name]
        runner.ready = True
        runner.used_at = self.world.now
        self.occupied = False
        self._serve(runner)
        self._process()

    def _unload(self, runner: Runner) -> None:
        del self.runners[runner.costs.name]
        self.leaving += runner.costs.memory
        self.gpu.unload(runner.costs.name, self._unloaded)

    def _unloaded(self, name: str) -> None:
        self.leaving -= self.models[name].memory
        if self.leaving == 0:
            self._go_on()

    def _go_on(self) -> None:
        if all(runner.ready for runner in self.runners.values()):
            self.occupied = False
            self._process()


class FirstComeGate:
    """A gate before Ollama that lets so many requests through at a time, in the order in which they came."""

    AT_A_TIME = 4

    def __init__(
        self, world: World, gpu: Gpu, models: Sequence[Costs], memory: int, answered: Callable[[Job], None]
    ) -> None:
        self.answered = answered
        self.engine = OllamaQueue(world, gpu, models, memory, self._ended)
        self.waiting: deque[Job] = deque()
        self.free = self.AT_A_TIME

    def arrive(self, job: Job) -> None:
        """Send it on, or keep it until its turn has come."""
        self.waiting.append(job)
        self._send()

    def _send(self) -> None:
        while self.free and self.waiting:
            self.free -= 1
            self.engine.arrive(self.waiting.popleft())

    def _ended(self, job: Job) -> None:
        self.free += 1
        self._send()
        self.answered(job)
