"""What was saved: the one function behind every figure of savings, on every surface.

    saved = what the answering attempts' tokens would have cost on the baseline model - what all attempts did cost

A request that nobody answered would have been answered there, but nothing can be said of an answer that was never
written: its cost counts, and its baseline is zero. A request whose cost or baseline cost is unknown is left out of both
sides, and counted as such. This module does not know prices; `core.prices` worked out both costs of each request.
"""

from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from headgate.core.types import Outcome


class Money(Struct, frozen=True):
    """The two sides of the comparison, summed over some requests."""

    requests: int = 0
    """Requests on both sides."""
    cost: float = 0.0
    """Dollars that they cost, all attempts together."""
    baseline: float = 0.0
    """Dollars that they would have cost on the baseline."""
    unknown: int = 0
    """Requests left out of both sides."""

    def __add__(self, other: Self) -> "Money":
        return Money(
            self.requests + other.requests,
            self.cost + other.cost,
            self.baseline + other.baseline,
            self.unknown + other.unknown,
        )


class Savings(Struct, frozen=True):
    """What was saved, in dollars. Negative savings are real, and said."""

    cost: float
    baseline: float
    saved: float
    share: float | None
    """Of the baseline; None when there is none."""
    requests: int
    unknown: int


def savings(money: Money) -> Savings:
    """What was saved over some requests."""
    saved = money.baseline - money.cost
    return Savings(
        cost=money.cost,
        baseline=money.baseline,
        saved=saved,
        share=saved / money.baseline if money.baseline else None,
        requests=money.requests,
        unknown=money.unknown,
    )


def money_of(outcomes: Iterable[Outcome]) -> Money:
    """The two sides over some outcomes; the ledger's query sums its rows by the same rule."""
    return sum((_money(outcome) for outcome in outcomes), Money())


def saved_by(outcome: Outcome) -> float | None:
    """What one request saved, in dollars; None is unknown."""
    money = _money(outcome)
    return None if money.unknown else savings(money).saved


def _money(outcome: Outcome) -> Money:
    baseline = 0.0 if outcome.model is None and outcome.baseline_cost is None else outcome.baseline_cost
    if outcome.cost is None or baseline is None:
        return Money(unknown=1)
    return Money(requests=1, cost=outcome.cost, baseline=baseline)
