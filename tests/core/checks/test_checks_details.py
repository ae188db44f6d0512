"""What the collected answers do not show: tool calls, bounds, the map of scores, long texts."""

import msgspec
import pytest
from build_answer import build
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.checks import CHECKS
from headgate.core.checks.numbers import find_numbers, known_values
from headgate.core.types import Message


def score_of(check, text, ask="What is the answer?", **facts):
    return CHECKS[check](build(text, ask, **facts)).score


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cut_answer_scores_zero_and_says_after_how_many_tokens():
    verdict = CHECKS["not-cut-off"](build("The quarter was good." * 10, finish="length"))
    assert verdict.score == 0.0
    assert "52" in verdict.reason


def test_a_tool_call_is_an_answer_and_nothing_to_read():
    for name in ("asked-format", "known-label", "language-matches", "asks-back"):
        verdict = CHECKS[name](build("", tool_call="get_weather", labels=["a"], format="json"))
        assert verdict.score is None
    assert score_of("not-empty", "", tool_call="get_weather") == 1.0


# ── repetition ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_loop_scores_worse_the_more_of_the_answer_it_takes():
    start = " ".join(f"word{i} means thing{i * 7}" for i in range(60)) + ". "
    end = " That is all of it, as far as anyone in the office can tell from the file."
    scores = [
        score_of("not-repeating", start + "so it goes round and round, " * n + end) for n in (0, 8, 16, 90)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1.0
    assert scores[-1] == 0.0


@given(unit=st.text("abcdefghij ", min_size=3, max_size=60).filter(lambda unit: len(unit.split()) > 0))
def test_any_phrase_said_fifty_times_is_seen(unit):
    assert score_of("not-repeating", (unit.strip() + " ") * (50 + 400 // len(unit.strip()))) < 0.6


def test_a_loop_at_the_end_of_a_long_answer_is_seen():
    start = " ".join(f"item {i} costs {i * 37 % 1009} and weighs {i * 53 % 997}." for i in range(1500))
    assert score_of("not-repeating", start) == 1.0
    assert score_of("not-repeating", start + " and so on and so forth, as before," * 200) < 0.6


# ── confidence ───────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.floats(-20, 0), st.floats(-5, 0))
def test_confidence_passes_exactly_where_the_threshold_says(logprob, threshold):
    score = score_of("confidence", "billing", logprob=logprob, threshold=threshold)
    assert (score >= 0.60) is (logprob >= threshold)
    assert 0.0 <= score <= 1.0


@given(st.floats(-20, 0), st.floats(-20, 0), st.floats(-5, -0.001))
def test_confidence_never_falls_when_the_model_is_surer(one, other, threshold):
    low, high = sorted((one, other))
    assert score_of("confidence", "x", logprob=low, threshold=threshold) <= score_of(
        "confidence", "x", logprob=high, threshold=threshold
    )


# ── labels ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LABELS = ("billing", "technical", "feature-request", "feature")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("billing", 1.0),
        ("Label: Feature request", 1.0),
        ("feature-request", 1.0),
        ("billing - charged twice", 0.8),
        ("I would say billing.", 0.7),
        ("The customer has been charged twice and that makes it a matter of billing.", 0.5),
        ("billing and technical", 0.2),
        ("refund", 0.0),
        ("featured", 0.0),
        ("", 0.0),
    ],
)
def test_a_label_scores_by_how_cleanly_it_is_named(text, expected):
    assert score_of("known-label", text, labels=LABELS) == expected


def test_without_labels_there_is_no_evidence():
    assert score_of("known-label", "billing") is None


def test_labels_are_read_from_the_asked_schema_wherever_the_enum_stands():
    schema = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"enum": ["red", "green"]}}},
    }
    assert score_of("known-label", '{"items": ["red", "green", "red"]}', schema=schema) == 1.0
    assert score_of("known-label", '{"items": ["blue"]}', schema=schema) == 0.0


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1,200", 1200),
        ("1.200", 1200),
        ("1200", 1200),
        ("1 200", 1200),
        ("1\u202f200", 1200),
        ("1'200", 1200),
        ("1.200,50", 1200.5),
        ("1,200.50", 1200.5),
        ("$4.8k", 4800),
        ("4,8 Millionen", 4_800_000),
        ("2 mil", 2000),
        ("12%", 12),
        ("12 %", 0.12),
        ("3,5", 3.5),
    ],
)
def test_a_number_is_read_in_the_ways_people_write_it(written, value):
    (number,) = find_numbers(written)
    assert any(abs(reading - value) < 1e-9 for reading, _ in number.values)


def test_a_date_is_its_parts():
    assert {3.0, 10.0, 2024.0} <= set(known_values("3.10.2024"))
    assert {2024.0, 3.0, 10.0} <= set(known_values("2024-03-10"))


def test_small_numbers_may_be_spelled_in_the_source():
    assert {3.0, 7.0, 12.0} <= set(known_values("three, sieben, douze"))


@pytest.mark.parametrize(
    ("summary", "grounded"),
    [
        ("It cost 4.8k.", True),
        ("It cost 4,812 dollars.", True),
        ("It cost 4.9k.", False),
        ("It cost 4,821 dollars.", False),
        ("It starts at 14:30.", True),
        ("1. It cost 4,812 dollars.\n2. It starts at 2:30 pm.", True),
    ],
)
def test_figures_may_be_rounded_but_not_changed(summary, grounded):
    score = score_of(
        "grounded-numbers", summary, "The repair cost 4,812 dollars. The talk starts at 2:30 pm."
    )
    assert (score >= 0.6) is grounded


def test_figures_of_the_system_message_and_of_tools_count_as_given():
    answer = build("The limit is 750.", "What is the limit?", system="The limit is 750 dollars.")
    assert CHECKS["grounded-numbers"](answer).score == 1.0
    request = msgspec.structs.replace(
        answer.request, messages=(Message("user", "How much?"), Message("tool", '{"price": 750}'))
    )
    assert CHECKS["grounded-numbers"](msgspec.structs.replace(answer, request=request)).score == 1.0


# ── length ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("length", "expected"), [(100, 1.0), (500, 1.0), (700, 0.6), (1000, 0.0), (3000, 0.0)]
)
def test_a_summary_scores_by_its_share_of_the_source(length, expected):
    assert score_of("shorter-than-source", "x" * length, "y" * 1000) == expected


# ── code ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_parser_is_no_evidence_and_says_what_to_install(monkeypatch):
    from headgate.core.checks import code

    def not_there(name):
        raise ImportError(name)

    code._grammar.cache_clear()
    code._sql_parser.cache_clear()
    monkeypatch.setattr(code.importlib, "import_module", not_there)
    for language, text in (("javascript", "const x = ;"), ("sql", "SELECT * FORM t")):
        verdict = CHECKS["code-parses"](build(f"```{language}\n{text}\n```"))
        assert verdict.score is None
        assert "headgate[code]" in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "Select the file that you want from the list, then press Open.",
        "With one hand as (a) a support, turn the wheel.",
        "```\nimport Data.List\n\nmain = print (sort [3, 1, 2])\n```",
        "```\n@prefix : <http://example.com/> .\n:a :b :c .\n```",
        "```\nimport java.util.List;\n```",
        "import taxes are due in March, so plan ahead.",
    ],
)
def test_what_only_looks_like_code_is_not_judged(text):
    assert score_of("code-parses", text) is None


def test_sql_that_no_parser_knows_writes_nothing_to_the_terminal(capfd):
    pytest.importorskip("sqlglot")
    assert (
        score_of("code-parses", "```sql\n-- one\n/* two */\nALTER TABLE t ENABLE ROW LEVEL SECURITY;\n```")
        == 1.0
    )
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("code", ["(" * 5000, "x = " + "-" * 20000 + "1", "\0", "'" * 3, "a" * 70_000])
def test_hostile_code_neither_raises_nor_kills(code):
    verdict = CHECKS["code-parses"](build(f"```python\n{code}\n```"))
    assert verdict.score is None or verdict.score <= 1.0


def test_a_nested_fence_belongs_to_its_outer_block():
    text = "````markdown\n```python\nif x = 3:\n```\n````\n\n```python\nx = 3\n```"
    assert score_of("code-parses", text) == 1.0


def test_no_warning_of_the_judged_code_reaches_us(recwarn):
    assert score_of("code-parses", "```python\npattern = '\\d+'\nprint(1 is 1)\n```") == 1.0
    assert not recwarn.list


# ── language ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_callers_order_beats_the_system_message():
    english = (
        "The heating has been out of order since November, and the tenant has set a deadline for the repair."
    )
    ask = "Summarize the letter and write the answer in English, please."
    assert score_of("language-matches", english, ask, system="Always answer in German.") == 1.0
