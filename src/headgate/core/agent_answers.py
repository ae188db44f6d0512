"""What a subagent's answer says, and the form in which it is delivered: whole and right, or not at all.

    weigh(agent, reply, temperature)   which label it names, and how probable each is
    settle(agent, request, reply)      the reply with the confidence filled in, proven against the schema; or why there is none

It does not know how an answer was found, or what is done with one that cannot be delivered.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from headgate.core.calibration import calibrate
from headgate.core.checks.formats import has_form
from headgate.core.checks.material import said
from headgate.core.checks.schemas import compiled, misfit
from headgate.core.probability import label_probabilities
from headgate.core.subagent import Agent
from headgate.core.types import Reply, Request

EDGES = " \t\r\n.,;:!?\"'`*()[]{}<>“”„«»‘’#"
HYPHENS = re.compile(r"[\s_\-–—/]+")
PLACES = 2
"""Decimals of a confidence."""


class Unsettled(msgspec.Struct, frozen=True):
    """Why an answer cannot be delivered."""

    reason: str


def weigh(agent: Agent, reply: Reply, temperature: float) -> Reply:
    """The reply with the probabilities of the agent's labels, where the engine's figures tell them.

    Args:
        agent: its labels are looked for.
        reply: as the engine gave it.
        temperature: of this agent's calibration with the model that answered; 1 is none.
    """
    if reply.logprobs is None or not agent.labels:
        return reply
    found = label_probabilities(reply.logprobs, said(reply.text), agent.labels, agent.label)
    return replace(reply, probabilities=calibrate(found, temperature))


def named(agent: Agent, text: str) -> str:
    """The label that an answer names; "" where it names none, or the agent has none."""
    if not agent.labels:
        return ""
    if agent.label:
        word = (object_in(text) or {}).get(agent.label)
        return word if isinstance(word, str) and word in agent.labels else ""
    whole = said(text)
    for form in (str.casefold, unhyphened):
        for label in sorted(
            agent.labels, key=len, reverse=True
        ):  # "C#" before "C": a mark may belong to a label
            before, there, after = form(whole).partition(form(label))
            if there and not (before + after).strip(EDGES):
                return label
    return ""


def unhyphened(text: str) -> str:
    """A text in small letters, with spaces in place of hyphens and underscores."""
    return HYPHENS.sub(" ", text.casefold())


def settle(agent: Agent, request: Request, reply: Reply) -> Reply | Unsettled:
    """The reply as it goes to the caller.

    What calls a tool is delivered as it is, and so is a text that a worker asks for on the way to an answer with a schema.
    """
    if reply.tool_calls:
        return reply
    if agent.schema is not None and request.format.schema == agent.asked:
        return in_schema(agent, reply)
    if request.format.kind != "text":
        return (
            reply if has_form(request.format, reply.text) else Unsettled("the answer has not the asked form")
        )
    if agent.labels and agent.schema is None:
        label = named(agent, reply.text)
        if not label:
            return Unsettled(f"the answer is none of the labels: “{reply.text.strip()[:60]}”")
        return replace(reply, text=label, blocks=None)
    return reply


def in_schema(agent: Agent, reply: Reply) -> Reply | Unsettled:
    """The reply with its confidence, if it fits the agent's whole schema."""
    assert agent.schema is not None
    try:
        value = msgspec.json.decode(reply.text)
    except (msgspec.DecodeError, RecursionError):
        cut = "; it ran out of tokens, so max_tokens may be too low" if reply.finish == "length" else ""
        return Unsettled(f"the answer is not JSON{cut}")
    if agent.confidence and isinstance(value, dict):
        value = with_confidence(agent, value, reply.probabilities.get(reply.label))
    validator = compiled(bytes(agent.schema))
    problem = validator if isinstance(validator, str) else misfit(validator, value)
    if problem is not None:
        return Unsettled(f"the answer does not fit the schema {problem}")
    return replace(reply, text=msgspec.json.encode(value).decode(), blocks=None)


def with_confidence(agent: Agent, value: Mapping[str, Any], sure: float | None) -> dict[str, Any]:
    """The fields in the schema's order, the confidence in its place; left out where it is unknown and may not be null."""
    schema = msgspec.json.decode(agent.schema or b"{}")
    filled = dict(value)
    filled[agent.confidence] = None if sure is None else round(sure, PLACES)
    if sure is None and not allows_null(schema["properties"][agent.confidence]):
        del filled[agent.confidence]
    order = dict.fromkeys([*schema["properties"], *filled])
    return {name: filled[name] for name in order if name in filled}


def allows_null(field: Mapping[str, Any]) -> bool:
    """Whether a field may be null, by its type."""
    kind = field.get("type")
    return kind is None or kind == "null" or (isinstance(kind, list) and "null" in kind)


def object_in(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, or None."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
