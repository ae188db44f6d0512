"""The doubles as HTTP servers: what every client library relies on, whatever the dialect."""

import asyncio
import json
import urllib.error
import urllib.request

import pytest
from double_clients import PROVIDERS, ask, asking, connect, read_reply, request_bytes

from headgate.testing import Answer, Fault, OllamaDouble, OpenAIDouble, ServedModel

WHO = PROVIDERS["ollama"]


@pytest.fixture
async def ollama():
    async with OllamaDouble(answer="one two") as double:
        yield double


async def test_a_connection_serves_one_call_after_another(ollama):
    reader, writer = await connect(ollama.url)
    for stream in (False, True, False):
        writer.write(request_bytes(ollama.url, "POST", WHO.path, WHO.body(stream=stream)))
        assert WHO.text(await read_reply(reader)) == "one two"
    writer.close()
    assert len(ollama.calls) == 3


async def test_pipelined_calls_are_answered_in_order():
    async with OllamaDouble(
        answer=lambda call: Answer(call.prompt, delay=0.01 if "slow" in call.prompt else 0)
    ) as double:
        reader, writer = await connect(double.url)
        bodies = [
            WHO.body(stream=False, messages=[{"role": "user", "content": text}]) for text in ("slow", "quick")
        ]
        writer.write(b"".join(request_bytes(double.url, "POST", WHO.path, body) for body in bodies))
        raw = b""
        while raw.count(b'"done":true') < 2:
            raw += await asyncio.wait_for(reader.read(65536), 5)
        writer.close()
    assert raw.index(b'"content":"slow"') < raw.index(b'"content":"quick"')


async def test_a_call_is_recorded_with_path_query_headers_and_body(ollama):
    await ask(ollama.url, "GET", "/api/tags?x=1", headers={"X-Team": "Blue"})
    await ask(ollama.url, "POST", WHO.path, WHO.body(stream=False))
    probe, chat = ollama.calls
    assert (probe.method, probe.path, probe.query, probe.headers["x-team"]) == (
        "GET",
        "/api/tags",
        "x=1",
        "Blue",
    )
    assert (probe.json, probe.broken) == (None, False)
    assert (chat.model, chat.prompt) == (WHO.model, "Say one two three four.")
    assert json.loads(chat.body) == chat.json
    assert probe.at <= chat.at


async def test_head_tells_the_length_and_sends_nothing(ollama):
    async with asking(ollama.url, "HEAD", "/") as reader:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert b"HTTP/1.1 200 OK" in head
    assert b"Content-Length: 17" in head


async def test_connection_close_is_obeyed(ollama):
    for stream in (False, True):
        body = WHO.body(stream=stream)
        async with asking(ollama.url, "POST", WHO.path, body, {"Connection": "close"}) as reader:
            raw = await asyncio.wait_for(reader.read(), 5)  # to the end of the connection
        assert b"Connection: close" in raw


async def test_a_client_that_waits_for_100_continue_gets_it(ollama):
    body = json.dumps(WHO.body(stream=False)).encode()
    whole = request_bytes(ollama.url, "POST", WHO.path, body, {"Expect": "100-continue"})
    reader, writer = await connect(ollama.url)
    writer.write(whole[: -len(body)])
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert WHO.text(await read_reply(reader)) == "one two"
    writer.close()


async def test_what_is_not_http_is_a_400_and_the_end(ollama):
    reader, writer = await connect(ollama.url)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 400 ")
    writer.close()


async def test_calls_in_flight_are_counted_and_their_peak_is_kept():
    async with OllamaDouble(answer="x") as double:
        double.inject(Fault.stall_mid_stream(after=0, seconds=0.02), times=None)
        await asyncio.gather(*(WHO.chat(double, stream=True) for _ in range(3)))
        await asyncio.wait_for(double.idle(), 5)
        assert (double.in_flight, double.peak_in_flight, double.abandoned) == (0, 3, 0)


async def test_an_answering_function_that_fails_is_a_500_with_its_reason_and_is_reported():
    def broken(_):
        raise KeyError("my own mistake")

    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    async with OllamaDouble(answer=broken) as double:
        got = await WHO.chat(double, stream=False)
    assert (got.status, got.body) == (500, b"KeyError('my own mistake')")
    assert isinstance(reported[0], KeyError)


async def test_pace_separates_the_pieces_of_a_stream():
    async with OllamaDouble(answer=Answer("a b c", chunk_delay=0.01)) as double:
        started = asyncio.get_running_loop().time()
        got = await WHO.chat(double, stream=True)
        assert asyncio.get_running_loop().time() - started >= 0.02
    assert WHO.text(got) == "a b c"


async def test_every_reply_says_that_a_double_made_it():
    async with OpenAIDouble(label="stand-in") as double:
        got = await PROVIDERS["openai"].chat(double, stream=False)
    assert got.headers["x-headgate-double"] == "stand-in"
    assert "[stand-in]" in got.json["choices"][0]["message"]["content"]


async def test_only_the_last_calls_are_remembered():
    async with OllamaDouble(remember=2) as double:
        for _ in range(3):
            await ask(double.url, "GET", "/api/version")
        assert len(double.calls) == 2


async def test_a_port_in_use_is_an_os_error(ollama):
    with pytest.raises(OSError, match="in use"):
        await OllamaDouble(port=int(ollama.url.rpartition(":")[2])).start()


def test_blocking_code_uses_a_double_in_a_thread():
    with OllamaDouble({"m": ServedModel()}, answer="hello").in_thread() as ollama:
        url = ollama.url
        data = json.dumps(
            {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}
        ).encode()
        with urllib.request.urlopen(f"{url}/api/chat", data, timeout=5) as reply:
            assert json.load(reply)["message"]["content"] == "hello"
        ollama.inject(Fault.refuse())
        with pytest.raises(urllib.error.URLError, match="refused"):
            urllib.request.urlopen(url, timeout=5)
        ollama.clear()
        with urllib.request.urlopen(url, timeout=5) as reply:
            assert reply.read() == b"Ollama is running"
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(url, timeout=5)


def test_a_thread_that_cannot_have_its_port_says_so():
    with OllamaDouble().in_thread() as first:
        taken = OllamaDouble(port=int(first.url.rpartition(":")[2]))
        with pytest.raises(OSError, match="in use"), taken.in_thread():
            pass
