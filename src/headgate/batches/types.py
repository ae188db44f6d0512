"""The values of a batch: an `Item` is what is asked, a `Result` what became of it, a `Tally` the sum of results.

    Items ── item ──► Answer ── run ──► Result ── line ──► results.jsonl

An item is known by its place among the inputs and by a digest of its content, so that a changed input is noticed. This
module does not know files, or how an item is answered.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from hashlib import blake2b
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from headgate.core.runs import Given, Run
from headgate.core.words import RunStatus


class Item(Struct, frozen=True, gc=False, kw_only=True):
    """One input of a batch."""

    n: int
    """Its place among the inputs, from 1."""
    given: Given
    source: str = ""
    """Where it comes from, for people: "emails.jsonl:17", "mails/today.mbox#3"."""
    id: str = ""
    """The caller's own name for it; "" is none."""
    fault: str = ""
    """Why it cannot be asked; "" if it can. Then `given` is what was found in its place."""


class Notice(Struct, frozen=True, gc=False, tag_field="event", tag="notice"):
    """Something that a person should know."""

    text: str


class Items(Protocol):
    """The inputs of a batch, in a fixed order. They may be gone through more than once."""

    def __iter__(self) -> Iterator[Item | Notice]:
        """All of them, read as they are asked for: no more than a few are in memory."""
        ...

    def total(self) -> int | None:
        """About how many they are; None where that is known only at the end. It may read the whole input."""
        ...


class Result(Struct, frozen=True, gc=False, kw_only=True):
    """What became of an item: a line of the results. Durations are seconds, money is US dollars; None is unknown."""

    item: int
    """The item's place among the inputs, from 1."""
    id: str = ""
    source: str = ""
    status: RunStatus
    output: Any = None
    label: str = ""
    probability: float | None = None
    reason: str = ""
    model: str | None = None
    cost: float | None = 0.0
    """Of all tries together."""
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    requests: tuple[str, ...] = ()
    """Ids in the ledger, of all tries."""
    agent: str
    digest: str
    """Of the item's content, 16 hexadecimal digits."""
    tries: int = 1
    """How often the batch has put the item to the agent."""


class Mark(Struct, frozen=True, gc=False, kw_only=True):
    """What has to be known of every result to go on with a batch: a line without its output."""

    item: int
    status: RunStatus
    reason: str = ""
    model: str | None = None
    cost: float | None = 0.0
    requests: tuple[str, ...] = ()
    agent: str
    digest: str
    tries: int = 1


Answer = Callable[[Item, str, bool], Awaitable[Run]]
"""Puts an item to whoever answers: the item, the name of this try (`Run`'s `key`), and whether paid models may answer."""


class Tally:
    """How many results there are of each kind, and what they cost."""

    def __init__(self) -> None:
        self.statuses: Counter[RunStatus] = Counter()
        self.models: Counter[str] = Counter()
        """Items by the model that answered; "" is nobody."""
        self.cost = 0.0
        """Dollars, as far as they are known."""
        self.unknown = 0
        """Items whose cost is unknown."""

    @property
    def items(self) -> int:
        """All of them."""
        return self.statuses.total()

    def add(self, result: Result | Mark, sign: Literal[1, -1] = 1) -> None:
        """Count a result, or take it back."""
        self.statuses[result.status] += sign
        self.models[result.model or ""] += sign
        if result.cost is None:
            self.unknown += sign
        else:
            self.cost += sign * result.cost


def digest_of(given: Given) -> str:
    """A name for a content: the same for the same text or the same fields, in whatever order they stand."""
    return blake2b(msgspec.json.encode(given, order="deterministic"), digest_size=8).hexdigest()


def result_of(item: Item, digest: str, run: Run, before: Mark | None) -> Result:
    """The result of a try; an earlier one's money and requests are not forgotten."""
    cost = run.cost
    if before is not None:
        cost = None if cost is None or before.cost is None else before.cost + cost
    return Result(
        item=item.n,
        id=item.id,
        source=item.source,
        status=run.status,
        output=run.output,
        label=run.label,
        probability=run.probability,
        reason=run.reason,
        model=run.model,
        cost=cost,
        seconds=round(run.seconds, 4),
        tokens_in=run.tokens_in,
        tokens_out=run.tokens_out,
        requests=run.requests if before is None else (*before.requests, *run.requests),
        agent=run.agent,
        digest=digest,
        tries=1 if before is None else before.tries + 1,
    )
