"""OpenAI's Decisions API on the wire: what is asked, what is believed, and the double that answers it."""

import msgspec
import pytest

from headgate.config.engine import EngineSettings
from headgate.core.decisions import Choice, Decided, Predicate, Questions, Score
from headgate.core.engine import DecidingEngine
from headgate.core.types import Failure, Model
from headgate.engines.openai_compatible import OpenAICompatible
from headgate.engines.profiles import OPENAI
from headgate.engines.transport import HttpTransport
from headgate.testing import Fault, FaultKind, OpenAIDouble
from headgate.wire.upstream import decisions

WORTH = Predicate("It is worth it.", "worth")
COLOUR = Choice("Which colour?", {"red": "like blood", "blue": ""})
GRADE = Score("How good?", {"bad": "", "good": ""})
ALL = Questions("a rose", (WORTH, COLOUR, GRADE))
LUNA = Model(name="luna", engine="openai", engine_kind="openai", id="gpt-6-luna", local=False)


def answers(*given, **more):
    return msgspec.json.encode({"model": "gpt-6-luna", "answers": given, "usage": {"input_tokens": 7}} | more)


def test_questions_are_written_in_the_words_of_the_api():
    assert msgspec.json.decode(decisions.encode(ALL, "gpt-6-luna")) == {
        "model": "gpt-6-luna",
        "input": "a rose",
        "questions": [
            {"type": "predicate", "instructions": "It is worth it.", "name": "worth"},
            {
                "type": "choice",
                "instructions": "Which colour?",
                "choices": [{"value": "red", "description": "like blood"}, {"value": "blue"}],
            },
            {"type": "score", "instructions": "How good?", "levels": [{"label": "bad"}, {"label": "good"}]},
        ],
    }


@pytest.mark.parametrize(
    "asked",
    [
        Questions("x", ()),
        Questions("x", (WORTH,) * 201),
        Questions("x", (Choice("?", {"one": ""}),)),
        Questions("x", (Score("?", {str(level): "" for level in range(11)}),)),
    ],
)
def test_what_the_api_would_refuse_is_not_sent(asked):
    assert "not sent" in decisions.encode(asked, "gpt-6-luna").detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'{"error": {"message": "no", "type": "server_error"}}',
        answers(),
        answers({"type": "predicate", "probability": 1.2}),
        answers({"type": "predicate"}),
        answers({"type": "choice", "choice": "red", "probabilities": []}),
        answers({"type": "predicate", "probability": 0.5}, {"type": "predicate", "probability": 0.5}),
    ],
)
def test_what_is_no_answer_to_the_question_is_a_failure(body):
    assert isinstance(decisions.decode(body, Questions("x", (WORTH,))), Failure)


def test_a_choice_that_was_not_offered_is_a_failure():
    green = {"type": "choice", "choice": "green", "probabilities": [{"value": "red", "probability": 1.0}]}
    assert isinstance(decisions.decode(answers(green), Questions("x", (COLOUR,))), Failure)


def test_a_refusal_is_an_answer():
    decided = decisions.decode(answers({"type": "refusal"}), Questions("x", (WORTH,)))
    assert decided.answers[0].refused
    assert decided.usage.input == 7


async def with_double(act, **more):
    async with OpenAIDouble(**more) as double:
        settings = EngineSettings(name="openai", kind="openai", url=f"{double.url}/v1", local=False, key="k")
        transport = HttpTransport(f"{double.url}/v1", headers=[("authorization", "Bearer k")])
        engine = OpenAICompatible(settings, transport, OPENAI)
        assert isinstance(engine, DecidingEngine)
        try:
            return await act(engine, double)
        finally:
            await engine.close()


async def test_an_engine_asks_and_gets_one_answer_for_each_question():
    async def act(engine, double):
        return await engine.decide(ALL, LUNA, 5.0)

    decided = await with_double(act, deciding=lambda text, question: 0.9 if "rose" in text else 0.1)
    assert isinstance(decided, Decided), decided
    worth, colour, grade = decided.answers
    assert worth.probabilities == {"yes": 0.9}
    assert (colour.chosen, colour.probabilities["red"]) == ("red", 0.9)
    assert grade.chosen == "bad"
    assert decided.usage.input > 0
    assert decided.usage.output == 0


async def test_a_server_that_fails_or_a_model_that_does_not_decide_is_a_failure():
    async def act(engine, double):
        double.inject(Fault(FaultKind.SERVER_ERROR))
        failed = await engine.decide(ALL, LUNA, 5.0)
        wrong = await engine.decide(ALL, msgspec.structs.replace(LUNA, id="gpt-4o"), 5.0)
        return failed, wrong

    failed, wrong = await with_double(act)
    assert failed.status == 500
    assert "no decisions" in wrong.detail
