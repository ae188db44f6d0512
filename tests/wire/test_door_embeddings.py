"""The doors for embeddings, and how engines are asked for vectors: bytes in, bytes out."""

import json
import struct
from base64 import b64decode, b64encode
from typing import Any

import pytest
from upstream_values import a_model, a_request, failed, replied

from headgate.core.types import Reply, Request, Usage
from headgate.engines.profiles import GENERIC, LLAMA_SERVER, LMSTUDIO, OPENAI, adjustments
from headgate.wire.doors import About, Ready
from headgate.wire.doors.ollama_embeddings import OllamaEmbed as OllamaDoor
from headgate.wire.doors.ollama_embeddings import OllamaEmbeddings as OldOllamaDoor
from headgate.wire.doors.openai_embeddings import OpenAIEmbeddings as OpenAIDoor
from headgate.wire.faults import Fault
from headgate.wire.upstream.embeddings import OllamaEmbed, OpenAIEmbeddings
from headgate.wire.vectors import pack, unpack

REPLY = Reply(text="", vectors=(pack([0.5, -0.25]), pack([1.0, 0.0])), usage=Usage(input=7), loading=0.5)


def came(door: Any, **body: Any) -> Request:
    request = door.decode_request(json.dumps(body).encode(), "r1")
    assert isinstance(request, Request), request
    return request


def answered(door: Any, request: Request, reply: Reply = REPLY) -> Any:
    return json.loads(door.encode_reply(reply, About(request, "the-model", 0.0)))


def texts_to(dialect: Any, request: Request, **model: Any) -> dict[str, Any]:
    body = dialect.encode_texts(request, a_model(**model))
    assert isinstance(body, bytes), body
    return json.loads(body)


def to_embed(*texts: str, **fields: Any) -> Request:
    return a_request(*texts, kind="embedding", **fields)


# ── What callers say ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_text_becomes_a_message():
    one, many = came(OpenAIDoor(), model="m", input="a"), came(OpenAIDoor(), model="m", input=["a", "b"])
    assert [message.text for message in one.messages] == ["a"]
    assert [message.text for message in many.messages] == ["a", "b"]
    assert (many.kind, many.asked, many.token_ids, many.raw_messages) == ("embedding", "m", (), None)
    assert came(OpenAIDoor(), model="m", input="a", dimensions=8).dimensions == 8


def test_token_ids_are_kept_as_numbers_and_as_the_callers_bytes():
    flat, nested = (
        came(OpenAIDoor(), model="m", input=[1, 2]),
        came(OpenAIDoor(), model="m", input=[[1], [2, 3]]),
    )
    assert flat.token_ids == ((1, 2),)
    assert nested.token_ids == ((1,), (2, 3))
    assert len(nested.messages) == 2
    assert json.loads(bytes(nested.raw_messages or b"")) == [[1], [2, 3]]


def test_vectors_are_written_as_numbers_or_as_base64_of_float32():
    numbers = answered(OpenAIDoor(), came(OpenAIDoor(), model="m", input=["a", "b"]))
    assert [item["embedding"] for item in numbers["data"]] == [[0.5, -0.25], [1.0, 0.0]]
    assert [item["index"] for item in numbers["data"]] == [0, 1]
    assert numbers["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert (numbers["object"], numbers["model"]) == ("list", "the-model")
    asked = came(OpenAIDoor(), model="m", input=["a", "b"], encoding_format="base64")
    packed = answered(OpenAIDoor(), asked)["data"][0]["embedding"]
    assert struct.unpack("<2f", b64decode(packed)) == (0.5, -0.25)


def test_ollamas_two_doors_answer_in_their_own_shapes():
    request = came(OllamaDoor(), model="m", input=["a", "b"], truncate=True, options={"x": 2})
    assert answered(OllamaDoor(), request) == {
        "model": "the-model",
        "embeddings": [[0.5, -0.25], [1.0, 0.0]],
        "total_duration": 0,
        "load_duration": 500_000_000,
        "prompt_eval_count": 7,
    }
    assert request.extra.keys() == {"options", "truncate"}
    assert not came(OllamaDoor(), model="m", input="a", options=None, keep_alive=None).extra
    assert answered(OldOllamaDoor(), came(OldOllamaDoor(), model="m", prompt="a")) == {
        "embedding": [0.5, -0.25]
    }


BAD_FOR_OPENAI = {
    "nothing": (b"", "JSON"),
    "a list": (b"[]", "not a JSON object"),
    "no input": (b'{"model": "m"}', "input is missing"),
    "no model": (b'{"input": "a"}', "model is missing"),
    "an empty model": (b'{"model": "", "input": "a"}', "model is empty"),
    "an empty text": (b'{"model": "m", "input": ""}', "input is empty"),
    "no texts": (b'{"model": "m", "input": []}', "input is empty"),
    "an empty text among others": (b'{"model": "m", "input": ["a", ""]}', "input[1] is empty"),
    "no ids": (b'{"model": "m", "input": [[]]}', "input[0] is empty"),
    "texts and ids": (b'{"model": "m", "input": ["a", [1]]}', "mixes"),
    "ids and lists of ids": (b'{"model": "m", "input": [1, [1]]}', "mixes"),
    "a number": (b'{"model": "m", "input": 7}', "input"),
    "half a token": (b'{"model": "m", "input": [1.5]}', "input"),
    "a negative id": (b'{"model": "m", "input": [-1]}', "at least 0"),
    "null": (b'{"model": "m", "input": null}', "input"),
    "too many texts": (json.dumps({"model": "m", "input": ["a"] * 2049}).encode(), "2,048 is the most"),
    "a strange encoding": (b'{"model": "m", "input": "a", "encoding_format": "hex"}', "hex"),
    "no dimensions": (b'{"model": "m", "input": "a", "dimensions": 0}', "at least 1"),
    "half a dimension": (b'{"model": "m", "input": "a", "dimensions": 1.5}', "dimensions"),
}
BAD_FOR_OLLAMA = {
    "nothing": (b"", "JSON"),
    "no input": (b'{"model": "m"}', "input is missing"),
    "an empty model": (b'{"model": "", "input": "a"}', "model is empty"),
    "an empty text among others": (b'{"model": "m", "input": ["a", ""]}', "an empty text"),
    "two empty texts": (b'{"model": "m", "input": ["", ""]}', "an empty text"),
    "token ids": (b'{"model": "m", "input": [1]}', "expected `str`, got `int`"),
    "no dimensions": (b'{"model": "m", "input": "a", "dimensions": -1}', "at least 1"),
    "options in words": (b'{"model": "m", "input": "a", "options": "fast"}', "options"),
}


@pytest.mark.parametrize("case", BAD_FOR_OPENAI)
def test_openais_door_says_what_is_wrong_and_what_to_do(case):
    body, words = BAD_FOR_OPENAI[case]
    fault = OpenAIDoor().decode_request(body, "r1")
    assert isinstance(fault, Fault)
    assert fault.status == 400
    assert words in fault.message
    assert fault.hint


@pytest.mark.parametrize("case", BAD_FOR_OLLAMA)
def test_ollamas_door_says_what_is_wrong_and_what_to_do(case):
    body, words = BAD_FOR_OLLAMA[case]
    fault = OllamaDoor().decode_request(body, "r1")
    assert isinstance(fault, Fault)
    assert words in fault.message
    assert fault.hint


@pytest.mark.parametrize("given", ["", [], [""]])
def test_no_text_only_asks_ollamas_door_for_a_model(given):
    ready = OllamaDoor().decode_request(json.dumps({"model": "m", "input": given}).encode(), "r1")
    assert isinstance(ready, Ready)
    assert ready.request.kind == "embedding"
    assert json.loads(ready.body(0.0)) == {"model": "m", "embeddings": []}
    older = OldOllamaDoor().decode_request(b'{"model": "m", "prompt": ""}', "r1")
    assert isinstance(older, Ready)
    assert json.loads(older.body(0.0)) == {"embedding": []}


@pytest.mark.parametrize("body", [b'{"model": "m"}', b'{"model": "", "prompt": ""}', b'{"prompt": "a"}'])
def test_ollamas_older_door_refuses_likewise(body):
    assert isinstance(OldOllamaDoor().decode_request(body, "r1"), Fault)


# ── What engines are sent ────────────────────────────────────────────────────────────────────────────────────────────


def test_ollama_is_told_not_to_cut_and_which_window_it_has():
    request = came(
        OllamaDoor(),
        model="auto",
        input="a",
        truncate=True,
        keep_alive="5m",
        options={"num_ctx": 9, "x": 1},
    )
    body = texts_to(OllamaEmbed(), request, context=512, settings={"keep_alive": "1h", "num_thread": 2})
    assert body == {
        "model": "toy-micro",
        "input": ["a"],
        "truncate": False,
        "keep_alive": "1h",
        "options": {"num_ctx": 512, "x": 1, "num_thread": 2},
    }
    assert adjustments(request, a_model(engine_kind="ollama")) == (
        "keep_alive: dropped, how long a model stays is set in its settings",
        "truncate: dropped, a prompt is never cut in silence",
        "num_ctx: dropped, another value would load the model anew",
    )


def test_callers_of_openais_door_reach_ollama_without_words_it_does_not_know():
    request = came(OpenAIDoor(), model="auto", input="a", user="u", dimensions=4, encoding_format="base64")
    body = texts_to(OllamaEmbed(), request)
    assert body == {"model": "toy-micro", "input": ["a"], "truncate": False, "dimensions": 4}
    assert adjustments(request, a_model(engine_kind="ollama")) == (
        "user: dropped, it is no word of Ollama's protocol",
    )


def test_openai_gets_token_ids_as_they_came_and_others_get_the_text():
    request = came(OpenAIDoor(), model="auto", input=[[15339]], user="u", encoding_format="float")
    assert texts_to(OpenAIEmbeddings(OPENAI), request, engine_kind="openai") == {
        "model": "toy-micro",
        "input": [[15339]],
        "user": "u",
        "encoding_format": "base64",
    }
    assert not adjustments(request, a_model(engine_kind="openai"))
    assert texts_to(OpenAIEmbeddings(GENERIC), request)["input"] == [""]  # the gate fills in what they spell
    assert adjustments(request, a_model()) == ("input: token ids are sent as the text that they spell",)


def test_what_openai_refuses_is_left_out_and_named():
    request = came(OpenAIDoor(), model="auto", input="a", input_type="query")
    assert "input_type" not in texts_to(OpenAIEmbeddings(OPENAI), request, engine_kind="openai")
    assert texts_to(OpenAIEmbeddings(GENERIC), request)["input_type"] == "query"
    assert adjustments(request, a_model(engine_kind="openai")) == (
        "input_type: dropped, openai does not take it",
    )


def test_an_engine_that_cuts_in_silence_gets_no_text_near_its_window():
    long = to_embed("short", "word " * 1500)  # about 1,875 tokens
    failure = failed(OpenAIEmbeddings(LMSTUDIO).encode_texts(long, a_model(context=2048)))  # type: ignore[arg-type]  # it is no reply
    assert failure.reason == "context_overflow"
    assert "was not sent" in failure.detail
    assert isinstance(OpenAIEmbeddings(LMSTUDIO).encode_texts(long, a_model(context=8192)), bytes)
    assert isinstance(OpenAIEmbeddings(LLAMA_SERVER).encode_texts(long, a_model(context=2048)), bytes)


# ── What they say ────────────────────────────────────────────────────────────────────────────────────────────────────


def openai_says(*vectors: Any, **more: Any) -> bytes:
    data = [{"object": "embedding", "index": index, "embedding": v} for index, v in enumerate(vectors)]
    return json.dumps({"object": "list", "data": data, "model": "toy-micro"} | more).encode()


def test_numbers_and_base64_are_the_same_vectors():
    packed = b64encode(struct.pack("<2f", 0.5, -0.25)).decode()
    for said in (openai_says([0.5, -0.25]), openai_says(packed)):
        reply = replied(OpenAIEmbeddings(GENERIC).decode_reply(said, to_embed("a"), a_model()))
        assert [unpack(vector) for vector in reply.vectors] == [[0.5, -0.25]]
        assert reply.usage.exact is False


def test_vectors_are_put_in_the_order_of_their_texts():
    data = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    body = json.dumps({"data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}}).encode()
    reply = replied(OpenAIEmbeddings(GENERIC).decode_reply(body, to_embed("a", "b"), a_model()))
    assert [unpack(vector) for vector in reply.vectors] == [[1.0], [2.0]]
    assert reply.usage == Usage(input=5)


def test_ollamas_vectors_are_read_with_their_cost_in_time_and_tokens():
    body = (
        b'{"model": "toy-micro", "embeddings": [[1, 2]], "prompt_eval_count": 3, "load_duration": 250000000}'
    )
    reply = replied(OllamaEmbed().decode_reply(body, to_embed("a"), a_model()))
    assert unpack(reply.vectors[0]) == [1.0, 2.0]
    assert (reply.usage.input, reply.loading) == (3, 0.25)


UNSOUND = {
    "too few": ([[1.0]], "1 vectors came for 2 texts"),
    "none": ([], "0 vectors came"),
    "too many": ([[1.0], [1.0], [1.0]], "3 vectors came"),
    "of two lengths": ([[1.0], [1.0, 2.0]], "not of one length"),
    "empty": ([[], []], "not of one length"),
    "too large for float32": ([[1.0], [1e39]], "not finite"),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_unsound_vectors_are_a_failure(case):
    vectors, words = UNSOUND[case]
    ollama = json.dumps({"model": "toy-micro", "embeddings": vectors}).encode()
    for result in (
        OpenAIEmbeddings(GENERIC).decode_reply(openai_says(*vectors), to_embed("a", "b"), a_model()),
        OllamaEmbed().decode_reply(ollama, to_embed("a", "b"), a_model()),
    ):
        failure = failed(result)
        assert failure.reason == "malformed"
        assert words in failure.detail


NOT_VECTORS = {
    "NaN": b'{"data": [{"embedding": [NaN]}]}',
    "null among numbers": b'{"data": [{"embedding": [null]}]}',
    "words": b'{"data": [{"embedding": "not base64!"}]}',
    "half a number": b'{"data": [{"embedding": "AAAA"}]}',
    "NaN in base64": b'{"data": [{"embedding": "AADAfw=="}]}',
    "an answer": b'{"choices": [{"message": {"content": "hi"}}]}',
    "HTML": b"<html>",
}


@pytest.mark.parametrize("case", NOT_VECTORS)
def test_what_is_no_vector_is_malformed(case):
    result = OpenAIEmbeddings(GENERIC).decode_reply(NOT_VECTORS[case], to_embed("a"), a_model())
    assert failed(result).reason == "malformed"


def test_an_ollama_that_answers_without_vectors_is_malformed():
    assert failed(OllamaEmbed().decode_reply(b"{}", to_embed("a"), a_model())).reason == "malformed"


def test_other_dimensions_than_the_asked_ones_are_a_failure():
    said = openai_says([1.0, 2.0])
    failure = failed(OpenAIEmbeddings(GENERIC).decode_reply(said, to_embed("a", dimensions=3), a_model()))
    assert failure.detail == "the vectors have 2 numbers, not the asked 3"


def test_the_vectors_of_another_model_are_refused():
    said = openai_says([1.0], model="nomic-embed-text")
    failure = failed(OpenAIEmbeddings(LMSTUDIO).decode_reply(said, to_embed("a"), a_model("bge-m3")))
    assert failure.reason == "wrong_model"
    body = b'{"model": "nomic-embed-text:latest", "embeddings": [[1]]}'
    assert failed(OllamaEmbed().decode_reply(body, to_embed("a"), a_model("bge-m3"))).reason == "wrong_model"


def test_an_error_under_status_200_is_an_error():
    said = b'{"error": "Unexpected endpoint or method. (POST /embeddings)"}'
    failure = failed(OpenAIEmbeddings(LMSTUDIO).decode_reply(said, to_embed("a"), a_model()))
    assert (failure.reason, "Unexpected endpoint" in failure.detail) == ("http_error", True)


OVERFLOWS = {
    "ollama": (OllamaEmbed(), 400, {"error": "the input length exceeds the context length"}),
    "openai": (
        OpenAIEmbeddings(OPENAI),
        400,
        {
            "error": {
                "message": "This model's maximum context length is 8192 tokens, however you requested 17143 tokens",
                "type": "invalid_request_error",
            }
        },
    ),
    "llama-server": (
        OpenAIEmbeddings(LLAMA_SERVER),
        500,
        {
            "error": {
                "code": 500,
                "message": "input (3002 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
                "type": "server_error",
            }
        },
    ),
}


@pytest.mark.parametrize("engine", OVERFLOWS)
def test_a_text_that_does_not_fit_is_an_overflow_in_every_engines_words(engine):
    dialect, status, body = OVERFLOWS[engine]
    assert dialect.decode_error(status, {}, json.dumps(body).encode()).reason == "context_overflow"
