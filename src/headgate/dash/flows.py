"""Where requests went, for the page: task → route → model → result, counted; and the routes as rules in words.

It reads the ledger, once per look, and decides nothing: flows from its rollups, how long prompts were from its rows. Blocks; the
service asks for it on another thread.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import ceil, log

from msgspec import Struct
from sqlalchemy import Connection, func, select

from headgate.config.compile import Config
from headgate.core.policy import Policy, Route
from headgate.core.words import Mode, ModelKind
from headgate.ledger.cells import Cell, Days
from headgate.ledger.counting import count
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import requests
from headgate.ledger.units import MICRO, NANO
from headgate.reports.shown import full_name

GROWTH = 1.25
"""The lengths of prompts are shown in bands, each so many times as wide as the one before."""


class Flow(Struct, frozen=True, kw_only=True):
    """Requests with one task, route, model and result. Dollars; None is no evidence, nobody, or unknown."""

    task: str | None
    route: str
    model: str | None
    shown: str | None
    """The model as reports name it."""
    local: bool | None
    status: str
    fallback: str | None
    requests: int
    cost: float
    """As far as it is known."""
    unpriced: int
    """Requests whose cost is unknown."""


class Rule(Struct, frozen=True, kw_only=True):
    """A route, with its rule in words."""

    name: str
    rule: str
    chain: tuple[str, ...]
    kind: ModelKind
    tokens_over: int | None
    tokens_under: int | None
    pass_at: float
    mode: Mode


class Quality(Struct, frozen=True):
    """What [quality] sets, in as far as the view asks about it."""

    pass_at: float | None
    task_confidence: float


class Known(Struct, frozen=True):
    """A model of the config."""

    name: str
    local: bool
    kind: ModelKind
    label: str


class Band(Struct, frozen=True, rename={"begin": "from"}):
    """Prompts of about one length."""

    begin: int
    """Tokens of the shortest."""
    requests: int


class Flows(Struct, frozen=True, kw_only=True):
    """All that the Routing view shows of some time. Times are Unix seconds."""

    since: float
    until: float
    oldest: float | None
    """When the ledger's first request came in."""
    requests: int
    flows: tuple[Flow, ...]
    routes: tuple[Rule, ...]
    quality: Quality
    models: tuple[Known, ...]
    lengths: tuple[Band, ...]
    config: str | None


def read_flows(config: Config, since: float, until: float) -> Flows:
    """Count some time.

    Raises:
        LedgerError: there is no ledger, or it cannot be read.
    """
    start, end = round(since * MICRO), round(until * MICRO)
    received, tokens = requests.c.received, requests.c.tokens
    lengths = select(tokens, func.count()).where(received >= start, received < end).group_by(tokens)
    with LedgerReader(config.ledger.path) as reader, reader.connect() as db:
        flows = flows_of(reader, db, start, end)
        counted = dict(db.execute(lengths).tuples().all())
        oldest = db.execute(select(func.min(received))).scalar()
    policy = config.policy
    return Flows(
        since=since,
        until=until,
        oldest=None if oldest is None else oldest / MICRO,
        requests=sum([flow.requests for flow in flows]),
        flows=flows,
        routes=tuple(
            describe_route(route, policy, last=index == len(policy.routes) - 1)
            for index, route in enumerate(policy.routes)
        ),
        quality=Quality(shared_bar(policy.routes), policy.task_confidence),
        models=tuple(
            Known(model.name, model.local, model.kind, model.label) for model in policy.named.values()
        ),
        lengths=in_bands(counted),
        config=None if config.source is None else str(config.source),
    )


def flows_of(reader: LedgerReader, db: Connection, since: int, until: int) -> tuple[Flow, ...]:
    """The flows of some time, in microseconds: most of them from rollups."""
    found: defaultdict[tuple[int, ...], list[Cell]] = defaultdict(list)
    for facet, cell in count(reader.path, since, until, Days([since // MICRO])).sums.cells.items():
        found[facet.task, facet.route, facet.model, facet.status, facet.fallback].append(cell)
    words, names, described = reader.words(db), reader.model_names(db), reader.described(db)
    flows = []
    for (task, route, model, status, fallback), cells in sorted(found.items()):
        known = described.get(model)
        flows.append(
            Flow(
                task=words[task] if task else None,
                route=words[route],
                model=names[model] if model else None,
                shown=full_name(known, names[model]) if model else None,
                local=None if known is None else known.local,
                status=words[status],
                fallback=words[fallback] if fallback else None,
                requests=sum([cell.requests for cell in cells]),
                cost=sum([cell.cost for cell in cells]) / NANO,
                unpriced=sum([cell.cost_unknown for cell in cells]),
            )
        )
    return tuple(flows)


def describe_route(route: Route, policy: Policy, *, last: bool) -> Rule:
    """A route, with its rule in words."""
    return Rule(
        name=route.name,
        rule=rule_of(route, last=last),
        chain=tuple(name for name in route.chain if not policy.models[name].lane_of),
        kind=route.kind,
        tokens_over=route.tokens_over,
        tokens_under=route.tokens_under,
        pass_at=route.pass_at,
        mode=route.mode,
    )


def rule_of(route: Route, *, last: bool) -> str:
    """When a route matches, as a phrase."""
    said = []
    if route.tasks is not None:
        said.append(any_of(sorted(route.tasks)))
    if route.tokens_over is not None:
        said.append(f"over {route.tokens_over:,} tokens")
    if route.tokens_under is not None:
        said.append(f"under {route.tokens_under:,} tokens")
    if route.formats is not None:
        said.append(f"asked for {any_of(sorted(route.formats))}")
    if route.languages is not None:
        said.append(f"in {any_of(sorted(route.languages))}")
    rule = ", ".join(said) or ("everything else" if last else "everything")
    return f"{rule}; stays at home" if route.local_only else rule


def any_of(words: Iterable[str]) -> str:
    """The words as people list them: "a, b or c"."""
    *before, last = words
    return f"{', '.join(before)} or {last}" if before else last


def shared_bar(routes: Iterable[Route]) -> float | None:
    """The score at which answers pass on most routes, which is the one that [quality] sets."""
    bars = [route.pass_at for route in routes]
    return max(bars, key=bars.count, default=None)


def in_bands(tokens: Mapping[int, int]) -> tuple[Band, ...]:
    """How many prompts are how long, in bands that grow: each begins where the one before has grown by a fourth."""
    bands: dict[int, int] = {}
    for length, many in tokens.items():
        band = int(log(max(length, 1), GROWTH))
        bands[band] = bands.get(band, 0) + many
    return tuple(Band(ceil(GROWTH**band), bands[band]) for band in sorted(bands))
