"""The deterministic arithmetic behind the doubles' answers."""

import json
import math

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.testing import Answer, ReceivedCall, count_tokens, minimal_instance
from headgate.testing.answers import limited, pieces, vector

SCHEMAS = [
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}, "minItems": 2}}},
    {"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 1},
    {"type": ["string", "null"], "minLength": 5},
    {"type": "integer", "minimum": 3, "maximum": 9},
    {"type": "integer", "maximum": -4},
    {"type": "number", "exclusiveMinimum": 7},
    {"anyOf": [{"type": "boolean"}, {"type": "string"}]},
    {
        "$defs": {"p": {"const": 7}},
        "type": "object",
        "properties": {"p": {"$ref": "#/$defs/p"}},
        "required": ["p"],
    },
    {
        "type": "object",
        "properties": {"when": {"type": "null"}},
        "required": ["when"],
        "additionalProperties": False,
    },
    {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["children"],
    },
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=[json.dumps(schema)[:50] for schema in SCHEMAS])
def test_the_minimal_instance_fits_its_schema(schema):
    assert jsonschema_rs.is_valid(schema, minimal_instance(schema))


@given(st.text())
def test_pieces_join_to_the_text_again(text):
    assert "".join(pieces(text)) == text
    assert all(pieces(text))


@given(st.text(min_size=1), st.integers(min_value=0, max_value=30))
def test_a_limited_answer_is_a_beginning_within_the_limit_and_admits_the_cut(text, most):
    kept = limited(Answer(text), most)
    assert text.startswith(kept.text)
    assert count_tokens(kept.text) <= most
    assert (kept.finish == "length") == (kept.text != text)


@pytest.mark.parametrize("most", [None, -1])
def test_no_limit_keeps_everything(most):
    answer = Answer("x" * 1000)
    assert limited(answer, most) is answer


@given(st.text(max_size=60), st.integers(min_value=1, max_value=64))
def test_vectors_have_length_one(text, dimensions):
    assert math.isclose(sum(x * x for x in vector(text, dimensions)), 1.0)


def test_texts_that_share_words_are_nearer_than_texts_that_do_not():
    ask, near, far = (
        vector(text, 256) for text in ("refund my card", "card refund please", "deploy the server")
    )

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert dot(ask, near) > 0.5 > dot(ask, far)


@pytest.mark.parametrize(
    ("body", "schema"),
    [
        ({"format": {"type": "object"}}, {"type": "object"}),
        ({"format": "json"}, {}),
        ({"response_format": {"type": "json_object"}}, {}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "array"}}}},
            {"type": "array"},
        ),
        ({"response_format": {"type": "text"}}, None),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "null"}}}},
            {"type": "null"},
        ),
        ({}, None),
    ],
)
def test_a_call_knows_the_schema_asked_for_in_any_dialect(body, schema):
    assert ReceivedCall("POST", "/", "", {}, b"", body, broken=False, at=0.0).schema == schema


def test_a_call_knows_the_last_user_text_whatever_its_form():
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:…"}},
        {"type": "text", "text": "here"},
    ]
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "no"},
    ]
    call = ReceivedCall("POST", "/", "", {}, b"", {"messages": messages}, broken=False, at=0.0)
    assert call.prompt == "look\nhere"
