"""Dated list prices, compiled per model when the config is loaded.

The prices come with the package genai-prices, offline; its data is read once and only when a paid model needs it. The
user's own price wins. A model that nobody has a price for stays unknown, and is shown as unknown.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from headgate.core.types import Price
from headgate.core.words import EngineKind, ModelKind

PROVIDERS: dict[EngineKind, str] = {"openai": "openai", "anthropic": "anthropic"}
"""Engine kinds whose provider is plain; others are found by their address, or named with `price_as`."""

PriceFinder = Callable[[str, str | None, str | None, ModelKind], Price | None]
"""(model id, provider, base URL, kind of model) → price."""


def find_price(
    model: str,
    provider: str | None,
    url: str | None = None,
    kind: ModelKind = "chat",
    on: datetime | None = None,
) -> Price | None:
    """The list price of a model on a day, or None where there is none.

    Args:
        model: the provider's name for it.
        provider: "openai", "anthropic" …, or None to let `url` or the model's name tell.
        url: the engine's address.
        kind: a model that makes embeddings writes no tokens, and is listed without a price for them.
        on: the moment; now by default.
    """
    from genai_prices import data_snapshot  # noqa: PLC0415  # 30 MB and 0.2 s, only needed for paid models

    moment = on or datetime.now(UTC)
    try:
        _, info = data_snapshot.get_snapshot().find_provider_model(
            model, None, provider, None if provider else url
        )
    except LookupError:
        return None
    listed = info.get_prices(moment)
    base, base_above, above = rate(listed.input_mtok)
    answer, answer_above, answer_from = rate(listed.output_mtok)
    if answer is None and kind == "embedding":
        answer = 0.0
    if base is None or answer is None:
        return None
    return Price(
        input=base,
        output=answer,
        cache_read=rate(listed.cache_read_mtok)[0],
        cache_write_5m=rate(listed.cache_write_mtok)[0],
        cache_write_1h=rate(getattr(listed, "cache_write_1h_mtok", None))[0],
        above=above if above is not None else answer_from,
        input_above=base_above,
        output_above=answer_above,
        date=moment.date().isoformat(),
        source=f"genai-prices {package_version()}",
    )


def rate(listed: Any) -> tuple[float | None, float | None, int | None]:
    """A listed rate as (dollars per million, dollars per million above a prompt size, that size)."""
    if listed is None:
        return None, None, None
    if isinstance(listed, Decimal | int | float):
        return float(listed), None, None
    tiers = sorted(listed.tiers, key=lambda tier: tier.start)
    if not tiers:
        return float(listed.base), None, None
    return float(listed.base), float(tiers[0].price), int(tiers[0].start)


def package_version() -> str:
    """The version of the price list."""
    from importlib.metadata import version  # noqa: PLC0415  # only needed beside a price

    return version("genai-prices")
