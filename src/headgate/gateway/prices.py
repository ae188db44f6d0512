"""Prices that change while the gate is open: a list price holds from its day on, some only at certain hours.

Every quarter of an hour all list prices are looked up for that moment. One that has changed is put into the policy, where
everything finds its models by name, so it holds for all requests from then on; rows that are written keep theirs.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from headgate.config.alternatives import alternatives_of
from headgate.config.price_sources import PriceSources
from headgate.config.prices import OpenList, list_here
from headgate.core.types import Model, Price
from headgate.gateway.road import Road

QUARTER = timedelta(minutes=15)
"""Prices change on the day, or at hours that begin with a quarter."""


async def keep_prices(
    road: Road, sources: PriceSources, changed: Callable[[], None], open_list: OpenList = list_here
) -> None:
    """Look prices up again and again until cancelled.

    Args:
        road: what they are put into.
        sources: where they come from.
        changed: called when any of them is another one.
        open_list: opens the list for each look.
    """
    while sources.listed:
        now = datetime.now(UTC)
        await asyncio.sleep((next_quarter(now) - now).total_seconds())
        moment = datetime.now(UTC)
        found = await asyncio.to_thread(look_up, road, sources, moment, open_list)
        if put_in(road, found):
            changed()


def next_quarter(moment: datetime) -> datetime:
    """The first moment of the next quarter of an hour."""
    begun = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
    return begun + QUARTER


class Prices(Struct, frozen=True):
    """What everything costs at one moment."""

    moment: datetime
    models: Mapping[str, Price | None]
    baseline: Price | None
    alternatives: tuple[Model, ...]


def look_up(road: Road, sources: PriceSources, moment: datetime, open_list: OpenList) -> Prices:
    """The prices of that moment."""
    with open_list() as finder:
        models = {
            name: replace(model, price=sources.of(model, moment, finder))
            for name, model in road.policy.models.items()
        }
        return Prices(
            moment,
            {name: model.price for name, model in models.items()},
            sources.baseline.price(finder, moment),
            alternatives_of(sources.alternative, models, finder, moment),
        )


def put_in(road: Road, found: Prices) -> bool:
    """Let these prices hold from now on; whether any of them is another one than before."""
    known = cast("MutableMapping[str, Model]", road.policy.models)
    others = {name: price for name, price in found.models.items() if not same_rates(known[name].price, price)}
    for name, price in others.items():
        known[name] = replace(known[name], price=price)
    same_baseline = same_rates(road.recounts.price, found.baseline)
    if not same_baseline:
        road.recounts.price = found.baseline
    same_alternatives = rates_of(road.alternatives) == rates_of(found.alternatives)
    if not same_alternatives:
        road.alternatives = found.alternatives
    road.prices_as_of = found.moment.date().isoformat()
    return not (same_baseline and same_alternatives and not others)


def rates_of(models: Iterable[Model]) -> dict[str, Price | None]:
    """The prices of models by name, on no day."""
    return {model.name: None if model.price is None else undated(model.price) for model in models}


def same_rates(one: Price | None, other: Price | None) -> bool:
    """Whether two prices differ in nothing but the day on which they were looked up."""
    if one is None or other is None:
        return one is other
    return undated(one) == undated(other)


def undated(price: Price) -> Price:
    """The price, on no day."""
    services = tuple([(name, replace(served, date="")) for name, served in price.services])
    return replace(price, date="", services=services)
