"""What the checks look at, each thing once, however many of them ask for it.

A look that hangs (a driver, a disk) keeps nobody but those who wait for it: it is made on a thread that the process leaves
behind. It judges nothing.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import Struct

from headgate.core.engine import Health, ListedModel, LoadedModel, ManagedEngine
from headgate.core.types import Failure, Model

if TYPE_CHECKING:
    from headgate.cli.plan_subjects import Survey
    from headgate.config.compile import Config
    from headgate.config.engine import EngineSettings
    from headgate.core.cards import Cards
    from headgate.core.engine import Engine
    from headgate.core.hardware import Hardware
    from headgate.fleet.programs.found import Program
    from headgate.fleet.programs.machine import Machine

Result = TypeVar("Result")

NOT_ASKED = Failure(reason="refused", detail="it has no key")


class Met(Struct, frozen=True, kw_only=True):
    """An engine as it answered."""

    health: Health
    listed: tuple[ListedModel, ...] | Failure

    @property
    def models(self) -> tuple[ListedModel, ...] | None:
        """What it has; None when it does not say."""
        return None if isinstance(self.listed, Failure) else self.listed


class World:
    """The config, its engines and this machine.

    Args:
        config: what is wanted.
        engines: its engines, by name; of the embedded ones none has been started.
        machine: where programs run.
    """

    def __init__(self, config: "Config", engines: Mapping[str, "Engine"], machine: "Machine") -> None:
        self.config = config
        self.engines = engines
        self.machine = machine
        self.proven: dict[str, list[LoadedModel]] = {}
        """What was loaded on purpose, by engine."""
        self._looks: dict[tuple[str, ...], asyncio.Task[Any]] = {}

    def models_on(self, engine: str) -> list[Model]:
        """The config's models on an engine, without their longer lanes."""
        return [model for model in self.config.policy.named.values() if model.engine == engine]

    async def met(self, name: str) -> Met:
        """An engine, asked how it is and what it has."""
        return cast("Met", await self._once(("met", name), lambda: _meet(self, name)))

    async def loaded(self, name: str) -> tuple[LoadedModel, ...] | Failure | None:
        """What is in an engine's memory; None when it does not manage it."""
        engine = self.engines[name]
        if not isinstance(engine, ManagedEngine):
            return None
        return cast("tuple[LoadedModel, ...] | Failure", await self._once(("loaded", name), engine.loaded))

    async def program(self, name: str) -> "Program | None":
        """An engine as a program of this machine; None when it is none that we know."""
        from headgate.cli.engines_service import here, look

        settings = self.config.engines[name]
        if settings not in here(self.config):
            return None
        return cast(
            "Program",
            await self._once(("program", name), lambda: in_thread(lambda: look(self.machine, settings))),
        )

    async def hardware(self) -> "Hardware":
        """This machine."""
        from headgate.fleet.hardware import look

        return cast("Hardware", await self._once(("hardware",), lambda: in_thread(look)))

    async def has_gpu(self) -> bool:
        """Whether models may run on a GPU here: there is one, or the config says so."""
        return bool(self.config.vram) or bool((await self.hardware()).gpus)

    async def survey(self) -> "Survey":
        """The models of this machine, with what decides their memory."""
        from headgate.cli.plan_subjects import survey_models
        from headgate.config.engine import is_here

        models = [
            model
            for model in self.config.policy.models.values()
            if model.local and is_here(self.config.engines[model.engine].url)
        ]
        return cast("Survey", await self._once(("survey",), lambda: survey_models(self.config, models)))

    async def cards(self) -> "Cards":
        """What was measured."""
        from headgate.ledger.cards import newest_cards

        return cast(
            "Cards",
            await self._once(("cards",), lambda: in_thread(lambda: newest_cards(self.config.ledger.path))),
        )

    async def _once(self, key: tuple[str, ...], look: Callable[[], Awaitable[Any]]) -> Any:
        """The result of a look, made when it is first asked for. Who gives up waiting does not end it for the others."""
        if key not in self._looks:
            self._looks[key] = asyncio.ensure_future(_awaited(look()))
        return await asyncio.shield(self._looks[key])

    async def gate_is_open(self) -> bool:
        """Whether a gate is open on this machine."""
        from headgate.cli.runfile import find_gate

        return await self._once(("gate",), lambda: in_thread(find_gate)) is not None

    async def start_embedded(self) -> None:
        """Start the engines that are children of ours, without any model."""
        from headgate.starting import start_embedded

        await self._once(("start",), lambda: start_embedded(dict(self.engines)))

    async def close(self) -> None:
        """End the looks that are still under way, and close the engines."""
        for look in self._looks.values():
            look.cancel()
        await asyncio.gather(*self._looks.values(), return_exceptions=True)
        await asyncio.gather(*(engine.close() for engine in self.engines.values()), return_exceptions=True)


async def _awaited(look: Awaitable[Result]) -> Result:
    return await look


async def _meet(world: World, name: str) -> Met:
    """Ask a local engine how it is and what it has; one elsewhere only what it has, which tells both."""
    engine, settings = world.engines[name], world.config.engines[name]
    if not settings.local:
        return await _meet_elsewhere(engine, settings)
    health = await engine.health()
    listed = await engine.list_models() if health.up else Failure(reason="refused", detail=health.detail)
    return Met(health=health, listed=listed)


async def _meet_elsewhere(engine: "Engine", settings: "EngineSettings") -> Met:
    from headgate.fleet.fleet import NEEDS_KEY

    if settings.kind in NEEDS_KEY and settings.key is None:
        return Met(health=Health(up=False, detail=NOT_ASKED.detail), listed=NOT_ASKED)
    listed = await engine.list_models()
    if not isinstance(listed, Failure):
        return Met(health=Health(up=True), listed=listed)
    up = listed.status is not None and 400 <= listed.status < 500  # it understood us, and said no
    return Met(health=Health(up=up, detail=listed.detail), listed=listed)


def in_thread(function: Callable[[], Result]) -> "asyncio.Future[Result]":
    """A function's result from a thread of its own, which never keeps the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def tell(settle: Callable[[Any], None], value: object) -> None:
        if not future.done():
            settle(value)

    def work() -> None:
        try:
            settle, value = cast("Callable[[Any], None]", future.set_result), cast("object", function())
        except Exception as error:  # noqa: BLE001  # handed to whoever waits
            settle, value = future.set_exception, error
        with suppress(RuntimeError):  # nobody waits any more, and the loop is closed
            loop.call_soon_threadsafe(tell, settle, value)

    threading.Thread(target=work, name="a look", daemon=True).start()
    return future
