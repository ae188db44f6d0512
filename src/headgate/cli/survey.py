"""Look at every engine of a config once: is it up, and what does it have? Shared by doctor, engines, models and init."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.config.engine import EngineSettings
    from headgate.core.engine import Engine, Health, ListedModel


LOOK_ONLY: frozenset[str] = frozenset()
"""No model is put into memory for a look."""


class Seen(Struct, frozen=True, kw_only=True):
    """One engine as it was found."""

    name: str
    kind: str
    url: str | None
    local: bool
    health: "Health"
    models: tuple["ListedModel", ...] | None = None
    """None: it did not say."""
    has_key: bool = False


@asynccontextmanager
async def engines_of(
    config: "Config", names: Iterable[str], eager: frozenset[str] | None = None
) -> AsyncGenerator[dict[str, "Engine"]]:
    """These engines, started where they are ours, closed at the end.

    Args:
        config: where they are.
        names: which.
        eager: the ids of models that an embedded engine loads at once; None is all that the config names.
    """
    from headgate.starting import build_engine, start_embedded

    models = config.policy.models.values()
    engines = {name: build_engine(config.engines[name], models, eager=eager) for name in names}
    try:
        await start_embedded(engines)
        yield engines
    finally:
        await asyncio.gather(*(engine.close() for engine in engines.values()))


async def survey(config: "Config") -> dict[str, Seen]:
    """Every engine of the config, in its order. A paid engine is asked for its models only if it has a key: that is free."""
    async with engines_of(config, config.engines, LOOK_ONLY) as engines:
        seen = await asyncio.gather(*(look_at(engines[name], config.engines[name]) for name in engines))
    return {one.name: one for one in seen}


async def look_at(engine: "Engine", settings: "EngineSettings") -> Seen:
    """One engine."""
    from msgspec.structs import replace

    from headgate.cli.models_target import lives_in_the_gate
    from headgate.core.engine import Health
    from headgate.core.types import Failure
    from headgate.fleet.fleet import NEEDS_KEY

    if settings.kind in NEEDS_KEY and settings.key is None:
        health, listed = Health(up=False, detail="it has no key"), None
    else:
        health = await engine.health()
        answer = await engine.list_models() if health.up else None
        listed = None if isinstance(answer, Failure) else answer
    if listed is not None and lives_in_the_gate(settings):  # what this command has in memory is no news
        listed = tuple(replace(one, loaded=None) for one in listed)
    return Seen(
        name=settings.name,
        kind=settings.kind,
        url=settings.url,
        local=settings.local,
        health=health,
        models=listed,
        has_key=settings.key is not None,
    )


def find_listed(model_id: str, listed: tuple["ListedModel", ...]) -> "ListedModel | None":
    """The model as its engine lists it."""
    from headgate.core import engine

    return engine.find_listed(model_id, listed)
