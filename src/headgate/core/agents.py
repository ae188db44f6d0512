"""A subagent put on a request: its prompt goes first, then its examples, and its answers have its form.

    ask(agent, request) → Request      the input in its template
    give(agent, request) → Request     the prompt, the examples, the form and the parameters
    for_agent(policy, request, …)      its own models and checks, in place of its route's

What the caller says for himself wins: a format, a temperature or a limit of the request is kept; the agent's task is as good as a task
that the caller named. It does not know what becomes of the answer (`agent_answers`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from headgate.core.runs import Given
from headgate.core.subagent import Agent
from headgate.core.templates import WHOLE, Unfit, fields_of, fill_template, how_to_give
from headgate.core.types import ORDERS, Format, Message, Request, Text
from headgate.core.words import Task

if TYPE_CHECKING:
    from headgate.core.policy import Policy, Route

ALWAYS = ("asked-format", "known-label", "sure-label")
"""The checks that hold an agent's answers to its form, whatever else is checked."""


EMPTY = Unfit("the input is empty", "give the text that is to be worked on")


def fill(agent: Agent, given: Given) -> str | Unfit:
    """An input as the agent is asked it."""
    asked = fill_template(agent.template, given)
    if isinstance(asked, str) and not asked.strip():
        return EMPTY
    return asked


def ask(agent: Agent, request: Request) -> Request | Unfit:
    """The request with its first message of the user's in the agent's template.

    Where the template has fields, the message is a JSON object with them. Later turns of a conversation stay as they are.
    """
    wanted = fields_of(agent.template)
    at = next((index for index, message in enumerate(request.messages) if message.role == "user"), None)
    if at is None or isinstance(wanted, Unfit) or request.previous:
        return request
    message = request.messages[at]
    if agent.template == f"{{{WHOLE}}}":
        return request if message.text.strip() or message.images else EMPTY
    given: Given = message.text
    if wanted != (WHOLE,):
        try:
            given = msgspec.json.decode(message.text, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            return Unfit(f"the agent {agent.name} is given fields, not a text", f"send {how_to_give(wanted)}")
    asked = fill(agent, given)
    if isinstance(asked, Unfit):
        return asked
    content = (Text(asked), *message.images) if message.images else asked
    messages = (*request.messages[:at], replace(message, content=content), *request.messages[at + 1 :])
    return replace(request, messages=messages)


def give(agent: Agent, request: Request) -> Request:
    """The request as the agent's."""
    wanted = request.format
    if wanted.kind != "schema" and agent.asked is not None:  # who asks for some JSON gets the agent's
        wanted = Format("schema", agent.asked, agent.name)
    begins = next(
        (index for index, message in enumerate(request.messages) if message.role not in ORDERS),
        len(request.messages),
    )
    return replace(
        request,
        messages=(
            Message("system", orders(agent)),
            *request.messages[:begins],
            *turns(agent),
            *request.messages[begins:],
        ),
        task=request.task or agent.task,
        labels=agent.labels,
        agent=agent.name,
        threshold=agent.threshold,
        format=wanted,
        temperature=agent.temperature if request.temperature is None else request.temperature,
        top_p=agent.top_p if request.top_p is None else request.top_p,
        seed=agent.seed if request.seed is None else request.seed,
        max_tokens=agent.max_tokens if request.max_tokens is None else request.max_tokens,
        local_only=request.local_only or agent.local_only,
        raw_messages=None,
        raw_system=None,
    )


def for_agent(
    policy: "Policy", request: Request, task: Task | None, matched: tuple["Route", str]
) -> tuple["Route", str]:
    """The route of a subagent's request: its own models and checks in place of the route's, where it names some.

    Its answers are held to its form, whatever else is checked.
    """
    (route, why), agent = matched, policy.agents[request.agent]
    if request.only:
        why = f"{request.only} alone is asked"
    elif agent.chain:
        why = f"the agent {agent.name} names its own models"
    if request.only or agent.chain:
        own = (request.only,) if request.only else agent.chain
        lanes = tuple([lane for name in own for lane in (name, *policy.models[name].longer)])
        route = replace(route, name=request.asked, chain=lanes, tokens_over=None)
    checks = route.checks.get(task or "", ()) if agent.checks is None else agent.checks
    form = "asked-format" if agent.schema is not None else "known-label" if agent.labels else ""
    sure = "sure-label" if agent.threshold is not None else ""
    checks = tuple(dict.fromkeys([*checks, *filter(None, (form, sure))]))
    return replace(route, checks={task or "": checks}), why


def turns(agent: Agent) -> Sequence[Message]:
    """The agent's examples as a conversation that went well."""
    told: list[Message] = []
    for example in agent.examples:
        told += (Message("user", example.input), Message("assistant", said(example.output)))
    return told


def said(output: Raw) -> str:
    """An output as a model writes it: JSON, or the text alone."""
    value = msgspec.json.decode(output)
    return value if isinstance(value, str) else bytes(output).decode()


def orders(agent: Agent) -> str:
    """What the agent is told: its own prompt, what its labels are for, and the form of its answer."""
    parts = [agent.system.strip()]
    parts.extend(f"{label}: {meaning}" for label, meaning in agent.meanings.items() if meaning)
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
