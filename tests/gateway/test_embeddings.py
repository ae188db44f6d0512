"""Embeddings through the gate: the official clients, every kind of engine, and the shipped model."""

import asyncio
import json
import math
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest

from headgate.ledger.facts import count_facts
from headgate.ledger.queries import LedgerReader
from headgate.testing import Fault, LMStudioDouble, OpenAIDouble
from headgate.testing.answers import vector

NOMIC = """
[models.nomic]
engine = "ollama"
id = "nomic-embed-text:latest"
kind = "embedding"
context = 2048
"""
SMALL = """
[engines.openai]
kind = "openai"
url = "{openai}/v1"
key = "env:TEST_KEY"
local = {local}

[models.small]
engine = "openai"
id = "text-embedding-3-small"
kind = "embedding"
context = 8191
"""
LMSTUDIO = """
[engines.studio]
kind = "lmstudio"
url = "{studio}"

[models.studio]
engine = "studio"
id = "text-embedding-nomic-embed-text-v1.5"
kind = "embedding"
context = 2048
"""
EMBEDDED = """
[engines.embedded]
kind = "llamacpp"

[models.embed]
engine = "embedded"
id = "headgate-embed"
kind = "embedding"
"""
CHAIN = """
[[routes]]
name = "vectors"
tasks = ["embedding"]
try = ["nomic", "small"]
"""
HELLO_WORLD = [15339, 1917]
"""Ids of cl100k_base."""


def with_models(*tables: str, route: str = "") -> Any:
    """A change to the bench's page: more engines and models, and a route before all others."""
    more = "\n".join(tables)
    return lambda page: (
        page.replace("[[routes]]\n", f"{more}\n{route}\n[[routes]]\n", 1)
        if route
        else page.replace("[[routes]]\n", f"{more}\n[[routes]]\n", 1)
    )


@asynccontextmanager
async def beside_openai(open_bench, *tables: str, route: str = "", local: str = "false", **more: Any):
    async with OpenAIDouble() as openai:
        small = SMALL.format(openai=openai.url, local=local)
        async with open_bench(change=with_models(*tables, small, route=route), **more) as bench:
            yield bench, openai


def openai_client(bench: Any) -> Any:
    return import_module("openai").AsyncOpenAI(api_key="none", base_url=f"{bench.url}/v1", max_retries=0)


def ollama_client(bench: Any) -> Any:
    return import_module("ollama").AsyncClient(host=bench.url)


async def embed(bench: Any, path: str = "/v1/embeddings", headers: Any = None, **body: Any) -> Any:
    return await bench.send("POST", path, json.dumps(body).encode(), **(headers or {}))


def cosine(one: list[float], other: list[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def near(one: list[float], other: list[float]) -> bool:
    return one == pytest.approx(other, abs=1e-6)


# ── The official clients ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_openais_client_gets_the_same_vectors_as_base64_and_as_numbers(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        client = openai_client(bench)
        by_default = await client.embeddings.create(model="auto", input=["red apples", "green pears"])
        numbers = await client.embeddings.create(
            model="nomic", input=["red apples", "green pears"], encoding_format="float"
        )
    assert [item.index for item in by_default.data] == [0, 1]
    for one, other, text in zip(by_default.data, numbers.data, ("red apples", "green pears"), strict=True):
        assert one.embedding == other.embedding
        assert near(one.embedding, vector(text, 768))
    assert by_default.model == "nomic-embed-text:latest"
    assert by_default.usage.prompt_tokens == by_default.usage.total_tokens > 0


@pytest.mark.parametrize("given", [HELLO_WORLD, [HELLO_WORLD]])
async def test_token_ids_become_text_for_other_engines_than_openai(open_bench, given):
    async with open_bench(change=with_models(NOMIC)) as bench:
        made = await openai_client(bench).embeddings.create(model="auto:embedding", input=given)
        assert bench.ollama.calls[-1].fields["input"] == ["hello world"]
        said = await embed(bench, model="nomic", input=[*HELLO_WORLD, 0])
    assert near(made.data[0].embedding, vector("hello world", 768))
    assert said.headers["x-headgate-adjusted"] == "input: token ids are sent as the text that they spell"


async def test_token_ids_reach_openai_as_they_came(open_bench):
    async with beside_openai(open_bench) as (bench, openai):
        await openai_client(bench).embeddings.create(model="small", input=[[15339], [1917]], user="u1")
        assert openai.calls[-1].fields["input"] == [[15339], [1917]]
        assert openai.calls[-1].fields["user"] == "u1"
        assert openai.calls[-1].headers["authorization"] == "Bearer not-a-key"


async def test_asked_dimensions_are_kept(open_bench):
    async with beside_openai(open_bench, NOMIC) as (bench, _):
        client = openai_client(bench)
        for model in ("nomic", "small"):
            made = await client.embeddings.create(model=model, input="a", dimensions=64)
            assert len(made.data[0].embedding) == 64


async def test_ollamas_client_is_served_by_openai(open_bench):
    async with beside_openai(open_bench) as (bench, _):
        client = ollama_client(bench)
        many = await client.embed(model="auto", input=["a b", "c"], truncate=True, keep_alive="5m")
        assert [near(list(v), vector(t, 1536)) for v, t in zip(many.embeddings, ("a b", "c"), strict=True)]
        assert many.prompt_eval_count > 0
        one = await client.embeddings(model="small", prompt="a b")
        assert near(list(one.embedding), vector("a b", 1536))


async def test_lm_studio_embeds_and_is_sent_nothing_it_would_cut(open_bench):
    async with LMStudioDouble() as studio:
        table = LMSTUDIO.format(studio=studio.url)
        async with open_bench(change=with_models(table)) as bench:
            made = await openai_client(bench).embeddings.create(model="studio", input="a b")
            assert near(made.data[0].embedding, vector("a b", 768))
            before = len(studio.calls)
            said = await embed(bench, model="studio", input="word " * 1800)
            assert (said.status, said.json["error"]["code"]) == (400, "context_length_exceeded")
            assert not any(call.path == "/v1/embeddings" for call in list(studio.calls)[before:])


async def test_the_shipped_model_puts_related_texts_near_each_other(open_bench):
    pytest.importorskip("xllamacpp")
    texts = [
        "The customer asks for a refund of the invoice.",
        "A refund of this invoice was asked for by a customer.",
        "Heavy rain is expected in the mountains tonight.",
    ]
    async with open_bench(change=with_models(EMBEDDED)) as bench:
        made = await openai_client(bench).embeddings.create(model="auto", input=texts)
        refund, again, rain = [item.embedding for item in made.data]
        assert len(refund) == 64
        assert cosine(refund, again) > cosine(refund, rain) + 0.3
        old = await ollama_client(bench).embeddings(model="embed", prompt=texts[0])
        assert near(list(old.embedding), refund)
        too_long = await embed(bench, model="embed", input="word " * 700)
        assert too_long.json["error"]["code"] == "context_length_exceeded"
        assert (await embed(bench, model="embed", input="a")).status == 200


# ── Routing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_route_the_first_model_answers_and_no_other_ever_does(open_bench):
    async with beside_openai(open_bench, NOMIC, local="true") as (bench, openai):
        said = await embed(bench, model="auto", input="a")
        assert said.headers["x-headgate-model"] == "nomic"
        assert said.headers["x-headgate-route"] == "embeddings"
        bench.ollama.inject(Fault.server_error(), path="/api/embed")
        failed = await embed(bench, model="auto", input="b")
        assert (failed.status, failed.headers["x-should-retry"]) == (503, "false")
        assert not any(call.path == "/v1/embeddings" for call in openai.calls)


async def test_a_route_of_the_users_falls_back_in_its_order(open_bench):
    async with beside_openai(open_bench, NOMIC, route=CHAIN) as (bench, _):
        first = await embed(bench, model="auto:embedding", input="a")
        assert (first.headers["x-headgate-route"], first.headers["x-headgate-model"]) == ("vectors", "nomic")
        bench.ollama.inject(Fault.server_error(), path="/api/embed")
        second = await embed(bench, model="auto", input="b")
        assert second.headers["x-headgate-model"] == "small"
        assert second.headers["x-headgate-reason"] == "engine unavailable"
        assert second.headers["x-headgate-attempts"] == "2"


async def test_a_route_that_embeds_takes_no_chats_whatever_their_task(open_bench):
    async with beside_openai(open_bench, NOMIC, route=CHAIN) as (bench, _):
        said = await bench.ask("Embed this.", headers={"x_headgate_task": "embedding"})
        assert (said.status, said.headers["x-headgate-route"]) == (200, "everything else")


async def test_private_texts_never_leave(open_bench):
    async with beside_openai(open_bench) as (bench, openai):
        said = await embed(bench, model="auto", input="a", headers={"x_headgate_privacy": "local_only"})
        assert said.status == 503
        assert "must stay on your machines" in said.json["error"]["message"]
        assert not any(call.path == "/v1/embeddings" for call in openai.calls)


async def test_each_text_needs_a_window_of_its_own_and_their_sum_does_not(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        many = await embed(bench, model="auto", input=["word " * 1000] * 8)
        assert many.status == 200
        long = await embed(bench, model="auto", input=["short", "word " * 4000])
        assert (long.status, long.json["error"]["code"]) == (400, "context_length_exceeded")
        assert "a text of about 5,000 tokens" in long.json["error"]["message"]
        edge = await embed(
            bench, model="auto", input="word " * 1700
        )  # 2,126 tokens: Ollama is asked, and says no
        assert (edge.status, edge.json["error"]["code"]) == (400, "context_length_exceeded")
        assert bench.ollama.calls[-1].fields["truncate"] is False


async def test_the_gate_reads_no_vocabulary_for_texts_it_need_not_count(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        await embed(
            bench, model="auto", input=["word " * 800] * 4
        )  # 4,000 tokens in all, the limit of a route
        assert bench.gate.road.tokenizer.loading is None


# ── The ledger and the report ────────────────────────────────────────────────────────────────────────────────────────


async def test_an_embedding_is_a_row_with_its_task_usage_and_cost(open_bench):
    async with beside_openai(open_bench) as (bench, _):
        said = await embed(bench, model="auto", input=["one two three", "four"])
        (outcome,) = await bench.written()
    assert (outcome.signals.task, outcome.signals.task_by) == ("embedding", "caller")
    assert (outcome.status, outcome.model, outcome.decision.route) == ("ok", "small", "embeddings")
    assert outcome.usage is not None
    assert outcome.usage.input == said.json["usage"]["prompt_tokens"]
    assert outcome.usage.output == 0
    assert outcome.cost == pytest.approx(outcome.usage.input * 0.02 / 1e6)
    assert said.headers["x-headgate-cost"] == f"{outcome.cost:.6f}"
    assert outcome.baseline_cost is None, "what the baseline cannot do, it would not have cost"
    assert said.headers["x-headgate-saved"] == "unknown"
    assert not outcome.attempts[0].verdicts


async def test_the_report_counts_embeddings(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        for text in ("a", "b", "c"):
            assert (await embed(bench, model="auto", input=text)).status == 200
        await bench.ask()
        await bench.written(4)
        with LedgerReader(bench.ledger) as reader:
            facts = count_facts(reader, 0.0, 4e9)
    assert facts.requests == 4
    assert {task.task: task.requests for task in facts.tasks}["embedding"] == 3


# ── Bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a model that answers": ({"model": "llama", "input": "a"}, "answers, not embeddings"),
    "a task that is none": ({"model": "auto:code", "input": "a"}, "asks for an answer"),
    "an agent": ({"model": "agent:sorter", "input": "a"}, "asks for an answer"),
    "a model that is not there": ({"model": "nomik", "input": "a"}, "there is no model"),
    "a token that is not there": ({"model": "nomic", "input": [100_257]}, "token id 100257"),
    "an empty text": ({"model": "nomic", "input": ["a", ""]}, "input[1] is empty"),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_input_gets_a_clear_error_and_breaks_nothing(open_bench, case):
    body, words = BAD[case]
    async with open_bench(change=with_models(NOMIC)) as bench:
        said = await embed(bench, **body)
        assert said.status in (400, 404)
        assert words in said.json["error"]["message"]
        assert said.json["error"]["hint"]
        assert (await embed(bench, model="nomic", input="a")).status == 200


async def test_ollamas_door_answers_errors_in_ollamas_words(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        client = ollama_client(bench)
        error = import_module("ollama").ResponseError
        with pytest.raises(error, match="answers, not embeddings"):
            await client.embed(model="llama", input="a")
        said = await embed(bench, "/api/embed", model="nomic", input=["a", ""])
        assert said.json["error"].startswith("input has an empty text")


async def test_a_name_with_or_without_the_tag_is_the_same_model_for_ollamas_clients(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        client = ollama_client(bench)
        for name in ("nomic", "nomic:latest", "nomic-embed-text", "nomic-embed-text:latest"):
            assert len((await client.embed(model=name, input=f"a {name}")).embeddings) == 1
        assert (await client.embed(model="nomic", input="")).embeddings == []
        assert len([call for call in bench.ollama.calls if call.path == "/api/embed"]) == 4


async def test_a_task_in_a_header_cannot_turn_texts_into_a_chat(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        said = await embed(bench, model="auto", input="a", headers={"x_headgate_task": "code"})
        assert (said.status, said.json["error"]["param"]) == (400, "x-headgate-task")
        same = await embed(bench, model="auto", input="a", headers={"x_headgate_task": "embedding"})
        assert same.status == 200


async def test_a_config_without_such_a_model_says_what_to_add(open_bench):
    async with open_bench() as bench:
        said = await embed(bench, model="auto", input="a")
        assert said.status == 400
        assert said.json["error"]["message"].startswith("no model makes embeddings")
        assert 'kind = "embedding"' in said.json["error"]["hint"]


async def test_a_chat_with_a_model_that_embeds_is_refused(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        said = await bench.ask(model="nomic")
        assert (said.status, said.json["error"]["param"]) == (400, "model")
        assert "makes embeddings, not answers" in said.json["error"]["message"]


async def test_a_caller_who_hangs_up_is_written_down(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        bench.ollama.inject(Fault.slow_first_token(30), path="/api/embed")
        asked = asyncio.create_task(embed(bench, model="auto", input="a"))
        async with asyncio.timeout(60):
            while not any(call.path == "/api/embed" for call in bench.ollama.calls):
                await asyncio.sleep(0)
        asked.cancel()
        (outcome,) = await bench.written()
    assert outcome.status == "cancelled"


# ── What is listed ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_lists_tell_what_embeds(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        listed = await ollama_client(bench).list()
        tags = (await bench.send("GET", "/api/tags")).json["models"]
        ids = [model.id async for model in openai_client(bench).models.list()]
    able = {model["name"]: model["capabilities"] for model in tags}
    assert able["nomic:latest"] == able["auto:embedding"] == ["embedding"]
    assert "embedding" not in able["auto:latest"] + able["llama:latest"]
    assert {"auto:embedding", "nomic"} <= set(ids)
    assert {"auto:embedding", "nomic:latest"} <= {model.model for model in listed.models}
