"""What a request came to, as a `Run`: its output, its status, and the reason where there is one.

Pure: it knows outcomes and replies, and not how they came about.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from headgate.core.cascade import passes
from headgate.core.runs import Run, Step
from headgate.core.subagent import Agent
from headgate.core.types import Attempt, GiveUp, Outcome, Reply
from headgate.core.words import RunStatus


def run_of(
    name: str,
    agent: Agent | None,
    result: Reply | GiveUp,
    outcomes: Sequence[Outcome],
    *,
    steps: tuple[Step, ...] = (),
    incomplete: str = "",
    note: str = "",
    output: Any = None,
) -> Run:
    """The run.

    Args:
        name: the agent's.
        agent: None where a worker has agents of its own.
        result: of the last request.
        outcomes: of all its requests, in order.
        steps: what was done on the way.
        incomplete: why not all of the input was answered.
        note: what else there is to be said.
        output: the output as a value, where it is more than the text of the reply.
    """
    last = outcomes[-1]
    reply = result if isinstance(result, Reply) else None
    label = reply.label if reply is not None else ""
    probabilities = reply.probabilities if reply is not None else {}
    # of a loop, the last alone has the answer: what was wrong with a call, its tool has told the model
    looped = any(step.kind == "tool" for step in steps)
    status, reason = verdict_on(result, outcomes[-1:] if looped else outcomes, incomplete)
    reason = "; ".join(filter(None, (reason, note)))
    usages = [
        attempt.usage for outcome in outcomes for attempt in outcome.attempts if attempt.usage is not None
    ]
    costs = [outcome.cost for outcome in outcomes]
    return Run(
        agent=name,
        status=status,
        output=None if reply is None else output_of(agent, reply) if output is None else output,
        reason=reason,
        label=label,
        probability=probabilities.get(label),
        probabilities=probabilities,
        model=last.model,
        cost=None if None in costs else sum(cost for cost in costs if cost is not None),
        seconds=sum(outcome.seconds for outcome in outcomes),
        tokens_in=sum(usage.prompt for usage in usages),
        tokens_out=sum(usage.output for usage in usages),
        requests=tuple(outcome.id for outcome in outcomes),
        steps=steps,
    )


def output_of(agent: Agent | None, reply: Reply) -> Any:
    """The JSON value of an agent with a schema, else the text."""
    if agent is None or agent.schema is None or reply.tool_calls:
        return reply.text
    return msgspec.json.decode(reply.text)


def verdict_on(result: Reply | GiveUp, outcomes: Sequence[Outcome], incomplete: str) -> tuple[RunStatus, str]:
    """How it ended, and why not better."""
    if isinstance(result, GiveUp):
        return "failed", result.reason
    imperfect = [outcome for outcome in outcomes if outcome.status == "imperfect"]
    if incomplete or imperfect:
        return "incomplete", incomplete or "; ".join(complaints(imperfect[-1]))
    escalated = [outcome for outcome in outcomes if len(outcome.attempts) > 1]
    if escalated:
        return "escalated", "; ".join(complaints(escalated[-1]))
    return "ok", ""


def complaints(outcome: Outcome) -> Iterator[str]:
    """What was wrong with each attempt that was not good enough."""
    pass_at = outcome.decision.pass_at
    for attempt in outcome.attempts:
        if not passes(attempt, pass_at):
            yield f"{attempt.model}: {complaint(attempt)}"


def complaint(attempt: Attempt) -> str:
    """Why an attempt was not good enough."""
    if attempt.failure is not None:
        return attempt.failure.detail
    judged = [verdict for verdict in attempt.verdicts if verdict.score is not None]
    worst = min(judged, key=lambda verdict: verdict.score or 0.0)
    return f"{worst.check}: {worst.reason}"


def failed(name: str, reason: str) -> Run:
    """A run that never began."""
    return Run(agent=name, status="failed", reason=reason)
