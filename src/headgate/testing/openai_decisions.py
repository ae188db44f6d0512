"""The Decisions API of the OpenAI double: strict about questions, and as unbiased as its rule.

It judges nothing. Whether a predicate holds is said by whoever gives the double its `deciding`; without one, every predicate has the
probability of a coin and every choice falls on the first. Say so wherever its figures are shown: no model is involved.
"""

from collections.abc import Callable
from typing import Any

from headgate.testing.calls import ReceivedCall, text_of
from headgate.testing.openai_rules import Problem, unknown_parameter

Deciding = Callable[[str, dict[str, Any]], float | None]
"""(input, question) → the probability that a predicate holds, or that of the first choice or level; None is a refusal."""

COIN = 0.5
_FIELDS = frozenset({"model", "input", "questions"})
_MOST = 200
_BOUNDS = {"choice": ("choices", 2, 255), "score": ("levels", 2, 10)}


def decisions_problem(call: ReceivedCall) -> Problem | None:
    """The first reason to refuse the body, the model's existence aside."""
    body = call.json
    if not isinstance(body, dict) or not body.get("model"):
        return Problem("you must provide a model parameter")
    for name in body:
        if name not in _FIELDS:
            return unknown_parameter(name)
    if not isinstance(body.get("input"), str | list) or not body["input"]:
        return Problem("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    questions = body.get("questions")
    if not isinstance(questions, list) or not 1 <= len(questions) <= _MOST:
        return Problem(f"Expected an array of 1 to {_MOST} questions.", "questions", "invalid_value")
    return next((wrong for at, one in enumerate(questions) if (wrong := _question_problem(one, at))), None)


def _question_problem(question: Any, at: int) -> Problem | None:
    where = f"questions[{at}]"
    kind = question.get("type") if isinstance(question, dict) else None
    if kind not in ("predicate", "choice", "score"):
        return Problem(f"Invalid value: '{kind}'.", f"{where}.type", "invalid_value")
    if not isinstance(question.get("instructions"), str) or not question["instructions"]:
        return Problem(f"Missing required parameter: '{where}.instructions'.", f"{where}.instructions")
    if kind in _BOUNDS:
        word, least, most = _BOUNDS[kind]
        offered = question.get(word)
        if not isinstance(offered, list) or not least <= len(offered) <= most:
            return Problem(
                f"Expected an array of {least} to {most} {word}.", f"{where}.{word}", "invalid_value"
            )
    return None


def decisions_body(call: ReceivedCall, deciding: Deciding | None) -> dict[str, Any]:
    """The answers to a body without a problem."""
    body = call.fields
    told = body["input"]
    text = told if isinstance(told, str) else "\n".join(text_of(message.get("content")) for message in told)
    tokens = (len(text.encode()) + sum(len(str(one).encode()) for one in body["questions"])) // 4
    return {
        "model": call.model,
        "answers": [_answer(text, one, deciding) for one in body["questions"]],
        "usage": {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens},
    }


def _answer(text: str, question: dict[str, Any], deciding: Deciding | None) -> dict[str, Any]:
    share = COIN if deciding is None else deciding(text, question)
    if share is None:
        return {"type": "refusal"}
    kind = question["type"]
    if kind == "predicate":
        return {"type": kind, "name": question.get("name"), "probability": share}
    values = [one.get("value", one.get("label")) for one in question[_BOUNDS[kind][0]]]
    rest = (1 - share) / (len(values) - 1)
    shares = [share] + [rest] * (len(values) - 1)
    chosen = max(zip(shares, values, strict=True), key=lambda pair: pair[0])
    return {
        "type": kind,
        kind: chosen[1],
        "confidence": chosen[0],
        "probabilities": [
            {"value": value, "probability": one} for value, one in zip(values, shares, strict=True)
        ],
    }
