"""Build an `Answer` from a row of tests/data/answers.jsonl, or from the few facts that a test cares about."""

import json
from pathlib import Path
from typing import Any

import msgspec

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

ROWS_FILE = Path(__file__).parents[2] / "data" / "answers.jsonl"


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ROWS_FILE.read_text(encoding="utf-8").splitlines()]


def build(text: str, ask: str = "What is the answer?", **facts: Any) -> Answer:
    """Build an answer.

    Facts: task, labels, system, stop, format ("json"), schema (a dict or bytes), finish, logprob, threshold, tools (name,
    parameters), tool_choice, calls (name, arguments), tool_call (a name), label, sure (label → probability), least (of a label).
    """
    asked = TEXT
    if "schema" in facts:
        schema = facts["schema"]
        raw = schema if isinstance(schema, bytes) else msgspec.json.encode(schema)
        asked = Format(kind="schema", schema=msgspec.Raw(raw))
    elif facts.get("format", "text") != "text":
        asked = Format(kind=facts["format"])
    messages = (Message("user", ask),)
    if "system" in facts:
        messages = (Message("system", facts["system"]), *messages)
    calls = facts.get("calls") or ([(facts["tool_call"], "{}")] if "tool_call" in facts else [])
    choice = facts.get("tool_choice")
    return Answer(
        Request(
            id="r1",
            asked="auto",
            messages=messages,
            format=asked,
            stop=tuple(facts.get("stop", ())),
            tools=tuple(a_tool(**tool) for tool in facts.get("tools", ())),
            tool_choice=msgspec.Raw(msgspec.json.encode(choice)) if choice is not None else None,
            threshold=facts.get("least"),
        ),
        Signals(
            task=facts.get("task"),
            task_confidence=1.0,
            task_by="rules",
            tokens=len(ask) // 4,
            tokens_exact=False,
            format=asked.kind,
            labels=tuple(facts.get("labels", ())),
            language=detect(ask)[0],
        ),
        Reply(
            text=text,
            tool_calls=tuple(
                ToolCall(f"c{at}", name, arguments) for at, (name, arguments) in enumerate(calls, 1)
            ),
            usage=Usage(output=len(text) // 4),
            finish=facts.get("finish", "tool_calls" if calls else "stop"),
            logprob=facts.get("logprob"),
            label=facts.get("label", ""),
            probabilities=facts.get("sure", {}),
        ),
        Model(
            name="m", engine="e", engine_kind="ollama", id="m", local=True, confidence=facts.get("threshold")
        ),
    )


def a_tool(name: str, parameters: Any) -> Tool:
    raw = parameters if isinstance(parameters, bytes) else msgspec.json.encode(parameters)
    return Tool(name, parameters=msgspec.Raw(raw))


def from_row(row: dict[str, Any]) -> Answer:
    return build(
        row["answer"],
        **{k: v for k, v in row.items() if k not in ("check", "good", "answer", "note", "repair", "recover")},
    )
