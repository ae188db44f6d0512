"""Vectors that were made before: kept by content, on disk, within a limit; and long lists in calls that an engine likes."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace
from test_embeddings import (
    EMBEDDED,
    NOMIC,
    beside_openai,
    cosine,
    embed,
    near,
    openai_client,
    with_models,
)

from headgate.core.errors import EngineError
from headgate.core.types import Message, Request
from headgate.engines.tokenizer import read_vocabulary
from headgate.engines.vector_cache import VectorCache
from headgate.ledger.facts import count_facts
from headgate.ledger.queries import LedgerReader
from headgate.testing import Fault
from headgate.testing.answers import vector
from headgate.wire.vectors import pack


def embeds(double) -> list[list[str]]:
    """The texts of each call that reached a double."""
    return [call.fields["input"] for call in double.calls if call.path in ("/api/embed", "/v1/embeddings")]


def cache_of(bench) -> Path:
    return bench.gate.road.vectors.cache.path


def without_cache(page):
    return with_models(NOMIC)(page) + "\n[embeddings]\ncache_mb = 0\n"


# ── Known vectors ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_only_texts_that_are_new_are_embedded(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        first = await embed(bench, model="nomic", input=["one", "two"])
        second = await embed(bench, model="nomic", input=["zero", "two", "one", "three"])
        assert embeds(bench.ollama) == [["one", "two"], ["zero", "three"]]
    assert (first.headers["x-headgate-cached"], second.headers["x-headgate-cached"]) == ("0/2", "2/4")
    assert "the model was asked for the others" in second.headers["x-headgate-adjusted"]
    for item, text in zip(second.json["data"], ("zero", "two", "one", "three"), strict=True):
        assert near(item["embedding"], vector(text, 768))


async def test_a_text_that_stands_twice_in_a_list_is_embedded_once(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        said = await embed(bench, model="nomic", input=["one", "two", "one"])
        assert sorted(embeds(bench.ollama)[0]) == ["one", "two"]
    for item, text in zip(said.json["data"], ("one", "two", "one"), strict=True):
        assert near(item["embedding"], vector(text, 768))


async def test_a_request_whose_vectors_are_known_asks_no_model_and_the_ledger_says_so(open_bench):
    async with beside_openai(open_bench) as (bench, openai):
        paid = await embed(bench, model="small", input=["one two three"])
        again = await embed(bench, model="small", input=["one two three"])
        assert len(embeds(openai)) == 1
        _, outcome = await bench.written(2)
        with LedgerReader(bench.ledger) as reader:
            facts = count_facts(reader, 0.0, 4e9)
    assert again.json["data"] == paid.json["data"]
    assert again.json["usage"]["prompt_tokens"] == 0
    assert again.headers["x-headgate-cached"] == "1/1"
    assert (again.headers["x-headgate-attempts"], again.headers["x-headgate-cost"]) == ("0", "0.000000")
    assert (outcome.status, outcome.model, outcome.attempts, outcome.cost) == ("ok", "small", (), 0.0)
    assert outcome.fallback is None, "nobody was paid"
    assert outcome.adjusted == ("input: all vectors were known, and no model was asked",)
    assert (facts.requests, sum(row.attempts for row in facts.attempts)) == (2, 1)


async def test_known_vectors_are_there_while_their_engine_fails(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        await embed(bench, model="nomic", input="one")
        bench.ollama.inject(Fault.server_error(), path="/api/embed")
        assert (await embed(bench, model="nomic", input="one")).status == 200
        assert (await embed(bench, model="nomic", input="two")).status == 503


async def test_a_query_a_document_and_other_dimensions_are_other_vectors(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        for more in ({}, {"input_type": "query"}, {"input_type": "document"}, {"dimensions": 64}):
            said = await embed(bench, model="nomic", input="one", **more)
            assert said.headers["x-headgate-cached"] == "0/1"
        assert (await embed(bench, model="nomic", input="one", dimensions=64)).headers[
            "x-headgate-cached"
        ] == "1/1"


async def test_vectors_outlive_the_gate_and_a_change_of_the_model_on_disk_forgets_them(open_bench):
    change = with_models(NOMIC)
    for known in ("0/1", "1/1"):
        async with open_bench(change=change) as bench:
            said = await embed(bench, model="nomic", input="one")
            assert said.headers["x-headgate-cached"] == known
    async with open_bench(change=change) as bench:
        (listed,) = [one for one in bench.gate.road.fleet.listed["ollama"] if one.id.startswith("nomic")]
        assert listed.digest
        bench.gate.road.fleet.listed["ollama"] = (replace(listed, digest="another"),)
        assert (await embed(bench, model="nomic", input="one")).headers["x-headgate-cached"] == "0/1"


async def test_kept_vectors_of_another_length_are_another_models_and_made_anew(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        vectors = bench.gate.road.vectors
        nomic = bench.gate.road.policy.models["nomic"]
        asked = Request(id="a", asked="nomic", messages=(Message("user", "one"),), kind="embedding")
        vectors.cache.keep(vectors.identity(asked, nomic), ["one"], [b"\0" * 64])
        said = await embed(bench, model="nomic", input=["one", "two"])
        assert [len(item["embedding"]) for item in said.json["data"]] == [768, 768]
        assert near(said.json["data"][0]["embedding"], vector("one", 768))
        assert (await embed(bench, model="nomic", input=["two", "one"])).headers["x-headgate-cached"] == "2/2"


async def test_the_shipped_model_gives_the_same_vectors_from_the_cache(open_bench):
    pytest.importorskip("xllamacpp")
    texts = [f"Order {number} was sent on Monday." for number in range(150)]
    async with open_bench(change=with_models(EMBEDDED)) as bench:
        first = await openai_client(bench).embeddings.create(model="embed", input=texts)
        alone = await embed(
            bench, model="embed", input="Order 77 was sent on Monday.", encoding_format="float"
        )
        assert alone.headers["x-headgate-cached"] == "1/1"
        _, outcome = await bench.written(2)
    assert alone.json["data"][0]["embedding"] == first.data[77].embedding
    assert cosine(first.data[3].embedding, first.data[4].embedding) > 0.5
    assert outcome.attempts == ()


async def test_without_a_cache_every_text_is_embedded_every_time(open_bench):
    async with open_bench(change=without_cache) as bench:
        for _ in range(2):
            said = await embed(bench, model="nomic", input="one")
            assert said.headers["x-headgate-cached"] == "0/1"
        assert len(embeds(bench.ollama)) == 2
        assert bench.gate.road.vectors.cache is None


@pytest.mark.parametrize("broken", [b"this is no database " * 500, b"SQLite format 3\0" + b"\xff" * 4096])
async def test_a_broken_file_is_set_aside_and_said_and_is_nobodys_error(open_bench, caplog, tmp_path, broken):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "embeddings.db").write_bytes(broken)
    async with open_bench(change=with_models(NOMIC)) as bench:
        assert (await embed(bench, model="nomic", input="one")).status == 200
        assert (await embed(bench, model="nomic", input="one")).headers["x-headgate-cached"] == "1/1"
        (aside,) = cache_of(bench).parent.glob("embeddings.db.broken-*")
        assert aside.read_bytes() == broken
    assert any("was set aside" in record.getMessage() for record in caplog.records)


async def test_a_file_that_breaks_while_the_gate_is_open_is_nobodys_error(open_bench, tmp_path):
    async with open_bench(change=with_models(NOMIC)) as bench:
        await embed(bench, model="nomic", input=["one"])
        await asyncio.to_thread(scribble, cache_of(bench))
        for text in ("one", "two", "three"):
            assert (await embed(bench, model="nomic", input=text)).status == 200


def scribble(path: Path) -> None:
    """Write over what SQLite has of the file, in the file and in its log."""
    for file in (path, path.with_name(f"{path.name}-wal")):
        if file.exists():
            with file.open("r+b") as raw:
                raw.write(b"\xee" * max(8192, file.stat().st_size))


@pytest.mark.parametrize("ends", [("",), ("", "-wal", "-shm")], ids=["alone", "with what is beside it"])
async def test_a_file_that_is_deleted_while_the_gate_is_open_is_forgotten_at_once(open_bench, ends):
    async with open_bench(change=with_models(NOMIC)) as bench:
        await embed(bench, model="nomic", input="one")
        said = await embed(bench, model="nomic", input="one")
        assert said.headers["x-headgate-cached"] == "1/1"
        path = cache_of(bench)
        for end in ends:
            path.with_name(path.name + end).unlink()
        said = await embed(bench, model="nomic", input="one")
        assert said.headers["x-headgate-cached"] == "0/1", "another model may stand behind the name by now"
        said = await embed(bench, model="nomic", input="one")
        assert said.headers["x-headgate-cached"] == "1/1"
        assert path.exists()


async def test_a_place_where_nothing_can_be_written_is_nobodys_error(open_bench, caplog, tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    async with open_bench(change=with_models(NOMIC)) as bench:
        for _ in range(2):
            assert (await embed(bench, model="nomic", input="one")).status == 200
    assert sum("are not kept" in record.getMessage() for record in caplog.records) == 1


async def test_the_file_keeps_its_limit_and_what_was_used_last(tmp_path):
    now = [1_000_000.0]
    limit = 512 * 1024
    cache = VectorCache(tmp_path / "vectors.db", limit, lambda: now[0])
    for number in range(400):
        cache.keep("m", [f"text {number}"], [bytes([number % 256]) * 3072])
        now[0] += 4000
        assert (await cache.find("m", ["text 0"]))[0] is not None, "what is used stays"
    found = await cache.find("m", [f"text {number}" for number in range(400)])
    await cache.close()
    kept = [number for number, one in enumerate(found) if one is not None]
    assert kept[0] == 0
    assert kept[-50:] == list(range(350, 400)), "the newest stay"
    assert kept[1:] == list(range(kept[1], 400)), "and go in the order of their use"
    assert len(kept) > 80
    assert (tmp_path / "vectors.db").stat().st_size <= limit * 1.1


async def test_two_models_never_share_a_vector(tmp_path):
    cache = VectorCache(tmp_path / "vectors.db", 1_000_000)
    cache.keep("one", ["text"], [b"\0\0\0\0"])
    assert await cache.find("two", ["text"]) == [None]
    assert await cache.find("one", ["text", "other"]) == [b"\0\0\0\0", None]
    await cache.close()
    with sqlite3.connect(tmp_path / "vectors.db") as file:
        (rows,) = file.execute("SELECT count(*) FROM vectors").fetchone()
    assert rows == 1


# ── Long lists ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_long_list_comes_back_in_order_as_one_answer_and_one_row(open_bench):
    texts = [f"text {number} " + "word " * (number % 7) for number in range(300)]
    async with open_bench(change=with_models(NOMIC)) as bench:
        said = await embed(bench, model="nomic", input=texts)
        calls = embeds(bench.ollama)
        (outcome,) = await bench.written()
    assert [len(call) for call in sorted(calls, key=len)] == [44, 64, 64, 64, 64]
    for item, text in zip(said.json["data"], texts, strict=True):
        assert near(item["embedding"], vector(text, 768))
    assert len(outcome.attempts) == 1
    assert outcome.usage.input == said.json["usage"]["prompt_tokens"]
    assert outcome.usage.input > 300, "the usage of all calls"


async def test_long_texts_make_smaller_calls(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        await embed(bench, model="nomic", input=[f"{number} " + "word " * 1200 for number in range(24)])
        assert sorted(len(call) for call in embeds(bench.ollama)) == [4, 10, 10]


async def test_a_provider_gets_as_much_at_once_as_it_takes(open_bench):
    async with beside_openai(open_bench) as (bench, openai):
        await embed(bench, model="small", input=[f"text {number}" for number in range(500)])
        assert [len(call) for call in embeds(openai)] == [500]


async def test_calls_of_one_list_take_free_slots_and_give_them_back(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        bench.ollama.inject(Fault.slow_first_token(0.2), path="/api/embed", times=8)
        await embed(bench, model="nomic", input=[f"text {number}" for number in range(400)])
        starts = sorted(call.at for call in bench.ollama.calls if call.path == "/api/embed")
        assert starts[1] - starts[0] < 0.15, "more than one call was under way"
        assert bench.gate.road.fleet.admission.scheduler.running["ollama"] == 0


async def test_a_call_that_fails_fails_the_list_and_what_was_made_is_not_made_again(open_bench):
    texts = [f"text {number}" for number in range(128)]
    async with open_bench(change=with_models(NOMIC + "parallel = 1\n")) as bench:
        bench.ollama.inject(Fault.slow_first_token(0.01), path="/api/embed")
        bench.ollama.inject(Fault.server_error(), path="/api/embed")
        failed = await embed(bench, model="nomic", input=texts)
        again = await embed(bench, model="nomic", input=texts)
        outcome, _ = await bench.written(2)
    assert failed.status == 503
    assert outcome.attempts[0].usage.input > 64, "what the first call used is not forgotten"
    assert (again.status, again.headers["x-headgate-cached"]) == (200, "64/128")


async def test_more_than_2048_texts_are_refused_with_the_number(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        said = await embed(bench, model="nomic", input=["a"] * 2049)
        assert said.status == 400
        assert "2,049 texts, but 2,048 is the most" in said.json["error"]["message"]
        assert (await embed(bench, model="nomic", input=[f"{n}" for n in range(2048)])).status == 200


async def test_ids_that_openai_gets_as_they_came_are_known_by_their_ids(open_bench):
    async with beside_openai(open_bench) as (bench, openai):
        await embed(bench, model="small", input=[[15339], [1917]])
        said = await embed(bench, model="small", input=[[1917], [0], [15339]])
        assert embeds(openai) == [[[15339], [1917]], [[0]]]
    assert said.headers["x-headgate-cached"] == "2/3"


# ── In this process ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_gates_embedder_says_what_texts_are_for_and_leaves_rows(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        embedder = bench.gate.embedder
        (asked,) = await embedder.embed(["how long"], query=True)
        pages = await embedder.embed([f"page {number}" for number in range(1500)], batch=True)
        calls = embeds(bench.ollama)
        outcomes = await bench.written(3)
    assert embedder.model == "nomic"
    assert calls[0] == ["search_query: how long"]
    assert all(text.startswith("search_document: page ") for call in calls[1:] for text in call)
    assert asked == pack(vector("search_query: how long", 768))
    assert pages[1234] == pack(vector("search_document: page 1234", 768))
    assert [outcome.signals.task for outcome in outcomes] == ["embedding"] * 3


async def test_an_embedder_without_an_engine_says_why(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        bench.ollama.inject(Fault.server_error(), path="/api/embed")
        with pytest.raises(EngineError, match=r"could not be embedded: .*nomic: http_error"):
            await bench.gate.embedder.embed(["a"])


async def test_a_gate_without_such_a_model_has_no_embedder(open_bench):
    async with open_bench() as bench:
        assert bench.gate.embedder is None


# ── What must not be taken for the same ──────────────────────────────────────────────────────────────────────────────


async def test_ids_that_spell_the_same_are_two_texts_to_openai(open_bench):
    halves = [n for n, token in enumerate(read_vocabulary("cl100k_base")) if token in (b"\x80", b"\x81")]
    assert len(halves) == 2
    async with beside_openai(open_bench) as (bench, openai):
        for half in halves:
            said = await embed(bench, model="small", input=[[half]])
            assert said.headers["x-headgate-cached"] == "0/1"
        assert embeds(openai) == [[[halves[0]]], [[halves[1]]]]


async def test_the_same_id_on_two_engines_is_two_models(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        vectors = bench.gate.road.vectors
        nomic = bench.gate.road.policy.models["nomic"]
        asked = Request(id="a", asked="nomic", messages=(Message("user", "one"),), kind="embedding")
        assert vectors.identity(asked, nomic) != vectors.identity(asked, replace(nomic, engine="other"))


async def test_a_smaller_limit_makes_the_file_smaller(tmp_path):
    file = tmp_path / "vectors.db"
    for limit, texts in ((4_000_000, range(500)), (400_000, range(500, 501))):
        cache = VectorCache(file, limit)
        cache.keep("m", [f"{n}" for n in texts], [b"\1" * 3072 for _ in texts])
        await cache.close()
        size = file.stat().st_size
        assert size <= limit
    assert size < 500_000


async def test_a_file_of_another_form_is_set_aside(tmp_path, caplog):
    file = tmp_path / "vectors.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE vectors (something TEXT)")
        other.execute("PRAGMA user_version = 7")
    cache = VectorCache(file, 1_000_000)
    cache.keep("m", ["one"], [b"\0\0\0\0"])
    assert await cache.find("m", ["one"]) == [b"\0\0\0\0"]
    await cache.close()
    assert "form 7" in caplog.text
    assert list(tmp_path.glob("vectors.db.broken-*"))
