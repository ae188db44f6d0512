"""Making a model's probabilities mean what they say: one temperature, fitted on answers whose truth is known.

    Tried(probabilities of the labels, the right one) … → Calibration → calibrate(probabilities)

Temperature scaling divides the log-odds by one number, so it never changes which label is the likeliest. It is fitted by the
least log loss. This module does not know where the answers come from.

Sources: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017; the targets (`log_loss`): Platt,
"Probabilistic Outputs for Support Vector Machines", 1999.
"""

from collections.abc import Callable, Mapping, Sequence
from math import exp, log, sqrt

from msgspec import Struct

LEAST_TRIED = 20
"""Answers below which nothing is fitted: a few lucky ones would make the model sure of everything."""

FLOOR = 1e-6
"""A probability of zero is taken for this: no finite number of answers shows that something cannot be."""

COLDEST, HOTTEST = 0.1, 20.0
"""Bounds of the temperature. Answers that are all right would cool it for ever."""

STEPS = 60
"""Of the search; each narrows it by a third, so they are more than a double can tell apart."""

BINS = 10


class Tried(Struct, frozen=True, gc=False):
    """One answer whose truth is known."""

    probabilities: Mapping[str, float]
    right: str


class Calibration(Struct, frozen=True, gc=False, kw_only=True):
    """What was fitted, and what it changes."""

    temperature: float = 1.0
    n: int = 0
    """Answers with probabilities."""
    ece: float | None = None
    """Expected calibration error before; None without answers."""
    ece_after: float | None = None


def fit(tried: Sequence[Tried]) -> Calibration:
    """The temperature of the least log loss; 1 where there are too few answers to tell."""
    told = [one for one in tried if one.probabilities]
    before = calibration_error(told)
    if len(told) < LEAST_TRIED:
        return Calibration(n=len(told), ece=before, ece_after=before)
    temperature = exp(lowest(lambda heat: log_loss(told, exp(heat)), log(COLDEST), log(HOTTEST)))
    after = calibration_error([Tried(calibrate(one.probabilities, temperature), one.right) for one in told])
    return Calibration(temperature=temperature, n=len(told), ece=before, ece_after=after)


def calibrate(probabilities: Mapping[str, float], temperature: float) -> dict[str, float]:
    """The probabilities with their log-odds divided by the temperature; they add up to 1 and keep their order."""
    if temperature == 1.0 or not probabilities:
        return dict(probabilities)
    powers = {label: log(max(FLOOR, share)) / temperature for label, share in probabilities.items()}
    highest = max(powers.values())
    weights = {label: exp(power - highest) for label, power in powers.items()}
    total = sum(weights.values())
    return {label: weight / total for label, weight in weights.items()}


def log_loss(tried: Sequence[Tried], temperature: float) -> float:
    """The mean surprise at what is right, in nats.

    The right labels are taken for right with (n + 1) / (n + 2), and the others share the rest, as Platt does it: some dozens of
    answers that are all right do not show that a model is never wrong.
    """
    trust = (len(tried) + 1) / (len(tried) + 2)
    surprise = 0.0
    for one in tried:
        found = calibrate(one.probabilities, temperature)
        others = max(1, len(found) - (one.right in found))
        surprise -= trust * log(max(FLOOR, found.get(one.right, 0.0)))
        surprise -= sum(
            (1 - trust) / others * log(max(FLOOR, share))
            for label, share in found.items()
            if label != one.right
        )
    return surprise / len(tried)


def calibration_error(tried: Sequence[Tried]) -> float | None:
    """How far the probability of the likeliest label is from how often it is right, over ten bins; None without answers."""
    if not tried:
        return None
    sums = [[0, 0.0, 0.0] for _ in range(BINS)]  # answers, their probabilities, those that are right
    for one in tried:
        label, share = max(one.probabilities.items(), key=lambda item: item[1])
        cell = sums[min(BINS - 1, int(share * BINS))]
        cell[0] += 1
        cell[1] += share
        cell[2] += label == one.right
    return sum(abs(sure - right) for _, sure, right in sums) / len(tried)


def lowest(of: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is lowest, by golden section."""
    ratio = (sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = of(left), of(right)
    for _ in range(STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = of(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = of(right)
    return (low + high) / 2
