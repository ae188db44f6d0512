"""Is the answer one of the labels that were offered? `known-label`.

The labels come from the ask, as the signals found them, or from an `enum` in the asked schema. It knows whether a label was
named and how cleanly; it does not know whether it is the right one.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from headgate.core.checks.material import instructions, last_ask, said
from headgate.core.types import Answer, Verdict

_PUNCTUATION = re.compile(r"[\s_\-–—/]+")
_NOT_WORDS = re.compile(r"[^\w ]+")
_WINDOW = 500
"""Of a longer answer, so many characters are read at its start and at its end: a label stands in one of the two."""
_EDGES = " \t\n.,;:!?\"'`*()[]{}<>“”„«»‘’#"
_NUMBERED = re.compile(r"^\s*(?:\d+[.):]|[-*•])\s*")
_MANY_MAY_APPLY = (
    "all that apply", "one or more", "multi-label", "multiple", "several", "comma-separated", "all applicable",
    "alle zutreffenden", "ein oder mehrere", "eine oder mehrere", "einen oder mehrere", "mehrere", "un ou plusieurs",
    "une ou plusieurs", "plusieurs", "uno o más", "una o más", "varias", "varios",
)  # fmt: skip


def known_label(answer: Answer) -> Verdict:
    """1.0 if the answer is exactly one offered label; 0.0 if it names none; None if none were offered.

    Case, punctuation, quotes, a lead-in like "Category:" and hyphen, underscore or space do not count. 0.8: the label, then
    an explanation. 0.7: in a short sentence. 0.5: inside a long one. 0.2: two labels, where one was asked for.
    In JSON the label is looked for among the string values; a list of lines or values with one label each is 1.0.
    A subagent's answer is delivered as its label or not at all (`agent_answers.settle`), so it is 1.0 or 0.0.
    """
    labels = offered_labels(answer)
    if not labels:
        return _verdict(None, "no labels were offered")
    if answer.reply.tool_calls:
        return _verdict(None, "it calls a tool")
    if answer.request.agent and answer.request.labels and answer.request.format.kind == "text":
        label = answer.reply.label
        return _verdict(1.0, f"it is the label “{label}”") if label else _verdict(0.0, "it is no label alone")
    text = said(answer.reply.text).strip()
    if len(text) > 2 * _WINDOW and text[0] not in "{[":
        text = f"{text[:_WINDOW]}\n{text[-_WINDOW:]}"
    known = {_plain(label): label for label in labels}
    if len(text) < 100 and (plain := _plain(text)) in known:
        return _verdict(1.0, f"it is the label “{known[plain]}”")
    if text[:1] in "{[":
        found = _judge_json(text, known)
        if found is not None:
            return found
    return _judge_text(answer, text, known)


def offered_labels(answer: Answer) -> tuple[str, ...]:
    """The labels of the ask, else those of the first `enum` of strings in the asked schema."""
    if answer.signals.labels:
        return answer.signals.labels
    schema = answer.request.format.schema
    if schema is None or b'"enum"' not in (raw := bytes(schema)):
        return ()
    try:
        return next(_enums(msgspec.json.decode(raw)), ())
    except (msgspec.DecodeError, RecursionError):
        return ()


def _enums(schema: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(schema, dict):
        values = schema.get("enum")
        if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
            yield tuple(values)
        for inner in schema.values():
            yield from _enums(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _enums(inner)


def _judge_json(text: str, known: dict[str, str]) -> Verdict | None:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    strings = [_plain(string) for string in _strings(value)]
    named = {string for string in strings if string in known}
    if len(named) == 1 or (named and (isinstance(value, list) or "[" in text)):
        return _verdict(1.0, f"its JSON names {_list(named, known)}")
    if named:
        return _verdict(0.2, f"its JSON names {len(named)} labels: {_list(named, known)}")
    inside = {label for string in strings for label in _named_in(string, known)}
    if len(inside) == 1:
        return _verdict(0.5, f"a value of its JSON mentions {_list(inside, known)}")
    return _verdict(0.0, f"none of the {len(known)} labels is a value of its JSON")


def _judge_text(answer: Answer, text: str, known: dict[str, str]) -> Verdict:
    lines = [line for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    plain = _plain(text)
    named = _named_in(plain, known)
    if not named:
        return _verdict(0.0, f"it names none of the {len(known)} labels: “{first[:40]}”")
    if len(lines) > 1 and all(_led_label(line, known) for line in lines):
        return _verdict(1.0, f"each of its {len(lines)} lines names a label")
    if len(named) > 1:
        asked = (last_ask(answer)[-1500:] + instructions(answer)[-1500:]).lower()
        if any(phrase in asked for phrase in _MANY_MAY_APPLY):
            return _verdict(1.0, f"several labels were allowed, and it names {_list(named, known)}")
    head = _plain(first.rpartition(":")[2]) if ":" in first else _plain(first)
    if len(named) == 1 and len(lines) == 1 and head in known:
        return _verdict(1.0, f"it is the label “{known[head]}”")
    led = _leading_label(first, known)
    if led is not None and (len(named) == 1 or len(lines) > 1):
        return _verdict(0.8, f"it names “{known[led]}” and explains")
    if len(named) > 1:
        return _verdict(0.2, f"it names {len(named)} labels: {_list(named, known)}")
    length = len(plain.split())
    score = 0.7 if length <= 10 else 0.5
    return _verdict(score, f"it mentions {_list(named, known)} in {length} words")


def _led_label(line: str, known: dict[str, str]) -> bool:
    """Whether a line of a list ends in a label: "3. billing", "e-mail 3: billing"."""
    bare = _NUMBERED.sub("", line)
    return (bare != line or ":" in line) and _plain(bare.rpartition(":")[2]) in known


def _leading_label(line: str, known: dict[str, str]) -> str | None:
    """The label that a line begins with, if a mark of punctuation sets it off: "billing - the customer …"."""
    for mark in (" - ", " – ", " — ", ": ", ". ", ", ", " (", "\n"):
        head = _plain(line.partition(mark)[0])
        if head in known:
            return head
    tail = _plain(line.partition(":")[2])
    return tail if tail in known else None


def _named_in(plain: str, known: dict[str, str]) -> set[str]:
    """The labels that a plain text names; a label inside a longer label does not count."""
    padded = f" {' '.join(_NOT_WORDS.sub(' ', plain).split())} "
    named = set()
    for label in sorted(known, key=len, reverse=True):
        if f" {label} " in padded:
            named.add(label)
            padded = padded.replace(f" {label} ", " ; ")
    return named


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _plain(text: str) -> str:
    return _PUNCTUATION.sub(" ", text.casefold().strip(_EDGES)).strip(_EDGES)


def _list(named: set[str], known: dict[str, str]) -> str:
    return ", ".join(sorted(f"“{known[label]}”" for label in named))


def _verdict(score: float | None, reason: str) -> Verdict:
    return Verdict("known-label", score, reason)
