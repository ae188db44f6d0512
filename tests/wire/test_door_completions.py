"""OpenAI's Completions as values: what is understood, what is refused, and what a client's own decoder makes of our bytes."""

import json

import pytest
from openai._streaming import SSEDecoder
from openai.types import Completion

from headgate.core.types import Delta, Message, Reply, Request, Usage
from headgate.wire.doors import About
from headgate.wire.doors.openai_completions import Completions
from headgate.wire.faults import Fault

DOOR = Completions()
REPLY = Reply(
    text="Blue, é.", reasoning="Rayleigh.", usage=Usage(input=5, cache_read=2, output=3, reasoning=1)
)


def decoded(**more) -> Request | Fault:
    return DOOR.decode_request(json.dumps({"model": "auto", "prompt": "The sky is"} | more).encode(), "r1")


def about(**more) -> About:
    return About(decoded(**more), "llama3.1:8b", 1700000000.25)


def test_the_prompt_is_what_a_user_says():
    request = decoded(
        prompt=["The sky is"],
        max_tokens=5,
        temperature=0,
        top_p=0.5,
        presence_penalty=1,
        frequency_penalty=-1,
        stop="\n",
        seed=3,
        n=1,
        best_of=1,
        echo=False,
        suffix=None,
        logprobs=None,
        stream=True,
        stream_options={"include_usage": True},
        user="u1",
    )
    assert request.messages == (Message("user", "The sky is"),)
    assert (request.max_tokens, request.temperature, request.top_p, request.seed) == (5, 0, 0.5, 3)
    assert (request.presence_penalty, request.frequency_penalty, request.stop) == (1, -1, ("\n",))
    assert (request.stream, request.include_usage) == (True, True)
    assert {name: json.loads(bytes(value)) for name, value in request.extra.items()} == {"user": "u1"}


def test_who_names_no_limit_gets_none():
    assert decoded().max_tokens is None


REFUSED = {
    "several prompts": ({"prompt": ["a", "b"]}, "prompt", "2 prompts"),
    "token ids": ({"prompt": [1, 2, 3]}, "prompt", "token ids"),
    "lists of token ids": ({"prompt": [[1, 2], [3]]}, "prompt", "token ids"),
    "no prompt": ({"prompt": []}, "prompt", "empty"),
    "an empty prompt": ({"prompt": ""}, "prompt", "empty"),
    "a number": ({"prompt": 5}, "prompt", "got `int`"),
    "null": ({"prompt": None}, "prompt", "missing"),
    "no model": ({"model": ""}, "model", "empty"),
    "several answers": ({"n": 2}, "n", "one answer"),
    "the best of several": ({"best_of": 3}, "best_of", "one answer"),
    "a gap": ({"suffix": "end"}, "suffix", "gap"),
    "an echo": ({"echo": True}, "echo", "not repeated"),
    "log-probabilities": ({"logprobs": 0}, "logprobs", "log-probabilities"),
    "few tokens": ({"max_tokens": 0}, "max_tokens", "at least 1"),
    "a hot temperature": ({"temperature": 3}, "temperature", "between 0 and 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_had_is_refused_by_name(case):
    more, param, words = REFUSED[case]
    fault = decoded(**more)
    assert isinstance(fault, Fault)
    assert (fault.status, fault.param) == (400, param)
    assert words in fault.message
    assert fault.hint


def test_a_whole_reply_is_a_completion_to_the_official_client():
    completion = Completion.model_validate_json(DOOR.encode_reply(REPLY, about()))
    assert (completion.id, completion.object, completion.created) == (
        "cmpl-r1",
        "text_completion",
        1700000000,
    )
    assert completion.model == "llama3.1:8b"
    (choice,) = completion.choices
    assert (choice.text, choice.finish_reason, choice.index) == ("Blue, é.", "stop", 0)
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (7, 3)
    assert completion.usage.total_tokens == 10


def stream_of(**more) -> bytes:
    encoder = DOOR.stream_encoder(about(**more))
    said = [Delta(reasoning=REPLY.reasoning), *[Delta(text=letter) for letter in REPLY.text]]
    return b"".join([encoder.delta(delta) for delta in said]) + encoder.end(REPLY)


@pytest.mark.parametrize("usage", [False, True], ids=["without usage", "with usage"])
def test_a_stream_says_the_same_wherever_the_network_cuts_it(usage):
    data = stream_of(stream=True, stream_options={"include_usage": usage})
    for cut in range(len(data)):
        *chunks, end = SSEDecoder().iter_bytes(iter([data[:cut], data[cut:]]))
        assert end.data == "[DONE]"
        chunks = [json.loads(chunk.data) for chunk in chunks]
        choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
        assert "".join(choice["text"] for choice in choices) == REPLY.text
        assert [choice["finish_reason"] for choice in choices] == [None] * len(REPLY.text) + ["stop"]
        assert [chunk["usage"]["total_tokens"] for chunk in chunks if "usage" in chunk] == [10] * usage
        assert {chunk["object"] for chunk in chunks} == {"text_completion"}


def test_a_failure_has_no_end_mark():
    data = DOOR.stream_encoder(about()).fail(Fault(status=502, message="the answer broke off"))
    (event,) = SSEDecoder().iter_bytes(iter([data]))
    assert json.loads(event.data)["error"]["message"] == "the answer broke off"


def test_a_sign_of_life_is_no_event():
    assert list(SSEDecoder().iter_bytes(iter([DOOR.keep_alive(about())]))) == []
