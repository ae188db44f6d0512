"""Inputs given to subagents, in this process: input → request → journey → `Run`.

It is the `Runner` of an open gate; over HTTP it is `/v1/agents/{name}/runs` (`agents_service`). Workers for inputs that take more than
one request are asked first. It does not know how a request is routed or judged.
"""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from time import time

import msgspec

from headgate.core.agents import fill, give
from headgate.core.batching import BatchAnswer
from headgate.core.policy import AGENT, Policy
from headgate.core.runs import Given, Run
from headgate.core.templates import Unfit, written
from headgate.core.types import GiveUp, Message, Outcome, Reply, Request
from headgate.gateway.serve import new_id
from headgate.gateway.services import Worker
from headgate.workers.kept import KeptRuns
from headgate.workers.results import failed, run_of

Ask = Callable[[Request, str], Awaitable[tuple[Reply | GiveUp, Outcome]]]
"""One request through the gate, for a caller; it is written down."""

Settle = Callable[[Request, BatchAnswer, str, float, str], Awaitable[tuple[Reply | GiveUp, Outcome]]]
"""The answer of a provider's batch to a request, with the job, when it was handed over, and the caller; it is written down."""


class Runs:
    """The runs of an open gate.

    Args:
        policy: the agents and models.
        ask: takes a request through the gate.
        workers: answer for agents, or inputs, that take more than one request.
        settle: takes what a provider's batch has answered.
    """

    def __init__(
        self, policy: Policy, ask: Ask, workers: Sequence[Worker] = (), settle: Settle | None = None
    ) -> None:
        self.policy = policy
        self.workers = workers
        self._ask = ask
        self._settle = settle
        self._kept = KeptRuns()

    async def run(
        self,
        agent: str,
        given: Given,
        *,
        batch: bool = False,
        pay: bool = True,
        key: str = "",
        caller: str = "",
        model: str | None = None,
        within: float | None = None,
        local_only: bool = False,
    ) -> Run:
        """Give one input to a subagent, as `core.runs.Runner` says.

        Args:
            agent: its name.
            given: the input.
            batch: people's requests are served first.
            pay: whether paid models may answer.
            key: a name for this input in its job; "" is none.
            caller: whose request it is, as far as waiting has to be fair.
            model: only this model.
            within: seconds for each request; None leaves it to the config.
            local_only: nothing leaves the user's machines.
        """
        request = self.asked(agent, given, pay=pay, model=model)
        if isinstance(request, Unfit):
            return failed(agent, f"{request.problem}; {request.hint}" if request.hint else request.problem)
        request = msgspec.structs.replace(
            request, batch=batch, within=within, local_only=request.local_only or local_only
        )
        if not key:
            return await self._work(agent, request, caller)
        digest = sha256(msgspec.json.encode(given)).digest()
        return await self._kept.once(
            (agent, key, digest, pay, model, request.local_only), lambda: self._work(agent, request, caller)
        )

    def asked(
        self, agent: str, given: Given, *, pay: bool = True, model: str | None = None
    ) -> Request | Unfit:
        """The request of an input, in its template and without anything else of the agent's; or why there is none."""
        known = self.policy.agents.get(agent)
        if model is not None and model not in self.policy.models:
            return Unfit(f'there is no model "{model}"', "headgate models lists them")
        text = fill(known, given) if known is not None else plain(given)
        if isinstance(text, Unfit):
            return text
        request = Request(
            id=new_id(time()),
            asked=f"{AGENT}{agent}",
            messages=(Message("user", text),),
            pay=pay,
            only=model or "",
        )
        if known is None and self._worker_for(request) is None:
            return Unfit(f'there is no agent "{agent}"', f"the agents are: {', '.join(self.policy.agents)}")
        return request

    def prepare(self, agent: str, given: Given) -> Request | Unfit:
        """The whole request that a model would be asked, for those who ask it elsewhere (a provider's batches)."""
        request = self.asked(agent, given)
        known = self.policy.agents.get(agent)
        return request if isinstance(request, Unfit) or known is None else give(known, request)

    async def settle(
        self,
        agent: str,
        given: Given,
        *,
        model: str,
        answer: BatchAnswer,
        job: str,
        submitted: float,
        caller: str,
    ) -> Run:
        """Take the answer of a provider's batch to one input, as `core.runs.Settler` says."""
        known = self.policy.agents.get(agent)
        if known is None or model not in self.policy.models:
            return failed(agent, f"there is no agent {agent} with the model {model} here")
        request = self.asked(agent, given, model=model)
        if isinstance(request, Unfit):
            return failed(agent, request.problem)
        assert self._settle is not None, "a gate settles"
        whole = msgspec.structs.replace(give(known, request), batch=True)
        settle = self._settle

        async def work() -> Run:
            result, outcome = await settle(whole, answer, job, submitted, caller)
            return run_of(agent, known, result, (outcome,))

        return await self._kept.once(("batch", job, answer.custom_id), work)

    async def close(self) -> None:
        """End what is under way for callers who have gone."""
        await self._kept.close()

    def _worker_for(self, request: Request) -> Worker | None:
        return next((worker for worker in self.workers if worker.takes(request)), None)

    async def _work(self, agent: str, request: Request, caller: str) -> Run:
        known = self.policy.agents.get(agent)
        worker = self._worker_for(request)
        if worker is not None:
            worked = await worker.work(request, caller=caller)
            return run_of(
                agent,
                known,
                worked.result,
                (*worked.before, worked.outcome),
                steps=worked.steps,
                incomplete=worked.incomplete,
                note=worked.note,
                output=worked.output,
            )
        assert known is not None
        result, outcome = await self._ask(give(known, request), caller)
        return run_of(agent, known, result, (outcome,))


def plain(given: Given) -> str:
    """An input without a template: its text, or its fields, a line each."""
    if isinstance(given, str):
        return given
    if len(given) == 1:
        return written(next(iter(given.values())))
    return "\n".join(f"{name}: {written(value)}" for name, value in given.items())
