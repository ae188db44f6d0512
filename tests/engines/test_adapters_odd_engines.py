"""Engines that no double plays: old versions, half-known servers, odd manners. The transport is scripted."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from adapter_doubles import KEY, a_request, ask, model_for, settings_for

from headgate.core.types import Delta, Failure, Reply
from headgate.engines.lmstudio import LMStudio
from headgate.engines.ollama import Ollama
from headgate.engines.openai_compatible import OpenAICompatible
from headgate.engines.profiles import GENERIC
from headgate.engines.transport import Response, ResponseHead, ResponseHeaders, StreamEnd, Timing

CAPTURES = Path(__file__).parent.parent / "data" / "captures" / "upstream"
HANG = "hang"
NOW = Timing(0.0, 0.0, 0.0)


class Scripted:
    """A transport that gives the same bodies to whoever asks for a path; `HANG` among the pieces never ends."""

    def __init__(self, pages, content_type="text/event-stream", status=200):
        self.pages = pages
        self.headers = ResponseHeaders([(b"content-type", content_type.encode())])
        self.status = status
        self.left = 0

    async def request(self, method, target, *, headers=(), body=b"", clocks):
        pieces = self.pages.get(target)
        if pieces is None:
            return Response(404, self.headers, b"404 page not found", NOW)
        return Response(self.status, self.headers, b"".join(pieces), NOW)

    def stream(self, method, target, *, headers=(), body=b"", clocks):
        return ScriptedStream(self, self.pages[target])

    async def close(self):
        pass


class ScriptedStream:
    def __init__(self, owner, pieces):
        self.owner = owner
        self.pieces = iter(pieces)
        self.head = ResponseHead(owner.status, owner.headers)
        self.end = None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.owner.left += 1

    def __aiter__(self):
        return self

    async def __anext__(self):
        for piece in self.pieces:
            if piece == HANG:
                await asyncio.Event().wait()
            return piece
        self.end = StreamEnd(0, NOW)
        raise StopAsyncIteration


def event(text=None, finish=None):
    delta = {} if text is None else {"content": text}
    return b"data: " + msgspec.json.encode({"choices": [{"delta": delta, "finish_reason": finish}]}) + b"\n\n"


ROLE, END, DONE = event(""), event(finish="stop"), b"data: [DONE]\n\n"
PATH = "/chat/completions"


def compatible(pages, **settings):
    transport = pages if isinstance(pages, Scripted) else Scripted({PATH: pages})
    return OpenAICompatible(settings_for("openai_compatible", "http://x", **settings), transport, GENERIC)


async def stream_of(engine):
    return await ask(engine, a_request(), model_for("openai_compatible"), stream=True)


async def test_signs_of_life_are_no_tokens():
    pings = [ROLE, *[b": still working\n\n"] * 50, HANG]
    began = time.perf_counter()
    deltas, result = await stream_of(compatible(pings, first_token=0.05))
    assert time.perf_counter() - began < 10
    assert deltas == []
    assert isinstance(result, Failure)
    assert result.reason == "timeout"
    assert "no token" in result.detail


async def test_a_long_wait_for_the_first_token_is_not_silence():
    engine = compatible([ROLE, HANG], first_token=0.08, between_tokens=0.01)
    _, result = await stream_of(engine)
    assert isinstance(result, Failure)
    assert "no token came within 0.08 s" in result.detail


async def test_silence_in_the_middle_is_a_timeout_with_what_had_arrived():
    deltas, result = await stream_of(compatible([ROLE, event("four"), HANG], between_tokens=0.02))
    assert [delta.text for delta in deltas] == ["four"]
    assert isinstance(result, Failure)
    assert (result.reason, result.text) == ("timeout", "four")
    assert "silent" in result.detail


async def test_an_answer_counts_at_its_end_mark_even_if_the_body_goes_on_for_ever():
    began = time.perf_counter()
    _, result = await stream_of(compatible([event("four"), END, DONE, HANG]))
    assert time.perf_counter() - began < 10
    assert isinstance(result, Reply)
    assert result.text == "four"


async def test_an_engine_that_does_not_stream_is_understood():
    call = {"id": "c1", "function": {"name": "look", "arguments": "{}"}}
    message = {"content": "four", "reasoning_content": "2+2", "tool_calls": [call]}
    body = msgspec.json.encode({"choices": [{"message": message, "finish_reason": "stop"}]})
    engine = compatible(Scripted({PATH: [body]}, "application/json; charset=utf-8"))
    deltas, result = await stream_of(engine)
    assert isinstance(result, Reply)
    assert deltas == [
        Delta("four", "2+2"),
        Delta(tool_index=0, tool_id="c1", tool_name="look", tool_arguments="{}"),
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_that_repeats_our_key_is_censored(stream):
    body = msgspec.json.encode({"error": {"message": f"bad key {KEY}, go away"}})
    engine = compatible(Scripted({PATH: [body]}, "application/json", status=401))
    _, result = await ask(engine, a_request(), model_for("openai_compatible"), stream=stream)
    assert isinstance(result, Failure)
    assert KEY not in result.detail
    assert "go away" in result.detail


async def test_a_stream_is_left_however_it_ends():
    for pieces in ([event("four"), END, DONE], [event("four")], [b"data: {{{\n\n", HANG]):
        transport = Scripted({PATH: pieces})
        await stream_of(compatible(transport))
        assert transport.left == 1


async def test_llama_servers_list_tells_windows_and_sizes():
    pages = {"/models": [(CAPTURES / "llama_server_models.json").read_bytes()]}
    found = await compatible(Scripted(pages)).list_models()
    assert not isinstance(found, Failure)
    (toy,) = found
    assert (toy.id, toy.context, toy.size) == ("toy-micro", 1024, 1_949_184)
    assert (toy.quantization, toy.parameters) == ("F16", "973K")


async def test_windows_are_read_under_every_providers_word():
    words = ("max_model_len", "context_length", "context_window", "max_context_length")
    data = [{"id": f"m{n}", word: 4096 + n} for n, word in enumerate(words)] + [{"id": "text-embed"}]
    found = await compatible(Scripted({"/models": [msgspec.json.encode({"data": data})]})).list_models()
    assert not isinstance(found, Failure)
    assert [model.context for model in found] == [4096, 4097, 4098, 4099, None]
    assert found[-1].kind == "embedding"


async def test_a_server_without_a_list_is_up_all_the_same():
    engine = compatible(Scripted({}))
    assert (await engine.health()).up
    assert isinstance(await engine.list_models(), Failure)


async def test_no_models_may_be_written_as_null():
    assert await compatible(Scripted({"/models": [b'{"object":"list","data":null}']})).list_models() == ()


async def test_an_older_ollama_is_asked_for_each_models_window():
    pages = {
        "/api/tags": [b'{"models":[{"name":"toy:latest","size":5,"details":{"family":"llama"}}]}'],
        "/api/show": [b'{"model_info":{"general.architecture":"llama","llama.context_length":2048},"capabilities":["completion"]}'],
        "/api/ps": [(CAPTURES / "ollama_tags_ps.json").read_bytes()],
    }  # fmt: skip
    engine = Ollama(settings_for("ollama", "http://x"), Scripted(pages))
    found = await engine.list_models()
    assert not isinstance(found, Failure)
    (toy,) = found
    assert (toy.context, toy.kind, toy.loaded, toy.remote) == (2048, "chat", False, False)


async def test_something_that_is_not_ollama_is_not_taken_for_it():
    engine = Ollama(
        settings_for("ollama", "http://x"), Scripted({"/api/version": [b"hello"], "/api/tags": [b"hi"]})
    )
    health = await engine.health()
    assert not health.up
    assert "not Ollama" in health.detail
    assert isinstance(await engine.list_models(), Failure)


UNKNOWN = [b'{"error":"Unexpected endpoint or method. (GET /api/v1/models)"}']


async def test_older_lm_studios_are_listed_by_what_they_know():
    older = {
        "/api/v1/models": UNKNOWN,
        "/api/v0/models": [
            b'{"data":[{"id":"phi","type":"llm","quantization":"Q4_K_M","state":"loaded","loaded_context_length":4096},{"id":"nomic","type":"embeddings","state":"not-loaded"}]}'
        ],
    }
    oldest = {
        "/api/v1/models": UNKNOWN,
        "/api/v0/models": UNKNOWN,
        "/v1/models": [b'{"data":[{"id":"phi"}],"object":"list"}'],
    }
    found = await LMStudio(settings_for("lmstudio", "http://x"), Scripted(older)).list_models()
    assert not isinstance(found, Failure)
    phi, nomic = found
    assert (phi.context, phi.loaded, phi.quantization) == (4096, True, "Q4_K_M")
    assert (nomic.kind, nomic.loaded) == ("embedding", False)
    plain = await LMStudio(settings_for("lmstudio", "http://x"), Scripted(oldest)).list_models()
    assert not isinstance(plain, Failure)
    assert (plain[0].id, plain[0].loaded) == ("phi", None)


async def test_a_status_of_200_does_not_make_lm_studio_healthy():
    engine = LMStudio(settings_for("lmstudio", "http://x"), Scripted({"/v1/models": UNKNOWN}))
    health = await engine.health()
    assert not health.up
    assert "Unexpected endpoint" in health.detail
