"""Who is served when and what is loaded: by Headgate's scheduler, by Ollama alone, by one queue in the order of arrival.

All drive the same card (`virtual_gpu`). Ollama is modelled by what its `server/sched.go` does:

- a request for a model that is loaded goes straight to its runner and waits there, first come first served, for one of
  `OLLAMA_NUM_PARALLEL` places, however many wait; any other enters one queue of `OLLAMA_MAX_QUEUE`;
- the head of that queue is loaded, one at a time. When memory is full the idle runner with the shortest keep-alive goes; among
  equals, and by default all are, the one whose file's path comes first in the alphabet: not the one that was used longest ago;
- when none is idle the head waits until the first of them is, and meanwhile requests for that one still join it;
- a runner that is idle for `OLLAMA_KEEP_ALIVE` goes by itself.

Its releases of 2024 sent every request through that queue, also those for loaded models: first come, first served, with the
same eviction. While its head waits for a model to leave, everybody behind it waits too.
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
    """Ollama alone. The models' order is that of their files' paths."""

    def __init__(
        self, world: World, gpu: Gpu, models: Sequence[Costs], memory: int, answered: Callable[[Job], None]
    ) -> None:
        self.world, self.gpu, self.memory, self.answered = world, gpu, memory, answered
        self.models = {model.name: model for model in models}
        self.runners: dict[str, Runner] = {}
        self.pending: deque[Job] = deque()
        self.evicting = False
        """The head of the queue waits until a model is out of memory …"""
        self.loading = False
        """… or one is being loaded."""
        self.leaving = 0
        """Bytes that are being given back."""

    def arrive(self, job: Job) -> None:
        """Join the runner, or the queue of those that need a load."""
        runner = self.runners.get(job.model)
        if runner is not None:
            self._join(runner, job)
        else:
            self._queue(job)

    def _queue(self, job: Job) -> None:
        """Wait for the scheduler; when its queue is full, ask again later."""
        if len(self.pending) >= MAX_QUEUE:
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
        while self.pending and not self.evicting:
            costs = self.models[self.pending[0].model]
            runner = self.runners.get(costs.name)
            if runner is not None:
                self._join(runner, self.pending.popleft())
                continue
            if self.loading:
                return
            taken = self.leaving + sum(other.costs.memory for other in self.runners.values())
            if costs.memory <= self.memory - taken:
                self.loading = True
                fresh = self.runners[costs.name] = Runner(costs)
                fresh.waiting.append(self.pending.popleft())
                self.gpu.load(costs.name, self._loaded)
            else:
                self.evicting = True
                self._evict()

    def _evict(self) -> None:
        """Send the idle runner away whose path comes first; where none is idle, the first one as soon as it is."""
        here = [self.runners[name] for name in self.models if name in self.runners]
        here.sort(key=lambda runner: not runner.expiring)
        victim = next((runner for runner in here if runner.idle), here[0] if here else None)
        if victim is not None:
            victim.expiring = True
            if victim.idle:
                self._unload(victim)

    def _loaded(self, name: str) -> None:
        runner = self.runners[name]
        runner.ready = True
        runner.used_at = self.world.now
        self.loading = False
        self._serve(runner)
        self._process()

    def _unload(self, runner: Runner) -> None:
        del self.runners[runner.costs.name]
        self.leaving += runner.costs.memory
        self.gpu.unload(runner.costs.name, self._unloaded)

    def _unloaded(self, name: str) -> None:
        self.leaving -= self.models[name].memory
        self.evicting = False
        self._process()


class OneQueue(OllamaQueue):
    """First come, first served, with Ollama's eviction: no request overtakes one that waits for a model to leave."""

    def arrive(self, job: Job) -> None:
        """Wait for one's turn, also for a model that is loaded."""
        self._queue(job)
