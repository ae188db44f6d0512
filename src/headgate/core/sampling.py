"""With which probability a request is audited: more where it is uncertain what audits would find, less where that is known.

    strata with their traffic and findings ── shares ──► probability by stratum, on average the share that the user names

Optimal (Neyman) allocation samples each stratum in proportion to the standard deviation of what is found in it: √(r·(1−r)) for a rate
r (Cochran, Sampling Techniques, §5.5). r is only known within an interval, so its end nearest to one half is taken: with few
findings this is one half itself, and the stratum gets the most; with many it comes near to the truth, but never without `FLOOR`,
because what was true last month need not be so today. An estimate divides by the probability, so none of this biases it.

Pure: chance is somebody else's (`gateway.sampling`), and so are the counts (`ledger.audit_jobs`).
"""

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Final, NamedTuple

from msgspec import Struct

from headgate.core.intervals import wilson
from headgate.core.words import AuditKind, Task

FLOOR: Final = 0.25
"""Of the share that the user names: no stratum is sampled with less."""
HALVINGS: Final = 60
"""Of the interval in which the scale is sought: more than a float can tell apart."""


class Stratum(NamedTuple):
    """Requests that are sampled with one probability."""

    kind: AuditKind
    route: str
    task: Task | None


class Known(Struct, frozen=True):
    """What is known of a stratum."""

    requests: int = 0
    """That could have been audited lately: its share of the traffic."""
    found: int = 0
    """Audits that said something."""
    bad: int = 0
    """… of which so many said that money, or quality, was lost."""


UNKNOWN: Final = Known()


def shares(sample: float, strata: Mapping[Stratum, Known]) -> dict[Stratum, float]:
    """The probability of each stratum, so that the mean over the traffic is `sample`, as far as 1 and the floor allow it.

    Args:
        sample: the share that the user names, 0-1.
        strata: all of one kind, with what is known of each.
    """
    weights = {stratum: spread(known) for stratum, known in strata.items()}
    traffic = sum(known.requests for known in strata.values())
    if not traffic or sample in (0.0, 1.0):
        return dict.fromkeys(strata, sample)

    def mean(scale: float) -> float:
        return (
            sum(
                known.requests * within(sample, scale * weights[stratum]) for stratum, known in strata.items()
            )
            / traffic
        )

    low, high = 0.0, 1.0 / min(weights.values())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) < sample else (low, middle)
    return {stratum: within(sample, high * weight) for stratum, weight in weights.items()}


def unseen(sample: float, chosen: Iterable[float]) -> float:
    """The probability of a stratum that had no traffic yet: that of the least known one, for it is known no better.

    Args:
        sample: the share that the user names.
        chosen: the probabilities of the others of its kind.
    """
    return max([sample, *chosen])


def within(sample: float, probability: float) -> float:
    """The probability, not below the floor and not above 1."""
    return min(1.0, max(FLOOR * sample, probability))


def spread(known: Known) -> float:
    """The standard deviation of what one audit of this stratum finds, as large as it may be; above 0, up to one half."""
    rate = nearest_to_half(known.bad, known.found)
    return sqrt(rate * (1.0 - rate))


def nearest_to_half(bad: int, found: int) -> float:
    """The rate within Wilson's 95 % interval that is nearest to one half."""
    low, high = wilson(bad, found) or (0.0, 1.0)
    return min(max(0.5, low), high)
