"""Do two answers to one request say the same? A model that guesses seldom guesses the same twice.

    is_comparable(request, signals)             whether answers to it can be compared at all
    anew(request)                               the request as the same model is asked a second time
    agreement(request, signals, one, other)     a verdict: 1.0 the same, 0.0 something else, None where nobody can tell
    doubted(attempt, verdict)                   the attempt with that verdict

Labels are compared as labels, JSON field by field, results by their last number, and short answers as texts. Two free texts that say the
same in other words cannot be told from two that do not, so they are no evidence. This module does not know who is asked a second time
(`policy`), or when (`cascade`).
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from headgate.core.checks import score
from headgate.core.checks.material import said
from headgate.core.checks.numbers import find_numbers
from headgate.core.marking import is_right, plain
from headgate.core.types import Attempt, Reply, Request, Signals, Verdict
from headgate.core.words import Task

AGREEMENT = "agreement"
"""The name of its verdict."""

COMPARED: frozenset[Task] = frozenset({"classification", "sentiment", "extraction", "qa", "reasoning"})
"""Tasks whose answers come to something that can be compared."""

SHORT = 60
"""Characters up to which two texts are compared as they stand; a longer text in a field is prose, and no evidence."""

CHANCE = 0.7
"""The least temperature of a second answer by the same model; without chance it could only say the same again."""

CLOSE = 1e-9
"""Relative, of two results."""


def is_comparable(request: Request, signals: Signals) -> bool:
    """Whether two answers to this request can be compared. What calls tools acts, and is not asked twice."""
    if request.kind != "chat" or signals.tools:
        return False
    return bool(request.labels or signals.labels) or signals.format != "text" or signals.task in COMPARED


def agreement(request: Request, signals: Signals, one: Reply, other: Reply) -> Verdict:
    """Whether two replies to a request say the same."""
    if one.label or other.label:
        same = one.label == other.label
        return verdict(float(same), f"“{one.label or 'no label'}”, then “{other.label or 'no label'}”")
    first, second = said(one.text).strip(), said(other.text).strip()
    if signals.format != "text":
        return in_fields(first, second)
    if labels := request.labels or signals.labels:
        chosen = tuple([label for label in labels if plain(label) in plain(text)] for text in (first, second))
        if all(len(found) == 1 for found in chosen):
            return verdict(float(chosen[0] == chosen[1]), f"“{chosen[0][0]}”, then “{chosen[1][0]}”")
    if len(first) <= SHORT and len(second) <= SHORT and plain(first) == plain(second):
        return verdict(1.0, "the same words")
    results = result_of(first), result_of(second)
    if results[0] is not None and results[1] is not None:
        same = abs(results[0] - results[1]) <= CLOSE * max(abs(results[0]), abs(results[1]))
        return verdict(float(same), f"{results[0]:g}, then {results[1]:g}")
    if signals.task in ("classification", "sentiment") and len(first) <= SHORT and len(second) <= SHORT:
        return verdict(0.0, "not the same words")
    return verdict(None, "nobody can tell whether they say the same")


def anew(request: Request) -> Request:
    """The request for the same model's second answer: with chance in it, and another one where the caller gave a seed."""
    seed = None if request.seed is None else request.seed + 1
    return replace(request, temperature=max(request.temperature or 0.0, CHANCE), seed=seed)


def doubted(attempt: Attempt, found: Verdict) -> Attempt:
    """The attempt with what a second answer says of it."""
    verdicts = (*attempt.verdicts, found)
    return replace(attempt, verdicts=verdicts, score=score(verdicts))


def verdict(share: float | None, reason: str) -> Verdict:
    """The verdict."""
    return Verdict(AGREEMENT, share, reason)


def in_fields(one: str, other: str) -> Verdict:
    """Whether two JSON texts have the same values; long texts in them are prose, and not compared."""
    try:
        values = [dict(leaves(msgspec.json.decode(text))) for text in (one, other)]
    except (msgspec.DecodeError, RecursionError):
        return verdict(None, "one of them is no JSON")
    first, second = values
    names = [
        name
        for name in dict.fromkeys((*first, *second))
        if not any(isinstance(side.get(name), str) and len(side[name]) > SHORT for side in values)
    ]
    if not names:
        return verdict(None, "no field that can be compared")
    other_ones = [
        name
        for name in names
        if not (name in first and name in second and is_right(first[name], second[name]))
    ]
    if not other_ones:
        return verdict(1.0, "the same values")
    return verdict(1.0 - len(other_ones) / len(names), f"other values of {', '.join(other_ones[:3])}")


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a JSON value by their places, "total" or "lines.2.price"."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{place}.{index}" if place else str(index))
    else:
        yield place, value


def result_of(text: str) -> float | None:
    """The last number of an answer, which is its result where it has one."""
    last = None
    for number in find_numbers(text):
        last = number
    return last.values[0][0] if last is not None and last.values else None
