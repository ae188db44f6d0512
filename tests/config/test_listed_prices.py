"""Our compiled prices beside genai-prices' own calculation: the same cents, or none."""

from datetime import UTC, date, datetime

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import data_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from headgate.config.load import parse_config
from headgate.config.prices import SERVICES, find_price
from headgate.config.prices_apart import list_apart
from headgate.core.prices import CONTRACT, cost
from headgate.core.types import Usage
from headgate.core.usage import BATCH

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROVIDERS = ("openai", "anthropic", "google", "mistral", "x-ai", "groq", "deepseek", "openrouter")


def listed():
    """Models whose price we know, with what the list says of them."""
    for provider in data_snapshot.get_snapshot().providers:
        if provider.id in PROVIDERS:
            for model in provider.models:
                price = find_price(model.id, provider.id, on=NOW)
                if price is not None:
                    yield provider, model, price


LISTED = list(listed())
many = st.integers(0, 400_000)


@st.composite
def usages(draw):
    fresh, output = draw(many), draw(many)
    audio, spoken = draw(st.just(0) | st.integers(0, fresh)), draw(st.just(0) | st.integers(0, output))
    return Usage(
        input=fresh,
        cache_read=draw(st.just(0) | many),
        cache_write_5m=draw(st.just(0) | many),
        cache_write_1h=draw(st.just(0) | many),
        output=output,
        audio=audio,
        audio_output=spoken,
        reasoning=draw(st.integers(0, output - spoken)),
        searches=draw(st.just(0) | st.integers(0, 9)),
        service=draw(st.sampled_from(["", *SERVICES])),
    )


def in_their_words(usage):
    return ListedUsage(
        input_tokens=usage.prompt,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write_5m + usage.cache_write_1h,
        cache_write_1h_tokens=usage.cache_write_1h,
        output_tokens=usage.output,
        input_audio_tokens=usage.audio,
        output_audio_tokens=usage.audio_output,
        output_reasoning_tokens=usage.reasoning,
        web_searches=usage.searches,
        cache_audio_read_tokens=0,
        cache_image_read_tokens=0,
    )


def test_the_list_is_large_enough_to_say_something():
    assert len(LISTED) > 500
    assert sum(bool(price.bands) for *_, price in LISTED) > 20
    assert sum(len(price.bands) > 1 for *_, price in LISTED) > 1
    assert sum(price.audio is not None for *_, price in LISTED) > 5
    for service in SERVICES:
        assert sum(service in dict(price.services) for *_, price in LISTED) > 3, service


@settings(max_examples=1500, deadline=None)
@given(one=st.sampled_from(LISTED), usage=usages())
def test_a_cost_is_what_the_list_itself_calculates_or_unknown(one, usage):
    provider, model, price = one
    if usage.service == BATCH and BATCH not in dict(price.services):
        usage = replace(usage, service="")  # the rule of half is ours
    ours = cost(usage, price)
    if usage.service and usage.service not in dict(price.services):
        assert ours is None, "nobody lists what this service costs"
        return
    charged = dict(price.services).get(usage.service, price)
    parts = [
        (usage.cache_read, charged.cache_read),
        (usage.cache_write_5m, charged.cache_write_5m),
        (usage.cache_write_1h, charged.cache_write_1h),
        (usage.audio, charged.audio),
        (usage.audio_output, charged.audio_output),
        (usage.searches, charged.search),
    ]
    if any(number and rate is None for number, rate in parts):
        assert ours is None, "a part without a rate makes the whole unknown, not cheaper"
        return
    theirs = model.calc_price(
        in_their_words(usage),
        provider,
        genai_request_timestamp=NOW,
        price_context=SERVICES.get(usage.service),
    ).total_price
    assert ours == pytest.approx(float(theirs), rel=1e-9, abs=1e-12)


def test_the_longest_band_that_a_prompt_reaches_holds_for_all_of_it_cached_tokens_too():
    haiku = find_price("claude-haiku-5-5", "anthropic", on=NOW)
    below, above = Usage(cache_read=99_999, input=1), Usage(cache_read=100_000, input=1)
    assert cost(below, haiku) == pytest.approx((99_999 * 0.01 + 0.1) / 1e6)
    assert cost(above, haiku) == pytest.approx((100_000 * 0.05 + 0.5) / 1e6)


def test_batches_cost_what_is_listed_and_half_where_nothing_is():
    gpt = find_price("gpt-4o", "openai", on=NOW)
    assert (dict(gpt.services)[BATCH].input, dict(gpt.services)[BATCH].output) == (1.25, 5.0)
    cached = Usage(cache_read=1_000_000, service=BATCH)
    assert cost(cached, gpt) == gpt.cache_read, "no cheaper cache in a batch: the list says so"
    before = find_price("gpt-4o", "openai", on=datetime(2026, 9, 1, tzinfo=UTC))
    assert BATCH not in dict(before.services)
    assert cost(Usage(input=1_000_000, service=BATCH), before) == 1.25


def test_an_unlisted_service_has_no_price():
    sonnet = find_price("claude-sonnet-5-5", "anthropic", on=NOW)
    assert cost(Usage(input=10, service="priority"), sonnet) is None
    assert cost(Usage(input=10, service="mixed"), sonnet) is None


def test_a_model_that_charges_for_what_nobody_counts_has_no_price():
    assert find_price("sonar-deep-research", "perplexity", on=NOW) is None
    assert find_price("sonar-pro", "perplexity", on=NOW).request == 0.014


def test_a_price_of_certain_hours_is_that_of_its_moment():
    day, night = (
        find_price("deepseek-chat", "deepseek", on=datetime(2025, 3, 1, hour, tzinfo=UTC))
        for hour in (12, 20)
    )
    assert day.input > night.input


PAGE = """
[engines.openai]
kind = "openai"
key = "env:NO_SUCH_KEY"
[models.gpt]
engine = "openai"
id = "gpt-4o"
{price}
[[routes]]
name = "everything else"
try = ["gpt"]
"""


def test_a_process_of_its_own_finds_the_same_prices():
    names = [*((provider.id, model.id) for provider, model, _ in LISTED), ("openai", "no-such-model")]
    with list_apart() as find:
        apart = [find(model, provider, None, "chat", NOW) for provider, model in names]
        by_address = find("gpt-4o", None, "https://api.openai.com/v1", "chat", None)
        embeds = find("text-embedding-3-small", "openai", None, "embedding", None)
    assert apart == [find_price(model, provider, on=NOW) for provider, model in names]
    assert by_address == find_price("gpt-4o", "openai")
    assert embeds == find_price("text-embedding-3-small", "openai", kind="embedding")


@pytest.mark.parametrize("program", ["/no/such/python", "false"])
def test_where_that_process_cannot_be_had_the_prices_are_found_here(program, monkeypatch):
    monkeypatch.setattr("sys.executable", program)
    with list_apart() as find:
        assert find("gpt-4o", "openai", None, "chat", NOW) == find_price("gpt-4o", "openai", on=NOW)


def test_a_contract_replaces_the_whole_of_a_listed_price():
    page = PAGE.format(price="price = { input = 1, output = 4 }")
    price = parse_config(page, None, find_price).policy.models["gpt"].price
    assert (price.source, price.services, price.bands) == (CONTRACT, (), ())
    assert cost(Usage(cache_read=10, audio_output=10, output=10), price) == (10 * 1 + 10 * 4) / 1e6
    assert cost(Usage(input=10, service="flex"), price) == 10 / 1e6
    assert cost(Usage(input=10, service=BATCH), price) == 5 / 1e6
    assert cost(Usage(input=10, charged=0.5), price) == 10 / 1e6, "worth more than what the provider says"


def test_what_a_provider_says_it_took_is_worth_more_than_its_list():
    price = find_price("gpt-4o", "openai", on=NOW)
    assert cost(Usage(input=10, charged=0.5), price) == 0.5
    assert cost(Usage(input=10, charged=0.5), None) == 0.5


def test_sources_find_the_price_of_any_day():
    config = parse_config(PAGE.format(price='price_as = "openai/gpt-5.6-sol"'), None, find_price)
    model = config.policy.models["gpt"]
    before, after = (config.prices.of(model, datetime(2026, 8, day, tzinfo=UTC)) for day in (20, 21))
    assert (before.input, after.input) == (5.0, 4.0)
    assert date.fromisoformat(before.date) == date(2026, 8, 20)
