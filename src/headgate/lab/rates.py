"""How often answers from home pass, as it was measured, and what that spares of a bill.

Rates of different tasks err independently, so their errors are added as squares (Zou and Donner 2008, "MOVER"): their sum is as
sure as each of them, 95 %.
"""

from collections.abc import Mapping, Sequence
from math import sqrt

from msgspec import Struct

from headgate.core.intervals import wilson


class Rate(Struct, frozen=True):
    """How many answers from home passed, of those that were tried."""

    passed: int
    of: int
    source: str
    """Where it was measured: "the ledger", "a sample of this export"."""
    by_cost: float | None = None
    """The share of what the tried calls have cost that stands behind those that passed; None where it was not weighed."""
    weight: float = 0.0
    """How many calls of equal cost would say as much (Kish's effective sample size)."""

    @property
    def interval(self) -> tuple[float, float]:
        """The rate's 95 % interval."""
        return wilson(self.passed, self.of) or (0.0, 1.0)

    @property
    def of_money(self) -> tuple[float, float, float]:
        """The rate of dollars, and its 95 % interval: dear calls are harder, and a few of them are most of a bill."""
        if self.by_cost is None:
            return self.passed / self.of, *self.interval
        return self.by_cost, *(wilson(self.by_cost * self.weight, self.weight) or (0.0, 1.0))


def rate_of(answers: Sequence[tuple[bool, float | None]], source: str) -> Rate:
    """The rate of answers that passed or did not, each with the dollars that its call has cost."""
    passed, number = sum(good for good, _ in answers), len(answers)
    costs = [cost for _, cost in answers if cost is not None]
    squares = sum(cost * cost for cost in costs)
    if len(costs) < number or not squares:
        return Rate(passed, number, source)
    whole = sum(costs)
    behind = sum(cost for good, cost in answers if good and cost is not None)
    return Rate(passed, number, source, by_cost=behind / whole, weight=whole * whole / squares)


def spared_at_least(costs: Mapping[str | None, float], rates: Mapping[str | None, Rate]) -> float:
    """Dollars of the bill that home spares, at the low end of what was measured; what was not spares nothing."""
    middle = error = 0.0
    for task, cost in costs.items():
        if (rate := rates.get(task)) is not None:
            share, low, _ = rate.of_money
            middle += cost * share
            error += (cost * (share - low)) ** 2
    return max(0.0, middle - sqrt(error))


def spared_at_most(costs: Mapping[str | None, float], rates: Mapping[str | None, Rate]) -> float:
    """The same at the high end; what was not measured spares everything."""
    middle = error = rest = 0.0
    for task, cost in costs.items():
        if (rate := rates.get(task)) is None:
            rest += cost
        else:
            share, _, high = rate.of_money
            middle += cost * share
            error += (cost * (high - share)) ** 2
    return min(middle + sqrt(error), sum(costs.values()) - rest) + rest
