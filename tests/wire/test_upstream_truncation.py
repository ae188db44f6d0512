"""A prompt that an engine cut in silence is found by its own count of tokens, and nothing else is taken for one."""

import msgspec
import pytest
from upstream_values import a_model, a_request, failed, read_stream, replied, sse

from headgate.core.types import Message
from headgate.engines.profiles import GENERIC, LLAMA_SERVER, LMSTUDIO, OPENAI
from headgate.engines.tokenizer import load_counter
from headgate.wire.upstream.openai_chat import OpenAIChat

PROSE = "The quick brown fox jumps over the lazy dog, and nobody minds. "
LONG = PROSE * 300
"""3,600 words, some 4,000 tokens."""


def usage(prompt: int, **more: int) -> dict:
    details = {"prompt_tokens_details": more} if more else {}
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": 4, "total_tokens": prompt + 4} | details}


def body(**more) -> bytes:
    choice = {"message": {"role": "assistant", "content": "Fine."}, "finish_reason": "stop"}
    return msgspec.json.encode({"model": "toy-micro", "choices": [choice]} | more)


@pytest.mark.parametrize("profile", [GENERIC, OPENAI, LMSTUDIO, LLAMA_SERVER], ids=lambda one: one.name)
def test_fewer_tokens_than_words_prove_that_the_prompt_was_cut(profile):
    found = failed(OpenAIChat(profile).decode_reply(body(**usage(2048)), a_request(LONG), a_model()))
    assert found.reason == "context_overflow"
    assert "2048 tokens in 3600 words" in found.detail
    assert (found.usage.prompt, found.text) == (2048, "Fine.")


def test_the_same_is_found_at_the_end_of_a_stream():
    chunk = {
        "model": "toy-micro",
        "choices": [{"index": 0, "delta": {"content": "Fine."}, "finish_reason": "stop"}],
    }
    last = {"model": "toy-micro", "choices": []} | usage(2048)
    pieces = [sse(chunk, last)]
    deltas, result = read_stream(OpenAIChat(GENERIC), pieces, a_request(LONG), a_model())
    assert [delta.text for delta in deltas] == ["Fine."]
    assert failed(result).reason == "context_overflow"


@pytest.mark.parametrize(
    ("counted", "texts"),
    [
        (usage(4000), [LONG]),
        (usage(3600), [LONG]),
        (usage(0), [LONG]),
        ({}, [LONG]),
        (usage(1000, cached_tokens=900), [PROSE * 70]),
        (usage(1), [PROSE * 30]),
        (usage(1200), ["無人會留意。" * 2000]),
        (usage(600), [" " * 20_000 + PROSE]),
    ],
    ids=["whole", "one each", "zero", "uncounted", "cached", "short", "no spaces", "blanks"],
)
def test_what_proves_nothing_is_believed(counted, texts):
    assert (
        replied(OpenAIChat(GENERIC).decode_reply(body(**counted), a_request(*texts), a_model())).text
        == "Fine."
    )


def test_what_the_model_said_earlier_is_left_aside_because_templates_drop_parts_of_it():
    asked = a_request(
        messages=(Message("user", "Go on."), Message("assistant", LONG), Message("user", "And?"))
    )
    assert replied(OpenAIChat(GENERIC).decode_reply(body(**usage(40)), asked, a_model()))


@pytest.mark.parametrize(
    "text",
    [
        PROSE * 20,
        "Donaudampfschifffahrtsgesellschaft und andere lange Wörter, a b c d e f g h. " * 20,
        "def f(x):\n        return {x: [x, 1, 22, 333], 'key': None}\n\n" * 20,
        "| a | b | 1 | 2 |\n|---|---|---|---|\n" * 40,
        "1 2 3 10 200 3000 3.14 - - - ... *** \t\n" * 40,
        "the of and to in a is that it for " * 40,
    ],
)
def test_a_text_has_no_fewer_tokens_than_words(text):
    assert load_counter()(text) >= len(text.split())
