"""All engines as they are now: up, down, left alone, busy. State has one owner, and this is it.

The fleet looks at its engines in the background: those at home every few seconds, because they come and go with the
user's laptop lid; paid ones never, because that could cost money; they count as up as long as they have a key. An engine
that refuses a connection is down at once, without waiting for the next look.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import monotonic

from headgate.config.engine import EngineSettings
from headgate.core.engine import Engine, Health
from headgate.core.types import Failure, FleetView
from headgate.fleet.admission import Admission
from headgate.fleet.breaker import Breaker

LOOK_EVERY = 5.0
"""Seconds between two looks at an engine at home."""

NOBODY: frozenset[str] = frozenset()
NEEDS_KEY = frozenset({"openai", "anthropic"})

log = logging.getLogger("headgate.fleet")


class Fleet:
    """The engines of one gate.

    Args:
        engines: by their name in the config.
        settings: of the same engines.
        patience: seconds that a request may wait for a slot.
    """

    def __init__(
        self, engines: Mapping[str, Engine], settings: Mapping[str, EngineSettings], patience: float
    ) -> None:
        self.engines = engines
        self.settings = settings
        self.admission = {name: Admission(settings[name].parallel, patience) for name in engines}
        self.breakers = {name: Breaker() for name in engines}
        self.health: dict[str, Health] = {}
        self.down: dict[str, str] = {
            name: f"{name} has no key"
            for name, s in settings.items()
            if s.kind in NEEDS_KEY and s.key is None
        }
        self.remote: frozenset[tuple[str, str]] = frozenset()
        """(engine, id) of models that an engine at home passes on: Ollama does so with its cloud models, under any name."""
        self.looking: asyncio.Task[None] | None = None

    def view(self, paid_left: float | None) -> FleetView:
        """The fleet as a decision sees it."""
        now = monotonic()
        left_alone = [name for name, breaker in self.breakers.items() if breaker.open_until > now]
        busy = [name for name, admission in self.admission.items() if admission.waiting and admission.full]
        return FleetView(
            down=self.down,
            breaker=frozenset(left_alone) if left_alone else NOBODY,
            busy=frozenset(busy) if busy else NOBODY,
            remote=self.remote,
            paid_left=paid_left,
        )

    def note(self, engine: str, failure: Failure | None) -> None:
        """Learn from the outcome of one call."""
        self.breakers[engine].note(failure, monotonic())
        if failure is not None and failure.reason == "refused" and engine in self.looked_at():
            self.down[engine] = f"{engine} does not answer: {failure.detail}"

    def pauses(self, engines: Iterable[str]) -> list[float]:
        """Seconds until those of these engines come back that are left alone now."""
        now = monotonic()
        return [self.breakers[name].open_until - now for name in engines if self.breakers[name].is_open(now)]

    def looked_at(self) -> list[str]:
        """The engines that are looked at in the background."""
        return [name for name, settings in self.settings.items() if settings.local]

    async def start(self) -> None:
        """Look at every engine at home once, then go on looking in the background."""
        await self.look()
        self.looking = asyncio.create_task(self.keep_looking(), name="headgate-fleet")

    async def look(self) -> None:
        """Ask every engine at home whether it is up."""
        await asyncio.gather(*(self.look_at(name) for name in self.looked_at()))

    async def look_at(self, name: str) -> None:
        """Ask one engine whether it is up, and, when it has just come up, which of its models are elsewhere."""
        before = self.health.get(name)
        try:
            health = await self.engines[name].health()
            if health.up and (before is None or not before.up):
                listed = await self.engines[name].list_models()
                models = () if isinstance(listed, Failure) else listed
                others = {pair for pair in self.remote if pair[0] != name}
                self.remote = frozenset(others | {(name, model.id) for model in models if model.remote})
        except Exception as error:
            log.exception("looking at %s failed", name)
            health = Health(up=False, detail=f"looking at it failed: {error!r}")
        self.health[name] = health
        if health.up:
            self.down.pop(name, None)
        else:
            self.down[name] = health.detail or f"{name} does not answer"
        if before is not None and before.up != health.up:
            log.warning("%s is %s", name, "up again" if health.up else f"down: {health.detail}")

    async def keep_looking(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def close(self) -> None:
        """Stop looking, and close every engine."""
        if self.looking is not None:
            self.looking.cancel()
            with suppress(asyncio.CancelledError):
                await self.looking
        await asyncio.gather(*(engine.close() for engine in self.engines.values()))
