"""What an attempt costs, from its tokens and its model's price.

The sum is exact arithmetic on the price's own figures; where a price or a part of it is unknown, the cost is unknown
(None), never zero and never a guess. Three things are worth more than a list: the user's contract, whose price is the whole
price; then what the provider says it charged; then the list. This module does not know where prices come from; the config
layer compiles them.
"""

from typing import TypeVar

from msgspec.structs import replace

from headgate.core.parts import WHOLE
from headgate.core.types import Failure, Model, Price, Rates, Reply, Signals, Usage
from headgate.core.usage import BATCH, tokens_in

MOST_TOKENS = 2**31
"""More in one attempt cannot be."""

MILLION = 1_000_000

LOCAL = "local"
CONTRACT = "your config"
"""The sources of prices that hold however a request was served."""

FREE = Price(
    input=0.0,
    output=0.0,
    cache_read=0.0,
    cache_write_5m=0.0,
    cache_write_1h=0.0,
    audio=0.0,
    audio_output=0.0,
    source=LOCAL,
)
"""A local model's price in API dollars. Energy and hardware are accounted for elsewhere."""

TYPICAL_ANSWER = 300
"""Tokens assumed for an answer of unlimited length when its cost is estimated beforehand."""

HALF = 0.5

Known = TypeVar("Known", bound=Rates)


def cost(usage: Usage | None, price: Price | None) -> float | None:
    """Dollars for that usage, or None where it is unknown."""
    if usage is None:
        return None
    if usage.charged is not None and (price is None or price.source != CONTRACT):
        return usage.charged
    if price is None:
        return None
    if usage.service:
        served = price_of_service(price, usage.service)
        if served is None:
            return None
        price = served
    total = cost_of_tokens(usage, rates_for(price, usage.prompt) if price.bands else price)
    if total is None:
        return None
    if usage.searches:
        if price.search is None:
            return None
        return total + usage.searches * price.search + price.request
    return total + price.request


def only_words(usage: Usage) -> bool:
    """Whether it is plain tokens of text, without any part that may have a rate of its own: `cost_of_words` is its cost."""
    return not (
        usage.cache_read
        or usage.cache_write_5m
        or usage.cache_write_1h
        or usage.reasoning
        or usage.images
        or usage.audio
        or usage.audio_output
        or usage.searches
        or usage.service
        or usage.charged is not None
    )


def cost_of_words(prompt: int, answer: int, price: Price | None) -> float | None:
    """Dollars for so many plain tokens of text: the same as `cost`, in a fraction of its time."""
    if price is None:
        return None
    rates = rates_for(price, prompt) if price.bands else price
    return (prompt * rates.input + answer * rates.output) / MILLION + price.request


def rates_for(price: Price, prompt: int) -> Rates:
    """The rates of a request whose prompt has so many tokens: a long one is charged in a higher band, the whole request."""
    rates: Rates = price
    for band in price.bands:
        if prompt <= band.above:
            break
        rates = band
    return rates


def of_one_band(price: Price, prompt: int) -> Price:
    """The price as it is for a prompt of so many tokens, for any number of such requests taken together."""
    rates = rates_for(price, prompt)
    names = Rates.__struct_fields__
    return replace(price, bands=(), **{name: getattr(rates, name) for name in names})


def cost_of_tokens(usage: Usage, rates: Rates) -> float | None:
    """Dollars for the tokens; None where a part that there is has no rate."""
    total = usage.input * rates.input + usage.output * rates.output
    if usage.cache_read or usage.cache_write_5m or usage.cache_write_1h:
        for tokens, rate in (
            (usage.cache_read, rates.cache_read),
            (usage.cache_write_5m, rates.cache_write_5m),
            (usage.cache_write_1h, rates.cache_write_1h),
        ):
            if tokens:
                if rate is None:
                    return None
                total += tokens * rate
    if usage.audio or usage.audio_output:  # text and sound differ by a factor of ten: no rate is no price
        for tokens, rate, usual in (
            (usage.audio, rates.audio, rates.input),
            (usage.audio_output, rates.audio_output, rates.output),
        ):
            if tokens:
                if rate is None:
                    return None
                total += tokens * (rate - usual)
    if rates.images is not None:
        total += usage.images * (rates.images - rates.input)
    if rates.reasoning is not None:
        total += usage.reasoning * (rates.reasoning - rates.output)
    return total / MILLION


def price_of_service(price: Price, service: str) -> Price | None:
    """What a model costs when it is served in a way of its own; None where that is unknown.

    A contract and a model at home cost the same however they serve, except in a provider's batch: both providers that have
    one take half there for all that their lists do not name.
    """
    for name, listed in price.services:
        if name == service:
            return listed
    if service == BATCH:
        return halved(price)
    return price if price.source in (LOCAL, CONTRACT) else None


def halved(price: Price) -> Price:
    """Half of all its rates."""
    return replace(
        half_of(price),
        bands=tuple([half_of(band) for band in price.bands]),
        source=f"half of {price.source}" if price.source else "",
        services=(),
    )


def half_of(rates: Known) -> Known:
    """Half of the rates that are known."""
    known = {name: getattr(rates, name) for name in Rates.__struct_fields__}
    return replace(rates, **{name: HALF * rate for name, rate in known.items() if rate is not None})


def estimate(model: Model, signals: Signals, max_tokens: int | None, *, marked: bool = False) -> float | None:
    """Dollars that one attempt will probably cost, before it is made.

    What the model's prompt cache still holds is charged as read from it; if the prompt is `marked` for the cache, the rest
    is charged as written to it. Where the price names no rate for either, both are charged as plain input.
    """
    answer = min(max_tokens, TYPICAL_ANSWER) if max_tokens else TYPICAL_ANSWER
    price, tokens = model.price, signals.tokens
    if price is None or not (marked or signals.cached):
        return cost_of_words(tokens, answer, price)
    read = written = 0
    if signals.keeps_to == model.name and price.cache_read is not None:
        read = min(signals.cached, tokens)
    if marked and price.cache_write_5m is not None:
        written = tokens - read
    usage = Usage(
        input=tokens - read - written, cache_read=read, cache_write_5m=written, output=answer, estimated=WHOLE
    )
    return cost(usage, price)


def cost_at_most(model: Model, prompt: int, answer: int, *, marked: bool = False) -> float | None:
    """The most that an attempt can cost: no cache holds anything of its prompt, and its answer has all these tokens.

    Args:
        model: is asked.
        prompt: tokens.
        answer: tokens.
        marked: the prompt is marked for the cache, so that all of it may be charged as written to it.
    """
    price = model.price
    if price is None:
        return None
    rates = rates_for(price, prompt)
    rate = max(rates.input, rates.cache_write_5m or 0.0) if marked else rates.input
    return (prompt * rate + answer * dearest_output(price)) / MILLION + price.request


def dearest_output(price: Price) -> float:
    """Dollars per million tokens of answer, in the dearest band."""
    return max([price.output, *[band.output for band in price.bands]])


def tokens_for(money: float, model: Model, prompt: int, *, marked: bool = False) -> int | None:
    """How many tokens of answer that money buys after the prompt; None where the price is unknown or nothing."""
    price, read = model.price, cost_at_most(model, prompt, 0, marked=marked)
    if price is None or read is None or price.output <= 0:
        return None
    return max(0, int((money - read) * MILLION / dearest_output(price)))


def baseline_cost(usage: Usage | None, price: Price | None) -> float | None:
    """What the same tokens would have cost at the baseline's price, without any cache.

    The baseline model would have seen a prompt of the same length and, as we must assume, written an answer of the same
    length. Cached tokens are charged in full there: we do not know what its cache would have held.
    """
    if usage is None:
        return None
    return cost(uncached(usage), price)


def uncached(usage: Usage) -> Usage:
    """The same tokens, all of them read anew, served in the usual way."""
    if usage.prompt == usage.input and not usage.service and usage.charged is None:
        return usage
    return replace(
        usage, input=usage.prompt, cache_read=0, cache_write_5m=0, cache_write_1h=0, service="", charged=None
    )


def plausible(result: Reply | Failure) -> Reply | Failure:
    """The result, without token counts that cannot be: an engine that reports them has reported nothing."""
    usage = result.usage
    if usage is None or (0 <= usage.prompt <= MOST_TOKENS and 0 <= usage.output <= MOST_TOKENS):
        return result
    return replace(result, usage=Usage(output=tokens_in((result.text,)), estimated=WHOLE))


def unpaid(failure: Failure, model: Model) -> float | None:
    """The cost of a failed call that reported no usage: nothing if it never ran or ran at home, else unknown."""
    if model.local or failure.reason in ("refused", "http_error", "context_overflow"):
        return 0.0
    return None
