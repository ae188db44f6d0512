"""Prices as rows of the table `prices`, and back.

The rates that every price has stand in columns of their own, as nano-dollars per million tokens; all others (longer prompts,
sound, other services) in one JSON text, as they are. A row is never changed: another price is another row, and a request points
to the one under which it was answered.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headgate.core.types import Band, Price

FINE_RATE: Final = 1_000_000_000
"""Rates are kept in nano-dollars per million tokens."""

COLUMNS: Final = (
    "input",
    "output",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "date",
    "source",
    "terms",
)
PriceRow = tuple[int, int, int | None, int | None, int | None, str, str, str | None]


class Terms(Struct, frozen=True, omit_defaults=True):
    """What of a price has no column."""

    audio: float | None = None
    audio_output: float | None = None
    images: float | None = None
    reasoning: float | None = None
    search: float | None = None
    request: float = 0.0
    bands: tuple[Band, ...] = ()
    services: tuple[tuple[str, Price], ...] = ()


def price_row(price: Price) -> PriceRow:
    """A price as its row, in the order of `COLUMNS`."""
    terms = Terms(
        price.audio,
        price.audio_output,
        price.images,
        price.reasoning,
        price.search,
        price.request,
        price.bands,
        price.services,
    )
    return (
        round(price.input * FINE_RATE),
        round(price.output * FINE_RATE),
        nano(price.cache_read),
        nano(price.cache_write_5m),
        nano(price.cache_write_1h),
        price.date,
        price.source,
        None if terms == Terms() else msgspec.json.encode(terms).decode(),
    )


def price_in(row: Any) -> Price:
    """The price in a row of `prices`."""
    terms = Terms() if row.terms is None else msgspec.json.decode(row.terms, type=Terms)
    price = Price(
        input=row.input / FINE_RATE,
        output=row.output / FINE_RATE,
        cache_read=dollars(row.cache_read),
        cache_write_5m=dollars(row.cache_write_5m),
        cache_write_1h=dollars(row.cache_write_1h),
        audio=terms.audio,
        audio_output=terms.audio_output,
        images=terms.images,
        reasoning=terms.reasoning,
        bands=terms.bands,
        search=terms.search,
        request=terms.request,
        services=terms.services,
        date=row.date,
        source=row.source,
    )
    return price if row.above is None else replace(price, bands=(old_band(price, row),))


def old_band(price: Price, row: Any) -> Band:
    """The one band of a price that was written before version 5."""
    above = dollars(row.input_above) or price.input
    grown = above / price.input if price.input else 1.0

    def more(rate: float | None) -> float | None:
        return None if rate is None else rate * grown

    return Band(
        above=row.above,
        input=above,
        output=dollars(row.output_above) or price.output,
        cache_read=more(price.cache_read),
        cache_write_5m=more(price.cache_write_5m),
        cache_write_1h=more(price.cache_write_1h),
    )


def nano(amount: float | None) -> int | None:
    """Dollars as nano-dollars; unknown stays unknown."""
    return None if amount is None else round(amount * FINE_RATE)


def dollars(amount: int | None) -> float | None:
    """Nano-dollars as dollars."""
    return None if amount is None else amount / FINE_RATE
