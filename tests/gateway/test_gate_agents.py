"""Subagents at every door: who answers, how sure they are, and answers that are right or no answers at all."""

import asyncio
import json
from math import log

import pytest

from headgate.core.trials import Trial, digest_of
from headgate.ledger.trials import save_trial
from headgate.testing import Answer, Fault, OpenAIDouble, ServedModel

SORT = """
[agents.sort]
system = "Sort this support e-mail."
task = "classification"
label = "category"
confidence = "confidence"
threshold = 0.6
{more}

[agents.sort.schema]
type = "object"
required = ["category", "confidence"]
additionalProperties = false

[agents.sort.schema.properties]
category = {{ type = "string", enum = ["billing", "technical"] }}
confidence = {{ type = ["number", "null"], maximum = 1 }}
reason = {{ type = "string" }}

[agents.plain]
system = "Sort it."
task = "classification"
labels = ["billing", "technical"]

[agents.draft]
system = "Write a letter."
input = "To: {{name}}\\n\\n{{facts}}"
"""


def torn(share, label="billing", other="technical"):
    """An answer whose label has this share, and the other label the rest."""
    piece = f' "{label}"}}'
    return Answer(
        f'{{"category":{piece}', logprob=log(share), alternatives={piece: {f' "{other}"}}': log(1 - share)}}
    )


def with_agents(more="", page_more=""):
    return lambda page: page + SORT.format(more=more) + page_more


def given(text="I was charged twice.", **more):
    return json.dumps({"input": text} | more).encode()


async def run(bench, body=None, agent="sort", **headers):
    return await bench.send("POST", f"/v1/agents/{agent}/runs", body or given(), **headers)


async def test_an_unsure_answer_goes_on_to_the_next_model_and_a_sure_one_does_not(open_bench):
    async with open_bench(local=torn(0.55), paid='{"category": "technical"}', change=with_agents()) as bench:
        said = await run(bench)
        assert said.json["output"] == {"category": "technical", "confidence": None}
        assert (said.json["status"], said.json["model"]) == ("escalated", "claude")
        assert said.json["reason"] == "llama: sure-label: “billing” at only 0.55, 0.60 wanted"
        assert said.json["probabilities"] == {}
        assert said.json["cost"] > 0
    async with open_bench(local=torn(0.75), change=with_agents()) as bench:
        said = await run(bench)
        assert (said.json["status"], said.json["model"], said.json["cost"]) == ("ok", "llama", 0.0)
        assert said.json["output"] == {"category": "billing", "confidence": 0.75}
        assert said.json["probabilities"] == pytest.approx({"billing": 0.75, "technical": 0.25})
        assert not bench.claude.calls


async def test_the_best_that_there_is_is_delivered_as_incomplete_when_nobody_is_sure(open_bench):
    async with open_bench(local=torn(0.55), change=with_agents('try = ["llama"]')) as bench:
        said = await run(bench)
        assert (said.json["status"], said.json["output"]["confidence"]) == ("incomplete", 0.55)
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.decision.route) == ("imperfect", "agent:sort")
        assert outcome.decision.why == "the agent sort names its own models"


@pytest.mark.parametrize(
    "text",
    [
        '{"category": "refunds"}',
        '{"category": "billing", "more": 1}',
        "billing",
        '{"category"',
        "[]",
    ],
)
async def test_what_does_not_fit_the_schema_is_a_failure_and_never_delivered(open_bench, text):
    async with open_bench(local=text, paid=text, change=with_agents()) as bench:
        said = await run(bench)
        assert (said.status, said.json["status"], said.json["output"]) == (200, "failed", None)
        assert said.json["reason"].startswith("the answer ")
        asked = await bench.ask("I was charged twice.", model="agent:sort")
        assert (asked.status, asked.json["error"]["code"]) == (503, "unfit_answer")
        assert "headgate log show" in asked.json["error"]["hint"]
        assert asked.headers["x-should-retry"] == "false"
        (_, outcome) = await bench.written(2)
        assert (outcome.status, outcome.model) == ("failed", None)
        assert len(outcome.attempts) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bad_answer_that_fits_is_delivered_rather_than_a_better_one_that_does_not(open_bench, stream):
    over_and_over = json.dumps({"category": "billing", "reason": "charged twice and " * 40})
    too_much = '{"category": "billing", "more": 1}'
    async with open_bench(local=too_much, paid=over_and_over, change=with_agents()) as bench:
        said = await run(bench)
        assert (said.json["status"], said.json["model"]) == ("incomplete", "claude"), said.json
        assert said.json["output"]["category"] == "billing"
        asked = await bench.ask("I was charged twice.", model="agent:sort", stream=stream)
        assert asked.status == 200
        (_, outcome) = await bench.written(2)
        assert (outcome.status, outcome.model) == ("imperfect", "claude")
        refused, repeated = outcome.attempts
        assert repeated.score < refused.score


async def test_who_asks_an_agent_for_any_json_gets_what_fits_its_schema(open_bench):
    async with open_bench(local=torn(0.9), change=with_agents()) as bench:
        said = await bench.ask("Twice!", model="agent:sort", response_format={"type": "json_object"})
        answer = json.loads(said.json["choices"][0]["message"]["content"])
        assert answer == {"category": "billing", "confidence": 0.9}


async def test_a_failure_says_that_the_answer_ran_out_of_tokens(open_bench):
    cut = Answer('{"category": "bil', finish="length")
    async with open_bench(local=cut, paid=cut, change=with_agents()) as bench:
        said = await run(bench)
        assert said.json["status"] == "failed"
        assert "max_tokens" in said.json["reason"]


@pytest.mark.parametrize("key", ["", "a"])
async def test_a_gate_that_closes_says_so_to_who_waits_for_a_run(open_bench, key):
    async with open_bench(local=Answer("{}", delay=30), change=with_agents()) as bench:
        asked = asyncio.create_task(run(bench, given(key=key)))
        async with asyncio.timeout(60):
            while not bench.ollama.calls or bench.ollama.calls[-1].path != "/api/chat":
                await asyncio.sleep(0.005)
            bench.gate.stop()
            bench.gate.stop()
            said = await asked
        assert (said.status, said.json["error"]["code"]) == (503, "closing")


async def test_a_caller_who_hangs_up_on_a_run_without_a_key_ends_it(open_bench):
    async with open_bench(local=Answer("{}", delay=30), change=with_agents()) as bench:
        asked = asyncio.create_task(run(bench))
        async with asyncio.timeout(60):
            while not bench.ollama.calls or bench.ollama.calls[-1].path != "/api/chat":
                await asyncio.sleep(0.005)
            asked.cancel()
            (outcome,) = await bench.written()
        assert (outcome.status, outcome.asked) == ("cancelled", "agent:sort")


async def test_a_fitting_answer_is_preferred_to_one_that_is_surer_and_does_not_fit(open_bench):
    local, paid = torn(0.2), '{"category": "technical", "more": 1}'
    async with open_bench(local=local, paid=paid, change=with_agents()) as bench:
        said = await run(bench)
        assert (said.json["status"], said.json["output"]) == (
            "incomplete",
            {"category": "billing", "confidence": 0.2},
        )


@pytest.mark.parametrize("mode", ["hold", "peek", "pass"])
async def test_every_door_gives_the_same_answer_and_no_log_probabilities(open_bench, mode):
    bodies = {
        "/v1/chat/completions": {"messages": [{"role": "user", "content": "Help"}]},
        "/v1/responses": {"input": "Help"},
        "/v1/messages": {"max_tokens": 50, "messages": [{"role": "user", "content": "Help"}]},
        "/api/chat": {"stream": False, "messages": [{"role": "user", "content": "Help"}]},
        "/api/generate": {"stream": False, "prompt": "Help"},
    }
    async with open_bench(mode=mode, local=torn(0.75), change=with_agents()) as bench:
        for path, body in bodies.items():
            for stream in (False, True):
                sent = json.dumps({"model": "agent:sort"} | body | {"stream": stream}).encode()
                said = await bench.send("POST", path, sent)
                assert said.status == 200
                text = said.body.decode()
                assert "0.75" in text, path
                assert '"logprob"' not in text, path
        asked = await bench.ask("Help", model="agent:sort", logprobs=True, top_logprobs=2)
        tokens = asked.json["choices"][0]["logprobs"]["content"]
        assert [(one["token"], len(one["top_logprobs"])) for one in tokens] == [
            ('{"category":', 1),
            (' "billing"}', 2),
        ]
        asked = await bench.ask("Help", model="agent:sort", logprobs=True)
        assert not any(one["top_logprobs"] for one in asked.json["choices"][0]["logprobs"]["content"])
        asked = bench.ollama.calls[-1].json
        assert (asked["logprobs"], asked["top_logprobs"]) == (True, 20)


async def test_an_engine_that_refuses_log_probabilities_is_not_asked_for_them_again(open_bench):
    async with open_bench(
        local='{"category": "billing"}', paid='{"category": "technical"}', change=with_agents()
    ) as bench:
        bench.ollama.inject(Fault.invalid_request("top_logprobs"), path="/api/chat")
        assert (await run(bench)).json["model"] == "claude"
        said = (await run(bench)).json
        assert (said["model"], said["status"], said["probability"]) == ("llama", "ok", None)
        asked = [call.json.get("logprobs") for call in bench.ollama.calls if call.path == "/api/chat"]
        assert asked == [True, None]


async def test_engines_of_openais_dialect_tell_how_probable_a_label_is(open_bench):
    async with OpenAIDouble(answer=torn(0.7)) as other:
        more = f"""
[engines.other]
kind = "openai_compatible"
url = "{other.url}/v1"
key = "env:TEST_KEY"

[models.other]
engine = "other"
id = "gpt-4o"
"""
        change = with_agents('try = ["other"]')
        async with open_bench(change=lambda page: change(page) + more) as bench:
            said = await run(bench)
            assert (said.json["model"], said.json["probability"]) == ("other", pytest.approx(0.7))
            asked = other.calls[-1].json
            assert (asked["logprobs"], asked["top_logprobs"]) == (True, 20)


async def test_a_request_without_an_agent_asks_no_engine_for_log_probabilities(open_bench):
    async with open_bench(change=with_agents()) as bench:
        await bench.ask("Help")
        assert "logprobs" not in bench.ollama.calls[-1].json


async def test_a_label_without_a_schema_is_delivered_as_it_is_spelled(open_bench):
    async with open_bench(local="Billing.", change=with_agents()) as bench:
        said = await run(bench, agent="plain")
        assert (said.json["status"], said.json["output"], said.json["label"]) == ("ok", "billing", "billing")


@pytest.mark.parametrize(
    "said", ["billing - the customer was charged twice", "The category is billing.", "billing or technical"]
)
async def test_a_label_with_words_around_it_goes_on_to_the_next_model_because_it_cannot_be_delivered(
    open_bench, said
):
    async with open_bench(local=said, paid="Billing.", change=with_agents()) as bench:
        answer = await run(bench, agent="plain")
        assert (answer.json["status"], answer.json["output"]) == ("escalated", "billing"), answer.json
        assert answer.json["model"] == "claude"


async def test_a_label_is_known_without_its_hyphens(open_bench):
    page = '\n[agents.wish]\nsystem = "Sort."\nlabels = ["feature-request", "bug"]\n'
    async with open_bench(local="Feature request", change=with_agents("", page)) as bench:
        answer = await run(bench, agent="wish")
        assert (answer.json["status"], answer.json["output"]) == ("ok", "feature-request"), answer.json


@pytest.mark.parametrize("said", ["C#", "c#.", '"C#"', "C"])
async def test_a_mark_may_belong_to_a_label(open_bench, said):
    page = '\n[agents.tongue]\nsystem = "Which?"\nlabels = ["C", "C#"]\n'
    async with open_bench(local=said, change=with_agents("", page)) as bench:
        answer = await run(bench, agent="tongue")
        assert answer.json["output"] == ("C" if said == "C" else "C#"), answer.json


async def test_examples_are_turns_before_the_input(open_bench):
    more = (
        '[[agents.sort.examples]]\ninput = "My card?"\noutput = { category = "billing", confidence = 0.9 }\n'
    )
    async with open_bench(local=torn(0.9), change=with_agents("", more)) as bench:
        await run(bench)
        told = [(message["role"], message["content"]) for message in bench.ollama.calls[-1].json["messages"]]
        assert told[1:] == [
            ("user", "My card?"),
            ("assistant", '{"category":"billing"}'),
            ("user", "I was charged twice."),
        ]


async def test_an_agents_own_models_checks_and_parameters_are_taken_in_place_of_the_routes(open_bench):
    more = (
        'try = ["claude", "llama"]\nchecks = ["not-empty"]\ntemperature = 0.25\ntop_p = 0.5\nmax_tokens = 33'
    )
    async with open_bench(paid='{"category": "billing"}', change=with_agents(more)) as bench:
        said = await run(bench)
        assert (said.json["model"], said.json["status"]) == ("claude", "ok")
        (outcome,) = await bench.written()
        assert outcome.decision.checks == ("not-empty", "asked-format", "sure-label")
        assert outcome.fallback == "sent by its route"
        assert bench.claude.calls[-1].json["max_tokens"] == 33


async def test_a_long_input_is_not_blamed_on_a_limit_of_a_route_that_did_not_choose(open_bench):
    change = with_agents('try = ["claude"]')
    async with open_bench(paid='{"category": "billing"}', change=change) as bench:
        assert (await run(bench, given("Help me. " * 3000))).json["model"] == "claude"
        (outcome,) = await bench.written()
        assert (outcome.decision.route, outcome.fallback) == ("agent:sort", "sent by its route")


async def test_one_model_alone_may_be_asked_and_nobody_need_pay(open_bench):
    async with open_bench(local=torn(0.55), paid='{"category": "billing"}', change=with_agents()) as bench:
        said = await run(bench, given(model="claude"))
        assert (said.json["model"], said.json["status"]) == ("claude", "ok")
        said = await run(bench, given(pay=False))
        assert (said.json["model"], said.json["status"], said.json["cost"]) == ("llama", "incomplete", 0.0)
        first, second = await bench.written(2)
        assert first.fallback == "asked for by name"
        assert second.decision.skipped == {"claude": "budget"}
        said = await run(bench, given(model="claude", pay=False))
        assert (said.json["status"], said.json["model"]) == ("failed", None)
        said = await run(bench, given(model="lama"))
        assert (said.status, said.json["error"]["hint"]) == (404, 'did you mean "llama"?')


async def test_without_pay_nothing_leaves_the_house_not_even_to_a_model_that_is_free(open_bench):
    free = "[models.claude]\nprice = { input = 0, output = 0 }"
    away = '\n[models.away]\nengine = "ollama"\nid = "big"\n'
    change = with_agents('try = ["claude", "away"]', away)
    library = {"llama3.1:8b": ServedModel(), "big": ServedModel(remote_host="https://ollama.com:443")}
    async with open_bench(
        local=torn(0.9),
        paid='{"category": "billing"}',
        library=library,
        change=lambda page: change(page).replace("[models.claude]", free),
    ) as bench:
        said = await run(bench, given(pay=False))
        assert said.json["status"] == "failed"
        assert said.json["reason"].count("not at home") == 2
        assert not bench.claude.calls
        assert all(call.path != "/api/chat" for call in bench.ollama.calls)
        said = await run(bench)
        assert (said.json["model"], said.json["cost"]) == ("claude", 0.0)
        assert (await run(bench, given(model="away"))).json["model"] == "away"


async def test_an_agent_that_stays_at_home_never_pays(open_bench):
    async with open_bench(local=torn(0.55), change=with_agents("local_only = true")) as bench:
        assert (await run(bench)).json["status"] == "incomplete"
        (outcome,) = await bench.written()
        assert outcome.decision.skipped == {"claude": "privacy"}


async def test_a_template_is_filled_from_fields_at_every_door(open_bench):
    async with open_bench(change=with_agents()) as bench:
        fields = {"name": "Ada", "facts": ["one", "two"]}
        said = await run(bench, given(fields), agent="draft")
        assert said.json["status"] == "ok"
        asked = await bench.ask(json.dumps(fields), model="agent:draft")
        assert asked.status == 200
        told = [
            call.json["messages"][-1]["content"] for call in bench.ollama.calls if call.path == "/api/chat"
        ]
        assert told == ['To: Ada\n\n["one","two"]'] * 2
        said = await run(bench, given({"name": "Ada"}), agent="draft")
        assert (said.status, said.json["error"]["code"]) == (400, "invalid_input")
        assert "the input has no facts" in said.json["error"]["message"]
        asked = await bench.ask("Write to Ada.", model="agent:draft")
        assert (asked.status, asked.json["error"]["code"]) == (400, "invalid_input")
        assert asked.json["error"]["hint"] == 'send {"name": …, "facts": …}'


async def test_later_turns_of_a_conversation_are_no_new_input(open_bench):
    async with open_bench(change=with_agents(), ledger_more="keep_bodies = true") as bench:
        fields = json.dumps({"name": "Ada", "facts": "one"})
        first = {"model": "agent:draft", "input": fields}
        said = await bench.send("POST", "/v1/responses", json.dumps(first).encode())
        later = {"model": "agent:draft", "input": "Shorter.", "previous_response_id": said.json["id"]}
        assert (await bench.send("POST", "/v1/responses", json.dumps(later).encode())).status == 200
        told = bench.ollama.calls[-1].json["messages"]
        assert [message["role"] for message in told] == ["system", "user", "assistant", "user"]
        assert (told[1]["content"], told[3]["content"]) == ("To: Ada\n\none", "Shorter.")


async def test_a_key_is_done_once_and_who_asks_again_joins(open_bench):
    async with open_bench(local=torn(0.75), change=with_agents()) as bench:
        bodies = [given(key="job 1, row 7")] * 3 + [given("Another.", key="job 1, row 7")]
        first, second, third, other = await asyncio.gather(*(run(bench, body) for body in bodies))
        assert first.body == second.body == third.body != other.body
        assert (await run(bench, given(key="job 1, row 7"))).body == first.body
        assert len([call for call in bench.ollama.calls if call.path == "/api/chat"]) == 2
        assert (await run(bench)).body != first.body


async def test_a_run_with_a_key_goes_on_when_its_caller_hangs_up_and_one_that_failed_is_tried_again(
    open_bench,
):
    slow = Answer('{"category": "billing"}', delay=0.2)
    async with open_bench(local=slow, change=with_agents()) as bench:
        async with asyncio.timeout(60):
            asked = asyncio.create_task(run(bench, given(key="a")))
            while not bench.ollama.calls or bench.ollama.calls[-1].path != "/api/chat":
                await asyncio.sleep(0.005)
            asked.cancel()
            said = await run(bench, given(key="a"))
        assert said.json["status"] == "ok"
        assert len([call for call in bench.ollama.calls if call.path == "/api/chat"]) == 1
    async with open_bench(local="no", paid="no", change=with_agents()) as bench:
        assert (await run(bench, given(key="a"))).json["status"] == "failed"
        before = len(bench.claude.calls)
        assert (await run(bench, given(key="a"))).json["status"] == "failed"
        assert len(bench.claude.calls) > before


@pytest.mark.parametrize(
    ("agent", "body", "status", "says"),
    [
        ("sortt", given(), 404, 'did you mean "sort"'),
        ("sort", b"{", 400, "not valid JSON"),
        ("sort", b"{}", 400, "input"),
        ("sort", given(7), 400, "input"),
        ("sort", given(ky="a"), 400, "ky"),
        ("sort", given(key="a" * 201), 400, "key"),
    ],
)
async def test_what_is_asked_wrongly_is_an_error_with_a_hint(open_bench, agent, body, status, says):
    async with open_bench(change=with_agents()) as bench:
        said = await run(bench, body, agent)
        assert said.status == status
        assert says in f"{said.json['error']['message']}"
        assert said.json["error"]["hint"]
        wrong = await bench.send("GET", "/v1/agents/sort/runs")
        assert (wrong.status, wrong.headers["allow"]) == (405, "POST")


async def test_headers_of_a_run_have_their_say(open_bench):
    async with open_bench(local=torn(0.55), change=with_agents()) as bench:
        said = await run(bench, x_headgate_privacy="local_only", x_headgate_priority="batch")
        assert (said.json["model"], said.json["status"]) == ("llama", "incomplete")
        assert said.headers["x-headgate-model"] == "llama"
        assert said.headers["x-headgate-request-id"] == said.json["requests"][-1]
        assert (await run(bench, x_headgate_priority="sometime")).status == 400


async def test_agents_are_listed_with_their_form_and_how_their_tests_went(open_bench):
    async with open_bench(change=with_agents("bar = 0.9")) as bench:
        agent, model = bench.gate.config.policy.agents["sort"], bench.gate.config.policy.models["llama"]
        trial = Trial(
            agent="sort", digest=digest_of(agent), model="llama", engine=model.engine, id=model.id,
            measured=1.0, n=40, right=30, temperature=4.0,
        )  # fmt: skip
        save_trial(bench.ledger, trial)
    async with open_bench(local=torn(0.9), change=with_agents("bar = 0.9")) as bench:
        listed = {one["name"]: one for one in (await bench.send("GET", "/v1/agents")).json["data"]}
        assert set(listed) == {"sort", "plain", "draft", "triage", "sentiment", "meeting-notes", "extract"}
        one = (await bench.send("GET", "/v1/agents/sort")).json
        assert one == listed["sort"]
        assert (one["labels"], one["bar"], one["input"]) == (["billing", "technical"], 0.9, ["input"])
        assert one["schema"]["required"] == ["category", "confidence"]
        assert [(trial["model"], trial["accuracy"]) for trial in one["trials"]] == [("llama", 0.75)]
        assert (await bench.send("GET", "/v1/agents/nobody")).status == 404
        said = await run(bench)
        calibrated = 0.9**0.25 / (0.9**0.25 + 0.1**0.25)
        assert said.json["probability"] == pytest.approx(calibrated, abs=1e-6)
        assert said.json["output"]["confidence"] == 0.63


async def test_a_gate_that_closes_ends_what_is_under_way(open_bench):
    async with open_bench(local=Answer('{"category": "billing"}', delay=30), change=with_agents()) as bench:
        asked = asyncio.create_task(bench.gate.runs.run("sort", "Help", key="a"))
        async with asyncio.timeout(60):
            while not bench.ollama.calls or bench.ollama.calls[-1].path != "/api/chat":
                await asyncio.sleep(0.005)
        await bench.gate.runs.close()
        with pytest.raises(asyncio.CancelledError):
            await asked
        (outcome,) = await bench.written()
        assert outcome.status == "cancelled"


async def test_an_empty_input_is_refused_at_every_door_before_anybody_is_asked(open_bench):
    async with open_bench(change=with_agents()) as bench:
        for empty in ("", "  \n", {}):
            said = await run(bench, given(empty))
            assert (said.status, said.json["error"]["message"][:18]) == (400, "the input is empty"), empty
        said = await bench.ask(" ", model="agent:sort")
        assert (said.status, said.json["error"]["code"]) == (400, "invalid_input")


async def test_a_field_that_no_run_has_is_named(open_bench):
    async with open_bench(change=with_agents()) as bench:
        said = await run(bench, given(modell="claude"))
        assert (said.status, said.json["error"]["param"]) == (400, "modell")
        assert said.json["error"]["message"].startswith("there is no field modell")
