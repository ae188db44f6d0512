"""What a gate starts with: its engines, its models as they were measured here, last week's traffic, its budgets.

It does not know how the parts are put together (`app`).
"""

import asyncio
from collections.abc import Callable, Iterable
from time import time

from msgspec.structs import replace

from headgate.config.compile import Config
from headgate.config.engine import EngineSettings, is_here
from headgate.config.zones import zone_of
from headgate.core.budgets import Alert
from headgate.core.cards import Cards, apply, fresh_cards, stale_cards
from headgate.core.engine import Engine
from headgate.core.errors import EngineError, LedgerError
from headgate.core.memory import need
from headgate.core.recount import Tally
from headgate.core.types import Model
from headgate.core.versions import since_when
from headgate.core.words import TASKS, Task
from headgate.engines.connect import connect
from headgate.engines.llamacpp.catalogue import examine
from headgate.engines.llamacpp.engine import Llamacpp
from headgate.fleet.fleet import Fleet
from headgate.fleet.power.sampler import Power
from headgate.fleet.power.sensors import Found, find_sensors, this_machine
from headgate.fleet.sizes import Memory, caches, pools_for
from headgate.gateway.budgets import Budgets
from headgate.gateway.road import Road
from headgate.gateway.sampling import Sampling
from headgate.lab.auditing.aside import Aside
from headgate.lab.auditing.auditor import Auditor
from headgate.lab.auditing.purse import Purse
from headgate.ledger.audit_jobs import AuditJobs
from headgate.ledger.sealing import seal_of

LATELY = 20_000
"""Requests of the ledger that tell how often each model's answers pass."""
ENOUGH = 50
"""Answers of a model to a task below which nothing is said of how often they pass."""

NEWEST = 2_000
"""Requests of the ledger that tell how many of the baseline's tokens a model's are."""
WEEK = 7 * 86_400.0
"""Seconds of traffic by which the gate decides, when it opens, what is worth loading before anybody asks."""

AHEAD = 2
"""Requests of batches under way for each slot at home: one is answered, one is ready to be."""
BESIDE_PAID = 4
"""Requests of batches under way beyond those, where a paid model may answer some of them."""


def with_cards(config: Config, cards: Cards, fleet: Fleet) -> tuple[Config, tuple[str, ...]]:
    """The config with its models as they were measured here, and sentences about measurements that do not count any more."""
    models = config.policy.models
    fresh = fresh_cards(models.values(), cards, fleet.listed)
    measured = {
        name: apply(
            model,
            fresh.get((model.engine, model.id)),
            stated=name in config.stated or model.lane_of in config.stated,
        )
        for name, model in models.items()
    }
    stale = stale_cards(config.policy.named.values(), cards, fleet.listed)
    return replace(config, policy=replace(config.policy, models=measured)), stale


def baseline_model(config: Config) -> Model:
    """The model that savings are measured against, for the ledger: nobody calls it unless it is one of the config's."""
    name = config.policy.baseline
    own = config.policy.models.get(name)
    if own is not None:
        return own
    return Model(
        name=name, engine="", engine_kind="openai", id=name, local=False, price=config.baseline_price
    )


def build_engine(
    settings: EngineSettings, models: Iterable[Model], *, eager: frozenset[str] | None = None
) -> Engine:
    """The adapter of one engine; the embedded one learns here which models to load, at once those in `eager` or all."""
    return connect(settings, [model for model in models if model.engine == settings.name], eager=eager)


def loaded_at_once(
    settings: EngineSettings, models: Iterable[Model], memory: Memory
) -> frozenset[str] | None:
    """The models that the embedded engine loads when it starts: as many as fit, in the order of the config. None is all.

    The others are loaded when somebody asks for them. Files that cannot be read are named by the engine.
    """
    pool = pools_for([settings], memory, {}).get(settings.name) if settings.manage else None
    if pool is None or settings.kind != "llamacpp" or settings.url is not None:
        return None
    eager, left = set(), pool.capacity
    for model in models:
        if model.engine != settings.name or model.lane_of:
            continue
        file = examine(model.id)
        if isinstance(file, EngineError) or file.shape is None:
            eager.add(model.id)
            continue
        slots = caches(model, model.slots or settings.parallel)
        takes = need(file.shape, model.context or file.context, slots).total
        if takes <= left:
            eager.add(model.id)
            left -= takes
    return frozenset(eager)


async def start_embedded(engines: dict[str, Engine]) -> tuple[str, ...]:
    """Start the engines that are our own children; sentences about those that would not."""
    own = [engine for engine in engines.values() if isinstance(engine, Llamacpp)]
    errors = await asyncio.gather(*(engine.start() for engine in own))
    return tuple(
        f"{engine.name} did not start: {error.message}" + (f" ({error.hint})" if error.hint else "")
        for engine, error in zip(own, errors, strict=True)
        if isinstance(error, EngineError)
    )


def requests_at_once(config: Config) -> int:
    """Requests of batches under way at a time: enough for every slot at home, and some for paid models."""
    models = [model for model in config.policy.models.values() if not model.lane_of]
    home = sum(model.slots or config.engines[model.engine].parallel for model in models if model.local)
    paid = BESIDE_PAID if any(not model.local for model in models) else 0
    return AHEAD * home + paid


def traffic(config: Config) -> dict[str, float]:
    """Requests per second of the last week, by the model that answered, as far as there is a ledger that can be read."""
    if not config.ledger.path.exists():
        return {}
    from headgate.ledger.queries import LedgerReader  # noqa: PLC0415  # only if there is a ledger

    try:
        with LedgerReader(config.ledger.path) as reader:
            counts = reader.answered_since(time() - WEEK)
    except LedgerError:
        return {}
    return {name: count / WEEK for name, count in counts.items()}


def with_rates(config: Config) -> Config:
    """The config with how often each model's answers passed lately, where a route wants to know it and there is a ledger.

    Of a model that was pulled anew under its name, only the answers of the version that is there now count.
    """
    policy = config.policy
    if not config.ledger.path.exists() or all(route.order == "given" for route in policy.routes):
        return config
    from headgate.ledger.queries import LedgerReader  # noqa: PLC0415  # only if there is a ledger
    from headgate.ledger.versions import newest_versions  # noqa: PLC0415  # likewise

    try:
        changed = since_when(policy.models, newest_versions(config.ledger.path))
        with LedgerReader(config.ledger.path) as reader:
            found = reader.passing(LATELY, changed)
    except LedgerError:
        return config
    passing: dict[str, dict[Task, float]] = {}
    for (name, task), (passed, tried) in found.items():
        if tried >= ENOUGH and task in TASKS:
            passing.setdefault(name, {})[task] = passed / tried
    models = {name: replace(model, passing=passing.get(name, {})) for name, model in policy.models.items()}
    return replace(config, policy=replace(policy, models=models))


def alternatives_beside(config: Config) -> list[Model]:
    """The cloud models that home has to beat and that are not among the config's own, for the ledger."""
    return [model for model in config.alternatives if model.name not in config.policy.models]


def power_of(config: Config) -> Power:
    """The meters for what models at home draw; none where there is no such model. Blocks while drivers answer."""
    home = {model.engine for model in config.policy.models.values() if model.local}
    if not home:
        return Power(Found())
    here = [name for name in home if is_here(config.engines[name].url)]
    found = find_sensors(config.energy, this_machine())
    return Power(found, here, idle=config.energy.idle_watts)


def recounted(config: Config) -> dict[str, Tally]:
    """What the newest rows of the ledger tell of the models' own tokens, as far as there is a ledger that can be read."""
    if not config.ledger.path.exists():
        return {}
    from headgate.ledger.queries import LedgerReader  # noqa: PLC0415  # only if there is a ledger

    try:
        with LedgerReader(config.ledger.path) as reader:
            return reader.recounted(NEWEST)
    except LedgerError:
        return {}


def sampling_of(config: Config) -> Sampling | None:
    """Who chooses the requests that are audited; None where none are.

    Raises:
        ConfigError: what is kept for them is to be sealed, and cannot be.
    """
    seal = seal_of(config.audit)
    return Sampling(config.audit, seal) if config.audit.on else None


def auditor_of(config: Config, road: Road) -> Auditor:
    """Who makes the audits of a gate."""
    settings = config.audit
    purse = Purse(config.ledger.path, settings.paid_per_week, zone_of(config.timezone), config.week_starts)
    return Auditor(
        AuditJobs(config.ledger.path, seal_of(settings)),
        Aside(road, purse),
        purse,
        judge=settings.judge,
        idle_for=settings.idle_for,
    )


def open_budgets(config: Config, on_level: Callable[[Alert], object] = lambda _: None) -> Budgets:
    """The budgets as the ledger says that they stand.

    Args:
        config: names them.
        on_level: told of each level that a budget reaches, the ones reached before this start included.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    from headgate.ledger.alerts import highest_level  # noqa: PLC0415  # only commands that show money, and the gate
    from headgate.ledger.spending import paid_from  # noqa: PLC0415

    path = config.ledger.path
    zone, week_starts = zone_of(config.timezone), config.week_starts
    budgets = Budgets(config.budgets, zone, week_starts=week_starts, on_level=on_level)
    budgets.resume(
        lambda budget, begun: paid_from(path, budget, begun),
        lambda name, begun: highest_level(path, name, begun),
    )
    return budgets
