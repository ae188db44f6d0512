"""Usage through the gate, whatever the door and whoever answers: always asked for, always written down, shown to who asked."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.config.prices import find_price
from headgate.engines.transport import Clocks, HttpTransport
from headgate.gateway.listening import bind
from headgate.ledger.queries import LedgerReader
from headgate.testing import AnthropicDouble, LMStudioDouble, OllamaDouble, OpenAIDouble, ServedModel

CLOCKS = Clocks(connect=5, first_byte=30, between_bytes=30, total=60)
SAID = "It was a quiet morning at the desk, and nothing happened."
ENGINES = {
    "ollama": OllamaDouble,
    "anthropic": AnthropicDouble,
    "openai": OpenAIDouble,
    "lmstudio": LMStudioDouble,
}
MODELS = {
    "ollama": "llama3.1:8b",
    "anthropic": "claude-sonnet-5-5",
    "openai": "o4-mini",
    "lmstudio": "phi-3-mini",
}
BESIDE = "openai_compatible"
"""Another server that speaks as OpenAI does."""
HELLO = [{"role": "user", "content": "How are you?"}]
CHAT = "/v1/chat/completions"
DOORS = {
    "chat": (CHAT, {"messages": HELLO}),
    "completions": ("/v1/completions", {"prompt": "How are you?"}),
    "responses": ("/v1/responses", {"input": "How are you?"}),
    "messages": ("/v1/messages", {"messages": HELLO, "max_tokens": 100}),
    "ollama chat": ("/api/chat", {"messages": HELLO}),
    "ollama generate": ("/api/generate", {"prompt": "How are you?"}),
}
ON_REQUEST = {"chat", "completions"}
"""Doors whose streams tell a usage only to who asks for it; the others' protocols always have one."""


@asynccontextmanager
async def opened(folder):
    """A gate in front of every kind of engine: what asks it (path, body → text), its doubles, and what reads its ledger."""
    async with AsyncExitStack() as stack:
        doubles = {
            kind: await stack.enter_async_context(double({MODELS[kind]: ServedModel()}, SAID))
            for kind, double in ENGINES.items()
        }
        doubles[BESIDE] = await stack.enter_async_context(OpenAIDouble({"mine": ServedModel()}, SAID))
        page = f'[ledger]\npath = "{folder}/ledger.db"\nflush = "20ms"\n'
        for kind, double in doubles.items():
            url = f"{double.url}/v1" if kind in ("openai", BESIDE) else double.url
            page += f'[engines.{kind}]\nkind = "{kind}"\nurl = "{url}"\n'
            if kind in ("anthropic", "openai", BESIDE):
                page += 'key = "env:TEST_KEY"\n'
            page += f'[models.{kind}]\nengine = "{kind}"\nid = "{MODELS.get(kind, "mine")}"\n'
        page += '[[routes]]\nname = "all"\ntry = ["ollama"]\n'
        gate = await stack.enter_async_context(open_gate(parse_config(page, folder / "headgate.toml")))
        ready = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(gate.serve(bind("127.0.0.1", 0), ready.set_result))
        client = HttpTransport(await ready)

        async def ask(path, body):
            response = await client.request(
                "POST", path, headers=[], body=json.dumps(body).encode(), clocks=CLOCKS
            )
            assert response.status == 200, response.body
            return response.body.decode()

        async def newest():
            await asyncio.to_thread(gate.writer.flush)
            with LedgerReader(folder / "ledger.db") as reader:
                return reader.newest(limit=1)[0].outcome

        try:
            yield ask, doubles, newest
        finally:
            await client.close()
            gate.stop()
            await serving


@pytest.fixture
def keys(monkeypatch, tmp_path):
    monkeypatch.setenv("TEST_KEY", "not-a-key")
    monkeypatch.setenv("HEADGATE_DATA", str(tmp_path / "data"))


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("kind", [*ENGINES, BESIDE])
async def test_every_stream_is_asked_for_its_usage_and_shows_it_to_who_asked_alone(tmp_path, kind):
    async with opened(tmp_path) as (ask, doubles, newest):
        for door, (path, body) in DOORS.items():
            told = await ask(path, {"model": kind, "stream": True} | body)
            outcome = await newest()
            assert (outcome.model, outcome.stream) == (kind, True)
            assert outcome.usage.exact, f"{door}: the engine's own figures"
            assert outcome.usage.output > 0
            sent = [call for call in doubles[kind].calls if call.fields.get("stream") is True][-1]
            if kind in ("openai", BESIDE, "lmstudio"):
                assert sent.fields["stream_options"] == {"include_usage": True}, door
            counted = [word for word in ('"usage":{', '"eval_count":', '"output_tokens":') if word in told]
            assert bool(counted) == (door not in ON_REQUEST), f"{door}: {told}"
            if door in ON_REQUEST:
                asked = {"model": kind, "stream": True, "stream_options": {"include_usage": True}} | body
                assert f'"completion_tokens":{outcome.usage.output}' in await ask(path, asked), door


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_was_served_as_flex_costs_what_is_listed_for_that(tmp_path, stream):
    price = find_price("o4-mini", "openai")
    flex = dict(price.services)["flex"]
    assert flex.input < price.input
    async with opened(tmp_path) as (ask, doubles, newest):
        body = {"model": "openai", "messages": HELLO, "stream": stream}
        for tier, rates in (("flex", flex), ("auto", price), (None, price)):
            await ask(CHAT, body if tier is None else body | {"service_tier": tier})
            assert doubles["openai"].calls[-1].fields.get("service_tier") == tier
            outcome = await newest()
            usage = outcome.usage
            assert usage.service == ("flex" if tier == "flex" else "")
            paid = (usage.input * rates.input + usage.output * rates.output) / 1e6
            assert outcome.cost == pytest.approx(paid, abs=1e-9)
