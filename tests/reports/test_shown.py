"""Names and figures as they are shown."""

import pytest

from headgate.core.types import Model
from headgate.reports.shown import (
    baseline_name,
    dollars,
    dollars_alike,
    dollars_at_least,
    fallback_reason,
    fine_dollars,
    full_name,
    labelled,
    milliseconds,
)


def model(kind, id_, *, local=True, display="", label="", engine="box"):
    return Model(name="m", engine=engine, engine_kind=kind, id=id_, local=local, display=display, label=label)


@pytest.mark.parametrize(
    ("described", "shown"),
    [
        (model("ollama", "qwen2.5-coder:7b"), "qwen2.5-coder (Ollama)"),
        (model("ollama", "hf.co/bartowski/Phi-3-GGUF:Q4_K_M"), "Phi-3-GGUF (Ollama)"),
        (model("ollama", "gpt-oss:120b-cloud", local=False), "gpt-oss (API)"),
        (model("lmstudio", "phi-3-mini-128k-instruct", display="phi-3-mini"), "phi-3-mini (LM Studio)"),
        (model("llamacpp", "qwen3-0.6b"), "qwen3-0.6b (llama.cpp)"),
        (model("openai_compatible", "meta/llama-3.3-70b", engine="vllm"), "llama-3.3-70b (vllm)"),
        (
            model("anthropic", "claude-sonnet-5-5", local=False, label="stand-in"),
            "claude-sonnet-5-5 (API) [stand-in]",
        ),
    ],
)
def test_a_model_is_shown_without_its_tag_with_its_engine_and_label(described, shown):
    assert full_name(described, "m") == shown


def test_a_model_that_nobody_described_is_shown_by_its_name():
    assert full_name(None, "mystery") == labelled("mystery", None) == "mystery"


def test_the_baseline_is_written_as_its_maker_writes_it():
    assert baseline_name(None, "gpt-4o") == "GPT-4o"
    assert baseline_name(model("openai", "gpt-4o", display="Azure 4o"), "gpt-4o") == "Azure 4o"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0.0, "$0.00"),
        (1219.04, "$1,219.04"),
        (-3.1, "-$3.10"),
        (0.0049, "$0.0049"),
        (-0.001, "-$0.0010"),
        (0.00004, "<$0.0001"),
        (None, "unknown"),
    ],
)
def test_money_is_shown_so_that_it_adds_up_and_a_small_amount_never_as_nothing(amount, shown):
    assert dollars(amount) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0.0, "$0.00"),
        (0.012345, "$0.012345"),
        (0.5, "$0.50"),
        (1234.5678, "$1,234.5678"),
        (1e-9, "<$0.000001"),
        (-0.003, "-$0.003"),
        (None, "unknown"),
    ],
)
def test_the_money_of_one_request_is_shown_to_the_millionth(amount, shown):
    assert fine_dollars(amount) == shown


@pytest.mark.parametrize(
    ("amounts", "shown"),
    [
        ((0.5, 2.0, 1.5), ["$0.50", "$2.00", "$1.50"]),
        ((0.0, 0.00336, 0.00336), ["$0.000000", "$0.003360", "$0.003360"]),
        ((0.25, None, None), ["$0.25", "unknown", "unknown"]),
        ((4e-7, 0.001, 0.001), ["<$0.000001", "$0.001000", "$0.001000"]),
    ],
)
def test_figures_that_are_compared_have_as_many_decimals(amounts, shown):
    assert dollars_alike(amounts) == shown


def test_a_sum_with_unknown_parts_is_a_lower_bound():
    assert dollars_at_least(2.5, 0, 4) == "$2.50"
    assert dollars_at_least(2.5, 1, 3) == ">= $2.50"
    assert dollars_at_least(0.0, 4, 0) == "unknown"


def test_durations_are_milliseconds_until_they_are_long():
    assert [milliseconds(s) for s in (0.32, 1.2345, 12.34, None)] == ["320ms", "1,234ms", "12.3s", "unknown"]


def test_a_fallback_names_its_limit():
    assert fallback_reason("token count", 4000) == "Token count > 4000"
    assert fallback_reason("token count", None) == "Token count"
    assert fallback_reason("sent by its route", None) == "Sent by its route"
