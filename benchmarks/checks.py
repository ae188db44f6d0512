"""What does each check cost? Run: python benchmarks/checks.py

Prints microseconds per call on answers of 1 KB and 16 KB (CPU time, the least disturbed of seven rounds), for each check on its own and for the
six that every answer goes through, together. A check that parses code, compares figures or looks at tool calls gets an
answer with some.
"""

import random
import time
import timeit

from msgspec import Raw

from headgate.core.checks import CHECKS, judge, recover, repair
from headgate.core.language import detect
from headgate.core.types import (
    TEXT,
    Answer,
    Format,
    Message,
    Model,
    Reply,
    Request,
    Signals,
    Tool,
    ToolCall,
    Usage,
)

ALWAYS = ("not-empty", "not-cut-off", "no-refusal", "not-repeating", "asked-format", "valid-tool-calls")
BUDGET = {1: 12.0, 16: 150.0}
"""Microseconds for the six together, by kilobytes of answer."""

WORDS = """
revenue staff energy freight rent travel hiring training software repairs insurance marketing north south east west capital
harbour valley airport campus factory warehouse rose fell stayed because although while after before since the a of in to
with without under over between about customers suppliers contract delivery quarter year month week meeting board decision
budget plan forecast risk currency service product launch certification invoice payment refund account price cost profit
"""
WRITE = Tool(
    "write",
    parameters=Raw(b'{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}'),
)
SCHEMA = b'{"type":"object","properties":{"items":{"type":"array","items":{"type":"string"}}},"required":["items"]}'


def prose(size: int) -> str:
    """Sentences of words drawn at random (always the same), with a figure now and then: an answer that does not loop."""
    draw = random.Random(7)
    words = WORDS.split()
    text = ""
    while len(text) < size:
        sentence = " ".join(draw.choices(words, k=draw.randint(8, 20)))
        text += (
            f"{sentence.capitalize()} {draw.randint(20, 9000)}. "
            if draw.random() < 0.3
            else f"{sentence.capitalize()}. "
        )
    return text[:size].rsplit(". ", 1)[0] + "."


def answer(
    text: str, ask: str = "What did the report say?", asked: Format = TEXT, *, calls=(), tools=()
) -> Answer:
    return Answer(
        Request(id="r", asked="auto", messages=(Message("user", ask),), format=asked, tools=tools),
        Signals(
            task=None,
            task_confidence=0.0,
            task_by="none",
            tokens=len(ask) // 4,
            tokens_exact=False,
            format=asked.kind,
            language="en",
            labels=("billing", "technical", "escalation"),
        ),
        Reply(text=text, tool_calls=calls, usage=Usage(), logprob=-0.2),
        Model(name="m", engine="e", engine_kind="ollama", id="m", local=True, confidence=-0.5),
    )


def micros(call) -> float:
    call()  # imports and caches are not what is measured
    number = max(3, int(0.01 / max(1e-7, timeit.timeit(call, number=3) / 3)))
    return min(timeit.repeat(call, timer=time.process_time, number=number, repeat=7)) / number * 1e6


def main() -> None:
    print(f"{'µs per answer':<34}{'1 KB':>9}{'16 KB':>9}")
    texts = {kb: prose(kb * 1000) for kb in (1, 16)}
    plain = {kb: answer(text, ask=f"Summarize: {prose(4000)}") for kb, text in texts.items()}
    code = {
        kb: answer("```python\n" + "def f(x):\n    return [x, x + 1]\n\n" * (kb * 1000 // 34) + "```")
        for kb in texts
    }
    arguments = {kb: f'{{"text": "{text}"}}' for kb, text in texts.items()}
    calls = {
        kb: answer("", calls=(ToolCall("c", "write", given),), tools=(WRITE,))
        for kb, given in arguments.items()
    }
    special = {"code-parses": code, "valid-tool-calls": calls}
    for name, check in CHECKS.items():
        given = special.get(name, plain)
        show(name, [micros(lambda kb=kb, check=check, given=given: check(given[kb])) for kb in texts])
    always = tuple((name, CHECKS[name]) for name in ALWAYS)
    costs = [micros(lambda kb=kb: judge(always, plain[kb])) for kb in texts]
    print()
    show("the six for every answer", costs)
    show("  its budget", list(BUDGET.values()))
    loop = {kb: answer("and so it goes, round and round. " * (kb * 30)) for kb in texts}
    show(
        "not-repeating, on a loop", [micros(lambda kb=kb: CHECKS["not-repeating"](loop[kb])) for kb in texts]
    )
    asked = Format(kind="schema", schema=Raw(SCHEMA))
    for what, frame in (("valid JSON", "{}"), ("fenced JSON", "```json\n{}\n```"), ("broken JSON", "{},")):
        bodies = {
            kb: '{"items": [' + ", ".join(f'"{w}"' for w in text.replace(",", "").split()) + "]}"
            for kb, text in texts.items()
        }
        if what == "broken JSON":
            bodies = {kb: body[:-2] for kb, body in bodies.items()}
        given = {kb: answer(frame.replace("{}", body), asked=asked) for kb, body in bodies.items()}
        show(f"repair, {what}", [micros(lambda kb=kb, given=given: repair(given[kb])) for kb in texts])
    for what, before, after in (
        ("words", "", ""),
        ("a call in tags", '<tool_call>{"name": "write", "arguments": ', "}</tool_call>"),
        ("a broken call", '{"name": "write", "arguments": ', ""),
    ):
        bodies = arguments if before else texts
        given = {kb: answer(f"{before}{body}{after}", tools=(WRITE,)) for kb, body in bodies.items()}
        show(f"recover, {what}", [micros(lambda kb=kb, given=given: recover(given[kb])) for kb in texts])
    show("detect a language", [micros(lambda kb=kb: detect(texts[kb])) for kb in texts])


def show(name: str, costs: list[float]) -> None:
    print(f"{name:<34}" + "".join(f"{cost:>9.1f}" for cost in costs))


if __name__ == "__main__":
    main()
