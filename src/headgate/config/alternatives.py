"""The cheap cloud models that home has to beat, as data, and which of them a config compares with.

Their prices are those of the dated list (`prices`), as of the day on which the gate opens; a model without a price there is left
out. What they can do was read from their providers' pages on the day that stands beside each. None is ever called.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from headgate.config.prices import PriceFinder
from headgate.core.types import Model
from headgate.core.words import Capability, EngineKind

AUTO, NONE = "auto", "none"

EVERYTHING: frozenset[Capability] = frozenset({"tools", "images", "json", "schema"})
TEXT_ONLY: frozenset[Capability] = frozenset({"tools", "json"})


class Cheap(Struct, frozen=True, kw_only=True):
    """A well-known cheap model of a provider."""

    provider: str
    id: str
    context: int
    """Tokens of prompt and answer."""
    capabilities: frozenset[Capability] = EVERYTHING
    source: str
    """Where this was read."""
    read: str = "2026-11-24"
    """When."""


CHEAP = (
    Cheap(
        provider="openai",
        id="gpt-6-luna",
        context=1_050_000,
        source="platform.openai.com/docs/models",
    ),
    Cheap(
        provider="anthropic",
        id="claude-haiku-5-5",
        context=1_000_000,
        source="docs.anthropic.com/en/docs/about-claude/models",
    ),
    Cheap(
        provider="google",
        id="gemini-2.5-flash-lite",
        context=1_000_000,
        source="ai.google.dev/gemini-api/docs/models",
    ),
    Cheap(
        provider="groq",
        id="llama-3.1-8b-instant",
        context=131_072,
        capabilities=TEXT_ONLY,
        source="console.groq.com/docs/models",
    ),
    Cheap(
        provider="groq",
        id="openai/gpt-oss-20b",
        context=131_072,
        capabilities=TEXT_ONLY | {"schema"},
        source="console.groq.com/docs/models",
    ),
)


def alternatives_of(
    word: str, models: Mapping[str, Model], price_finder: PriceFinder, on: datetime | None = None
) -> tuple[Model, ...]:
    """The models that each request is compared with, as far as they have a price.

    Args:
        word: "auto" is the list above and the config's own paid models; "none" is nothing; else one model, by its name in the
            config, or as "provider/model" or its id alone in the price list. Of one that is not in the config nobody knows
            what it cannot do, so it is taken to be able to do everything.
        models: the config's.
        price_finder: looks prices up.
        on: the moment of the prices; now by default.
    """
    if word == NONE:
        return ()
    if word in models:
        return tuple([model for model in (models[word],) if model.price is not None])
    if word != AUTO:
        provider, slash, model = word.partition("/")
        return _priced(
            Cheap(provider=provider if slash else "", id=model or provider, context=0, source=""),
            price_finder,
            on,
        )
    own = [
        model
        for model in models.values()
        if not model.local and model.kind == "chat" and model.price is not None and not model.label
    ]
    listed = [model for cheap in CHEAP for model in _priced(cheap, price_finder, on)]
    return without_beaten((*own, *listed))


def without_beaten(models: tuple[Model, ...]) -> tuple[Model, ...]:
    """The models without those to which another one is to be preferred for every request: it can do as much for less."""
    kept: list[Model] = []
    for model in models:
        if not any(_beats(other, model) for other in kept):
            kept = [other for other in kept if not _beats(model, other)]
            kept.append(model)
    return tuple(kept)


def _beats(one: Model, other: Model) -> bool:
    a, b = one.price, other.price
    assert a is not None
    assert b is not None
    return (
        (one.context or 0) >= (other.context or 0)
        and one.capabilities >= other.capabilities
        and all(rates.input <= b.input and rates.output <= b.output for rates in (a, *a.bands))
    )


def _priced(cheap: Cheap, price_finder: PriceFinder, on: datetime | None) -> tuple[Model, ...]:
    price = price_finder(cheap.id, cheap.provider or None, None, "chat", on)
    if price is None:
        return ()
    kinds: Mapping[str, EngineKind] = {"openai": "openai", "anthropic": "anthropic"}
    return (
        Model(
            name=f"{cheap.provider}/{cheap.id}" if cheap.provider else cheap.id,
            engine=cheap.provider,
            engine_kind=kinds.get(cheap.provider, "openai_compatible"),
            id=cheap.id,
            local=False,
            context=cheap.context or None,
            capabilities=cheap.capabilities,
            price=price,
        ),
    )
