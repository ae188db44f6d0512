"""What was saved: the one function behind every figure of savings, on every surface.

    saved                    what the answering attempts' tokens would have cost on the baseline model - what all attempts did cost
    net of energy            … - what the machines at home drew, for requests and while they waited
    net of energy, hardware  … - the share of the hardware's price that this time uses up

All attempts are the failed ones too, and what classifiers, judges and audits cost is in the cost. A request that nobody
answered would have been answered there, but nothing can be said of an answer that was never written: its cost counts,
and its baseline is zero. A request whose cost or baseline cost is unknown is left out of both sides, and counted as such.

In 2026 a local model's honest competitor is a cheap model in the cloud, not an expensive one: `alternative` is what the
same requests would have cost there. This module does not know prices; `core.prices` worked out the costs of each request.
"""

from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from headgate.core.types import Outcome


class Money(Struct, frozen=True):
    """The sides of the comparison, summed over some requests; dollars."""

    requests: int = 0
    """Requests on both sides."""
    cost: float = 0.0
    """What they cost, all attempts and audits together."""
    baseline: float = 0.0
    """What they would have cost on the baseline."""
    unknown: int = 0
    """Requests left out of both sides."""
    energy_cost: float = 0.0
    """What their energy cost, as far as it is known."""
    energy_unknown: int = 0
    """Of these requests, those whose energy or its price is unknown."""
    alternative: float = 0.0
    """What they would have cost on the cheapest cloud model that could have taken each, as far as it is known."""
    alternative_unknown: int = 0
    """Of these requests, those for which it is not."""

    @property
    def saved(self) -> float:
        """Dollars saved in cash, over what could be compared."""
        return self.baseline - self.cost

    def __add__(self, other: Self) -> "Money":
        return Money(
            self.requests + other.requests,
            self.cost + other.cost,
            self.baseline + other.baseline,
            self.unknown + other.unknown,
            self.energy_cost + other.energy_cost,
            self.energy_unknown + other.energy_unknown,
            self.alternative + other.alternative,
            self.alternative_unknown + other.alternative_unknown,
        )


class Home(Struct, frozen=True):
    """What the machines at home cost over some time, beside the energy of requests; dollars, None is unknown or not asked for."""

    idle_cost: float | None = None
    """For the energy that they drew while they waited."""
    hardware_cost: float | None = None
    """The share of the hardware's price that this time uses up."""


NO_HOME = Home()


class Savings(Struct, frozen=True, kw_only=True):
    """What was saved, in dollars. Negative savings are real, and said."""

    cost: float
    baseline: float
    saved: float
    """In cash: the bills of providers."""
    share: float | None
    """`saved` of the baseline; None when there is none."""
    requests: int
    unknown: int
    energy_cost: float | None
    """For requests and while waiting, as far as it is known; None when nothing of it is."""
    energy_unknown: int
    """Of the requests, those whose energy is in no sum: what is net of energy is at most that."""
    net_of_energy: float | None
    hardware_cost: float | None
    net_of_hardware: float | None
    """Net of energy and hardware."""
    alternative: float | None
    """What the same requests would have cost on the cheapest capable cloud model, as far as it is known; None when nothing is."""
    alternative_unknown: int
    """Of the requests, those that no such model could have taken: the alternative would have cost at least the rest."""
    against_alternative: float | None
    """That, minus what they did cost with energy and hardware as far as these are known: negative where home loses.

    None where it cannot be said: with requests that have no alternative, the known rest of it must reach the whole cost.
    """


def savings(money: Money, home: Home = NO_HOME) -> Savings:
    """What was saved over some requests, and what home cost meanwhile."""
    saved = money.saved
    known = money.requests - money.energy_unknown
    energy = None
    if known or home.idle_cost is not None:
        energy = money.energy_cost + (home.idle_cost or 0.0)
    hardware = home.hardware_cost
    net_of_energy = None if energy is None else saved - energy
    net_of_hardware = None if net_of_energy is None or hardware is None else net_of_energy - hardware
    alternative = money.alternative if money.requests > money.alternative_unknown else None
    margin = None if alternative is None else alternative - money.cost - (energy or 0.0) - (hardware or 0.0)
    if margin is not None and margin < 0 and money.alternative_unknown:
        margin = None  # the requests that have no alternative would have cost something there, too
    return Savings(
        cost=money.cost,
        baseline=money.baseline,
        saved=saved,
        share=saved / money.baseline if money.baseline else None,
        requests=money.requests,
        unknown=money.unknown,
        energy_cost=energy,
        energy_unknown=money.energy_unknown,
        net_of_energy=net_of_energy,
        hardware_cost=hardware,
        net_of_hardware=net_of_hardware,
        alternative=alternative,
        alternative_unknown=money.alternative_unknown,
        against_alternative=margin,
    )


def money_of(outcomes: Iterable[Outcome]) -> Money:
    """The sides over some outcomes; the ledger's query sums its rows by the same rule."""
    return sum((_money(outcome) for outcome in outcomes), Money())


def saved_by(outcome: Outcome) -> float | None:
    """What one request saved in cash, in dollars; None is unknown."""
    baseline = _baseline(outcome)
    return None if outcome.cost is None or baseline is None else baseline - outcome.cost


def _baseline(outcome: Outcome) -> float | None:
    """What it would have cost on the baseline; nothing where nobody answered."""
    return 0.0 if outcome.model is None and outcome.baseline_cost is None else outcome.baseline_cost


def _money(outcome: Outcome) -> Money:
    baseline = _baseline(outcome)
    if outcome.cost is None or baseline is None:
        return Money(unknown=1)
    return Money(
        requests=1,
        cost=outcome.cost,
        baseline=baseline,
        energy_cost=outcome.energy_cost or 0.0,
        energy_unknown=+(outcome.energy_cost is None),
        alternative=outcome.alternative_cost or 0.0,
        alternative_unknown=+(outcome.alternative_cost is None),
    )
