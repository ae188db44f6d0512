"""Build an `Answer` from a row of tests/data/answers.jsonl, or from the few facts that a test cares about."""

import json
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.language import detect
from headgate.core.types import TEXT, Answer, Format, Message, Model, Reply, Request, Signals, ToolCall, Usage

ROWS_FILE = Path(__file__).parents[2] / "data" / "answers.jsonl"


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ROWS_FILE.read_text(encoding="utf-8").splitlines()]


def build(text: str, ask: str = "What is the answer?", **facts: Any) -> Answer:
    """Facts: task, labels, system, stop, format ("json"), schema (a dict or bytes), finish, logprob, threshold, tool_call."""
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
    call = facts.get("tool_call")
    return Answer(
        Request(id="r1", asked="auto", messages=messages, format=asked, stop=tuple(facts.get("stop", ()))),
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
            tool_calls=(ToolCall("c1", call, "{}"),) if call else (),
            usage=Usage(output=len(text) // 4),
            finish=facts.get("finish", "tool_calls" if call else "stop"),
            logprob=facts.get("logprob"),
        ),
        Model(
            name="m", engine="e", engine_kind="ollama", id="m", local=True, confidence=facts.get("threshold")
        ),
    )


def from_row(row: dict[str, Any]) -> Answer:
    return build(
        row["answer"],
        **{k: v for k, v in row.items() if k not in ("check", "good", "answer", "note", "repair")},
    )
