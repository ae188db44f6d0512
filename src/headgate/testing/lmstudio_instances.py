"""What LM Studio has in memory, and by which rules it comes and goes.

A model that is asked for is loaded on demand and then unloads the one that was loaded so before, even while that one answers:
whoever listens to it gets "Model is unloaded." Models loaded by hand stay. One model can be loaded several times, as `key`, `key:2` …;
each instance has places of its own. A load that does not fit is refused by the guardrails. Requests and replies are not known here.
"""

import asyncio
import math
from collections.abc import Callable, Mapping

import msgspec

from headgate.testing.answers import ServedModel
from headgate.testing.clock import GIB, Clock, Timing
from headgate.testing.memory import memory_size
from headgate.testing.slots import Slots

UNLOADED = "Model is unloaded."
REAL_PARALLEL = 4
"""How many requests at a time the real one says it takes, if nothing else was set."""


class Refused(Exception):  # noqa: N818 - it is what LM Studio says, not a mistake of ours
    """This cannot be loaded, or was unloaded under the caller."""


class Settings(msgspec.Struct, frozen=True):
    """How a model is to be loaded. None is the server's default; `ttl` are seconds of idleness."""

    context: int | None = None
    parallel: int | None = None
    ttl: float | None = None
    name: str | None = None
    on_demand: bool = False


class Instance(msgspec.Struct, eq=False):
    """A model in memory. `leaving` is called, for everybody who listens to it, when it goes."""

    id: str
    key: str
    model: ServedModel
    context: int
    size: int
    ttl: float
    on_demand: bool
    last_used: float
    slots: Slots
    loaded_in: float = 0.0
    leaving: list[Callable[[], None]] = []

    @property
    def parallel(self) -> int:
        """Requests at a time, as LM Studio tells it."""
        return self.slots.most or REAL_PARALLEL


class Instances:
    """All that is loaded.

    `memory` is in bytes, None without end; without `guardrails` nothing is refused for its sake. With `ignores_settings`, whatever a load
    asks for is not heard. `loads` and `unloads` list ids of instances in order.
    """

    def __init__(
        self,
        models: Mapping[str, ServedModel],
        clock: Clock,
        timing: Timing,
        *,
        auto_evict: bool,
        ttl: float,
        parallel: int | None,
        default_context: int | None,
        memory: int | None,
        guardrails: bool,
        ignores_settings: bool,
    ) -> None:
        self.models, self.clock, self.timing = models, clock, timing
        self.auto_evict, self.ttl, self.parallel = auto_evict, ttl, parallel
        self.default_context, self.memory = default_context, memory
        self.guardrails, self.ignores_settings = guardrails, ignores_settings
        self.loads: list[str] = []
        self.unloads: list[str] = []
        self._all: dict[str, Instance] = {}
        self._loading = asyncio.Lock()

    # what there is

    def all(self) -> list[Instance]:
        """Everything that is loaded now; what was idle for its time to live is not."""
        now = self.clock.time()
        every = list(self._all.values())
        idle = [one for one in every if one.last_used + one.ttl <= now and not one.slots.users]
        for instance in idle:
            self.unload(instance.id)
        return list(self._all.values()) if idle else every

    def of(self, key: str) -> list[Instance]:
        """The instances of a model, or the one of that name."""
        return [instance for instance in self.all() if key in (instance.id, instance.key)]

    # coming

    def put(self, key: str) -> Instance:
        """Have a model loaded from the start."""
        return self._add(self._new(key, Settings()))

    def load_now(self, key: str, settings: Settings) -> Instance | None:
        """Load a model without any waiting; None when it takes time. Raises Refused."""
        if self._loading.locked() or self._seconds(key):
            return None
        return self._come(self._make_room(key, settings), 0.0)

    async def load(self, key: str, settings: Settings) -> Instance:
        """Load a model, one at a time; on demand, the one that was loaded meanwhile will do. Raises Refused."""
        async with self._loading:
            found = self.of(key)
            if found and settings.on_demand:
                return found[0]
            instance = self._make_room(key, settings)
            took = self._seconds(key)
            await self.clock.sleep(took)
            return self._come(instance, took)

    def _come(self, instance: Instance, took: float) -> Instance:
        instance.loaded_in = took
        self.loads.append(instance.id)
        return self._add(instance)

    def _make_room(self, key: str, settings: Settings) -> Instance:
        if settings.on_demand and self.auto_evict:
            for other in self.all():
                if other.on_demand:
                    self.unload(other.id)
        new = self._new(key, settings)
        taken = sum(instance.size for instance in self.all())
        if self.guardrails and self.memory is not None and taken + new.size > self.memory:
            raise Refused(
                f'Failed to load model "{key}". Error: Model loading was stopped due to insufficient system resources. Under the '
                f"current settings, this model requires approximately {new.size / GIB:.2f} GB of memory, and continuing to load it "
                "would likely overload your system and cause it to freeze. If you believe this is a mistake, you can adjust the "
                "model loading guardrails in the settings."
            )
        return new

    def _new(self, key: str, settings: Settings) -> Instance:
        model = self.models[key]
        heard = Settings(on_demand=settings.on_demand) if self.ignores_settings else settings
        context = min(heard.context or self.default_context or model.context, model.context)
        ttl = settings.ttl if settings.ttl is not None else self.ttl if settings.on_demand else math.inf
        parallel = heard.parallel or self.parallel
        return Instance(
            settings.name or self._free_name(key),
            key,
            model,
            context,
            memory_size(model, context),
            ttl,
            settings.on_demand,
            self.clock.time(),
            Slots(parallel),
        )

    def _free_name(self, key: str) -> str:
        number = 1
        while (name := key if number == 1 else f"{key}:{number}") in self._all:
            number += 1
        return name

    def _add(self, instance: Instance) -> Instance:
        self._all[instance.id] = instance
        instance.last_used = self.clock.time()
        return instance

    def _seconds(self, key: str) -> float:
        return self.timing.load + self.timing.load_gib * self.models[key].size / GIB

    # going

    def unload(self, name: str) -> bool:
        """Unload an instance, whoever listens to it; False when there is none of that name."""
        instance = self._all.pop(name, None)
        if instance is None:
            return False
        self.unloads.append(name)
        instance.slots.close(Refused(UNLOADED))
        for leave in instance.leaving:
            leave()
        instance.leaving.clear()
        return True

    def left(self, instance: Instance) -> None:
        """A place was given back: from here on the instance is idle, if nobody else has one."""
        instance.slots.give()
        instance.last_used = self.clock.time()
