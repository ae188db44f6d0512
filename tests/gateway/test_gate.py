"""One request end to end, through a real socket: who answers, who takes over, and what is written down."""

import asyncio
import json

import pytest

from headgate.testing import Answer, Fault

GOOD = "Fine, thank you. It was a quiet morning at the desk."
PAID = "Very well. I hope that your day is going as it should."


async def test_an_easy_request_is_answered_at_home_and_says_so(open_bench):
    async with open_bench() as bench:
        said = await bench.ask()
        assert (said.status, said.text) == (200, GOOD)
        assert said.headers["x-headgate-model"] == "llama"
        assert said.headers["x-headgate-route"] == "everything else"
        assert said.headers["x-headgate-attempts"] == "1"
        assert float(said.headers["x-headgate-cost"]) == 0
        assert float(said.headers["x-headgate-saved"]) > 0
        assert said.json["object"] == "chat.completion"
        assert said.json["model"] == "llama3.1:8b"
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.model, outcome.fallback, outcome.cost) == ("ok", "llama", None, 0.0)
        assert outcome.id == said.headers["x-headgate-request-id"]
        assert outcome.usage.exact
        assert bench.gate.writer.lost == 0


async def test_an_answer_that_fails_its_check_is_replaced_by_the_next_model(open_bench):
    async with open_bench(local="I'm sorry, but I can't help with that.") as bench:
        said = await bench.ask()
        assert said.text == PAID
        assert said.headers["x-headgate-model"] == "claude"
        assert said.headers["x-headgate-reason"] == "quality check failed"
        assert said.headers["x-headgate-attempts"] == "2"
        (outcome,) = await bench.written()
        rejected, accepted = outcome.attempts
        assert rejected.score == 0
        assert next(v for v in rejected.verdicts if v.check == "no-refusal").score == 0
        assert accepted.score == 1
        assert outcome.cost == pytest.approx(accepted.cost)
        assert outcome.cost > 0


async def test_a_label_that_was_not_offered_goes_to_the_next_model(open_bench):
    async with open_bench(local="complaints", paid="billing") as bench:
        said = await bench.ask(
            "Sort this e-mail into one category: billing, technical or escalation.\n\nI was charged twice."
        )
        assert said.text == "billing"
        assert said.headers["x-headgate-route"] == "labels"
        (outcome,) = await bench.written()
        assert outcome.signals.task == "classification"
        assert outcome.fallback == "quality check failed"


FAILING = [
    (Fault.refuse(), "refused", "engine unavailable"),
    (Fault.cut_before_headers(), "broken_stream", "engine unavailable"),
    (Fault.cut_mid_stream(), "broken_stream", "engine unavailable"),
    (Fault.slow_first_token(5), "timeout", "engine unavailable"),
    (Fault.malformed_json(), "malformed", "quality check failed"),
    (Fault.status_200_error_body(), None, None),
    (Fault.wrong_model("mistral:7b"), "wrong_model", "engine unavailable"),
    (Fault.context_overflow(), "context_overflow", "token count"),
    (Fault.silent_truncation(), "context_overflow", "token count"),
    (Fault.queue_full(), "http_error", "engine unavailable"),
    (Fault.server_error(), "http_error", "engine unavailable"),
    (Fault.truncated(), None, "quality check failed"),
    (Fault.empty_answer(), None, "quality check failed"),
    (Fault.repetition_loop(), None, "quality check failed"),
]


@pytest.mark.parametrize(
    ("fault", "reason", "fallback"), FAILING, ids=lambda value: getattr(value, "kind", None)
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_whatever_goes_wrong_at_home_the_caller_gets_a_good_answer(
    open_bench, fault, reason, fallback, stream
):
    async with open_bench(mode="hold") as bench:
        bench.ollama.inject(fault, times=5)
        said = await bench.ask(stream=stream)
        assert said.status == 200
        assert (said.streamed if stream else said.text) == PAID
        if stream:
            assert said.events[-1] == "[DONE]"
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.model) == ("ok", "claude")
        if reason is not None:
            assert outcome.attempts[0].failure.reason == reason
        if fallback is not None:
            assert outcome.fallback == fallback


@pytest.mark.parametrize(
    "fault",
    [Fault.rate_limited(7), Fault.overloaded(), Fault.auth_failed(), Fault.malformed_json()],
    ids=lambda f: f.kind,
)
async def test_when_nobody_can_answer_the_error_is_final_and_tells_every_story(open_bench, fault):
    async with open_bench() as bench:
        bench.ollama.inject(Fault.server_error(), times=5)
        bench.claude.inject(fault, times=5)
        said = await bench.ask()
        error = said.json["error"]
        assert said.status == 503
        assert "llama" in error["message"]
        assert "claude" in error["message"]
        assert error["hint"]
        assert said.headers["x-should-retry"] in ("true", "false")
        if fault.kind == "rate_limited":
            assert said.headers["retry-after"] == "7"
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.model) == ("failed", None)
        assert outcome.error


async def test_the_best_imperfect_answer_is_better_than_none(open_bench):
    async with open_bench(local="I'm sorry, but I can't help with that.") as bench:
        bench.claude.inject(Fault.server_error(), times=5)
        said = await bench.ask()
        assert said.status == 200
        assert "sorry" in said.text
        assert said.headers["x-headgate-status"] == "imperfect"
        (outcome,) = await bench.written()
        assert outcome.status == "imperfect"


async def test_long_prompts_go_where_the_route_says(open_bench):
    async with open_bench() as bench:
        said = await bench.ask("Tell me about it. " * 1200)
        assert said.headers["x-headgate-model"] == "claude"
        assert said.headers["x-headgate-reason"] == "token count"
        (outcome,) = await bench.written()
        assert outcome.fallback_limit == 4000
        assert outcome.signals.tokens_exact


async def test_a_model_asked_for_by_name_is_never_overridden(open_bench):
    async with open_bench(local="I'm sorry, but I can't help with that.") as bench:
        for name in ("llama", "llama3.1:8b"):
            said = await bench.ask(model=name)
            assert said.headers["x-headgate-model"] == "llama"
            assert "sorry" in said.text
        paid = await bench.ask(model="claude")
        assert paid.headers["x-headgate-reason"] == "asked for by name"
        assert not any(
            outcome.model != "claude" for outcome in await bench.written(3) if outcome.asked == "claude"
        )


async def test_the_callers_word_for_the_task_wins(open_bench):
    async with open_bench() as bench:
        await bench.ask("Hello there!", model="auto:classification")
        await bench.ask("Hello there!", headers={"x-headgate-task": "code"})
        outcomes = await bench.written(2)
        assert [(o.signals.task, o.signals.task_by) for o in outcomes] == [
            ("classification", "caller"),
            ("code", "caller"),
        ]


async def test_a_system_prompt_and_thirty_tools_do_not_make_a_request_complex(open_bench):
    tools = [
        {
            "type": "function",
            "function": {
                "name": f"tool_{n}",
                "description": "Writes code, analyses data",
                "parameters": {"type": "object"},
            },
        }
        for n in range(30)
    ]
    system = "You are an expert software engineer. Write, review and refactor code. Reason step by step. " * 5
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": "Hi! Thanks for yesterday."},
    ]
    async with open_bench() as bench:
        await bench.ask(messages, tools=tools)
        (outcome,) = await bench.written()
        assert outcome.signals.task in ("chat", None)
        assert outcome.signals.tools == 30
        assert outcome.decision.route == "everything else"


async def test_a_local_only_request_fails_closed(open_bench):
    async with open_bench() as bench:
        bench.ollama.inject(Fault.server_error(), times=5)
        for said in (
            await bench.ask(headers={"x-headgate-privacy": "local_only"}),
            await bench.ask(model="auto:local"),
        ):
            assert said.status == 503
            assert "may not leave" in said.json["error"]["hint"]
        assert not bench.claude.calls


async def test_a_private_request_that_every_engine_at_home_refuses_is_the_callers_fault(open_bench):
    async with open_bench() as bench:
        bench.ollama.inject(Fault.invalid_request("format"), times=5)
        said = await bench.ask(model="auto:local")
        assert (said.status, said.json["error"]["code"]) == (400, "unsupported_request")
        assert "privacy" not in said.json["error"]["hint"]
        assert not bench.claude.calls


async def test_when_the_days_money_is_spent_only_home_answers(open_bench):
    async with open_bench(limits="paid_per_day = 0.0001") as bench:
        bench.ollama.inject(Fault.server_error(), times=1)
        said = await bench.ask()
        assert said.status == 503
        assert "budget" in said.json["error"]["message"]
        assert (await bench.ask()).text == GOOD
        assert not bench.claude.calls


async def test_a_full_queue_moves_on_instead_of_waiting_for_ever(open_bench):
    slow = Answer("Fine, thank you. It was a quiet morning.", delay=0.4)
    async with open_bench(local=slow, queue_for="50ms", ollama_more="parallel = 1") as bench:
        first, second = await asyncio.gather(bench.ask(), bench.ask())
        assert sorted([first.headers["x-headgate-model"], second.headers["x-headgate-model"]]) == [
            "claude",
            "llama",
        ]
        assert bench.ollama.peak_in_flight == 1
        reasons = {outcome.fallback for outcome in await bench.written(2)}
        assert reasons == {None, "engine busy"}


async def test_an_engine_that_fails_again_and_again_is_left_alone(open_bench):
    async with open_bench() as bench:
        bench.ollama.inject(Fault.server_error(), times=100)
        for _ in range(8):
            await bench.ask()
        assert len([call for call in bench.ollama.calls if call.path == "/api/chat"]) == 5
        outcomes = await bench.written(8)
        assert outcomes[-1].decision.skipped == {"llama": "breaker"}


async def test_json_that_was_asked_for_is_repaired_or_escalated(open_bench):
    schema = {
        "type": "object",
        "properties": {"category": {"enum": ["billing", "technical"]}},
        "required": ["category"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "triage", "schema": schema}}
    async with open_bench(
        local="Sure! ```json\n{'category': 'billing',}\n```", paid='{"category": "technical"}'
    ) as bench:
        said = await bench.ask("Triage: I was charged twice.", response_format=wanted)
        assert said.headers["x-headgate-model"] == "llama"
        assert json.loads(said.text) == {"category": "billing"}
        bench.ollama.answer = "It is about billing."
        said = await bench.ask("Triage: I was charged twice.", response_format=wanted)
        assert said.headers["x-headgate-model"] == "claude"
        assert json.loads(said.text) == {"category": "technical"}


async def test_unknown_fields_are_kept_and_forwarded_where_the_engine_takes_them(open_bench):
    def as_openai(page: str) -> str:
        lines = page.replace('kind = "ollama"', 'kind = "openai_compatible"').splitlines()
        return "\n".join(
            f'{line[:-1]}/v1"' if line.startswith("url") and n < 10 else line for n, line in enumerate(lines)
        )

    async with open_bench(change=as_openai) as bench:
        said = await bench.ask(frobnicate={"a": [1, 2]}, presence_penalty=0.5)
        assert said.headers["x-headgate-model"] == "llama"
        (call,) = [call for call in bench.ollama.calls if call.path == "/v1/chat/completions"]
        assert call.json["frobnicate"] == {"a": [1, 2]}
        assert call.json["presence_penalty"] == 0.5


async def test_bodies_are_kept_only_when_the_user_says_so(open_bench):
    async with open_bench() as bench:
        await bench.ask("A secret thing")
        await bench.written()
        assert b"secret" not in bench.ledger.read_bytes()
    async with open_bench(ledger_more="keep_bodies = true") as bench:
        await bench.ask("A secret thing")
        outcome = (await bench.written())[-1]
        assert "A secret thing" in outcome.prompt
        assert outcome.answer == GOOD


async def test_what_a_program_can_ask_about_the_gate(open_bench):
    async with open_bench() as bench:
        await bench.ask()
        ids = [model["id"] for model in (await bench.send("GET", "/v1/models")).json["data"]]
        assert ids[0] == "auto"
        assert {"auto:classification", "llama", "claude"} <= set(ids)
        health = (await bench.send("GET", "/healthz")).json
        assert health["status"] == "ok"
        assert health["engines"]["ollama"]["up"]
        assert health["ledger"]["rows_lost"] == 0
        metrics = (await bench.send("GET", "/metrics")).body.decode()
        assert 'headgate_requests_total{model="llama",route="everything else",status="ok"} 1.0' in metrics
        assert "headgate_ledger_rows_lost 0.0" in metrics


async def test_parallel_requests_cannot_overrun_the_days_money_together(open_bench):
    refusal = Answer("I'm sorry, but I can't help with that.", delay=0.05)
    async with open_bench(
        local=refusal,
        paid=Answer(PAID, output_tokens=300),
        limits="paid_per_day = 0.01",
        ollama_more="parallel = 20",
    ) as bench:
        said = await asyncio.gather(*(bench.ask() for _ in range(20)))
        assert {one.status for one in said} == {200}
        outcomes = await bench.written(20)
        assert sum(outcome.cost for outcome in outcomes) <= 0.0101
        assert 1 <= sum(outcome.model == "claude" for outcome in outcomes) <= 4
        assert [one.reserved for one in bench.gate.road.budgets.standings()] == [0.0]


async def test_an_answer_is_no_longer_than_the_money_buys(open_bench):
    async with open_bench(limits="paid_per_request = 0.004", paid=Answer("word " * 3000)) as bench:
        said = await bench.ask(model="claude", max_tokens=60_000)
        (outcome,) = await bench.written()
        assert outcome.cost <= 0.0041
        assert outcome.attempts[0].finish == "length"
        assert outcome.adjusted[0].startswith("max_tokens: set to ")
        assert said.headers["x-headgate-adjusted"] == outcome.adjusted[0]


async def test_a_caller_with_little_patience_does_not_close_an_engine_for_everybody(open_bench):
    async with open_bench(local=Answer(GOOD, delay=0.6)) as bench:
        await asyncio.gather(*(bench.ask(headers={"x-headgate-within": "0.3"}) for _ in range(8)))
        assert (await bench.ask()).headers["x-headgate-model"] == "llama"


async def test_impossible_token_counts_count_as_not_reported(open_bench):
    async with open_bench(local=Answer(GOOD, output_tokens=10**23)) as bench:
        await bench.ask()
        (outcome,) = await bench.written()
        assert not outcome.usage.exact
        assert outcome.usage.output < 100


async def test_an_absurd_model_name_is_answered_at_once_and_not_repeated_whole(open_bench):
    async with open_bench() as bench:
        said = await bench.ask(model="x" * 500_000)
        assert said.status == 404
        assert len(said.body) < 1000


async def test_a_request_that_no_model_can_ever_do_is_the_callers_fault(open_bench):
    async with open_bench() as bench:
        image = [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            }
        ]
        said = await bench.ask(image)
        assert (said.status, said.json["error"]["code"]) == (400, "unsupported_request")
        said = await bench.ask("word " * 12_000, model="llama")
        assert (said.status, said.json["error"]["code"]) == (400, "context_length_exceeded")


async def test_the_kept_answer_is_the_one_that_was_delivered(open_bench):
    async with open_bench(
        local="I'm sorry, but I can't help with that.",
        paid="I cannot do that.",
        ledger_more="keep_bodies = true",
    ) as bench:
        said = await bench.ask()
        (outcome,) = await bench.written()
        assert outcome.answer == said.text


async def test_closing_the_gate_tells_callers_and_writes_their_requests_down(open_bench, monkeypatch):
    monkeypatch.setattr("headgate.app.GRACE", 0)
    async with open_bench(local=Answer(GOOD, delay=4.0)) as bench:
        asking = asyncio.create_task(bench.ask())
        while not any(call.path == "/api/chat" for call in bench.ollama.calls):
            await asyncio.sleep(0.01)
        bench.gate.stop()
        said = await asking
        assert said.status == 503
        assert "being closed" in said.json["error"]["message"]
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.error) == ("failed", "the gate was closed")


@pytest.mark.parametrize(
    "choice", ["auto", "none", "required", {"type": "function", "function": {"name": "look_up"}}, None]
)
async def test_tools_and_every_form_of_tool_choice_reach_the_engine(open_bench, choice):
    tool = {
        "type": "function",
        "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
    }
    async with open_bench() as bench:
        said = await bench.ask("Look it up, please.", tools=[tool], tool_choice=choice)
        assert said.status == 200, said.body
        (call,) = [call for call in bench.ollama.calls if call.path == "/api/chat"]
        if choice != "none":
            assert call.json["tools"][0]["function"]["name"] == "look_up"


async def test_plenty_of_money_leaves_the_length_of_an_answer_to_the_caller_and_the_engine(open_bench):
    async with open_bench(limits="paid_per_day = 25.0") as bench:
        await bench.ask(model="claude")
        await bench.ask(model="claude", max_tokens=700)
        asked = [call.json["max_tokens"] for call in bench.claude.calls if call.path == "/v1/messages"]
        assert asked == [4096, 700]


async def test_a_gate_that_is_told_twice_to_stop_ends_what_is_under_way_and_writes_it_down(open_bench):
    async with open_bench(local=Answer(GOOD, delay=60)) as bench:
        asked = asyncio.create_task(bench.ask())
        while not any(call.path == "/api/chat" for call in bench.ollama.calls):
            await asyncio.sleep(0.01)
        bench.gate.stop()
        bench.gate.stop()
        async with asyncio.timeout(5):
            said = await asked
        assert (said.status, said.json["error"]["code"]) == (503, "closing")
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.error) == ("failed", "the gate was closed")
