"""From items to the lines of a provider's job: the whole request that a model is asked, within what one job may hold.

Whether an item may leave the machine, and fits the model, is the policy's decision, as it is for a live request. It does not know
how a job is handed over.
"""

from secrets import token_hex

from msgspec import Struct

from headgate.batches.jobs import Planned
from headgate.batches.types import Item
from headgate.core import signals
from headgate.core.agents import fill, give
from headgate.core.batching import BatchEngine
from headgate.core.policy import AGENT, Policy, decide
from headgate.core.subagent import Agent
from headgate.core.templates import Unfit
from headgate.core.types import (
    Decision,
    Failure,
    FleetView,
    Message,
    Model,
    Request,
)


class Line(Struct, frozen=True):
    """One request of a job."""

    item: tuple[int, str]
    """Place and digest of the item."""
    text: bytes


class Envelope:
    """A job that is being filled.

    Args:
        batch: whose it is.
        engine: what it may hold.
        model: who is asked.
    """

    def __init__(self, batch: str, engine: BatchEngine, model: Model) -> None:
        self.mark = token_hex(6)
        self.lines: list[bytes] = []
        self._batch = batch
        self._engine = engine
        self._model = model
        self._items: list[tuple[int, str]] = []
        self._size = 0

    def takes(self, line: Line) -> bool:
        """Whether there is room for one more."""
        room = self._size + len(line.text) + 1 <= self._engine.most_bytes
        return not self.lines or (room and len(self.lines) < self._engine.most_requests)

    def add(self, line: Line) -> None:
        """Put it in."""
        self.lines.append(line.text)
        self._items.append(line.item)
        self._size += len(line.text) + 1

    def planned(self, now: float) -> Planned:
        """The job as it is written down."""
        return Planned(
            batch=self._batch,
            mark=self.mark,
            engine=self._engine.name,
            model=self._model.name,
            at=now,
            items=tuple(self._items),
        )


class Packing:
    """Makes lines of items.

    Args:
        policy: says what may be asked of whom.
        agent: the worker.
        engine: the provider.
        model: who is asked.
    """

    def __init__(self, policy: Policy, agent: Agent, engine: BatchEngine, model: Model) -> None:
        self._policy = policy
        self._agent = agent
        self._engine = engine
        self._model = model

    def envelope(self, batch: str) -> Envelope:
        """An empty job."""
        return Envelope(batch, self._engine, self._model)

    def line(self, envelope: Envelope, item: Item, digest: str) -> Line | Failure:
        """The request of an item, or why it cannot be asked in a batch."""
        request = self._request(item)
        if isinstance(request, Unfit):
            return Failure(reason="http_error", detail=request.problem)
        decision = self._decide(request)
        if self._model.name not in decision.chain:
            return Failure(reason="http_error", detail=f"the policy does not let {self._model.name} be asked")
        line = self._engine.encode(f"{envelope.mark}-{item.n}-{digest}", request, self._model)
        return line if isinstance(line, Failure) else Line((item.n, digest), line)

    def stays_home(self, item: Item) -> bool:
        """Whether no paid model may be asked, live neither. To ask one by its name would pass over what its route says."""
        request = self._request(item)
        return not isinstance(request, Unfit) and self._decide(request).local_only

    def _request(self, item: Item) -> Request | Unfit:
        """The whole request of an item."""
        text = fill(self._agent, item.given)
        if isinstance(text, Unfit):
            return text
        asked = f"{AGENT}{self._agent.name}"
        return give(self._agent, Request(id="", asked=asked, messages=(Message("user", text),), batch=True))

    def _decide(self, request: Request) -> Decision:
        return decide(self._policy, FleetView(), request, signals.measure(request, self._policy))


def final(failure: Failure) -> bool:
    """Whether the provider has understood a job and does not want it."""
    status = failure.status
    return status is not None and 400 <= status < 500 and status not in (408, 409, 425, 429)
