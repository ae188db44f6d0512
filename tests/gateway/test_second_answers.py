"""A second answer has to agree before one from home goes out: of the same model, or of another one at home."""

import asyncio
import json

import pytest
from msgspec import convert

from headgate.core.agreement import agreement, is_comparable
from headgate.core.errors import ConfigError
from headgate.core.types import Format, Message, Reply, Request, Signals, Usage
from headgate.ledger.exporting import export_requests
from headgate.ledger.from_lines import outcome_of
from headgate.ledger.lines import Line
from headgate.ledger.queries import Filter
from headgate.testing import Answer, Fault
from headgate.testing.ollama_library import ServedModel

ASK = (
    "Sort this e-mail into exactly one of: billing, technical or escalation.\n\nI was charged twice in March."
)


def chat_calls(double):
    return [call for call in double.calls if call.path == "/api/chat"]


def confirmed(word, *tables):
    """A page whose route for labels wants a second answer."""
    return lambda page: page.replace('name = "labels"\n', f'name = "labels"\nconfirm = "{word}"\n').replace(
        "[[routes]]", "".join(tables) + "[[routes]]", 1
    )


def in_turn(*texts):
    """An answer that is another one each time."""
    left = list(texts)
    return lambda _call: left.pop(0) if len(left) > 1 else left[0]


# ── At the gate ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_label_that_the_model_gives_twice_goes_out(open_bench):
    async with open_bench(local=in_turn("billing"), change=confirmed("itself")) as bench:
        said = await bench.ask(ASK, seed=7)
        assert (said.text, said.headers["x-headgate-model"]) == ("billing", "llama")
        first, second = chat_calls(bench.ollama)
        assert first.json["options"]["seed"] == 7
        assert second.json["options"]["seed"] == 8
        assert second.json["options"]["temperature"] >= 0.7
        assert not bench.claude.calls
        (outcome,) = await bench.written()
        assert [attempt.confirms for attempt in outcome.attempts] == [False, True]
        assert outcome.attempts[0].verdicts[-1].check == "agreement"
        assert outcome.attempts[0].verdicts[-1].score == 1.0
        assert (outcome.status, outcome.model, outcome.decision.confirm) == ("ok", "llama", "itself")
        assert outcome.usage == outcome.attempts[0].usage, "the first answer is the one that counts"


async def test_a_label_that_comes_out_otherwise_the_second_time_goes_to_the_paid_model(open_bench):
    async with open_bench(
        local=in_turn("billing", "technical"), paid="billing", change=confirmed("itself")
    ) as bench:
        said = await bench.ask(ASK)
        assert (said.text, said.headers["x-headgate-model"]) == ("billing", "claude")
        assert said.headers["x-headgate-reason"] == "quality check failed"
        (outcome,) = await bench.written()
        assert [attempt.model for attempt in outcome.attempts] == ["llama", "llama", "claude"]
        reason = outcome.attempts[0].verdicts[-1].reason
        assert "billing" in reason
        assert "technical" in reason


async def test_with_nobody_else_to_go_to_the_first_answer_goes_out_as_it_is_and_is_marked(open_bench):
    async with open_bench(local=in_turn("billing", "technical"), change=confirmed("itself")) as bench:
        bench.claude.inject(Fault.server_error(), times=9)
        said = await bench.ask(ASK)
        assert (said.text, said.headers["x-headgate-status"]) == ("billing", "imperfect")


MISTRAL = """
[models.mistral]
engine = "ollama"
id = "mistral:7b"
context = 8192

"""
TWO = {"llama3.1:8b": ServedModel(), "mistral:7b": ServedModel()}


@pytest.mark.parametrize(("second", "who"), [("billing", "llama"), ("technical", "claude")])
async def test_another_model_at_home_confirms(open_bench, second, who):
    def local(call):
        return "billing" if call.json["model"].startswith("llama") else second

    async with open_bench(
        local=local, paid="billing", library=TWO, change=confirmed("mistral", MISTRAL)
    ) as bench:
        said = await bench.ask(ASK)
        assert said.headers["x-headgate-model"] == who
        assert [call.json["model"] for call in chat_calls(bench.ollama)] == ["llama3.1:8b", "mistral:7b"]


async def test_when_the_second_model_fails_the_first_answer_stands(open_bench):
    async with open_bench(local="billing", change=confirmed("itself")) as bench:
        calls = 0

        def once(_call):
            nonlocal calls
            calls += 1
            if calls == 1:
                bench.ollama.inject(Fault.server_error(), times=1)
            return "billing"

        bench.ollama.answer = once
        said = await bench.ask(ASK)
        assert (said.text, said.headers["x-headgate-model"], said.headers["x-headgate-status"]) == (
            "billing",
            "llama",
            "ok",
        )


@pytest.mark.parametrize(("second", "who"), [("billing", "llama"), ("technical", "claude")])
async def test_a_stream_waits_for_the_second_answer(open_bench, second, who):
    async with open_bench(
        mode="pass", local=in_turn("billing", second), paid="escalation", change=confirmed("itself")
    ) as bench:
        said = await bench.ask(ASK, stream=True)
        assert said.streamed == ("billing" if who == "llama" else "escalation")
        (outcome,) = await bench.written()
        assert outcome.model == who
        assert not outcome.attempts[0].late


async def test_free_prose_is_not_asked_for_twice(open_bench):
    def everywhere(page):
        return page.replace('name = "everything else"\n', 'name = "everything else"\nconfirm = "itself"\n')

    async with open_bench(change=everywhere) as bench:
        await bench.ask("Write a short poem about the harbour in the morning, please.")
        assert len(chat_calls(bench.ollama)) == 1


async def test_what_hangs_up_during_the_second_answer_is_written_down(open_bench):
    async with open_bench(
        local=in_turn("billing", Answer("billing", delay=2.0)), change=confirmed("itself")
    ) as bench:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await bench.ask(ASK)
        (outcome,) = await bench.written()
        assert outcome.status == "cancelled"
        assert [attempt.confirms for attempt in outcome.attempts] == [False, True]


async def test_the_lines_of_a_ledger_tell_which_attempt_confirmed(open_bench, tmp_path):
    async with open_bench(local="billing", change=confirmed("itself")) as bench:
        await bench.ask(ASK)
        await bench.written()
    out = tmp_path / "all.jsonl"
    export_requests(bench.ledger, out, Filter(), lambda _done, _all: None)
    (line,) = [json.loads(text) for text in out.read_text().splitlines()]
    assert [attempt.get("confirms", False) for attempt in line["attempts"]] == [False, True]
    assert outcome_of(convert(line, Line), "req_1").attempts[1].confirms


# ── In the config ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("word", "why"),
    [("claude", "not at home"), ("lama", 'did you mean "llama"?'), ("nobody", "not a model in this file")],
)
async def test_whoever_confirms_has_to_be_at_home(open_bench, word, why):
    with pytest.raises(ConfigError) as caught:
        async with open_bench(change=confirmed(word)):
            pass
    assert why in f"{caught.value.message} {caught.value.hint}"


# ── What agrees ──────────────────────────────────────────────────────────────────────────────────────────────────────


def measured(task="classification", **more):
    return Signals(task=task, task_confidence=1.0, task_by="rules", tokens=10, tokens_exact=True, **more)


def asked(**more):
    return Request(id="r", asked="auto", messages=(Message(role="user", content="?"),), **more)


def said(text, **more):
    return Reply(text=text, usage=Usage(), **more)


LABELS = measured(labels=("billing", "technical"))
JSON = measured("extraction", format="json")


@pytest.mark.parametrize(
    ("signals", "one", "other", "score"),
    [
        (LABELS, "Billing.", "billing", 1.0),
        (LABELS, "It is billing, I think.", "billing", 1.0),
        (LABELS, "billing", "technical", 0.0),
        (JSON, '{"total": 12.50, "currency": "EUR"}', '{"currency": "eur", "total": 12.5}', 1.0),
        (JSON, '{"total": 12.50, "currency": "EUR"}', '{"currency": "EUR", "total": 12.6}', 0.5),
        (JSON, '{"items": [1, 2]}', '{"items": [1, 3]}', 0.5),
        (JSON, '{"a": 1}', "no JSON", None),
        (JSON, json.dumps({"why": "x" * 80}), json.dumps({"why": "y" * 80}), None),
        (measured("reasoning"), "3 + 4 is 7, times 6 makes 42.", "The result is 42", 1.0),
        (measured("reasoning"), "The result is 42", "The result is 43", 0.0),
        (measured("reasoning"), "The result is 1,200", "It comes to 1200", 1.0),
        (measured("qa"), "It depends on the contract.", "Ask the landlord first.", None),
        (measured("qa"), "Paris", "paris.", 1.0),
    ],
)
def test_answers_agree_by_what_they_say(signals, one, other, score):
    assert agreement(asked(), signals, said(one), said(other)).score == score
    assert agreement(asked(), signals, said(other), said(one)).score == score


def test_the_label_of_a_subagent_is_compared_and_not_its_words():
    request = asked(labels=("a", "b"))
    assert agreement(request, LABELS, said("x", label="a"), said("y", label="a")).score == 1.0
    assert agreement(request, LABELS, said("x", label="a"), said("x", label="b")).score == 0.0
    assert agreement(request, LABELS, said("x", label="a"), said("x")).score == 0.0


def test_what_acts_is_not_asked_twice():
    assert is_comparable(asked(), LABELS)
    assert is_comparable(asked(format=Format(kind="json")), JSON)
    assert not is_comparable(asked(), measured("writing"))
    assert not is_comparable(asked(), measured("classification", tools=1))
    assert not is_comparable(asked(kind="embedding"), measured("embedding"))
