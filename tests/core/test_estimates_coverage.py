"""Whether the truth lies within the ends: made-up weeks in which it is known which local answers are as good, audited by chance."""

from itertools import product
from math import exp
from random import Random

import pytest

from headgate.core.audits import Finding
from headgate.core.estimates import estimate
from headgate.core.judge_errors import Confusion, Group, Verdicts
from headgate.core.strata import Population

TASKS = ("classification", "extraction", "summarization", "code", "qa")


class Week:
    """Fallbacks of several strata, some of them unnecessary, audited with chances that go with how likely they are so."""

    def __init__(self, chance, *, strata, requests, sample, rate, leaning=0.0, right=(1.0, 1.0), unclear=0.0):
        self.findings, self.populations = [], []
        self.number = self.dollars = 0.0
        self.by_cause = {}
        n = 0
        for stratum in range(strata):
            size = max(3, round(requests * exp(0.6 * chance.gauss(0, 1))))
            here = min(1.0, rate * chance.uniform(0.3, 1.7))
            paid = 0.0
            route, task = f"r{stratum // len(TASKS)}", TASKS[stratum % len(TASKS)]
            for _ in range(size):
                n += 1
                unsure, cost = chance.random(), 0.01 * exp(0.8 * chance.gauss(0, 1))
                cause = chance.choice(("json", "length", "token count"))
                good = chance.random() < here * (1 + leaning * (2 * unsure - 1))
                paid += cost
                if good:
                    self.number += 1
                    self.dollars += cost
                    self.by_cause[cause] = self.by_cause.get(cause, 0) + 1
                probability = min(1.0, sample * exp(1.1 * (2 * unsure - 1)))
                if chance.random() >= probability:
                    continue
                said = good if chance.random() < right[not good] else not good
                verdict = "unclear" if chance.random() < unclear else "unnecessary" if said else "necessary"
                self.findings.append(
                    Finding(
                        request=n,
                        kind="fallback",
                        verdict=verdict,
                        judge="local model",
                        probability=probability,
                        route=route,
                        task=task,
                        cause=cause,
                        cost=cost,
                    )
                )
            self.populations.append(
                Population(kind="fallback", route=route, task=task, requests=size, cost=paid)
            )


def covered(seed, runs, confusions=None, **week):
    """How often the truth was within the ends, of the number, the dollars and the number of one cause; None in none of the runs."""
    chance = Random(seed)
    hits, told = [0, 0, 0], 0
    for _ in range(runs):
        made = Week(chance, **week)
        found = estimate(made.findings, made.populations, "fallback", confusions)
        if found.all.number is None:
            continue
        told += 1
        cause = found.by_cause.get("json")
        spans = (found.all.number, found.all.dollars, cause and cause.number)
        truths = (made.number, made.dollars, made.by_cause.get("json", 0))
        for place, (span, truth) in enumerate(zip(spans, truths, strict=True)):
            hits[place] += span is None or span.low - 1e-6 <= truth <= span.high + 1e-6
    return hits, told


GRID = [
    {"strata": strata, "requests": requests, "sample": sample, "rate": rate, "leaning": leaning}
    for (strata, requests, sample), (rate, leaning) in product(
        ((1, 40, 0.2), (5, 60, 0.1), (5, 60, 0.5), (12, 25, 0.2)),
        ((0.0, 0.0), (0.03, 0.0), (0.12, -0.8), (0.12, 0.8), (0.55, 0.8)),
    )
]


def test_the_truth_lies_within_the_ends_as_often_as_they_say():
    """Also with few findings a stratum, none or only hits, chances that differ nine-fold, and hits that lean to the rare ones."""
    hits, told = [0, 0, 0], 0
    for place, week in enumerate(GRID):
        here, times = covered(100 + place, 25, **week)
        hits, told = [a + b for a, b in zip(hits, here, strict=True)], told + times
    assert told > 460
    assert all(0.93 <= one / told <= 0.99 for one in hits), [one / told for one in hits]


def test_errors_of_a_judge_are_taken_out_where_labels_tell_them():
    """One that is wrong in every eighth case would have the truth outside most of the time."""
    chance, week = Random(5), {"strata": 4, "requests": 120, "sample": 0.2, "rate": 0.15}
    right, corrected, believed = (0.92, 0.86), 0, 0
    for run in range(60):
        good, bad = (sum(chance.random() < rate for _ in range(60)) for rate in right)
        as_good, worse = (
            Verdicts(good + 60 - bad, good + 60 - bad, good),
            Verdicts(bad + 60 - good, bad + 60 - good, bad),
        )
        confusions = {"local model": Confusion((Group(as_good, worse),))}
        corrected += covered(run, 1, confusions, right=right, **week)[0][0]
        believed += covered(run, 1, right=right, **week)[0][0]
    assert corrected >= 55
    assert believed <= 40


@pytest.mark.parametrize("unclear", [0.1, 0.4])
def test_unclear_verdicts_leave_no_hole(unclear):
    hits, told = covered(9, 60, strata=4, requests=80, sample=0.3, rate=0.2, unclear=unclear)
    assert min(hits) >= 0.9 * told
