"""Is an answer of the exam right? Each demand of the item is looked at, and the first that does not hold is the reason.

Answers are read as the gate would deliver them: calls written as text are made real, JSON is freed of its fences. What
the checks know is asked of them. It judges by words, figures, JSON and syntax; it does not know style or truth beyond
these, and code is parsed, never run.
"""

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from headgate.core.checks import CHECKS, judge, recover, repair, score
from headgate.core.checks.code import find_code
from headgate.core.checks.labels import known_label
from headgate.core.checks.material import said
from headgate.core.checks.mending import bare_json
from headgate.core.checks.numbers import find_numbers
from headgate.core.checks.source import grounded_numbers, shorter_than_source
from headgate.core.exam.items import Item
from headgate.core.language import detect
from headgate.core.types import Answer, Model, Reply, Signals, Verdict

GOOD: Final = 0.6
"""The least score of a check that counts as passed, as in the policy."""

ALWAYS: Final = tuple(
    (name, CHECKS[name])
    for name in (
        "not-empty",
        "not-cut-off",
        "not-repeating",
        "no-refusal",
        "asked-format",
        "valid-tool-calls",
    )
)
"""Every answer must pass these."""


def grade(item: Item, reply: Reply, model: Model) -> Verdict:
    """1.0 if the answer is right, else 0.0 and the first thing that is wrong with it."""
    answer = _answer(item, reply, model)
    answer = msgspec.structs.replace(answer, reply=recover(answer))
    answer = msgspec.structs.replace(answer, reply=repair(answer))
    for verdict in judge(ALWAYS, answer):
        if verdict.score is not None and verdict.score < GOOD:
            return Verdict(item.id, 0.0, verdict.reason)
    problem = next((found for demand in DEMANDS for found in demand(item, answer)), None)
    return Verdict(item.id, 1.0, "right") if problem is None else Verdict(item.id, 0.0, problem)


def _answer(item: Item, reply: Reply, model: Model) -> Answer:
    signals = Signals(
        task=item.task,
        task_confidence=1.0,
        task_by="caller",
        tokens=0,
        tokens_exact=False,
        language=item.language,
        labels=item.labels,
    )
    return Answer(item.request, signals, reply, model)


# ── The demands: each gives what is wrong, or nothing ────────────────────────────────────────────────────────────────


def _right_label(item: Item, answer: Answer) -> Iterator[str]:
    if not item.label:
        return
    named = known_label(answer)
    if named.score is None or named.score < GOOD:
        yield named.reason
        return
    only = msgspec.structs.replace(answer.signals, labels=(item.label,))
    if not known_label(msgspec.structs.replace(answer, signals=only)).score:
        yield f"{named.reason}, and “{item.label}” is right"


def _words(item: Item, answer: Answer) -> Iterator[str]:
    text = _folded(answer.reply.text)
    for word in item.has:
        if not _pattern(word).search(text):
            yield f"“{word}” is not in it"
    for word in item.hasnt:
        if _pattern(word).search(text):
            yield f"“{word}” is in it"
    if item.begins and not text.lstrip(" \"'“").startswith(item.begins.casefold()):
        yield f"it does not begin with “{item.begins}”"


def _length(item: Item, answer: Answer) -> Iterator[str]:
    if item.words is None:
        return
    least, most = item.words
    count = len(said(answer.reply.text).split())
    if not least <= count <= most:
        yield f"it has {count} words, and {least} to {most} are right"


def _last_number(item: Item, answer: Answer) -> Iterator[str]:
    if item.number is None:
        return
    numbers = list(find_numbers(said(answer.reply.text)))
    if not numbers:
        yield "it names no number"
    elif not any(abs(value - item.number) < 1e-6 for value, _ in numbers[-1].values):
        yield f"it says {numbers[-1].written}, and {item.number:g} is right"


def _equal_json(item: Item, answer: Answer) -> Iterator[str]:
    if not item.json:
        return
    try:
        found = msgspec.json.decode(bare_json(said(answer.reply.text)))
    except (msgspec.DecodeError, RecursionError) as error:
        yield f"it is not JSON: {error}"
        return
    if not _alike(found, msgspec.json.decode(item.json)):
        yield f"it says {msgspec.json.encode(found).decode()[:120]}"


def _summary(item: Item, answer: Answer) -> Iterator[str]:
    if not item.shorter:
        return
    worst = score((shorter_than_source(answer), grounded_numbers(answer)))
    if worst is None or worst < GOOD:
        yield f"{shorter_than_source(answer).reason}; {grounded_numbers(answer).reason}"


def _language(item: Item, answer: Answer) -> Iterator[str]:
    if item.speaks and (spoken := detect(said(answer.reply.text))[0]) != item.language:
        yield f"it is in {spoken or 'no language that we can tell'}, not in {item.language}"


def _code(item: Item, answer: Answer) -> Iterator[str]:
    if not item.defines:
        return
    parsed = CHECKS["code-parses"](answer)
    if parsed.score is None or parsed.score < GOOD:
        yield parsed.reason
    elif not any(
        _defines(code, item)
        for language, code in find_code(said(answer.reply.text))
        if language in ("", "python")
    ):
        takes = "" if item.takes is None else f" of {item.takes}"
        yield f"it defines no {item.defines}{takes} that gives something back"


def _tool_calls(item: Item, answer: Answer) -> Iterator[str]:
    if item.calls is None:
        return
    calls = answer.reply.tool_calls
    if [call.name for call in calls] != ([item.calls] if item.calls else []):
        yield f"it calls {', '.join(call.name for call in calls) or 'no tool'}"
        return
    for call in calls:  # they are an object that fits: `valid-tool-calls` has seen to that
        arguments = msgspec.json.decode(call.arguments or "{}")
        for name, part in item.given.items():
            if part.casefold() not in str(arguments.get(name, "")).casefold():
                yield f"{name} is {arguments.get(name)!r}"


DEMANDS: Final[tuple[Callable[[Item, Answer], Iterator[str]], ...]] = (
    _tool_calls,
    _right_label,
    _words,
    _length,
    _last_number,
    _equal_json,
    _summary,
    _language,
    _code,
)


# ── How they look ────────────────────────────────────────────────────────────────────────────────────────────────────


def _folded(text: str) -> str:
    """Small letters, plain quotes, no emphasis, one blank between words."""
    return " ".join(re.sub(r"[*_`]", "", said(text)).replace("’", "'").casefold().split())


def _pattern(word: str) -> re.Pattern[str]:
    either = "|".join(re.escape(one.casefold()).replace(r"\*", r"\w*") for one in word.split("|"))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)")


def _alike(one: Any, other: Any) -> bool:
    """Whether two JSON values say the same: case, outer blanks and the type of a number do not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(other, int | float):
        try:
            return abs(float(one) - other) < 1e-6
        except (TypeError, ValueError):
            return False
    return str(one).strip().casefold() == str(other).strip().casefold()


def _defines(code: str, item: Item) -> bool:
    """Whether the code defines the thing, with so many arguments, and with more in it than a docstring."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in the answer is not our warning
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(_is_wanted(node, item) for node in ast.walk(tree))


def _is_wanted(node: ast.AST, item: Item) -> bool:
    if (
        not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        or node.name != item.defines
    ):
        return False
    if not any(isinstance(inner, ast.Return | ast.Yield | ast.YieldFrom) for inner in ast.walk(node)):
        return False
    if item.takes is None or isinstance(node, ast.ClassDef):
        return item.takes is None
    given = [*node.args.posonlyargs, *node.args.args]
    return len(given) - len(node.args.defaults) <= item.takes <= len(given)
