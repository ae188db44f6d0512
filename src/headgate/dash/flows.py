"""Where requests went, for the page: task → route → model → result, counted; and the routes as rules in words.

It reads the ledger, once per look, and decides nothing. Blocks; the service asks for it on another thread.
"""

from collections.abc import Iterable, Mapping
from math import ceil, log
from typing import Any

from sqlalchemy import func, select

from headgate.config.compile import Config
from headgate.core.policy import Policy, Route
from headgate.ledger.dimensions import NANO
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import MICRO, requests
from headgate.reports.shown import full_name

GROWTH = 1.25
"""The lengths of prompts are shown in bands, each so many times as wide as the one before."""


def read_flows(config: Config, since: float, until: float) -> dict[str, Any]:
    """All that the Routing view shows of some time.

    Raises:
        LedgerError: there is no ledger, or it cannot be read.
    """
    columns = requests.c
    start, end = round(since * MICRO), round(until * MICRO)
    within = (columns.received >= start, columns.received < end)
    by = (columns.task, columns.route, columns.model, columns.status, columns.fallback)
    query = select(*by, func.count(), func.sum(columns.cost), func.count() - func.count(columns.cost))
    lengths = select(columns.tokens, func.count()).where(*within).group_by(columns.tokens)
    with LedgerReader(config.ledger.path) as reader, reader.connect() as db:
        counted = db.execute(query.where(*within).group_by(*by)).tuples().all()
        words, by_number, described = reader.words(db), reader.model_names(db), reader.described(db)
        tokens = dict(db.execute(lengths).tuples().all())
        oldest = db.execute(select(func.min(columns.received))).scalar()
    flows = []
    for task, route, model, status, fallback, many, cost, unpriced in counted:
        found = described.get(model) if model is not None else None
        flows.append(
            {
                "task": None if task is None else words[task],
                "route": words[route],
                "model": None if model is None else by_number[model],
                "shown": None if model is None else full_name(found, by_number[model]),
                "local": None if found is None else found.local,
                "status": words[status],
                "fallback": None if fallback is None else words[fallback],
                "requests": many,
                "cost": (cost or 0) / NANO,
                "unpriced": unpriced,
            }
        )
    return {
        "since": since,
        "until": until,
        "oldest": None if oldest is None else oldest / MICRO,
        "requests": sum([flow["requests"] for flow in flows]),
        "flows": flows,
        "routes": [
            describe_route(route, config.policy, last=index == len(config.policy.routes) - 1)
            for index, route in enumerate(config.policy.routes)
        ],
        "quality": {
            "pass_at": shared_bar(config.policy.routes),
            "task_confidence": config.policy.task_confidence,
        },
        "models": [
            {"name": model.name, "local": model.local, "kind": model.kind, "label": model.label}
            for model in config.policy.named.values()
        ],
        "lengths": in_bands(tokens),
        "config": None if config.source is None else str(config.source),
    }


def describe_route(route: Route, policy: Policy, *, last: bool) -> dict[str, Any]:
    """A route, with its rule in words."""
    return {
        "name": route.name,
        "rule": rule_of(route, last=last),
        "chain": [name for name in route.chain if not policy.models[name].lane_of],
        "kind": route.kind,
        "tokens_over": route.tokens_over,
        "tokens_under": route.tokens_under,
        "pass_at": route.pass_at,
        "mode": route.mode,
    }


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


def in_bands(tokens: Mapping[int, int]) -> list[dict[str, int]]:
    """How many prompts are how long, in bands that grow: each begins where the one before has grown by a fourth."""
    bands: dict[int, int] = {}
    for length, many in tokens.items():
        band = int(log(max(length, 1), GROWTH))
        bands[band] = bands.get(band, 0) + many
    return [{"from": ceil(GROWTH**band), "requests": bands[band]} for band in sorted(bands)]
