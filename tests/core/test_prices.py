"""Money: exact sums over known prices, and unknown where a part is unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.prices import FREE, baseline_cost, cost, cost_of_words, estimate, only_words
from headgate.core.types import Band, Model, Price, Signals, Usage

GPT_4O = Price(input=2.5, output=10.0, cache_read=1.25)
SONNET = Price(input=2.0, output=10.0, cache_read=0.1, cache_write_5m=2.5, cache_write_1h=4.0)
HAIKU = Price(
    input=0.1,
    output=0.5,
    cache_read=0.01,
    bands=(Band(above=100_000, input=0.5, output=2.5, cache_read=0.05),),
)


def test_the_published_example_of_gpt_4o():
    assert cost(Usage(input=1000, output=100), GPT_4O) == 0.0035


def test_every_part_of_the_usage_has_its_own_rate():
    usage = Usage(input=1000, cache_read=2000, cache_write_5m=3000, cache_write_1h=4000, output=500)
    assert cost(usage, SONNET) == (1000 * 2.0 + 2000 * 0.1 + 3000 * 2.5 + 4000 * 4.0 + 500 * 10.0) / 1e6


def test_a_long_prompt_is_charged_at_the_higher_tier_as_a_whole():
    assert cost(Usage(input=100_000, output=10), HAIKU) == (100_000 * 0.1 + 10 * 0.5) / 1e6
    assert cost(Usage(input=100_001, output=10), HAIKU) == (100_001 * 0.5 + 10 * 2.5) / 1e6


@given(st.integers(0, 300_000), st.integers(0, 300_000), st.sampled_from([GPT_4O, SONNET, HAIKU, FREE, None]))
def test_the_short_way_for_plain_text_finds_the_same_cents(prompt, output, price):
    usage = Usage(input=prompt, output=output)
    assert only_words(usage)
    assert cost_of_words(usage.input, usage.output, price) == cost(usage, price)


@pytest.mark.parametrize(
    "part", [name for name in Usage.__struct_fields__ if name not in ("input", "output", "estimated")]
)
def test_a_part_with_a_rate_of_its_own_goes_the_long_way(part):
    assert not only_words(Usage(**{part: {"service": "flex", "charged": 0.0}.get(part, 1)}))


def test_unknown_is_not_zero():
    assert cost(None, GPT_4O) is None
    assert cost(Usage(input=1), None) is None
    assert cost(Usage(input=1, cache_write_5m=5), GPT_4O) is None
    assert cost(Usage(input=1, output=1), FREE) == 0.0


def test_the_baseline_pays_for_the_whole_prompt_without_a_cache():
    usage = Usage(input=100, cache_read=900, output=10)
    assert baseline_cost(usage, GPT_4O) == (1000 * 2.5 + 10 * 10) / 1e6
    assert baseline_cost(None, GPT_4O) is None


def test_an_estimate_uses_the_callers_limit_when_it_is_short():
    model = Model(name="m", engine="e", engine_kind="openai", id="m", local=False, price=GPT_4O)
    asked = signals(1000)
    assert estimate(model, asked, 100) == 0.0035
    assert estimate(model, asked, 100_000) == estimate(model, asked, None)


def test_an_estimate_reads_the_cache_of_the_conversation_and_writes_what_is_marked():
    price = Price(input=2.0, output=10.0, cache_read=0.2, cache_write_5m=2.5)
    model = Model(name="m", engine="e", engine_kind="anthropic", id="m", local=False, price=price)
    kept = signals(1000, keeps_to="m", cached=800)
    assert estimate(model, kept, 100, marked=True) == pytest.approx((800 * 0.2 + 200 * 2.5 + 100 * 10) / 1e6)
    other = signals(1000, keeps_to="another", cached=800)
    assert estimate(model, other, 100, marked=True) == pytest.approx((1000 * 2.5 + 100 * 10) / 1e6)
    assert estimate(model, other, 100) == pytest.approx((1000 * 2.0 + 100 * 10) / 1e6)


def signals(tokens, **fields):
    return Signals(
        task=None, task_confidence=0.0, task_by="none", tokens=tokens, tokens_exact=False, **fields
    )


parts = st.integers(0, 10_000_000)


@given(
    st.builds(Usage, input=parts, cache_read=parts, cache_write_5m=parts, cache_write_1h=parts, output=parts)
)
def test_cost_grows_with_every_part_and_parts_sum_to_the_whole(usage):
    whole = cost(usage, SONNET)
    single = [
        cost(Usage(input=usage.input), SONNET),
        cost(Usage(cache_read=usage.cache_read), SONNET),
        cost(Usage(cache_write_5m=usage.cache_write_5m), SONNET),
        cost(Usage(cache_write_1h=usage.cache_write_1h), SONNET),
        cost(Usage(output=usage.output), SONNET),
    ]
    assert abs(whole - sum(single)) < 1e-9 * max(1.0, whole)
