"""A subagent put on a request: its prompt goes first, and its answers have its form.

    give(agent, request) → Request

What the caller says for himself wins: a format, a temperature or a limit of the request is kept. It does not know how the
request is routed; the agent's task is as good as a task that the caller named.
"""

from msgspec.structs import replace

from headgate.core.types import Agent, Format, Message, Request


def give(agent: Agent, request: Request) -> Request:
    """The request as the agent's."""
    wanted = request.format
    if wanted.kind == "text" and agent.schema is not None:
        wanted = Format("schema", agent.schema, agent.name)
    return replace(
        request,
        messages=(Message("system", orders(agent)), *request.messages),
        task=request.task or agent.task,
        labels=agent.labels,
        format=wanted,
        temperature=agent.temperature if request.temperature is None else request.temperature,
        max_tokens=agent.max_tokens if request.max_tokens is None else request.max_tokens,
        raw_messages=None,
        raw_system=None,
    )


def orders(agent: Agent) -> str:
    """What the agent is told: its own prompt, and the labels to choose from."""
    if not agent.labels:
        return agent.system
    return f"{agent.system}\nAnswer with exactly one of these labels and nothing else: {', '.join(agent.labels)}."
