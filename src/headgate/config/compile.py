"""A checked page of TOML → the values that the gate runs on.

Names are resolved here, once: routes to models, models to engines and prices, checks to functions, durations to seconds,
keys to secrets. What does not fit together is an error that names the place.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from headgate.config.agent_files import Origin
from headgate.config.agents import agent_from
from headgate.config.alternatives import alternatives_of
from headgate.config.audit import AuditSettings, audit_from
from headgate.config.budgets import budgets_from
from headgate.config.checks import resolve_checks
from headgate.config.energy import EnergySettings, energy_from
from headgate.config.engine import EngineSettings, engine_from
from headgate.config.learning import learning_from
from headgate.config.misfit import Misfit
from headgate.config.places import data_home
from headgate.config.prefixes import prefixes_of
from headgate.config.price_sources import PriceSources, at_home, source_of, sources_from
from headgate.config.prices import PriceFinder, find_price
from headgate.config.schema import FileTable, ModelTable, RouteTable
from headgate.config.tuning import TuneTable, tuning_from
from headgate.config.values import (
    MOST_AT_ONCE,
    address,
    gibibytes,
    is_loopback,
    log_probability,
    meant,
    not_negative,
    positive,
    schedule,
    seconds,
    share,
    time_kept,
)
from headgate.config.zones import zone_of
from headgate.core.budgets import Budget
from headgate.core.cascade import ITSELF
from headgate.core.checks import Check
from headgate.core.policy import Limits, Policy, Route, token_limits
from headgate.core.schedule import Schedule
from headgate.core.types import Model, Price
from headgate.core.words import TASKS, WEEKDAYS, KeyRule, ModelKind

MEGABYTE = 1024 * 1024

MOST_LANES = 3
"""Contexts of one model: each change of them loads it anew."""


class Streaming(Struct, frozen=True, kw_only=True):
    """How streams are held and kept alive."""

    peek_characters: int
    keep_alive: float


class LedgerSettings(Struct, frozen=True, kw_only=True):
    """Where and how decisions are written down."""

    path: Path
    flush: float
    keep_bodies: bool
    keep: float | None
    """Seconds; None is for ever."""
    keep_bodies_for: float | None


class Config(Struct, frozen=True, kw_only=True):
    """Everything the gate runs on, checked and compiled. Immutable."""

    source: Path | None
    """The file it came from; None for the built-in starter page."""
    host: str
    port: int
    keys: KeyRule | None
    """Whether callers need a key; None leaves it to where the gate listens (`keys_required`)."""
    body_limit: int
    """Bytes."""
    file_limit: int
    """Bytes of a file that a batch client uploads."""
    fetch_images: bool
    conversation_stays: float
    """Seconds; 0 is not at all."""
    engines: Mapping[str, EngineSettings]
    policy: Policy
    stated: frozenset[str]
    """The models whose capabilities the user himself states; of the others, a card may show that they lack one."""
    checks: Mapping[str, Check]
    streaming: Streaming
    ledger: LedgerSettings
    embedding_cache: int
    """Bytes of vectors that are kept; 0 is none."""
    budgets: tuple[Budget, ...]
    baseline_price: Price | None
    prices: PriceSources
    """Where these prices came from, so that they can be looked up again."""
    alternatives: tuple[Model, ...]
    """Cheap cloud models, of which home has to beat the cheapest that could take a request."""
    energy: EnergySettings
    audit: AuditSettings
    tune: TuneTable
    timezone: str
    """Where days and weeks begin, as `zones.zone_of` knows it."""
    week_starts: int
    """The day on which a week begins, 0 is Monday."""
    schedule: Schedule
    """When a week's report is sent."""
    send_to: tuple[str, ...]
    """To whom, in the user's words (`notify.targets`)."""
    alerts_to: tuple[str, ...]
    vram: int | None
    """Bytes of graphics memory that models may take; None is what there is."""
    ram: int | None
    """Bytes of main memory likewise."""
    warn_share: float
    """The share of local failures above which the report warns, 0–1."""
    warn_count: int
    """… from this many requests on."""

    @property
    def alone(self) -> bool:
        """Whether the gate listens on this machine alone."""
        return is_loopback(self.host)

    @property
    def keys_required(self) -> bool:
        """Whether callers need a key: as the page says, else wherever other machines reach the gate."""
        return self.keys == "required" or (self.keys is None and not self.alone)


def compile_config(
    table: FileTable,
    source: Path | None,
    price_finder: PriceFinder = find_price,
    origins: Mapping[str, Origin] = {},
) -> Config:
    """Give the page its meaning.

    Args:
        table: the page, with all agents.
        source: its file.
        price_finder: looks prices up.
        origins: where each agent is described.

    Raises:
        Misfit: something does not fit together.
    """
    host, port = address(table.server.listen)
    zone_of(table.report.timezone)
    engines = {name: engine_from(name, engine) for name, engine in table.engines.items()}
    models = {
        lane.name: lane
        for name, model in table.models.items()
        for lane in lanes_from(name, model, engines, price_finder)
    }
    sources = sources_from(table.models, engines, table.report)
    folder = source.parent if source is not None else Path.cwd()
    checks = resolve_checks(table, folder, {name: origin.folders for name, origin in origins.items()})
    if not table.routes:
        raise Misfit(
            ("routes",), "there is no route", "write at least one [[routes]] with a name and try = [...]"
        )
    routes = tuple(route_from(index, route, table, models) for index, route in enumerate(table.routes))
    for index, route in enumerate(routes):
        if route.name in [earlier.name for earlier in routes[:index]]:
            raise Misfit(
                ("routes", index, "name"),
                f'two routes are called "{route.name}"',
                "reports tell routes by their names",
            )
    last = len(routes) - 1
    if any(condition is not None for condition in conditions(table.routes[last])):
        raise Misfit(
            ("routes", last, "name"),
            f'the last route, "{routes[last].name}", has a condition, so some requests would have no route',
            'end with a route that has only a name and try = [...], "everything else"',
        )
    return Config(
        source=source,
        host=host,
        port=port,
        keys=table.server.keys,
        body_limit=positive(("server", "body_limit_mb"), table.server.body_limit_mb) * MEGABYTE,
        file_limit=positive(("batches", "file_limit_mb"), table.batches.file_limit_mb) * MEGABYTE,
        fetch_images=table.server.fetch_images,
        conversation_stays=seconds(
            ("limits", "conversation_stays"), table.limits.conversation_stays, nothing=True
        ),
        engines=engines,
        policy=Policy(
            routes=routes,
            models=models,
            agents={
                name: agent_from(name, agent, origins[name], models) for name, agent in table.agents.items()
            },
            limits=Limits(
                answer_within=seconds(("limits", "answer_within"), table.limits.answer_within),
                attempts=positive(("limits", "attempts"), table.limits.attempts),
                paid_per_request=not_negative(("limits", "paid_per_request"), table.limits.paid_per_request),
            ),
            task_confidence=share(("quality", "task_confidence"), table.quality.task_confidence),
            baseline=table.report.baseline,
            learning=learning_from(table.learn),
            token_limits=token_limits(routes, models.values()),
        ),
        stated=frozenset(name for name, model in table.models.items() if model.capabilities is not None),
        checks=checks,
        streaming=Streaming(
            peek_characters=positive(("streaming", "peek_characters"), table.streaming.peek_characters),
            keep_alive=seconds(("streaming", "keep_alive"), table.streaming.keep_alive),
        ),
        ledger=LedgerSettings(
            path=Path(table.ledger.path).expanduser() if table.ledger.path else data_home() / "ledger.db",
            flush=seconds(("ledger", "flush"), table.ledger.flush),
            keep_bodies=table.ledger.keep_bodies,
            keep=time_kept(("ledger", "keep"), table.ledger.keep),
            keep_bodies_for=time_kept(("ledger", "keep_bodies_for"), table.ledger.keep_bodies_for),
        ),
        embedding_cache=int(not_negative(("embeddings", "cache_mb"), table.embeddings.cache_mb) or 0)
        * MEGABYTE,
        budgets=budgets_from(table),
        baseline_price=sources.baseline.price(price_finder),
        prices=sources,
        alternatives=alternatives_of(table.report.alternative, models, price_finder),
        energy=energy_from(table.energy),
        audit=audit_from(table.audit, models),
        tune=tuning_from(table.tune),
        timezone=table.report.timezone,
        week_starts=WEEKDAYS.index(table.report.week_starts),
        schedule=schedule(("report", "weekly"), table.report.weekly),
        send_to=tuple(table.report.send_to),
        alerts_to=tuple(table.report.send_to if table.report.alerts_to is None else table.report.alerts_to),
        vram=gibibytes(("fleet", "vram_gb"), table.fleet.vram_gb),
        ram=gibibytes(("fleet", "ram_gb"), table.fleet.ram_gb),
        warn_share=share(("report", "warn"), table.report.warn.get("local_failures_over", 0.10)),
        warn_count=int(not_negative(("report", "warn"), table.report.warn.get("at_least", 30)) or 0),
    )


# ── Engines and models ───────────────────────────────────────────────────────────────────────────────────────────────


def lanes_from(
    name: str, table: ModelTable, engines: Mapping[str, EngineSettings], price_finder: PriceFinder
) -> tuple[Model, ...]:
    """A model, once for each context that the page gives it: the shortest under its own name, then its longer lanes."""
    place = ("models", name, "context")
    given = table.context if isinstance(table.context, list) else [table.context]
    contexts = sorted({positive(place, context) for context in given if context is not None})
    if len(contexts) > MOST_LANES or (isinstance(table.context, list) and not contexts):
        raise Misfit(place, f"{len(contexts)} contexts are given, but a model has one to {MOST_LANES}")
    shortest = model_from(name, table, engines, price_finder, contexts[0] if contexts else None)
    if len(contexts) > 1 and not (shortest.local and shortest.kind == "chat"):
        raise Misfit(
            place,
            f'the model "{name}" has several contexts, but {"it makes embeddings" if shortest.local else "is not loaded here"}',
            "write the largest one alone",
        )
    longer = [
        replace(shortest, name=f"{name}@{shown_tokens(context)}", context=context, lane_of=name)
        for context in contexts[1:]
    ]
    return (replace(shortest, longer=tuple([lane.name for lane in longer])), *longer)


def shown_tokens(tokens: int) -> str:
    """A context as people say it: 32768 is "32k"."""
    return f"{tokens // 1024}k" if tokens % 1024 == 0 else str(tokens)


def model_from(
    name: str,
    table: ModelTable,
    engines: Mapping[str, EngineSettings],
    price_finder: PriceFinder,
    context: int | None,
) -> Model:
    """A model with one context, with its engine found and its price looked up."""
    engine = engines.get(table.engine)
    if engine is None:
        raise Misfit(
            ("models", name, "engine"),
            f'the model "{name}" is on the engine "{table.engine}", which is not in this file',
            meant(table.engine, engines)
            or f"write [engines.{table.engine}] with its kind, or use one of: {', '.join(engines)}",
        )
    if name == "auto" or ":" in name or "@" in name or not name.isprintable():
        raise Misfit(
            ("models", name),
            f'"{name}" cannot name a model',
            '"auto" and names with a colon or an @ have a meaning of their own',
        )
    if table.kind == "embedding" and engine.kind == "anthropic":
        raise Misfit(
            ("models", name, "kind"),
            f'the model "{name}" makes embeddings, but Anthropic\'s protocol has none',
            "name an engine of another kind",
        )
    local = at_home(engine, table.id)
    extra: dict[str, Any] = (
        {"capabilities": frozenset(table.capabilities)} if table.capabilities is not None else {}
    )
    return Model(
        name=name,
        engine=table.engine,
        engine_kind=engine.kind,
        id=table.id,
        kind=table.kind,
        local=local,
        context=context,
        slots=positive(("models", name, "parallel"), table.parallel, MOST_AT_ONCE)
        if table.parallel is not None
        else None,
        max_output=positive(("models", name, "max_output"), table.max_output)
        if table.max_output is not None
        else None,
        price=source_of(name, table, engine).price(price_finder),
        confidence=None
        if table.confidence is None
        else log_probability(("models", name, "confidence"), table.confidence),
        confidence_for={
            task: log_probability(("models", name, "confidence_for", task), least)
            for task, least in table.confidence_for.items()
        },
        display=table.display or shown_name(table.id),
        label=table.label,
        settings=table.settings,
        prefixes=prefixes_of(name, table),
        **extra,
    )


def shown_name(model_id: str) -> str:
    """The report's name for a model: its id without folder, tag and file ending."""
    return model_id.rsplit("/", 1)[-1].split(":", 1)[0].removesuffix(".gguf")


# ── Routes and checks ────────────────────────────────────────────────────────────────────────────────────────────────


def route_from(index: int, table: RouteTable, page: FileTable, models: Mapping[str, Model]) -> Route:
    """A route with its models, mode and checks resolved."""
    place = ("routes", index)
    if not table.name.isprintable() or not table.name:
        raise Misfit(
            (*place, "name"), "a route's name is one line of text", "it stands in headers and reports"
        )
    if not table.chain:
        raise Misfit(
            (*place, "try"),
            f'the route "{table.name}" tries no model',
            f'write try = ["{next(iter(models), "model")}"]',
        )
    for name in table.chain:
        if name not in page.models:
            raise Misfit(
                (*place, "try"),
                f'the route "{table.name}" tries "{name}", which is not a model in this file',
                meant(name, page.models) or f"the models are: {', '.join(page.models)}",
            )
    if len(set(table.chain)) < len(table.chain):
        raise Misfit(
            (*place, "try"),
            f'the route "{table.name}" names a model twice',
            "a model is tried once per request",
        )
    kind = kind_of(place, table, models)
    for field in ("tokens_over", "tokens_under"):
        not_negative((*place, field), getattr(table, field))
    if table.local_only and not all(models[name].local for name in table.chain):
        paid = next(name for name in table.chain if not models[name].local)
        raise Misfit(
            (*place, "try"),
            f'the route "{table.name}" is local_only, but tries "{paid}"',
            "it would always be skipped",
        )
    quality = page.quality
    checks = (
        {task: tuple(table.checks) for task in (*TASKS, "")}
        if table.checks is not None
        else {task: (*quality.always, *quality.tasks.get(task, ())) for task in TASKS}
        | {"": tuple(quality.always)}
    )
    return Route(
        name=table.name,
        chain=tuple([lane for name in table.chain for lane in (name, *models[name].longer)]),
        kind=kind,
        tasks=frozenset(table.tasks) if table.tasks is not None else None,
        tokens_over=table.tokens_over,
        tokens_under=table.tokens_under,
        formats=frozenset(table.formats) if table.formats is not None else None,
        languages=frozenset(table.languages) if table.languages is not None else None,
        local_only=table.local_only,
        when_busy=table.when_busy,
        queue_for=seconds((*place, "queue_for"), table.queue_for or page.limits.queue_for),
        mode=table.mode or page.streaming.mode,
        pass_at=share(("quality", "pass_at"), quality.pass_at)
        if table.pass_at is None
        else share((*place, "pass_at"), table.pass_at),
        checks=checks,
        order=table.order,
        confirm=confirming((*place, "confirm"), table.confirm, models),
    )


def confirming(place: tuple[str | int, ...], name: str | None, models: Mapping[str, Model]) -> str:
    """Who has to agree with an answer from home; "" is nobody. Whoever it is answers at home: paying to confirm would spare nothing."""
    if name is None or name == ITSELF:
        return name or ""
    model = models.get(name)
    if model is None:
        raise Misfit(
            place,
            f'"{name}" is not a model in this file',
            meant(name, [ITSELF, *models]) or f'write confirm = "{ITSELF}", or the name of a model at home',
        )
    if not model.local or model.kind != "chat":
        what = (
            "makes embeddings"
            if model.kind != "chat"
            else "is not at home, and each answer would cost a second one"
        )
        raise Misfit(place, f'"{name}" {what}', f'write confirm = "{ITSELF}", or the name of a model at home')
    return name


def kind_of(place: tuple[str | int, ...], table: RouteTable, models: Mapping[str, Model]) -> ModelKind:
    """Which kind of models a route tries. They are all of one kind, and a route that embeds says so in its tasks."""
    embedding = [name for name in table.chain if models[name].kind == "embedding"]
    if not embedding:
        return "chat"
    answering = next((name for name in table.chain if models[name].kind == "chat"), None)
    if answering is not None:
        raise Misfit(
            (*place, "try"),
            f'the route "{table.name}" tries "{embedding[0]}", which makes embeddings, and "{answering}", which answers',
            'write two routes; the one that embeds has tasks = ["embedding"]',
        )
    if table.tasks != ["embedding"]:
        raise Misfit(
            (*place, "try"),
            f'the route "{table.name}" tries "{embedding[0]}", which makes embeddings',
            'leave it out, or write a route with tasks = ["embedding"]',
        )
    return "embedding"


def conditions(table: RouteTable) -> tuple[object, ...]:
    """What a route asks for before it matches."""
    return (table.tasks, table.tokens_over, table.tokens_under, table.formats, table.languages)
