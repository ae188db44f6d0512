"""The baseline is charged for what its own tokenizer would have counted, and for nothing that it would not have read or written."""

import pytest

from headgate.core.alternatives import cheapest
from headgate.core.parts import WHOLE
from headgate.core.recount import PRIMING, Tally, counts_o200k, recount, spared, thinks
from headgate.core.types import Message, Model, Price, Request, Signals, Usage

LLAMA = Model(name="llama", engine="o", engine_kind="ollama", id="llama3.1:8b", local=True)
GPT = Model(name="gpt", engine="openai", engine_kind="openai", id="gpt-6.1-terra", local=False)


def request(**more):
    return Request(id="r", asked="auto", messages=(Message("user", "Hi"),), **more)


def signals(tokens=100, *, exact=False, **more):
    return Signals(task=None, task_confidence=0.0, task_by="none", tokens=tokens, tokens_exact=exact, **more)


def test_which_models_count_by_o200k():
    assert all(
        map(counts_o200k, ["gpt-4o", "openai/gpt-4o-mini", "gpt-4.1", "gpt-6-luna", "o3-mini", "gpt-oss:20b"])
    )
    assert not any(
        map(counts_o200k, ["gpt-4", "gpt-4-turbo", "gpt-3.5-turbo", "llama3.1:8b", "claude-sonnet-5-5"])
    )
    assert not thinks("gpt-4o")
    assert not thinks("gpt-4.1-mini")
    assert thinks("gpt-6.1-terra")
    assert thinks("o3")


def test_nothing_is_recounted_before_anything_was_learned():
    assert recount(request(), signals(), LLAMA, Usage(input=120, output=30), None, thinking=False) == (
        None,
        None,
    )


def test_what_was_learned_is_applied_and_sums_come_out_right():
    tally = Tally()
    answers = [(Usage(input=100, output=50), 80, 45), (Usage(input=900, output=150), 820, 135)]
    for usage, prompt, output in answers:
        tally.add(usage, prompt, output)
    told = [recount(request(), signals(), LLAMA, usage, tally, thinking=False) for usage, _, _ in answers]
    assert sum(prompt for prompt, _ in told) == 900
    assert sum(output for _, output in told) == 180


def test_a_counted_prompt_goes_before_a_ratio():
    tally = Tally(1, 100, 80, 50, 45)
    told = recount(
        request(), signals(70, exact=True), LLAMA, Usage(input=100, output=50), tally, thinking=False
    )
    assert told == (70 + PRIMING, 45)


def test_estimates_are_not_scaled():
    usage = Usage(input=100, output=50, estimated=WHOLE)
    assert recount(request(), signals(), LLAMA, usage, Tally(1, 100, 80, 50, 45), thinking=False) == (
        None,
        None,
    )


def test_a_model_with_the_same_tokenizer_has_counted_already_but_thoughts_are_its_own():
    usage = Usage(input=100, cache_read=20, output=500, reasoning=400)
    assert recount(request(), signals(), GPT, usage, None, thinking=False) == (120, 100)
    assert recount(request(), signals(), GPT, usage, None, thinking=True) == (120, 500)


def test_what_only_repeats_is_read_once_and_drafts_are_not_written():
    usage = Usage(input=100, output=50)
    assert spared(request(repeated=30, draft=True), usage, None, None) == (70, 0)
    assert spared(request(repeated=300), usage, 90, 45) == (0, 45)


def model(name, price, **more):
    return Model(
        name=name, engine="x", engine_kind="openai_compatible", id=name, local=False, price=price, **more
    )


CHEAP = model(
    "cheap", Price(input=0.05, output=0.08), context=8_192, capabilities=frozenset({"json", "tools"})
)
ABLE = model(
    "able", Price(input=0.1, output=0.5), capabilities=frozenset({"json", "tools", "images", "schema"})
)


@pytest.mark.parametrize(
    ("more", "usage", "expected"),
    [
        ({}, Usage(input=1_000, output=100), "cheap"),
        ({"tools": 3}, Usage(input=1_000, output=100), "cheap"),
        ({}, Usage(input=9_000, output=100), "able"),
        ({"images": 1}, Usage(input=1_000, output=100), "able"),
        ({"format": "schema"}, Usage(input=1_000, output=100), "able"),
        ({"local_only": True}, Usage(input=1_000, output=100), None),
    ],
)
def test_the_alternative_is_the_cheapest_that_could_have_taken_it(more, usage, expected):
    found = cheapest((ABLE, CHEAP), signals(**more), usage)
    assert (found and found[0].name) == expected
    if expected == "cheap":
        assert found[1] == pytest.approx((1_000 * 0.05 + 100 * 0.08) / 1e6)
