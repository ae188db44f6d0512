"""All engines as they are now: up, down, left alone, loaded. State has one owner, and this is it.

The fleet looks at its engines in the background: those at home every few seconds, because they come and go with the
user's laptop lid; paid ones never, because that could cost money; they count as up as long as they have a key. An engine
that refuses a connection is down at once, without waiting for the next look. What engines on this machine have in memory is
the gate's to say (`scheduler`), as long as their `manage` is on and the memory is known.
"""

import asyncio
import logging
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from time import monotonic

from msgspec.structs import replace

from headgate.config.engine import EngineSettings
from headgate.core.budgets import Allowance
from headgate.core.cards import fresh_cards
from headgate.core.engine import Engine, Health, ListedModel, LoadedModel, ManagedEngine, find_listed
from headgate.core.types import Failure, FleetView, Model
from headgate.fleet.admission import Admission, Denied
from headgate.fleet.breaker import Breaker
from headgate.fleet.effects import Resident
from headgate.fleet.lanes import LaneFacts, Pool
from headgate.fleet.scheduler import Scheduler
from headgate.fleet.sizes import Before, Memory, lane_facts, pools_for

LOOK_EVERY = 5.0
"""Seconds between two looks at an engine at home."""

LOOK_AGAIN = 0.5
"""Seconds after which an engine that refused a request is looked at: one that restarts is back in no time."""

NOTHING_BEFORE = Before()
NOBODY: frozenset[str] = frozenset()
NEEDS_KEY = frozenset({"openai", "anthropic"})

log = logging.getLogger("headgate.fleet")


class Fleet:
    """The engines of one gate.

    Args:
        engines: by their name in the config.
        settings: of the same engines.
        models: of the policy, by name.
        memory: the machine's, for engines on it whose models the gate loads and unloads; None leaves that to all engines.
        before: what was measured of models at home, and how often each was asked.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        settings: Mapping[str, EngineSettings],
        models: Mapping[str, Model],
        memory: Memory | None = None,
        before: Before = NOTHING_BEFORE,
    ) -> None:
        self.engines = engines
        self.settings = settings
        self.models = models
        self.memory = memory
        self.before = before
        self.to_learn = {name for name, s in settings.items() if s.local}
        """The engines that have come up and not yet said all that is to be known of them."""
        self.listed: dict[str, tuple[ListedModel, ...]] = {}
        """What each engine at home had when it was last seen to come up."""
        self.pools: dict[str, Pool] = {}
        """The memory of each engine whose models the gate loads and unloads."""
        lanes = [
            LaneFacts(
                name=model.name,
                engine=model.engine,
                weights=model.id,
                context=model.context,
                slots=model.slots or settings[model.engine].parallel,
            )
            for model in models.values()
        ]
        self.admission = Admission(Scheduler(lanes, {name: s.parallel for name, s in settings.items()}), self)
        self.breakers = {name: Breaker() for name in models}
        self.troubled: set[str] = set()
        """The models whose last call failed."""
        self.health: dict[str, Health] = {}
        self.down: dict[str, str] = {
            name: f"{name} has no key"
            for name, s in settings.items()
            if s.kind in NEEDS_KEY and s.key is None
        }
        self.remote: frozenset[tuple[str, str]] = frozenset()
        """(engine, id) of the policy's models that an engine at home passes on: Ollama does so with its cloud models, under any name."""
        self.refused = asyncio.Event()
        """An engine at home has refused a request since the last look."""
        self.looking: asyncio.Task[None] | None = None

    def view(self, allowance: Allowance | None = None, overspent: Allowance | None = None) -> FleetView:
        """The fleet as a decision sees it, with what is left of the request's budgets (`FleetView`)."""
        left_alone = NOBODY
        if self.troubled:
            now = monotonic()
            left_alone = frozenset(name for name in self.troubled if self.breakers[name].is_open(now))
        return FleetView(
            down=self.down,
            breaker=left_alone,
            cold=self.admission.cold,
            remote=self.remote,
            allowance=allowance,
            overspent=overspent,
        )

    def note(self, model: Model, failure: Failure | None) -> None:
        """Learn from the outcome of one call."""
        if failure is None:
            if model.name in self.troubled:
                self.troubled.discard(model.name)
                self.breakers[model.name].note(None, monotonic())
            return
        self.troubled.add(model.name)
        self.breakers[model.name].note(failure, monotonic())
        if failure.reason == "refused" and self.settings[model.engine].local:
            self.down[model.engine] = f"{model.engine} does not answer: {failure.detail}"
            self.refused.set()

    def try_again(self, model: str) -> bool:
        """Whether a model that failed before may be tried by this request."""
        return model not in self.troubled or self.breakers[model].try_again(monotonic())

    def not_tried(self, model: str) -> None:
        """The request that was let through to try it again found no slot: the next one may."""
        if model in self.troubled:
            self.breakers[model].trial_until = 0.0

    def pauses(self, models: Iterable[str]) -> list[float]:
        """Seconds until those of these models come back that are left alone now."""
        now = monotonic()
        return [self.breakers[name].open_until - now for name in models if self.breakers[name].is_open(now)]

    # ── Looking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def looked_at(self) -> list[str]:
        """The engines that are looked at in the background."""
        return [name for name, settings in self.settings.items() if settings.local]

    async def start(self) -> None:
        """Look at every engine at home once, then go on looking in the background."""
        await self.take_charge()
        await self.look()
        self.looking = asyncio.create_task(self.keep_looking(), name="headgate-fleet")

    async def look(self) -> None:
        """Ask every engine at home whether it is up."""
        await asyncio.gather(*(self.look_at(name) for name in self.looked_at()))

    async def look_at(self, name: str) -> None:
        """Ask one engine whether it is up, what it has in memory, and, when it has just come up, what its models are."""
        before = self.health.get(name)
        try:
            health = await self.engines[name].health()
            if health.up:
                await self.learn(name)
        except Exception as error:
            log.exception("looking at %s failed", name)
            health = Health(up=False, detail=f"looking at it failed: {error!r}")
        self.health[name] = health
        if health.up:
            if self.down.pop(name, None) is not None:
                self.admission.back(name)
        else:
            self.to_learn.add(name)
            self.down[name] = health.detail or f"{name} does not answer"
            if before is not None and not before.up:  # once may be chance: a busy machine answers late
                self.admission.gone(name, self.down[name])
        if before is not None and before.up != health.up:
            log.warning("%s is %s", name, "up again" if health.up else f"down: {health.detail}")

    async def take_charge(self) -> None:
        """Find the memory of the engines whose models the gate loads."""
        if self.memory is None:
            return
        managed = {
            name: engine
            for name, engine in self.engines.items()
            if self.settings[name].manage and isinstance(engine, ManagedEngine)
        }
        found = await asyncio.gather(*(engine.loaded() for engine in managed.values()))
        held = {
            name: sum([model.memory or 0 for model in models])
            for name, models in zip(managed, found, strict=True)
            if not isinstance(models, Failure)
        }
        self.pools = pools_for([self.settings[name] for name in managed], self.memory, held)

    async def learn(self, name: str) -> None:
        """Learn what an engine has in memory, and when it has come up what its models are; until it has said so, at each look."""
        new = name in self.to_learn
        listed = not new or await self.note_models(name)
        seen = name not in self.pools or await self.look_into(name, new=new)
        if listed and seen:
            self.to_learn.discard(name)
        else:
            self.to_learn.add(name)

    async def note_models(self, name: str) -> bool:
        """Learn what an engine has, and which of it runs elsewhere; False if it did not say."""
        listed = await self.engines[name].list_models()
        if isinstance(listed, Failure):
            return False
        self.listed[name] = listed
        passed_on = {(name, model.id) for model in self.own(name) if is_remote(model, listed)}
        self.remote = frozenset({pair for pair in self.remote if pair[0] != name} | passed_on)
        return True

    async def look_into(self, name: str, *, new: bool) -> bool:
        """Learn what an engine has in memory, and of a new one how much its models take; False if something is unknown still."""
        engine, own, asked = self.engines[name], self.own(name), monotonic()
        assert isinstance(engine, ManagedEngine)
        found = await engine.loaded()
        if isinstance(found, Failure):
            return False
        ours = {one.id: model.id for model in own if (one := find_listed(model.id, found)) is not None}
        listed = self.listed.get(name, ())
        if not new:
            self.admission.seen(name, residents_of(found, ours, listed, self.reckoned(name)), asked)
            return all(find_listed(model, listed) is not None for model in ours.values())
        here = [model for model in own if model.local]
        before = replace(self.before, cards=fresh_cards(here, self.before.cards, self.listed))
        facts = await lane_facts(engine, self.settings[name], here, self.pools[name], before)
        reckoned = self.reckoned(name) | {lane.weights for lane in facts}
        residents = residents_of(found, ours, listed, reckoned)
        self.admission.learn(name, self.pools[name], facts, residents)
        return True

    def reckoned(self, engine: str) -> frozenset[str]:
        """The ids of an engine's models of which the gate knows how much memory they take."""
        lanes = self.admission.scheduler.lanes.values()
        return frozenset(lane.weights for lane in lanes if lane.engine == engine and lane.pool is not None)

    def own(self, engine: str) -> list[Model]:
        """The policy's models on an engine."""
        return [model for model in self.models.values() if model.engine == engine]

    async def keep_looking(self) -> None:
        """Look again and again, and soon where an engine has refused a request."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.refused.wait(), LOOK_EVERY)
                await asyncio.sleep(LOOK_AGAIN)
            self.refused.clear()
            await self.look()

    # ── Memory: what the scheduler has done ──────────────────────────────────────────────────────────────────────────

    async def load(self, lane: str) -> int | Denied | None:
        """Load a lane."""
        model = self.models[lane]
        settings, engine = self.settings[model.engine], self.engines[model.engine]
        assert isinstance(engine, ManagedEngine)
        known = self.admission.scheduler.lanes[lane]
        result = await engine.load(
            model.id,
            known.context,
            parallel=model.slots or settings.parallel,
            within=known.load_within(settings.load_within),
        )
        if isinstance(result, Failure):
            return Denied(result.detail + (f"; {result.hint}" if result.hint else ""), down=True)
        return result.memory

    async def unload(self, lane: str) -> None:
        """Unload a lane."""
        model = self.models[lane]
        engine = self.engines[model.engine]
        assert isinstance(engine, ManagedEngine)
        failure = await engine.unload(model.id)
        if failure is not None:
            log.warning("%s could not be unloaded: %s", lane, failure.detail)

    async def close(self) -> None:
        """Stop looking and loading, and close every engine."""
        if self.looking is not None:
            self.looking.cancel()
            with suppress(asyncio.CancelledError):
                await self.looking
        await self.admission.close()
        await asyncio.gather(*(engine.close() for engine in self.engines.values()))


def is_remote(model: Model, listed: Iterable[ListedModel]) -> bool:
    """Whether an engine says that it passes this model's requests on."""
    found = find_listed(model.id, listed)
    return found is not None and found.remote


def residents_of(
    found: Iterable[LoadedModel],
    ours: Mapping[str, str],
    listed: Iterable[ListedModel],
    reckoned: Container[str],
) -> list[Resident]:
    """What is in an engine's memory, by the policy's names.

    Args:
        found: in its memory.
        ours: the policy's ids, by the engine's.
        listed: what it has on disk. Of a model whose memory nobody knows, the size of its file is the least that it takes.
        reckoned: the policy's ids of models whose memory is known.
    """
    residents = []
    for one in found:
        name, memory = ours.get(one.id, one.id), one.memory
        if memory is None and name not in reckoned:
            file = find_listed(one.id, listed)
            memory = file.size if file is not None else None
        residents.append(Resident(name, one.context, memory))
    return residents
