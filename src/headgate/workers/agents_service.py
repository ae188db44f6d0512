"""/v1/agents: which subagents there are, and inputs given to them over HTTP.

A run that has taken place is answered with 200, also one that failed: its `status` and `reason` say so, and what it cost. An error is
what was asked wrongly. It does not know how a run is carried out (`runs`).
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from headgate.core.agents import fill
from headgate.core.batching import BatchAnswer
from headgate.core.policy import AGENT
from headgate.core.runs import Run
from headgate.core.subagent import Agent
from headgate.core.templates import Unfit, fields_of
from headgate.core.trials import Trial, Trials, trials_of
from headgate.core.types import Request
from headgate.gateway import refusals
from headgate.gateway.asking import apply_headers, caller_of
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault, ascii_bytes, dollars
from headgate.gateway.queries import Moment
from headgate.wire.doors.reading import read
from headgate.wire.faults import Fault
from headgate.workers.runs import Runs

LIST, ONE, RUN = "/v1/agents", "/v1/agents/{name}", "/v1/agents/{name}/runs"
ANSWER = "/v1/agents/{name}/answers"
TAKES: Mapping[str, tuple[str, ...]] = {
    LIST: ("GET", "HEAD"),
    ONE: ("GET", "HEAD"),
    RUN: ("POST",),
    ANSWER: ("POST",),
}


class WireGiven(Struct, forbid_unknown_fields=True):
    """The body of a run."""

    input: str | dict[str, Any]
    """A text, or the fields of the agent's input template."""
    key: Annotated[str, Meta(max_length=200)] = ""
    """A name for this input in its job: asked again within an hour, the run that there is is repeated."""
    model: str | None = None
    """Only this model may answer."""
    pay: bool = True
    """Whether paid models may answer."""


class WireAnswered(Struct, forbid_unknown_fields=True):
    """What a provider's batch has answered to an input."""

    input: str | dict[str, Any]
    model: str
    """Who was asked."""
    job: str
    """The provider's name for the batch."""
    submitted: Moment
    """Unix time at which it was handed over."""
    answer: BatchAnswer


decode_given = msgspec.json.Decoder(WireGiven)
decode_answered = msgspec.json.Decoder(WireAnswered)


class AgentsService:
    """Answers /v1/agents.

    Args:
        runs: gives inputs to agents.
        trials: what their tests came to.
        body_limit: bytes of a body, for the error that names it.
    """

    methods = TAKES

    def __init__(self, runs: Runs, trials: Trials, body_limit: int) -> None:
        self.runs = runs
        self.trials = trials
        self.body_limit = body_limit

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        agents = self.runs.policy.agents
        name = names.get("name", "")
        if path == LIST:
            listed = [self.shown(agent) for agent in agents.values()]
            call.answer(200, JSON, msgspec.json.encode({"object": "list", "data": listed}))
        elif path == ONE and name in agents:
            call.answer(200, JSON, msgspec.json.encode(self.shown(agents[name])))
        elif path == ONE:
            answer_fault(call, refusals.unknown("agent", name, tuple(agents), "name"))
        elif path == ANSWER:
            await self.settle(call, name)
        else:
            await self.run(call, name)

    async def settle(self, call: Call, name: str) -> None:
        """Take the answer of a provider's batch, and answer the run."""
        policy = self.runs.policy
        if call.body is None:
            answer_fault(call, refusals.too_large(self.body_limit))
            return
        given = read(decode_answered, call.body)
        if isinstance(given, Fault):
            answer_fault(call, given)
        elif name not in policy.agents:
            answer_fault(call, refusals.unknown("agent", name, tuple(policy.agents), "name"))
        elif given.model not in policy.models or policy.models[given.model].local:
            answer_fault(call, refusals.no_model(policy, given.model))
        else:
            run = await self.runs.settle(
                name,
                given.input,
                model=given.model,
                answer=given.answer,
                job=given.job,
                submitted=given.submitted,
                caller=caller_of(call),
            )
            call.answer(200, JSON + told(run), msgspec.json.encode(run))

    async def run(self, call: Call, name: str) -> None:
        """Give the input of a call to an agent, and answer the run."""
        asked = self.asked(call, name)
        if isinstance(asked, Fault):
            answer_fault(call, asked)
            return
        given, request = asked
        run = await self.runs.run(
            name,
            given.input,
            batch=request.batch,
            pay=given.pay,
            key=given.key,
            caller=caller_of(call),
            model=given.model,
            within=request.within,
            local_only=request.local_only,
        )
        call.answer(200, JSON + told(run), msgspec.json.encode(run))

    def asked(self, call: Call, name: str) -> tuple[WireGiven, Request] | Fault:
        """The body of a call and what its headers say, or what is wrong with them."""
        if call.body is None:
            return refusals.too_large(self.body_limit)
        given = read(decode_given, call.body)
        if isinstance(given, Fault):
            return refusals.compressed(call.headers) or given
        request = apply_headers(Request(id="", asked=f"{AGENT}{name}", messages=()), call.headers)
        if isinstance(request, Fault):
            return request
        policy = self.runs.policy
        if given.model is not None and given.model not in policy.models:
            return refusals.no_model(policy, given.model)
        agent = policy.agents.get(name)
        problem = fill(agent, given.input) if agent is not None else self.runs.asked(name, given.input)
        if not isinstance(problem, Unfit):
            return given, request
        if agent is None:
            return refusals.unknown("agent", name, tuple(policy.agents), "name")
        return Fault(
            status=400, message=problem.problem, code="invalid_input", param="input", hint=problem.hint
        )

    def shown(self, agent: Agent) -> dict[str, Any]:
        """An agent as callers see it."""
        fields = fields_of(agent.template)
        return {
            "name": agent.name,
            "model": f"{AGENT}{agent.name}",
            "description": agent.description,
            "task": agent.task,
            "input": () if isinstance(fields, Unfit) else fields,
            "labels": agent.labels,
            "meanings": agent.meanings,
            "schema": agent.schema,
            "try": agent.chain,
            "threshold": agent.threshold,
            "bar": agent.bar,
            "local_only": agent.local_only,
            "tests": len(agent.tests),
            "builtin": agent.builtin,
            "trials": [shown_trial(trial) for trial in trials_of(agent.name, self.trials.values())],
        }

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form."""
        from headgate.workers.agents_described import described  # noqa: PLC0415  # only if somebody asks

        return described()


def shown_trial(trial: Trial) -> dict[str, Any]:
    """How the agent did on its tests with one model."""
    return {
        "model": trial.model,
        "accuracy": trial.accuracy,
        "right": trial.right,
        "n": trial.n,
        "temperature": trial.temperature,
        "measured": trial.measured,
    }


def told(run: Run) -> bytes:
    """Who answered, and at what price, in headers."""
    lines = b"x-headgate-cost: %b\r\n" % dollars(run.cost)
    if run.requests:
        lines += b"x-headgate-request-id: %b\r\n" % run.requests[-1].encode()
    if run.model is not None:
        lines += b"x-headgate-model: %b\r\n" % ascii_bytes(run.model)
    return lines
