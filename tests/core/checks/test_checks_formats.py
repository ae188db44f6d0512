"""The asked form: strict parsing, the caller's schema, and repair that never guesses."""

import msgspec
import pytest
from build_answer import build
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.checks import CHECKS, repair

AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
asked_format = CHECKS["asked-format"]


def test_free_text_is_no_evidence():
    assert asked_format(build("Hello.")).score is None


def test_json_of_another_shape_is_worth_more_than_no_json():
    assert asked_format(build('{"age": "old"}', schema=AGE)).score == 0.3
    assert asked_format(build("He is old.", schema=AGE)).score == 0.0


def test_the_reason_names_the_place_and_the_number_of_errors():
    schema = {
        "type": "object",
        "properties": {"people": {"type": "array", "items": AGE}},
        "required": ["people", "count"],
    }
    reason = asked_format(build('{"people": [{"age": 3}, {"age": "x"}]}', schema=schema)).reason
    assert "people/1/age" in reason or "the top" in reason
    assert "1 more" in reason


def test_a_reference_to_another_place_is_never_fetched():
    verdict = asked_format(build("{}", schema={"$ref": "http://127.0.0.1:9/schema.json"}))
    assert verdict.score is None
    assert "cannot be used" in verdict.reason


@pytest.mark.parametrize("schema", [b'{"type": 5}', b"{", b'{"type": "object", "pattern": 3}'])
def test_a_broken_schema_is_not_the_models_fault(schema):
    assert asked_format(build("{}", schema=schema)).score is None


def test_a_reference_inside_the_schema_works():
    schema = {
        "$defs": {"age": {"type": "integer"}},
        "type": "object",
        "properties": {"age": {"$ref": "#/$defs/age"}},
    }
    assert asked_format(build('{"age": 3}', schema=schema)).score == 1.0
    assert asked_format(build('{"age": "x"}', schema=schema)).score == 0.3


def test_a_valid_answer_is_returned_untouched():
    answer = build(' {"age": 3}\n', schema=AGE)
    assert repair(answer) is answer.reply


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"age": 3}\n```',
        '```\n{"age": 3}\n```',
        'Here you are: {"age": 3}. Anything else?',
        '{"age": 3,}',
        "{'age': 3}",
        "{age: 3}",
        '{"age": 3',
        '{"age": 3}}',
        '<think>{"age": 4}?</think>\n{"age": 3}',
        '```json\n{"age": 3}',
    ],
)
def test_what_small_models_get_wrong_is_mended(text):
    answer = build(text, schema=AGE)
    mended = repair(answer)
    assert msgspec.json.decode(mended.text) == {"age": 3}
    assert mended.usage == answer.reply.usage


def test_an_answer_that_ran_out_of_tokens_is_never_mended():
    answer = build('{"age": 3', schema=AGE, finish="length")
    assert repair(answer) is answer.reply


@pytest.mark.parametrize("text", ["", "I do not know.", '{"name": "x"', "[1, 2", '{"age": "x"}'])
def test_what_cannot_be_made_to_fit_is_left_as_it_is(text):
    answer = build(text, schema=AGE)
    assert repair(answer) is answer.reply


def test_text_and_tool_calls_are_left_alone():
    for answer in (build("{'age': 3}"), build("{'age': 3}", schema=AGE, tool_call="get_age")):
        assert repair(answer) is answer.reply


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.one_of(st.integers(-(2**53), 2**53), st.booleans(), st.none(), st.text(max_size=20)),
    )
)
def test_taking_off_a_fence_never_changes_the_value(value):
    text = msgspec.json.encode(value).decode()
    mended = repair(build(f"```json\n{text}\n```", format="json")).text
    if "```" not in text:
        assert msgspec.json.decode(mended) == value


@pytest.mark.parametrize(
    "text", ["{" * 30_000, '{"a":' * 6_000, "[" * 30_000, '{"' + '"' * 20_000, "[{" * 9_000]
)
def test_hostile_brackets_neither_raise_nor_hold_up_the_rest(text):
    answer = build(text, format="json")
    assert repair(answer).text in (text, '{"": ""}')
    assert asked_format(answer).score == 0.0
