"""Errors in every shape that engines write them, names in every form they decorate them, schemas as they want them."""

import msgspec
import pytest
from upstream_values import CLOSED, captured

from headgate.engines.profiles import GENERIC, OPENAI
from headgate.wire.upstream.identity import same_model
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.schemas import close, is_closed
from headgate.wire.upstream.trouble import failure_from, read_trouble, retry_after

DATE = "Mon, 23 Nov 2026 10:00:00 GMT"


def openai_error(message, kind="invalid_request_error", code=None):
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


@pytest.mark.parametrize(
    "raw",
    [
        b'{"error":"no luck"}',
        b'{"error":{"message":"no luck"}}',
        b'{"error":{"message":"{\\"error\\":{\\"message\\":\\"no luck\\"}}"}}',
        b'{"error":"{\\"error\\":\\"no luck\\"}"}',
        b'[{"error":{"code":500,"message":"no luck"}}]',
        b'{"detail":"no luck"}',
        b'{"detail":[{"loc":["body"],"msg":"no luck"}]}',
        b'{"object":"error","message":"no luck"}',
        b'{"type":"error","error":{"type":"api_error","message":"no luck"}}',
        b"no luck",
        b"<html><style>p{}</style><body><p>no\n luck</p></body></html>",
        b'"no luck"',
    ],
)
def test_an_error_is_read_in_every_shape(raw):
    assert read_trouble(raw).message == "no luck"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{" * 500, b'{"error":{}}', b"7"])
def test_an_unreadable_error_still_says_something(raw):
    assert failure_from(500, {}, raw).detail


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
        "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 13055>= n_ctx: 4096).",
        "request (40004 tokens) exceeds the available context size (1024 tokens), try increasing it",
        "the input length exceeds the context length",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 199000 + 4096 > 200000",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "Please reduce the length of the messages or completion.",
    ],
)
def test_an_overflow_is_recognised_in_every_engines_words(message):
    assert failure_from(400, {}, openai_error(message)).reason == "context_overflow"


def test_an_overflow_is_recognised_by_its_code_and_as_it_was_captured():
    assert (
        failure_from(400, {}, openai_error("too much", code="context_length_exceeded")).reason
        == "context_overflow"
    )
    for name in ("llama_server_overflow.json", "ollama_overflow.json", "ollama_v1_overflow.json"):
        assert failure_from(400, {}, captured(name)).reason == "context_overflow"


def test_other_refusals_are_no_overflow():
    for message in ("invalid temperature", "model 'context' not found", "max_tokens is too large: 99999"):
        assert failure_from(400, {}, openai_error(message)).reason == "http_error"


def test_an_output_that_the_engine_itself_cannot_read_is_malformed():
    message = "The model produced output that does not match the expected peg-native format"
    assert failure_from(500, {}, openai_error(message)).reason == "malformed"


def test_a_used_up_quota_and_a_rate_limit_read_differently():
    quota = failure_from(429, {}, openai_error("You exceeded your current quota", code="insufficient_quota"))
    rate = failure_from(
        429, {}, openai_error("Rate limit reached. Please try again in 1m0.5s.", code="rate_limit_exceeded")
    )
    assert "will not help" in quota.detail
    assert quota.retry_after is None
    assert "rate limited" in rate.detail
    assert rate.retry_after == 60.5
    credit = b'{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}'
    assert "will not help" in failure_from(400, {}, credit).detail
    limit = msgspec.json.encode(
        {
            "error": {
                "type": "rate_limit_error",
                "message": "no",
                "details": {"error_code": "enforced_spend_limit_reached"},
            }
        }
    )
    assert "will not help" in failure_from(429, {}, limit).detail


def test_googles_wait_is_read_from_the_body():
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]
    raw = msgspec.json.encode([{"error": {"code": 429, "message": "slow down", "details": details}}])
    assert failure_from(429, {}, raw).retry_after == 34.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": DATE}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "soon"}, None),
        ({"retry-after": "Mon, 99 Nov 2026 10:00:30 GMT", "date": DATE}, None),
    ],
)
def test_the_time_to_wait_is_read_in_every_form(headers, seconds):
    assert retry_after(headers) == seconds


def test_long_errors_are_shortened():
    assert len(failure_from(500, {}, b"x" * 5000).detail) <= 400


def test_a_wrong_path_is_explained():
    raw = b'{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}'
    assert "/v1" in OpenAIChat(GENERIC).decode_error(404, {}, raw).detail
    missing = openai_error("The model `gpt-9` does not exist", code="model_not_found")
    assert "/v1" not in OpenAIChat(OPENAI).decode_error(404, {}, missing).detail


@pytest.mark.parametrize(
    ("asked", "answered", "identity", "same"),
    [
        ("phi-3-mini", "phi-3-mini", "loose", True),
        ("phi-3-mini", "", "loose", True),
        ("phi-3-mini", "Phi-3-Mini", "loose", True),
        ("phi-3-mini", "microsoft/phi-3-mini", "loose", True),
        ("microsoft/phi-3-mini", "phi-3-mini:2", "loose", True),
        ("phi-3-mini@q4_k_m", "phi-3-mini", "loose", True),
        ("phi-3-mini@q4_k_m", "phi-3-mini@q8_0", "loose", False),
        ("phi-3-mini", "lmstudio-community/phi-3-mini-GGUF/phi-3-mini-Q4_K_M.gguf", "loose", True),
        ("llama3.1:8b", "llama3.1:70b", "loose", False),
        ("toy", "toy:latest", "loose", True),
        ("phi-3-mini", "phi-3-medium", "loose", False),
        ("a/phi-3-mini", "b/phi-3-mini", "loose", False),
        ("phi/phi", "phi/phi", "loose", True),
        ("phi", "phi/phi", "loose", True),
        ("gpt-4o", "gpt-4o-2024-08-06", "dated", True),
        ("gpt-4o", "gpt-4o-mini", "dated", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", "dated", False),
        ("gpt-4", "gpt-4-0613", "dated", True),
        ("gpt-4o", "gpt-4o-2024-08-06", "loose", False),
        ("mistral-small-latest", "mistral-small-2503", "dated", True),
        ("gemini-2.5-flash", "models/gemini-2.5-flash", "dated", True),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "dated", True),
        ("claude-sonnet-4-5", "claude-opus-4-5", "dated", False),
        ("anything", "else", "off", True),
    ],
)
def test_a_model_is_known_under_its_decorations(asked, answered, identity, same):
    assert same_model(asked, answered, identity) is same


def test_a_closed_schema_keeps_its_bytes():
    assert is_closed(CLOSED)
    assert close(CLOSED) == (CLOSED, ())


def test_schemas_are_closed_inside_too_and_property_names_are_no_words():
    raw = msgspec.Raw(
        msgspec.json.encode(
            {
                "type": "object",
                "properties": {
                    "rows": {
                        "type": "array",
                        "items": {"type": ["object", "null"], "properties": {"minimum": {"maxLength": 3}}},
                    },
                    "enum": {"enum": [{"minimum": 1}]},
                },
                "additionalProperties": False,
            }
        )
    )
    assert not is_closed(raw)
    found = close(raw)
    assert found is not None
    schema, changes = found
    inner = msgspec.json.decode(schema)["properties"]
    assert inner["rows"]["items"] == {
        "type": ["object", "null"],
        "properties": {"minimum": {}},
        "additionalProperties": False,
    }
    assert inner["enum"] == {"enum": [{"minimum": 1}]}
    assert changes == ("maxLength left out", "objects closed")


@pytest.mark.parametrize(
    "asked", [{"retry-after-ms": "1e300"}, {"retry-after-ms": "inf"}, {"retry-after": "9" * 400}]
)
def test_no_engine_can_ask_for_more_patience_than_a_year(asked):
    assert failure_from(429, asked, b"{}").retry_after == 366 * 86_400
