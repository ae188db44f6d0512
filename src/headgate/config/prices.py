"""Dated list prices, compiled per model when the config is loaded and again while the gate runs.

The prices come with the package genai-prices, offline; its data is read once and only when a paid model needs it. A listed
price holds from its day on, some only at certain hours, so a price is always that of a moment. The user's own price replaces
the whole of a listed one. A model that nobody has a price for stays unknown, and is shown as unknown.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from msgspec.structs import replace

from headgate.core.types import Band, Price
from headgate.core.usage import BATCH
from headgate.core.words import EngineKind, ModelKind

PROVIDERS: dict[EngineKind, str] = {"openai": "openai", "anthropic": "anthropic"}
"""Engine kinds whose provider is plain; others are found by their address, or named with `price_as`."""

PriceFinder = Callable[[str, str | None, str | None, ModelKind, datetime | None], Price | None]
"""(model id, provider, base URL, kind of model, moment) → price."""
OpenList = Callable[[], AbstractContextManager[PriceFinder]]
"""Opens the list: prices can be found in it as long as the context lasts."""

LISTED: Final = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "audio": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
    "images": "input_image_mtok",
    "reasoning": "output_reasoning_mtok",
}
"""Our rates by the list's names."""
UNCOUNTED: Final = ("output_citation_mtok", "input_mchars", "audio_hours", "input_audio_hours")
"""What some models charge for beside tokens, and nobody tells us how much of it there was: such a price is unknown."""
SERVICES: Final[Mapping[str, dict[str, str]]] = {
    BATCH: {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
"""How a request may be served, and what the list calls that."""


@contextmanager
def list_here() -> Iterator[PriceFinder]:
    """The list in this process, which keeps it from its first price on: 14 MB."""
    yield find_price


def find_price(
    model: str,
    provider: str | None,
    url: str | None = None,
    kind: ModelKind = "chat",
    on: datetime | None = None,
) -> Price | None:
    """The list price of a model at a moment, or None where there is none.

    Args:
        model: the provider's name for it.
        provider: "openai", "anthropic" …, or None to let `url` or the model's name tell.
        url: the engine's address.
        kind: a model that makes embeddings writes no tokens, and is listed without a price for them.
        on: the moment; now by default.
    """
    moment = on or datetime.now(UTC)
    try:
        _, info = read_list().find_provider_model(model, None, provider, None if provider else url)
    except LookupError:
        return None
    usual = compiled(info.get_prices(moment), kind, moment)
    if usual is None:
        return None
    services = []
    for service, context in SERVICES.items():
        if any(is_meant(variant, context, moment) for variant in info.price_variants or ()):
            price = compiled(info.get_prices(moment, context), kind, moment)
            if price is not None:
                services.append((service, price))
    return replace(usual, services=tuple(services))


def read_list() -> Any:
    """The list, read once: genai-prices' snapshot of it."""
    from genai_prices import data_snapshot  # noqa: PLC0415  # 14 MB and 0.1 s, only needed for paid models

    return data_snapshot.get_snapshot()


def is_meant(variant: Any, context: Mapping[str, str], moment: datetime) -> bool:
    """Whether a variant of a listed price is that of a service, and holds at that moment."""
    holds = variant.constraint is None or variant.constraint.active(moment)
    return holds and all(context.get(key) == value for key, value in variant.when.items())


def compiled(listed: Any, kind: ModelKind, moment: datetime) -> Price | None:
    """A listed price as ours; None where it says too little, or charges for what nobody counts."""
    if any(getattr(listed, name) is not None for name in UNCOUNTED):
        return None
    rates = {name: getattr(listed, key) for name, key in LISTED.items()}
    if rates["output"] is None and kind == "embedding":
        rates["output"] = Decimal(0)
    if rates["input"] is None or rates["output"] is None:
        return None
    starts = sorted({tier.start for rate in rates.values() for tier in getattr(rate, "tiers", ())})
    searches, requests = listed.web_searches_kcount, listed.requests_kcount
    return Price(
        **{name: rate_at(rate, None) for name, rate in rates.items()},
        bands=tuple(
            [
                Band(above=start, **{name: rate_at(rate, start) for name, rate in rates.items()})
                for start in starts
            ]
        ),
        search=None if searches is None else float(rate_of(searches)) / 1000,
        request=0.0 if requests is None else float(rate_of(requests)) / 1000,
        date=moment.date().isoformat(),
        source=f"genai-prices {package_version()}",
    )


def rate_of(listed: Any, above: int | None = None) -> Decimal:
    """A listed rate, for prompts of more than so many tokens."""
    if not hasattr(listed, "tiers"):
        return Decimal(listed)
    reached = [tier for tier in listed.tiers if above is not None and tier.start <= above]
    return max(reached, key=lambda tier: tier.start).price if reached else Decimal(listed.base)


def rate_at(listed: Any, above: int | None) -> Any:
    """The same as a number of our price, in dollars per million tokens; None stays None."""
    return None if listed is None else float(rate_of(listed, above))


@cache
def package_version() -> str:
    """The version of the price list."""
    from importlib.metadata import version  # noqa: PLC0415  # only needed beside a price

    return version("genai-prices")
