"""A subagent put on a request: its prompt goes first, and its answers have its form.

    give(agent, request) → Request

What the caller says for himself wins: a format, a temperature or a limit of the request is kept. It does not know how the
request is routed; the agent's task is as good as a task that the caller named.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from headgate.core.types import Agent, Format, Message, Request


def give(agent: Agent, request: Request) -> Request:
    """The request as the agent's."""
    wanted = request.format
    if wanted.kind == "text" and agent.asked is not None:
        wanted = Format("schema", agent.asked, agent.name)
    return replace(
        request,
        messages=(Message("system", orders(agent)), *request.messages),
        task=request.task or agent.task,
        labels=agent.labels,
        agent=agent.name,
        format=wanted,
        temperature=agent.temperature if request.temperature is None else request.temperature,
        max_tokens=agent.max_tokens if request.max_tokens is None else request.max_tokens,
        raw_messages=None,
        raw_system=None,
    )


def orders(agent: Agent) -> str:
    """What the agent is told: its own prompt, what its labels are for, and the form of its answer."""
    parts = [agent.system.strip()]
    parts.extend(f"{label}: {meaning}" for label, meaning in agent.meanings.items())
    if agent.asked is not None:
        parts.append(f"Answer with JSON only: {sketch(msgspec.json.decode(agent.asked))}")
    elif agent.labels:
        parts.append(f"Answer with exactly one of these labels and nothing else: {', '.join(agent.labels)}.")
    return "\n".join(parts)


def sketch(schema: Any) -> str:
    """A JSON Schema as an answer that fits it would look, with what belongs there in place of the values.

    A small model understands this better than the schema, and it is shorter. What the sketch does not say, constrained decoding does.
    """
    if not isinstance(schema, dict):
        return "any value"
    if isinstance(schema.get("enum"), list):
        return " or ".join(msgspec.json.encode(value).decode() for value in schema["enum"])
    kind = schema.get("type")
    nullable = isinstance(kind, list) and "null" in kind
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(schema.get("properties"), dict):
        fields = ", ".join(f'"{name}": {sketch(inner)}' for name, inner in schema["properties"].items())
        found = f"{{{fields}}}"
    elif kind == "array":
        found = f"[{sketch(schema.get('items'))}, ...]"
    elif kind == "string":
        found = f'"{schema.get("description", "text")}"'
    else:
        found = str(schema.get("description") or kind or "any value")
    return f"{found} or null" if nullable else found
