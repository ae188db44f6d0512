"""OpenAI's Decisions API, both ways: questions about one input → probabilities.

An answer is believed when there is one for each question, of its kind, with probabilities between 0 and 1 that name what was asked for.
It does not know sockets, keys or clocks, nor what is done with a probability.

Source: OpenAI's API reference of the public beta of 2026-10-06 (POST /v1/decisions).
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from headgate.core.decisions import Answered, Choice, Decided, Predicate, Question, Questions, Score
from headgate.core.types import Failure, Usage
from headgate.wire.upstream import UNREADABLE
from headgate.wire.upstream.openai_replies import NULL, hidden_error, unreadable
from headgate.wire.upstream.usage import fields_of

PATH = "/decisions"
MOST_QUESTIONS = 200
CHOICES = (2, 255)
LEVELS = (2, 10)


class WireAnswer(Struct):
    """The answer to one question; which fields there are depends on its type."""

    type: Literal["predicate", "choice", "score", "refusal"]
    probability: float | None = None
    choice: str | None = None
    score: str | float | None = None
    probabilities: list[dict[str, Any]] = []


class WireDecisions(Struct):
    """The answer of `/decisions`."""

    answers: list[WireAnswer] | None = None
    model: str = ""
    usage: Raw = NULL
    error: Any = None


_decode = msgspec.json.Decoder(WireDecisions).decode


def encode(asked: Questions, model: str) -> bytes | Failure:
    """The request's body, or why the API would refuse it.

    Args:
        asked: the questions.
        model: its id at OpenAI.
    """
    if not 1 <= len(asked.questions) <= MOST_QUESTIONS:
        return _refused(f"{len(asked.questions)} questions; OpenAI takes 1 to {MOST_QUESTIONS}")
    wanted: list[dict[str, Any]] = []
    for question in asked.questions:
        if isinstance(question, Choice) and not CHOICES[0] <= len(question.choices) <= CHOICES[1]:
            return _refused(f"{len(question.choices)} choices; OpenAI takes {CHOICES[0]} to {CHOICES[1]}")
        if isinstance(question, Score) and not LEVELS[0] <= len(question.levels) <= LEVELS[1]:
            return _refused(f"{len(question.levels)} levels; OpenAI takes {LEVELS[0]} to {LEVELS[1]}")
        wanted.append(_question(question))
    told: Any = asked.input
    if not isinstance(told, str):
        told = [{"role": message.role, "content": message.text} for message in told]
    return msgspec.json.encode({"model": model, "input": told, "questions": wanted})


def decode(body: bytes, asked: Questions) -> Decided | Failure:
    """The answers in a body of status 200, which may be an error all the same."""
    try:
        wire = _decode(body)
    except UNREADABLE as error:
        return unreadable(body, str(error), "http_error")
    if wire.error:
        return hidden_error(wire.error, "http_error")
    answers = wire.answers or []
    if len(answers) != len(asked.questions):
        return _malformed(f"{len(answers)} answers came for {len(asked.questions)} questions")
    found: list[Answered] = []
    for answer, question in zip(answers, asked.questions, strict=True):
        read = _answer(answer, question)
        if isinstance(read, str):
            return _malformed(read)
        found.append(read)
    return Decided(answers=tuple(found), model=wire.model, usage=_usage(fields_of(wire.usage)))


def _question(question: Question) -> dict[str, Any]:
    told: dict[str, Any] = {"type": "predicate", "instructions": question.instructions}
    if isinstance(question, Choice):
        told |= {"type": "choice", "choices": _described(question.choices, "value")}
    elif isinstance(question, Score):
        told |= {"type": "score", "levels": _described(question.levels, "label")}
    if question.name:
        told["name"] = question.name
    return told


def _described(values: Mapping[str, str], word: str) -> list[dict[str, str]]:
    return [
        {word: value, "description": description} if description else {word: value}
        for value, description in values.items()
    ]


def _answer(answer: WireAnswer, question: Question) -> Answered | str:
    """One answer, or what is wrong with it."""
    if answer.type == "refusal":
        return Answered({}, refused=True)
    wanted = {Predicate: "predicate", Choice: "choice", Score: "score"}[type(question)]
    if answer.type != wanted:
        return f"a {answer.type} came where a {wanted} was asked for"
    if isinstance(question, Predicate):
        if answer.probability is None or not 0 <= answer.probability <= 1:
            return f"{answer.probability} is no probability"
        return Answered({"yes": answer.probability})
    known = question.choices if isinstance(question, Choice) else question.levels
    chosen = str(answer.choice if isinstance(question, Choice) else answer.score)
    shares = _shares(answer.probabilities)
    if shares is None or not shares.keys() <= known.keys() or chosen not in known:
        return f"the {wanted} names what was not asked for, or no probabilities"
    return Answered(shares, chosen)


def _shares(probabilities: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """Value → probability; None where any of it is something else."""
    shares: dict[str, float] = {}
    for one in probabilities:
        value, share = one.get("value", one.get("label")), one.get("probability")
        if (
            not isinstance(value, str)
            or not isinstance(share, int | float)
            or not (isfinite(share) and 0 <= share <= 1)
        ):
            return None
        shares[value] = float(share)
    return shares


def _usage(fields: Mapping[str, Any]) -> Usage:
    """Tokens of the input; there is no charge for what comes back."""
    spent = fields.get("input_tokens", fields.get("prompt_tokens", 0))
    return Usage(input=spent if isinstance(spent, int) and spent >= 0 else 0)


def _refused(detail: str) -> Failure:
    return Failure(reason="http_error", detail=f"{detail}; it was not sent")


def _malformed(detail: str) -> Failure:
    return Failure(reason="malformed", detail=detail, status=200)
