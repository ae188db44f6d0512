"""The story: a subagent classifies incoming support e-mails as billing, technical, feature-request or escalation, and returns
structured JSON. On the real embedded engine, through the public doors."""

import asyncio
import json
from contextlib import asynccontextmanager

import jsonschema_rs
import pytest

from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.engines.transport import Clocks, HttpTransport
from headgate.gateway.listening import bind
from headgate.ledger.queries import LedgerReader

pytest.importorskip("xllamacpp")

PAGE = """
[engines.home]
kind = "llamacpp"

[models.nano]
engine = "home"
id = "headgate-nano"

[models.micro]
engine = "home"
id = "headgate-micro"

[[routes]]
name = "all"
try = ["nano", "micro"]

[ledger]
path = "{folder}/ledger.db"
flush = "20ms"

[agents.mood]
system = "Is this customer support email positive, neutral or negative?"
task = "sentiment"
labels = ["positive", "neutral", "negative"]
try = ["micro"]
"""
MAILS = {
    "I was charged twice this month. Please refund one of the two payments.": "billing",
    "Where can I download the invoice for October?": "billing",
    "The app crashes whenever I open the settings.": "technical",
    "I get error 500 when I upload a file.": "technical",
    "It would be great if you added a dark mode.": "feature-request",
    "Please add an export to Excel.": "feature-request",
    "This is the third time I write. I want to speak with your manager or I will call my lawyer.": "escalation",
}
CLOCKS = Clocks(connect=5, first_byte=60, between_bytes=60, total=60)


@asynccontextmanager
async def opened(folder):
    """An open gate, and a way to send JSON to it."""
    config = parse_config(PAGE.format(folder=folder), folder / "headgate.toml")
    async with open_gate(config) as gate:
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(gate.serve(bind("127.0.0.1", 0), address.set_result))
        client = HttpTransport(await address)

        async def send(path, body):
            answer = await client.request(
                "POST", path, headers=[], body=json.dumps(body).encode(), clocks=CLOCKS
            )
            return answer.status, json.loads(answer.body)

        try:
            yield gate, send
        finally:
            await client.close()
            gate.stop()
            await serving


async def test_a_subagent_classifies_incoming_support_emails_and_returns_structured_json(tmp_path):
    async with opened(tmp_path) as (gate, send):
        triage = gate.config.policy.agents["triage"]
        form = jsonschema_rs.validator_for(json.loads(bytes(triage.schema)))
        right = 0
        for mail, category in MAILS.items():
            status, run = await send("/v1/agents/triage/runs", {"input": mail})
            assert status == 200
            assert run["status"] in ("ok", "escalated", "incomplete"), run["reason"]
            assert form.is_valid(run["output"]), run["output"]
            assert run["output"]["category"] == run["label"]
            assert run["output"]["confidence"] == round(run["probability"], 2)
            assert sum(run["probabilities"].values()) == pytest.approx(1.0)
            assert (run["probability"] < 0.6) <= (run["status"] == "incomplete")
            right += run["label"] == category
            status, chat = await send(
                "/v1/chat/completions",
                {"model": "agent:triage", "messages": [{"role": "user", "content": mail}]},
            )
            assert status == 200
            assert form.is_valid(json.loads(chat["choices"][0]["message"]["content"]))
        assert right >= len(MAILS) - 2
        await asyncio.to_thread(gate.writer.flush)
        with LedgerReader(gate.config.ledger.path) as ledger:
            outcomes = [entry.outcome for entry in ledger.newest(limit=50)]
        assert len(outcomes) == 2 * len(MAILS)
        assert {outcome.asked for outcome in outcomes} == {"agent:triage"}
        for outcome in outcomes:
            if len(outcome.attempts) == 2:
                assert (outcome.attempts[0].score or 0.0) < outcome.decision.pass_at


INPUTS = {
    "triage": "I was charged twice.",
    "sentiment": "I love it!",
    "meeting-notes": "Ann sends the offer to Baker Ltd by Friday. We decided to launch in May.",
    "extract": "Invoice 4711 of Baker Ltd, 3 May 2026, 120.50 EUR",
    "draft": {"client": "Baker Ltd", "period": "May 2026", "facts": ["12 posts published", "visits up 8 %"]},
}


@pytest.mark.parametrize("model", ["nano", "micro"])
async def test_every_built_in_subagent_gives_what_fits_its_form_or_says_why_not(tmp_path, model):
    async with opened(tmp_path) as (gate, send):
        for name, given in INPUTS.items():
            status, run = await send(f"/v1/agents/{name}/runs", {"input": given, "model": model})
            assert (status, run["agent"]) == (200, name)
            assert (run["status"] == "failed") == (run["output"] is None)
            assert run["reason"] or run["status"] == "ok"
            schema = gate.config.policy.agents[name].schema
            if run["output"] is not None and schema is not None:
                assert jsonschema_rs.validator_for(json.loads(bytes(schema))).is_valid(run["output"])


async def test_a_label_comes_alone_where_the_subagent_has_no_schema(tmp_path):
    async with opened(tmp_path) as (gate, _):
        run = await gate.runs.run("mood", "Thank you so much, I love it!")
        assert (run.output, run.model, run.status) == ("positive", "micro", "ok")
        assert max(run.probabilities, key=run.probabilities.__getitem__) == "positive"


async def test_many_runs_at_once_keep_apart_and_each_has_its_row(tmp_path):
    async with opened(tmp_path) as (gate, _):
        texts = list(MAILS) * 3
        runs = await asyncio.gather(
            *(gate.runs.run("triage", text, batch=True, key=f"{n}") for n, text in enumerate(texts))
        )
        alone = {text: (await gate.runs.run("triage", text, model="nano")).label for text in MAILS}
        for text, run in zip(texts, runs, strict=True):
            assert run.model == "micro" or run.label == alone[text]
        ids = [request for run in runs for request in run.requests]
        assert len(set(ids)) == len(texts)


async def test_the_same_input_for_a_providers_batch_is_the_same_request(tmp_path):
    async with opened(tmp_path) as (gate, _):
        request = gate.runs.prepare("triage", next(iter(MAILS)))
        result, outcome = await gate.ask(request)
        run = await gate.runs.run("triage", next(iter(MAILS)))
        assert json.loads(result.text) == run.output
        assert (outcome.model, outcome.asked) == (run.model, "agent:triage")
