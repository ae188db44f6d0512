"""What became of one input that a subagent was given: a `Run`.

One run may take several requests (chunks of a long text, steps of a tool loop); each of them has its own row in the ledger,
and the run names them. This module does not know how a run is carried out (`headgate.workers`).
"""

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from headgate.core.batching import BatchAnswer
from headgate.core.words import RunStatus, StepKind

Given = str | Mapping[str, Any]
"""An input: its text, or named fields for the agent's input template. A text alone is the field `input`."""


class Step(Struct, frozen=True, gc=False, kw_only=True):
    """One thing that was done on the way to a run's output."""

    kind: StepKind
    what: str
    """For people: "tokens 1–3,000 of 12,480", "search_orders(number='AB-12345')"."""
    result: str = ""
    request: str = ""
    """The id of its request in the ledger, where it was one."""


class Run(Struct, frozen=True, kw_only=True):
    """What became of one input.

    The output of an agent with a schema fits that schema, or is None and the status says why. Durations are seconds, money is
    US dollars; None is unknown.
    """

    agent: str
    status: RunStatus
    output: Any = None
    """The JSON value of an agent with a schema; else its text."""
    reason: str = ""
    """Why it was escalated, is incomplete or has failed; "" when nothing is to be said."""
    label: str = ""
    probability: float | None = None
    """Of the label, calibrated where the agent's tests were run with this model; None where the engine does not tell."""
    probabilities: Mapping[str, float] = {}
    model: str | None = None
    cost: float | None = 0.0
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    requests: tuple[str, ...] = ()
    """Ids in the ledger, in order."""
    steps: tuple[Step, ...] = ()
    """What was done on the way, where it took more than one request."""


class Runner(Protocol):
    """Gives inputs to subagents: in this process, or in an open gate over HTTP."""

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
    ) -> Run:
        """Give one input to a subagent. Expected failures are runs with the status "failed".

        Args:
            agent: its name.
            given: the input.
            batch: nobody waits for it: people's requests are served first.
            pay: whether paid models may answer. Without it the chain ends at home.
            key: a name for this input in its job. Asked again with the same key within an hour, a gate repeats the run that it has
                instead of asking a model again; "" is none.
            caller: whose request it is, as far as waiting has to be fair.
            model: only this model of its chain, for instance to test it.
        """
        ...


class Settler(Runner, Protocol):
    """A runner that also takes answers which a provider's batch gave."""

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
        """Judge an answer as if it had come live, price it at half, and write it down.

        Args:
            agent: whose input it answers.
            given: the input.
            model: the model that was asked, by its name in the config.
            answer: what the batch says.
            job: the provider's name for the batch.
            submitted: Unix time at which it was handed over.
            caller: whose request it is.
        """
        ...


class Embedder(Protocol):
    """Turns texts into vectors, in this process or in an open gate."""

    @property
    def model(self) -> str:
        """The name of the model whose vectors they are: vectors of two models cannot be compared."""
        ...

    async def embed(self, texts: list[str], *, query: bool = False, batch: bool = False) -> list[bytes]:
        """One vector per text, each as little-endian float32; `query` says what they are for, so that prefixes fit.

        Raises:
            EngineError: no model could embed them.
        """
        ...
