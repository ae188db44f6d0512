"""A conversation stays with the model that has it in its cache; virtual models and subagents; what was said otherwise."""

import json

import pytest
from msgspec.structs import replace

from headgate.core.types import Message, Model, Request, Signals, Usage
from headgate.gateway.affinity import MOST, Affinity
from headgate.testing import Answer

REFUSAL = "I'm sorry, but I can't help with that."
HI = {"role": "user", "content": "How are you?"}
TWO_TURNS = [HI, {"role": "assistant", "content": "Well."}, {"role": "user", "content": "And the family?"}]


def answers(*texts):
    """A double's answer that says these one after the other, then the last for ever."""
    left = list(texts)
    return lambda *_: Answer(left.pop(0) if len(left) > 1 else left[0])


async def test_a_conversation_that_went_to_the_paid_model_stays_there_while_its_cache_lives(open_bench):
    async with open_bench(local=answers(REFUSAL, "All is well at home, and the garden grows.")) as bench:
        assert (await bench.ask()).headers["x-headgate-model"] == "claude"
        said = await bench.ask(TWO_TURNS)
        assert said.headers["x-headgate-model"] == "claude"
        assert said.headers["x-headgate-reason"] == "conversation stays"
        assert said.headers["x-headgate-attempts"] == "1"
        _, second = await bench.written(2)
        assert (second.signals.keeps_to, second.decision.order) == ("claude", "conversation stays")
        assert second.decision.chain == ("claude", "llama")
        assert second.fallback == "conversation stays"
        other = await bench.ask([{"role": "user", "content": "Another talk?"}, *TWO_TURNS[1:]])
        assert other.headers["x-headgate-model"] == "llama"


async def test_a_turn_that_fails_its_check_moves_the_conversation_on(open_bench):
    async with open_bench(local=answers("Fine, thank you, and you yourself?", REFUSAL)) as bench:
        assert (await bench.ask()).headers["x-headgate-model"] == "llama"
        said = await bench.ask(TWO_TURNS)
        assert said.headers["x-headgate-model"] == "claude"
        assert said.headers["x-headgate-reason"] == "quality check failed"
        third = [*TWO_TURNS, {"role": "assistant", "content": "Well."}, {"role": "user", "content": "Good."}]
        assert (await bench.ask(third)).headers["x-headgate-reason"] == "conversation stays"


async def test_nothing_is_remembered_where_the_user_does_not_want_it(open_bench):
    async with open_bench(
        local=answers(REFUSAL, "All is well at home."), limits='conversation_stays = "0s"'
    ) as bench:
        await bench.ask()
        assert (await bench.ask(TWO_TURNS)).headers["x-headgate-model"] == "llama"


async def test_a_callers_wish_for_the_cheapest_wins_over_the_cache(open_bench):
    async with open_bench(local=answers(REFUSAL, "All is well at home, and the garden grows.")) as bench:
        assert (await bench.ask()).headers["x-headgate-model"] == "claude"
        assert (await bench.ask(TWO_TURNS, model="auto:cheap")).headers["x-headgate-model"] == "llama"


async def test_a_small_limit_of_the_callers_own_is_no_reason_to_pay(open_bench):
    async with open_bench(local=Answer("One two", finish="length")) as bench:
        said = await bench.ask("Count to ten.", max_tokens=2)
        assert (said.headers["x-headgate-model"], said.headers["x-headgate-status"]) == ("llama", "ok")
        assert said.json["choices"][0]["finish_reason"] == "length"


async def test_a_conversation_on_anthropic_is_marked_for_its_cache_and_a_single_question_is_not(open_bench):
    async with open_bench() as bench:
        await bench.ask(model="claude")
        await bench.ask(TWO_TURNS, model="claude")
        single, going_on = (call.json for call in bench.claude.calls if call.path == "/v1/messages")
        assert "cache_control" not in json.dumps(single)
        assert "cache_control" in json.dumps(going_on)


async def test_the_caller_may_ask_for_the_cheapest_or_the_ablest_model(open_bench):
    async with open_bench() as bench:
        assert (await bench.ask(model="auto:cheap")).headers["x-headgate-model"] == "llama"
        said = await bench.ask(model="auto:quality")
        assert said.headers["x-headgate-model"] == "claude"
        assert said.headers["x-headgate-reason"] == "asked for by name"
        _, second = await bench.written(2)
        assert "ablest first" in second.decision.why


AGENT = """
[agents.triage]
system = "Sort this support e-mail."
task = "classification"
labels = ["billing", "technical"]

[agents.card]
system = "Read the business card."
task = "extraction"
max_tokens = 99
schema = { type = "object", properties = { name = { type = "string" } }, required = ["name"] }
"""


async def test_a_subagent_brings_its_prompt_its_task_and_its_labels(open_bench):
    async with open_bench(
        local=answers("complaint", "billing"), paid="billing", change=lambda page: page + AGENT
    ) as bench:
        said = await bench.ask("I was charged twice.", model="agent:triage")
        assert said.text == "billing"
        assert said.headers["x-headgate-route"] == "labels"
        assert said.headers["x-headgate-reason"] == "quality check failed"
        told = bench.ollama.calls[-1].json["messages"]
        assert told[0]["role"] == "system"
        assert "Sort this support e-mail." in told[0]["content"]
        assert "billing, technical" in told[0]["content"]
        (outcome,) = await bench.written()
        assert (outcome.asked, outcome.signals.task, outcome.signals.task_by) == (
            "agent:triage",
            "classification",
            "caller",
        )


async def test_a_subagent_with_a_schema_gives_json_that_fits_it(open_bench):
    async with open_bench(
        local='{"name": "Ada"}', change=lambda page: page + AGENT.replace('"extraction"', '"extraction"')
    ) as bench:
        said = await bench.ask("Ada Lovelace, Analyst", model="agent:card")
        assert json.loads(said.text) == {"name": "Ada"}
        sent = bench.ollama.calls[-1].json
        assert sent["format"]["required"] == ["name"]
        assert sent["options"]["num_predict"] == 99


async def test_an_unknown_subagent_is_refused_with_the_one_that_was_meant(open_bench):
    async with open_bench(change=lambda page: page + AGENT) as bench:
        said = await bench.ask(model="agent:triag")
        assert (said.status, said.json["error"]["code"]) == (404, "agent_not_found")
        assert said.json["error"]["hint"] == 'did you mean "triage"?'
        audio = [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]
        said = await bench.ask([{"role": "user", "content": audio}], model="agent:triage")
        assert (said.status, said.json["error"]["code"]) == (400, "unsupported_value")
    async with open_bench() as bench:
        assert "triage" in (await bench.ask(model="agent:x")).json["error"]["hint"], "some are built in"


async def test_all_that_may_be_asked_for_is_listed(open_bench):
    async with open_bench(change=lambda page: page + AGENT) as bench:
        names = [model["id"] for model in (await bench.send("GET", "/v1/models")).json["data"]]
        assert {
            "auto",
            "auto:cheap",
            "auto:quality",
            "auto:local",
            "auto:code",
            "agent:triage",
            "llama",
        } <= set(names)
        assert (await bench.send("GET", "/v1/models/agent%3Atriage")).json["owned_by"] == "headgate"
        assert (await bench.send("GET", "/v1/models/claude-sonnet-5-5")).json["id"] == "claude"
        missing = await bench.send("GET", "/v1/models/clade")
        assert (missing.status, missing.json["error"]["hint"]) == (404, 'did you mean "claude"?')
        listed = (await bench.send("GET", "/v1/models", anthropic_version="2026-10-21")).json
        assert (listed["data"][0]["type"], listed["first_id"], listed["has_more"]) == ("model", "auto", False)


async def test_what_an_engine_cannot_be_told_is_named_and_written_down(open_bench):
    async with open_bench() as bench:
        answer = await bench.ask(model="claude", seed=7, temperature=0.2)
        said = answer.headers["x-headgate-adjusted"]
        assert "seed: dropped" in said
        assert "temperature: dropped" in said
        (outcome,) = await bench.written()
        assert "; ".join(outcome.adjusted) == said
        assert "x-headgate-adjusted" not in (await bench.ask(model="claude")).headers


@pytest.mark.parametrize(
    ("model", "messages", "note"),
    [
        ("llama", [{"role": "user", "name": "ada", "content": "Hi."}], "name of messages: dropped"),
        ("claude", [{"role": "user", "name": "ada", "content": "Hi."}], "name of messages: dropped"),
        (
            "llama",
            [{"role": "developer", "content": "Be short."}, {"role": "user", "content": "Hi."}],
            "developer messages: sent as system messages",
        ),
        (
            "claude",
            [{"role": "user", "content": "Hi."}, {"role": "system", "content": "Be short."}],
            "system messages: those within the conversation stand at its beginning",
        ),
        (
            "claude",
            [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello"}],
            'a user turn "Continue." is put last',
        ),
        ("claude", [{"role": "assistant", "content": "Hello"}], 'a user turn "Continue." is put first'),
    ],
)
async def test_what_messages_alone_cannot_be_told_is_named_too(open_bench, model, messages, note):
    async with open_bench() as bench:
        said = await bench.ask(messages, model=model)
        assert note in said.headers["x-headgate-adjusted"]


async def test_what_only_openai_can_be_told_never_goes_to_another_dialect(open_bench):
    audio = [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]
    async with open_bench() as bench:
        said = await bench.ask([{"role": "user", "content": audio}])
        assert (said.status, said.json["error"]["code"]) == (400, "unsupported_request")
        assert "only openai's own protocol can say audio" in said.json["error"]["message"]
        (outcome,) = await bench.written()
        assert set(outcome.decision.skipped.values()) == {"capability"}


@pytest.mark.parametrize(
    ("more", "tokens"),
    [
        ({"parts": [{"type": "file", "file": {"file_data": "QUJD" * 20_000}}]}, 2_000),
        ({"parts": [{"type": "file", "file": {"file_id": "file-1"}}]}, 2_000),
        ({"parts": [{"type": "input_audio", "input_audio": {"data": "QUJD" * 20_000}}]}, 40),
        ({"functions": [{"name": "f", "description": "word " * 2_000}]}, 2_500),
    ],
    ids=["file", "named file", "audio", "functions"],
)
async def test_what_only_openai_can_be_told_is_counted_all_the_same(open_bench, more, tokens):
    parts = [{"type": "text", "text": "Hi."}, *more.pop("parts", [])]
    async with open_bench() as bench:
        await bench.ask([{"role": "user", "content": parts}], **more)
        (outcome,) = await bench.written()
        assert outcome.signals.tokens == pytest.approx(tokens, abs=40)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/chat/completions", "ends in /v1"),
        ("/v1/v1/messages", "does without /v1"),
        ("/v1/api/chat", "does without /v1"),
        ("/v1/chat/completion", "did you mean /v1/chat/completions?"),
    ],
)
async def test_a_wrong_base_url_is_told_which_one_is_right(open_bench, path, hint):
    async with open_bench() as bench:
        said = await bench.send("POST", path, b"{}")
        assert said.status == 404
        assert hint in said.body.decode()


def test_the_oldest_of_very_many_turns_are_forgotten_and_the_youngest_known():
    affinity = Affinity(keep_for=60, clock=lambda: 0.0)
    model = Model(name="m", engine="e", engine_kind="openai", id="m", local=False)
    asked = [Request(id="r", asked="auto", messages=(Message("user", f"{n}"),)) for n in range(2 * MOST + 1)]
    for request in asked:
        affinity.note(request, model, Usage(input=2000))
    signals = Signals(task=None, task_confidence=0, task_by="none", tokens=1, tokens_exact=False)

    def kept(request):
        more = (*request.messages, Message("assistant", "Well."), Message("user", "And?"))
        return affinity.recall(replace(request, messages=more), signals)

    assert (kept(asked[-1]).keeps_to, kept(asked[-1]).cached) == ("m", 2000)
    assert kept(asked[0]).keeps_to == ""


def asked(*messages):
    return Request(id="r", asked="auto", messages=messages)


def test_a_turn_is_forgotten_when_no_provider_keeps_its_cache_any_more():
    now = [0.0]
    affinity = Affinity(keep_for=300, clock=lambda: now[0])
    model = Model(name="m", engine="e", engine_kind="openai", id="m", local=False)
    first = Message("user", "Hi")
    affinity.note(asked(first), model, Usage(input=5))
    later = asked(first, Message("assistant", "Well."), Message("user", "And?"))
    signals = Signals(task=None, task_confidence=0, task_by="none", tokens=1, tokens_exact=False)
    now[0] = 299.0
    assert affinity.recall(later, signals).keeps_to == "m"
    now[0] = 301.0
    assert affinity.recall(later, signals).keeps_to == ""


async def test_the_price_of_writing_a_prompt_cache_is_in_the_decision(open_bench):
    async with open_bench() as bench:
        await bench.ask(HI["content"] * 50, model="claude")
        single = {"role": "user", "content": HI["content"] * 50}
        await bench.ask([{"role": "user", "content": "Hi"}, TWO_TURNS[1], single], model="claude")
        once, going_on = await bench.written(2)
        price = bench.gate.road.policy.models["claude"].price
        for outcome, rate in ((once, price.input), (going_on, price.cache_write_5m)):
            expected = (outcome.signals.tokens * rate + 300 * price.output) / 1e6
            assert outcome.decision.candidates[0].estimate == pytest.approx(expected)
