"""What an attempt costs, from its tokens and its model's price.

The sum is exact arithmetic on the price's own figures; where a price or a part of it is unknown, the cost is unknown
(None), never zero and never a guess. This module does not know where prices come from; the config layer compiles them.
"""

from msgspec.structs import replace

from headgate.core.types import Failure, Model, Price, Reply, Signals, Usage

MOST_TOKENS = 2**31
"""More in one attempt cannot be."""

MILLION = 1_000_000

FREE = Price(input=0.0, output=0.0, cache_read=0.0, cache_write_5m=0.0, cache_write_1h=0.0, source="local")
"""A local model's price in API dollars. Energy and hardware are accounted for elsewhere."""

TYPICAL_ANSWER = 300
"""Tokens assumed for an answer of unlimited length when its cost is estimated beforehand."""


def cost(usage: Usage | None, price: Price | None) -> float | None:
    """Dollars for that usage, or None where it is unknown."""
    if usage is None or price is None:
        return None
    if price.above is None and not (usage.cache_read or usage.cache_write_5m or usage.cache_write_1h):
        return (usage.input * price.input + usage.output * price.output) / MILLION
    rate_in, rate_out = price.input, price.output
    scale = 1.0
    if price.above is not None and usage.prompt > price.above:
        scale = (price.input_above or rate_in) / rate_in if rate_in else 1.0
        rate_in, rate_out = price.input_above or rate_in, price.output_above or rate_out
    total = usage.input * rate_in + usage.output * rate_out
    for tokens, rate in (
        (usage.cache_read, price.cache_read),
        (usage.cache_write_5m, price.cache_write_5m),
        (usage.cache_write_1h, price.cache_write_1h),
    ):
        if tokens:
            if rate is None:
                return None
            total += tokens * rate * scale
    return total / MILLION


def estimate(model: Model, signals: Signals, max_tokens: int | None, *, marked: bool = False) -> float | None:
    """Dollars that one attempt will probably cost, before it is made.

    What the model's prompt cache still holds is charged as read from it; if the prompt is `marked` for the cache, the rest
    is charged as written to it. Where the price names no rate for either, both are charged as plain input.
    """
    answer = min(max_tokens, TYPICAL_ANSWER) if max_tokens else TYPICAL_ANSWER
    price, tokens = model.price, signals.tokens
    read = written = 0
    if price is not None and (marked or signals.cached):
        if signals.keeps_to == model.name and price.cache_read is not None:
            read = min(signals.cached, tokens)
        if marked and price.cache_write_5m is not None:
            written = tokens - read
    usage = Usage(
        input=tokens - read - written, cache_read=read, cache_write_5m=written, output=answer, exact=False
    )
    return cost(usage, price)


def tokens_for(money: float, model: Model, prompt_tokens: int) -> int | None:
    """How many tokens of answer that money buys after the prompt; None where the price is unknown or nothing."""
    prompt = cost(Usage(input=prompt_tokens), model.price)
    if prompt is None or model.price is None or model.price.output <= 0:
        return None
    return max(0, int((money - prompt) * MILLION / (model.price.output_above or model.price.output)))


def baseline_cost(usage: Usage | None, price: Price | None) -> float | None:
    """What the same tokens would have cost at the baseline's price, without any cache.

    The baseline model would have seen a prompt of the same length and, as we must assume, written an answer of the same
    length. Cached tokens are charged in full there: we do not know what its cache would have held.
    """
    if usage is None:
        return None
    return cost(Usage(input=usage.prompt, output=usage.output, exact=usage.exact), price)


def plausible(result: Reply | Failure) -> Reply | Failure:
    """The result, without token counts that cannot be: an engine that reports them has reported nothing."""
    usage = result.usage
    if usage is None or (0 <= usage.prompt <= MOST_TOKENS and 0 <= usage.output <= MOST_TOKENS):
        return result
    text = result.text
    return replace(result, usage=Usage(input=0, output=(len(text) + 3) // 4, exact=False))


def unpaid(failure: Failure, model: Model) -> float | None:
    """The cost of a failed call that reported no usage: nothing if it never ran or ran at home, else unknown."""
    if model.local or failure.reason in ("refused", "http_error", "context_overflow"):
        return 0.0
    return None
