"""A subagent's tests, answered and marked: how often each model was right, how sure it may be, and what the chain makes of it.

    Marked(test, run) … → trial_of → Trial;  as_chain → what the chain would have answered;  kept_at → thresholds

The chain is counted from the same answers as its models: an answer is taken where it passed its checks and is sure enough, else the
next model's, as the cascade does. So nothing is paid twice, and chain and models can be compared. This module does not know how a
run is carried out, or where a trial is kept (`ledger.trials`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headgate.core.calibration import Calibration, Tried, calibrate, fit
from headgate.core.marking import is_right
from headgate.core.runs import Run
from headgate.core.subagent import Agent, Shown
from headgate.core.trials import Trial, digest_of
from headgate.core.types import Model

FEW = 20
"""Tests below which an accuracy says little."""

MORE = 50
"""Tests that are worth adding, at most, before one looks again."""

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class Marked(Struct, frozen=True, kw_only=True):
    """A test with what a model, or a chain, made of it."""

    test: Shown
    run: Run

    @property
    def expected(self) -> Any:
        """The right output; of an object, the fields that count."""
        return msgspec.json.decode(self.test.output)

    @property
    def right(self) -> bool:
        """Whether the output is the right one."""
        return self.run.output is not None and is_right(self.expected, self.run.output)


class Kept(Struct, frozen=True, kw_only=True):
    """What a threshold does: how many answers it lets stand, and how many of these are right."""

    threshold: float
    n: int
    kept: int
    right: int


class Chained(Struct, frozen=True, kw_only=True):
    """What the chain makes of the tests."""

    marked: tuple[Marked, ...]
    """The tests that it answered."""
    beyond: int = 0
    """Tests that would have gone on to a model that was not tried."""
    escalated: int = 0
    """Of those that it answered: by another model than its first."""


def label_of(agent: Agent, value: Any) -> str:
    """The label that an output, expected or given, names; "" is none."""
    found = value.get(agent.label) if agent.label and isinstance(value, Mapping) else value
    return found if isinstance(found, str) and found in agent.labels else ""


def tried_of(agent: Agent, marked: Sequence[Marked]) -> list[Tried]:
    """The answers whose probabilities are known."""
    return [
        Tried(one.run.probabilities, label_of(agent, one.expected)) for one in marked if one.run.probabilities
    ]


def confusion_of(agent: Agent, marked: Sequence[Marked]) -> dict[str, dict[str, int]]:
    """How often each right label was answered with which."""
    if not agent.labels:
        return {}
    found: dict[str, Counter[str]] = {label: Counter() for label in agent.labels}
    for one in marked:
        expected = label_of(agent, one.expected)
        if expected:
            found[expected][label_of(agent, one.run.output)] += 1
    return {label: dict(counts) for label, counts in found.items()}


def at_share(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


def trial_of(
    agent: Agent,
    marked: Sequence[Marked],
    *,
    model: Model | None,
    chain: str = "",
    measured: float,
    calibration: Calibration | None = None,
) -> Trial:
    """The trial of a model, or of a chain.

    Args:
        agent: whose tests they are.
        marked: the tests, answered.
        model: who answered them; None is the chain.
        chain: the chain's name.
        measured: Unix time.
        calibration: what was fitted on the model's probabilities.
    """
    fitted = calibration or Calibration()
    costs = [one.run.cost for one in marked]
    seconds = [one.run.seconds for one in marked]
    return Trial(
        agent=agent.name,
        digest=digest_of(agent),
        model="" if model is None else model.name,
        engine="" if model is None else model.engine,
        id=chain if model is None else model.id,
        measured=measured,
        n=len(marked),
        right=sum(one.right for one in marked),
        failed=sum(one.run.output is None for one in marked),
        temperature=fitted.temperature,
        ece=fitted.ece,
        ece_after=fitted.ece_after,
        cost=None if None in costs else sum(cost for cost in costs if cost is not None),
        seconds=at_share(seconds, 0.5),
        seconds_p95=at_share(seconds, 0.95),
        confusion=confusion_of(agent, marked),
    )


def calibrated(agent: Agent, marked: Sequence[Marked]) -> tuple[list[Marked], Calibration]:
    """The same answers with probabilities that mean what they say, and the calibration that was fitted to them."""
    fitted = fit(tried_of(agent, marked))
    return [replace(one, run=warmed(one.run, fitted.temperature)) for one in marked], fitted


def warmed(run: Run, temperature: float) -> Run:
    """A run with the log-odds of its labels divided by a temperature."""
    if temperature == 1.0 or not run.probabilities:
        return run
    probabilities = calibrate(run.probabilities, temperature)
    return replace(run, probabilities=probabilities, probability=probabilities.get(run.label))


def as_chain(
    agent: Agent, chain: Sequence[str], answers: Mapping[str, Sequence[Marked]], tests: Sequence[Shown]
) -> Chained:
    """What the chain would have answered, from what its models did.

    Args:
        agent: whose threshold holds.
        chain: the models, in order.
        answers: of each model that was tried, its answers to all tests.
        tests: in the same order.
    """
    marked, beyond, escalated = [], 0, 0
    for index, test in enumerate(tests):
        seen: list[Run] = []
        for name in chain:
            if name not in answers:
                beyond += 1
                break
            seen.append(answers[name][index].run)
            if is_enough(agent, seen[-1]) or name == chain[-1]:
                escalated += len(seen) > 1
                marked.append(Marked(test=test, run=together(seen, enough=is_enough(agent, seen[-1]))))
                break
    return Chained(marked=tuple(marked), beyond=beyond, escalated=escalated)


def is_enough(agent: Agent, run: Run) -> bool:
    """Whether the cascade would stop at this answer."""
    unsure = agent.threshold is not None and run.probability is not None and run.probability < agent.threshold
    return run.status in ("ok", "escalated") and not unsure


def together(runs: Sequence[Run], *, enough: bool) -> Run:
    """Several models' runs as one: the last answer if it is good enough, else the surest; what all of them took."""
    answered = [run for run in runs if run.output is not None]
    best = runs[-1] if enough or not answered else max(answered, key=lambda run: run.probability or 0.0)
    costs = [run.cost for run in runs]
    return replace(
        best,
        cost=None if None in costs else sum(cost for cost in costs if cost is not None),
        seconds=sum(run.seconds for run in runs),
    )


def kept_at(marked: Sequence[Marked], thresholds: Sequence[float] = THRESHOLDS) -> list[Kept]:
    """What each threshold would let stand, of answers whose label's probability is known; none where that is of none."""
    sure = [one for one in marked if one.run.probability is not None]
    found = []
    for threshold in thresholds if sure else ():
        kept = [one for one in sure if (one.run.probability or 0.0) >= threshold]
        found.append(
            Kept(threshold=threshold, n=len(marked), kept=len(kept), right=sum(one.right for one in kept))
        )
    return found
