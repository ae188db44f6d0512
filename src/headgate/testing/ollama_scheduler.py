"""Ollama's scheduler: which models are in memory, who has to go, and who waits for what.

A request for a loaded model goes straight to its runner and waits there for one of `parallel` slots, without a bound. One that
needs a load, or a reload because a load-time option differs, goes through one queue of `max_queue` places, from which one load is
done at a time: 503 when it is full. When there is no room, the idle runner with the shortest keep-alive goes; if all are busy, the
one with the shortest is waited for, and everybody in the queue behind it waits too.

Time, memory and options are all it knows: what a request says is not its business. Source: Ollama's `server/sched.go`.
"""

import asyncio
from typing import Any

import msgspec

from headgate.testing.answers import ServedModel
from headgate.testing.clock import GIB, Clock, Timing
from headgate.testing.memory import memory_size, on_gpu
from headgate.testing.ollama_rules import Problem
from headgate.testing.slots import Slots

BUSY = Problem(503, "server busy, please try again.  maximum pending requests exceeded")
LOAD_TIME_OPTIONS = ("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
"""With `num_ctx`: the options that are fixed when a model is loaded."""

WARM, COLD, RELOADED = 0.0008, 0.25, 5.2
"""Seconds of `load_duration` when nothing took time, as measured on the real one with a tiny model."""


class Asked(msgspec.Struct, frozen=True):
    """What a request wants of the scheduler. `keep_alive` None: what the runner has, or the server's default."""

    name: str
    model: ServedModel
    digest: str
    window: int
    options: dict[str, Any] = {}
    keep_alive: float | None = None


class Runner(msgspec.Struct, eq=False):
    """A model in memory. `until` is when it goes, if it stays idle."""

    name: str
    model: ServedModel
    digest: str
    window: int
    options: dict[str, Any]
    size: int
    vram: int
    keep_alive: float
    until: float
    slots: Slots
    gone: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    def fits(self, asked: Asked) -> bool:
        """Whether it can serve this request as it was loaded."""
        return (self.digest, self.window, self.options) == (asked.digest, asked.window, asked.options)


class Turn(msgspec.Struct):
    """A request that has its slot. Seconds: `load` until it had its runner, `queued` from there until it had a slot."""

    runner: Runner
    load: float
    queued: float = 0.0


class Refused(Exception):  # noqa: N818 - it is what the scheduler says, not a mistake of ours
    """The scheduler cannot serve this request."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


class Scheduler:
    """The runners of one Ollama.

    `parallel` None: any number of requests at a time; `max_loaded` None: any number of models. `vram` and `ram` are bytes, None
    is without end. `loads` has every load as (name, window), `unloads` the name of every model that went.
    """

    def __init__(
        self,
        clock: Clock,
        timing: Timing,
        *,
        parallel: int | None = None,
        max_loaded: int | None = None,
        max_queue: int = 512,
        vram: int | None = None,
        ram: int | None = None,
        keep_alive: float = 300.0,
        kv_type: str = "f16",
    ) -> None:
        self.clock, self.timing = clock, timing
        self.parallel, self.max_loaded, self.max_queue = parallel, max_loaded, max_queue
        self.vram, self.ram = vram, ram
        self.keep_alive, self.kv_type = keep_alive, kv_type
        self.loads: list[tuple[str, int]] = []
        self.unloads: list[str] = []
        self._runners: dict[str, Runner] = {}
        self._loading = asyncio.Lock()
        self._queued = 0

    def runners(self) -> list[Runner]:
        """What is loaded now; the one that stays longest comes first."""
        self._expire()
        return sorted(self._runners.values(), key=lambda runner: runner.until, reverse=True)

    def waiting(self) -> int:
        """Requests in the load queue, the one that is being loaded for left out."""
        return self._queued

    # one request

    def start_now(self, asked: Asked) -> Turn | None:
        """A slot without any waiting, or None when there is something to wait for. Raises Refused."""
        self._expire()
        runner = self._runners.get(asked.name)
        if runner is not None and runner.fits(asked):
            return self._begin(Turn(runner, WARM), asked) if runner.slots.take() else None
        if self._loading.locked() or self._queued or self._load_seconds(asked.model):
            return None
        load = COLD if runner is None else RELOADED
        step = self._next_step(asked)
        while isinstance(step, str):
            if self._runners[step].slots.users or self.timing.release:
                return None
            self._unload(self._runners[step])
            step = self._next_step(asked)
        self._add(step).slots.take()
        return self._begin(Turn(step, load), asked)

    async def start(self, asked: Asked) -> Turn:
        """A slot, however long that takes. Raises Refused."""
        begun = self.clock.time()
        self._expire()
        runner = self._runners.get(asked.name)
        load = WARM
        if runner is None or not runner.fits(asked):
            load = COLD if runner is None else RELOADED
            runner = await self._loaded(asked)
        ready = self.clock.time()
        turn = self._begin(Turn(runner, (ready - begun) or load), asked)
        if not runner.slots.take():
            try:
                await runner.slots.wait()
            except asyncio.CancelledError:
                self._left(runner)
                raise
        turn.queued = self.clock.time() - ready
        return turn

    def finish(self, turn: Turn) -> None:
        """Give the slot back; the model stays for its keep-alive from here on."""
        turn.runner.slots.give()
        self._left(turn.runner)

    def expire(self, name: str) -> None:
        """Unload a model as soon as nobody uses it: a request with `keep_alive` 0 and nothing to do."""
        runner = self._runners.get(name)
        if runner is not None:
            runner.keep_alive = 0.0
            if not runner.slots.users:
                self._unload(runner)

    def put(self, asked: Asked) -> None:
        """Have a model loaded from the start, whatever the room."""
        self._runners[asked.name] = self.placed(asked)

    def placed(self, asked: Asked) -> Runner:
        """What would be loaded for a request, as much of it on the GPU as fits."""
        size = memory_size(asked.model, asked.window, self.parallel or 1, self.kv_type)
        free = None if self.vram is None else self.vram - sum(r.vram for r in self._runners.values())
        vram = on_gpu(asked.model, size, free, asked.options.get("num_gpu"))
        until = self.clock.time() + self.keep_alive
        return Runner(
            asked.name,
            asked.model,
            asked.digest,
            asked.window,
            asked.options,
            size,
            vram,
            self.keep_alive,
            until,
            Slots(self.parallel),
        )

    # loading

    async def _loaded(self, asked: Asked) -> Runner:
        if self._queued >= self.max_queue and (self._queued or self._loading.locked()):
            raise Refused(BUSY)
        self._queued += 1
        try:
            await self._loading.acquire()
        finally:
            self._queued -= 1
        try:
            return await self._load(asked)
        finally:
            self._loading.release()

    async def _load(self, asked: Asked) -> Runner:
        while True:
            self._expire()
            step = self._next_step(asked)
            if not isinstance(step, str):
                break
            victim = self._runners[step]
            victim.keep_alive = 0.0
            if not victim.slots.users:
                self._unload(victim)
            await victim.gone.wait()
            await self.clock.sleep(self.timing.release)
        if step.name not in self._runners:
            await self.clock.sleep(self._load_seconds(asked.model))
            self._add(step)
        return step

    def _next_step(self, asked: Asked) -> Runner | str:
        """A runner for the request, new or there already; or the name of one that has to go first. Raises Refused."""
        runner = self._runners.get(asked.name)
        if runner is not None:
            return runner if runner.fits(asked) else asked.name
        if self.max_loaded and len(self._runners) >= self.max_loaded:
            return self._to_unload()
        new = self.placed(asked)
        if self._runners and new.vram < on_gpu(asked.model, new.size, None, asked.options.get("num_gpu")):
            return self._to_unload()
        room = None if self.ram is None else self.ram - sum(r.size - r.vram for r in self._runners.values())
        if room is not None and new.size - new.vram > room:
            if self._runners:
                return self._to_unload()
            needed, there = (f"{size / GIB:.1f} GiB" for size in (new.size - new.vram, room))
            text = f"model requires more system memory ({needed}) than is available ({there})"
            raise Refused(Problem(500, text))
        return new

    def _to_unload(self) -> str:
        """The idle runner with the shortest keep-alive, else the busy one with the shortest."""
        found = sorted(self._runners.values(), key=lambda runner: (runner.keep_alive, runner.name))
        return next((runner.name for runner in found if not runner.slots.users), found[0].name)

    def _load_seconds(self, model: ServedModel) -> float:
        return self.timing.load + self.timing.load_gib * model.size / GIB

    def _add(self, runner: Runner) -> Runner:
        self._runners[runner.name] = runner
        self.loads.append((runner.name, runner.window))
        return runner

    def _unload(self, runner: Runner) -> None:
        if self._runners.get(runner.name) is runner:
            del self._runners[runner.name]
            self.unloads.append(runner.name)
        runner.gone.set()

    def _expire(self) -> None:
        now = self.clock.time()
        for runner in [one for one in self._runners.values() if one.until <= now and not one.slots.users]:
            self._unload(runner)

    def _begin(self, turn: Turn, asked: Asked) -> Turn:
        if asked.keep_alive is not None:
            turn.runner.keep_alive = asked.keep_alive
            turn.runner.until = self.clock.time() + asked.keep_alive
        return turn

    def _left(self, runner: Runner) -> None:
        if runner.slots.users:
            return
        if runner.keep_alive <= 0:
            self._unload(runner)
        else:
            runner.until = self.clock.time() + runner.keep_alive
