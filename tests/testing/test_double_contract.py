"""One transcript holds double and adapter: what a real Ollama once said, the double says too, and the adapter reads both alike.

For every capture: the double, asked the same, answers with the same status and content type, the same names and kinds of values,
and the same words if it is an error; and our adapter, shown the captured bytes and the double's, reads the same value. What the
adapter never asks for is not shown to it. A capture without a line here fails.
"""

import json
import re
from dataclasses import dataclass, field

import msgspec
import pytest
from double_clients import CAPTURES, Captured, ask, captured, shape

from headgate.config.engine import EngineSettings
from headgate.core.types import Failure, Message, Model, Reply, Request
from headgate.engines.connect import connect
from headgate.testing import Answer, OllamaDouble, ServedModel
from headgate.testing.server import Listener, Script

FILE = "ollama-0.33.txt"
HELLO = [{"role": "user", "content": "Is it billing?"}]
LONG = [{"role": "user", "content": "x" * 72_016}]  # 18005 of the double's tokens
NONSENSE = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}
FUNCTION = [{"type": "function", "function": {"name": "f"}}]
LOGPROB = -0.00013900769408792257
BILLING = Answer("billing", input_tokens=37, output_tokens=2, logprob=LOGPROB)
AS_JSON = Answer('{"category": "billing", "urgency": "medium"}', input_tokens=33, output_tokens=13)
MODELS = {
    "toy-micro": ServedModel(context=1024, tools=False, cuts_prompts=False),
    "tiny-bert": ServedModel(kind="embedding", context=512, dimensions=16),
}
NATIVE, V1, NOTHING = "ollama", "openai_compatible", None


@dataclass(frozen=True)
class Case:
    """How a capture came to be: the request, what the double says, what was asked before, and which adapter reads it."""

    method: str
    path: str
    body: dict | None = None
    reads: str | None = NATIVE
    answer: Answer = BILLING
    before: tuple = ()
    headers: dict = field(default_factory=dict)


def chat(**more) -> Case:
    fields = {name: more.pop(name) for name in ("reads", "answer") if name in more}
    body = {"model": "toy-micro", "messages": HELLO, "stream": False} | more
    return Case("POST", "/api/chat", body, **fields)


def v1(**more) -> Case:
    body = {"model": "toy-micro", "messages": HELLO} | more
    return Case("POST", "/v1/chat/completions", body, V1)


def generate(**more) -> Case:
    return Case("POST", "/api/generate", {"model": "toy-micro"} | more, NOTHING)


def embed(given, model="tiny-bert", **more) -> Case:
    return Case("POST", "/api/embed", {"model": model, "input": given, "truncate": False} | more)


CASES = {
    "chat": chat(),
    "chat, streamed": chat(stream=True),
    "chat with logprobs": chat(logprobs=True, top_logprobs=2),
    "chat with a schema": chat(format={"type": "object"}, answer=AS_JSON),
    "generate": generate(prompt="3 + 5?", stream=False),
    "generate, raw": generate(prompt="x", raw=True, stream=False),
    "generate without a prompt": generate(),
    "chat without messages, keep_alive 0": chat(messages=[], keep_alive=0, reads=NOTHING),
    "ps": Case("GET", "/api/ps", before=(chat(),)),
    "think on a model without thinking": chat(think=True),
    "think huge": chat(think="huge"),
    "tools on a model without tools": chat(tools=FUNCTION),
    "format xml": chat(format="xml"),
    "schema of type nonsense": chat(format={"type": "nonsense"}),
    "temperature hot": chat(options={"temperature": "hot"}),
    "top_logprobs 21": chat(logprobs=True, top_logprobs=21),
    "prompt of 18005 tokens": chat(messages=LONG, truncate=False, options={"num_ctx": 1024}),
    "chat on an embedding model": chat(model="tiny-bert"),
    "embed nothing": embed([]),
    "embed a number": embed(3),
    "embed a text that is too long": embed("word " * 1000),
    "embed on a chat model": embed("refund", "toy-micro"),
    "delete nope": Case("DELETE", "/api/delete", {"model": "nope"}, NOTHING),
    "copy nope": Case("POST", "/api/copy", {"source": "nope", "destination": "x"}, NOTHING),
    "tags for a foreign host": Case("GET", "/api/tags", headers={"Host": "evil.example"}),
    "v1 chat with logprobs": v1(logprobs=True, top_logprobs=1),
    "v1 chat, streamed with usage": v1(stream=True, stream_options={"include_usage": True}),
    "v1 schema of type nonsense": v1(response_format=NONSENSE),
    "v1 prompt of 18005 tokens": v1(messages=LONG),
}


def test_every_capture_is_covered_and_every_case_is_a_capture():
    names = re.findall(r"(?m)^--- (.+)$", (CAPTURES / FILE).read_text())
    assert sorted(names) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
async def test_the_double_says_what_ollama_said(name):
    case, real = CASES[name], captured(name)
    got = await said_by_the_double(case)
    assert (got.status, got.content_type) == (real.status, real.content_type)
    if real.status >= 400:
        assert got.body == real.body
    else:
        assert [shape(part) for part in parts(got.body)] == [shape(part) for part in parts(real.body)]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.reads])
async def test_the_adapter_reads_both_alike(name):
    case, real = CASES[name], captured(name)
    of_real = await read_by_the_adapter(case, real)
    assert of_real is not None
    assert await read_by_the_adapter(case, await said_by_the_double(case)) == of_real


async def test_the_adapter_reads_what_there_is_to_read():
    reply = await read_by_the_adapter(CASES["chat"], captured("chat"))
    assert (reply.text, reply.usage.prompt, reply.usage.output) == ("billing", 37, 2)
    overflow = await read_by_the_adapter(
        CASES["v1 prompt of 18005 tokens"], captured("v1 prompt of 18005 tokens")
    )
    assert (overflow.reason, overflow.status) == ("context_overflow", 400)
    assert await read_by_the_adapter(CASES["ps"], captured("ps")) == {
        "toy-micro:latest": True,
        "x:latest": False,
    }


async def said_by_the_double(case: Case) -> Captured:
    async with OllamaDouble(MODELS, case.answer, vram=0) as double:
        for earlier in case.before:
            await ask(double.url, earlier.method, earlier.path, earlier.body)
        got = await ask(double.url, case.method, case.path, case.body, case.headers)
    content_type = got.headers["content-type"] if got.body else ""
    return Captured(got.status, content_type, got.body.decode().rstrip("\n"))


async def read_by_the_adapter(case: Case, said: Captured):
    """What our adapter makes of these bytes, without what time it took."""
    listed = {"models": [{"name": "toy-micro:latest"}, {"name": "x:latest"}]}
    pages = {"/api/tags": Captured(200, "application/json", json.dumps(listed)), case.path: said}

    def respond(call):
        page = pages.get(call.path, Captured(404, "text/plain", "404 page not found"))
        body = page.body.encode() + b"\n"
        return Script(page.status, (("Content-Type", page.content_type),), (body,), len(body))

    listener = Listener(respond, "127.0.0.1", 0)
    await listener.open()
    url = f"http://127.0.0.1:{listener.port}" + ("/v1" if case.reads == V1 else "")
    engine = connect(EngineSettings(name="here", kind=case.reads, url=url))
    try:
        return await asked(engine, case)
    finally:
        await engine.close()
        await listener.close()


async def asked(engine, case: Case):
    model = Model(
        name="m",
        engine="here",
        engine_kind=engine.kind,
        id=case.body["model"] if case.body else "",
        local=True,
    )
    if case.method == "GET":
        found = await engine.list_models()
        return untimed(found) if isinstance(found, Failure) else {one.id: one.loaded for one in found}
    if case.path == "/api/embed":
        given = case.body["input"]
        texts = [str(given)] if isinstance(given, (int, str)) else given
        messages = tuple(Message("user", text) for text in texts)
        request = Request(id="r", asked="auto", kind="embedding", messages=messages)
        return untimed(await engine.embed(request, model, 10.0))
    request = Request(
        id="r",
        asked="auto",
        messages=(Message("user", "Is it billing?"),),
        logprobs=bool(case.body.get("logprobs")),
    )
    if not case.body.get("stream"):
        return untimed(await engine.chat(request, model, 10.0))
    return untimed([item async for item in engine.stream(request, model, 10.0)][-1])


def untimed(result: Reply | Failure) -> Reply | Failure:
    """The result without its seconds, and with the log-probabilities of the words that were said, not of others."""
    plain = msgspec.structs.replace(result, first_token=None, seconds=0.0)
    if isinstance(plain, Failure):
        return plain
    assert isinstance(plain, Reply)
    plain = msgspec.structs.replace(plain, loading=0.0, vectors=tuple(map(len, plain.vectors)))
    if plain.logprobs is None:
        return plain
    said = [(one["token"], one["logprob"]) for one in msgspec.json.decode(plain.logprobs)]
    return msgspec.structs.replace(plain, logprobs=msgspec.Raw(msgspec.json.encode(said)))


def parts(body: str) -> list:
    """The JSON documents of a body: one, or one a line, or one an event."""
    lines = [line.removeprefix("data: ") for line in body.splitlines()]
    return [json.loads(line) for line in lines if line and line != "[DONE]"]
