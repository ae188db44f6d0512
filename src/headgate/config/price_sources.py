"""Where each model's price comes from, so that it can be looked up for any moment: at the start, when it changes, and years later.

A price that the user wrote down is the whole price: what it does not name costs as other tokens of its side do, and nothing is
taken from a list. A model at home costs no API dollars. All others are listed, or unknown. This module does not know what is
listed (`prices`).
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from headgate.config.engine import EngineSettings
from headgate.config.prices import PROVIDERS, PriceFinder, find_price
from headgate.config.schema import ModelTable, PriceTable, ReportTable
from headgate.config.values import not_negative
from headgate.core.prices import CONTRACT, FREE
from headgate.core.types import Model, Price
from headgate.core.words import ModelKind


class PriceSource(Struct, frozen=True, kw_only=True):
    """Where one model's price comes from."""

    model: str = ""
    """The provider's name for it, to look up in the list."""
    provider: str | None = None
    url: str | None = None
    kind: ModelKind = "chat"
    fixed: Price | None = None
    """The user's own price, or that of a model at home."""

    def price(self, finder: PriceFinder, on: datetime | None = None) -> Price | None:
        """The price at a moment, or now."""
        if self.fixed is not None:
            return self.fixed
        return finder(self.model, self.provider, self.url, self.kind, on)


class PriceSources(Struct, frozen=True, kw_only=True):
    """Where all prices of a gate come from."""

    models: Mapping[str, PriceSource]
    baseline: PriceSource
    alternative: str
    """The page's word for the cheap cloud models that requests are compared with (`alternatives`)."""

    @property
    def listed(self) -> bool:
        """Any of them may change by itself."""
        return any(source.fixed is None for source in (*self.models.values(), self.baseline))

    def of(self, model: Model, on: datetime | None = None, finder: PriceFinder = find_price) -> Price | None:
        """A model's price at a moment; one that the config no longer names is looked up by what was written down of it."""
        source = self.models.get(model.lane_of or model.name) or remembered(model)
        return source.price(finder, on)


def sources_from(
    tables: Mapping[str, ModelTable],
    engines: Mapping[str, EngineSettings],
    report: ReportTable,
) -> PriceSources:
    """The sources of a page whose models and engines fit together; the baseline is one of its models, or a listed one."""
    models = {name: source_of(name, table, engines[table.engine]) for name, table in tables.items()}
    return PriceSources(
        models=models,
        baseline=models.get(report.baseline) or listed(report.baseline),
        alternative=report.alternative,
    )


def source_of(name: str, table: ModelTable, engine: EngineSettings) -> PriceSource:
    """The user's own price, else zero dollars at home, else the list price."""
    if table.price is not None:
        return PriceSource(fixed=contract(name, table.price))
    if table.price_as is not None:
        return listed(table.price_as, table.kind)
    if at_home(engine, table.id):
        return PriceSource(fixed=FREE)
    return PriceSource(model=table.id, provider=PROVIDERS.get(engine.kind), url=engine.url, kind=table.kind)


def at_home(engine: EngineSettings, model: str) -> bool:
    """Whether a model's tokens stay on the user's machines: Ollama passes those with "cloud" in their tag on."""
    return engine.local and not model.endswith((":cloud", "-cloud"))


def contract(name: str, own: PriceTable) -> Price:
    """The price that the user wrote down."""
    for field in own.__struct_fields__:
        not_negative(("models", name, "price"), getattr(own, field))

    def given(rate: float | None, usual: float) -> float:
        return usual if rate is None else rate

    return Price(
        input=own.input,
        output=own.output,
        cache_read=given(own.cache_read, own.input),
        cache_write_5m=given(own.cache_write_5m, own.input),
        cache_write_1h=given(own.cache_write_1h, own.input),
        audio=given(own.audio, own.input),
        audio_output=given(own.audio_output, own.output),
        search=own.search,
        source=CONTRACT,
    )


def listed(word: str, kind: ModelKind = "chat") -> PriceSource:
    """The list price of "provider/model", or of a model whose name alone tells."""
    provider, slash, model = word.partition("/")
    return (
        PriceSource(model=model, provider=provider, kind=kind)
        if slash
        else PriceSource(model=word, kind=kind)
    )


def remembered(model: Model) -> PriceSource:
    """The source for a model of the ledger that the config does not name; one without an engine was a baseline."""
    if not model.engine:
        return listed(model.name)
    if model.local or (model.price is not None and model.price.source == CONTRACT):
        return PriceSource(fixed=model.price or FREE)
    return PriceSource(model=model.id, provider=PROVIDERS.get(model.engine_kind), kind=model.kind)
