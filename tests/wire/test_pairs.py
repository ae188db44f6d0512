"""Every dialect in, every engine out: one rich conversation through each door, encoded for each kind of engine.

What a caller said must be found in what an engine is told, or be named in `adjustments`; nothing is dropped in silence.
"""

import json

import msgspec
import pytest

from headgate.core.types import Model, Request
from headgate.core.words import ENGINE_KINDS
from headgate.engines.profiles import DIALECTS
from headgate.gateway.paths import DOORS

PIXEL = "iVBORw0KGgo="
ASK, SAID, RESULT, NEXT = "What does the picture show?", "Let me look.", "a red kite", "And its colour?"
ORDERS = "You describe pictures in one sentence."
ARGUMENTS = {"zoom": 3}
PARAMETERS = {"type": "object", "properties": {"zoom": {"type": "integer"}}, "required": ["zoom"]}
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}

CHAT = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": ORDERS},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": ASK},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            ],
        },
        {
            "role": "assistant",
            "content": SAID,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "look", "arguments": json.dumps(ARGUMENTS)},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": RESULT},
        {"role": "user", "content": NEXT},
    ],
    "tools": [
        {
            "type": "function",
            "function": {"name": "look", "description": "Looks closer.", "parameters": PARAMETERS},
        }
    ],
    "response_format": {"type": "json_schema", "json_schema": {"name": "seen", "schema": SCHEMA}},
    "stop": ["END"],
    "seed": 7,
    "temperature": 0.25,
    "top_p": 0.75,
    "max_tokens": 321,
}
RESPONSES = {
    "model": "auto",
    "instructions": ORDERS,
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": ASK},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
            ],
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": SAID}]},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": json.dumps(ARGUMENTS)},
        {"type": "function_call_output", "call_id": "call_1", "output": RESULT},
        {"role": "user", "content": NEXT},
    ],
    "tools": [{"type": "function", "name": "look", "description": "Looks closer.", "parameters": PARAMETERS}],
    "text": {"format": {"type": "json_schema", "name": "seen", "schema": SCHEMA}},
    "temperature": 0.25,
    "top_p": 0.75,
    "max_output_tokens": 321,
}
MESSAGES = {
    "model": "auto",
    "system": ORDERS,
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": ASK},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": SAID},
                {"type": "tool_use", "id": "call_1", "name": "look", "input": ARGUMENTS},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": RESULT},
                {"type": "text", "text": NEXT},
            ],
        },
    ],
    "tools": [{"name": "look", "description": "Looks closer.", "input_schema": PARAMETERS}],
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "stop_sequences": ["END"],
    "temperature": 0.25,
    "top_p": 0.75,
    "max_tokens": 321,
}
OLLAMA = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": ORDERS},
        {"role": "user", "content": ASK, "images": [PIXEL]},
        {
            "role": "assistant",
            "content": SAID,
            "tool_calls": [{"id": "call_1", "function": {"name": "look", "arguments": ARGUMENTS}}],
        },
        {"role": "tool", "tool_call_id": "call_1", "tool_name": "look", "content": RESULT},
        {"role": "user", "content": NEXT},
    ],
    "tools": CHAT["tools"],
    "format": SCHEMA,
    "options": {"stop": ["END"], "seed": 7, "temperature": 0.25, "top_p": 0.75, "num_predict": 321},
}
SENT = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
    "/api/chat": OLLAMA,
}
NO_SEED = {"/v1/responses", "/v1/messages"}
NO_STOP = {"/v1/responses"}
"""What a dialect has no word for."""


def decoded(path: str) -> Request:
    request = DOORS[path].decode_request(json.dumps(SENT[path]).encode(), "r1")
    assert isinstance(request, Request), request
    return request


def a_model(kind):
    return Model(
        name="m",
        engine="e",
        engine_kind=kind,
        id="gpt-4o" if kind == "openai" else "claude-haiku-4-5" if kind == "anthropic" else "some:8b",
        local=False,
        capabilities=frozenset({"tools", "images", "json", "schema"}),
    )


def leaves(value):
    """Every text and number in a JSON value, arguments in JSON texts included."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value
        if isinstance(value, str) and value.startswith("{"):
            yield from leaves(json.loads(value))


@pytest.mark.parametrize("path", SENT)
def test_every_door_understands_the_same(path):
    mine, chat = decoded(path), decoded("/v1/chat/completions")
    assert [(m.role, m.text) for m in mine.messages] == [(m.role, m.text) for m in chat.messages]
    assert [image.url for m in mine.messages for image in m.images] == [
        image.url for m in chat.messages for image in m.images
    ]
    calls = [call for m in mine.messages for call in m.tool_calls]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [("look", ARGUMENTS)]
    (result,) = [m for m in mine.messages if m.role == "tool"]
    assert result.tool_call_id == calls[0].id
    assert [(t.name, t.description, msgspec.json.decode(t.parameters)) for t in mine.tools] == [
        ("look", "Looks closer.", PARAMETERS)
    ]
    assert (mine.format.kind, msgspec.json.decode(mine.format.schema)) == ("schema", SCHEMA)
    assert (mine.temperature, mine.top_p, mine.max_tokens) == (0.25, 0.75, 321)
    assert mine.stop == (() if path in NO_STOP else ("END",))
    assert mine.seed == (None if path in NO_SEED else 7)
    assert not mine.native


@pytest.mark.parametrize("kind", ENGINE_KINDS)
@pytest.mark.parametrize("path", SENT)
def test_every_engine_is_told_all_of_it_or_the_caller_is_told_what_not(path, kind):
    request, model, dialect = decoded(path), a_model(kind), DIALECTS[kind]
    for stream in (False, True):
        body = dialect.encode_request(request, model, stream=stream)
        assert isinstance(body, bytes), body
        told = list(leaves(json.loads(body)))
        notes = " ".join(dialect.adjustments(request, model))
        for text in (ORDERS, ASK, SAID, RESULT, NEXT):
            assert any(isinstance(leaf, str) and text in leaf for leaf in told), text
        assert any(isinstance(leaf, str) and PIXEL in leaf for leaf in told)
        assert {"look", "Looks closer.", "zoom", 3, "colour", 321} <= set(told)
        for value, word in ((0.25, "temperature"), (0.75, "top_p"), (7, "seed"), ("END", "stop")):
            said = value in request.stop or value in (request.temperature, request.top_p, request.seed)
            assert not said or value in told or word in notes, (word, notes)
        assert bool(json.loads(body).get("stream")) is stream


@pytest.mark.parametrize("kind", ENGINE_KINDS)
@pytest.mark.parametrize("path", SENT)
def test_calls_and_results_stay_together_at_every_engine(path, kind):
    body = json.loads(DIALECTS[kind].encode_request(decoded(path), a_model(kind), stream=False))
    text = json.dumps(body)
    (called,) = [call["id"] for message in body["messages"] for call in message.get("tool_calls") or ()] or [
        block["id"]
        for message in body["messages"]
        for block in message["content"]
        if isinstance(block, dict) and block["type"] == "tool_use"
    ]
    assert text.count(f'"{called}"') == 2
