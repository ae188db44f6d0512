"""What a learned router would have changed of held-out requests, beside what the rules did with them.

Three things can happen to an audited request. Its local answer went out, and the router would have passed the model by: the request
would have been paid for, and as good as paid. The local answer was rejected, and the router would have passed the model by: the wait
for it would have been spared. It never went home, and the router would have brought it there: nothing paid, as good as the audit
found. Everything else stays as it was. An answer brought home would still meet its checks, so this counts it at its worst.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from headgate.core.expecting import Learning
from headgate.lab.evidence import Case
from headgate.lab.learned import Against
from headgate.lab.reliability import Floats, Ints, Judged, spread


def against_rules(
    cases: Sequence[Case], chances: Floats, groups: Ints, home_at: Sequence[float | None], learning: Learning
) -> Against:
    """Compare.

    Args:
        cases: audited requests from which nothing was learned.
        chances: what was foretold of each; not a number where the router says nothing.
        groups: cases of the same number are not independent.
        home_at: the chance from which on the model of each case is trusted; None is never.
        learning: what the router may do.
    """
    mass = np.array([case.weight for case in cases])
    good = np.array([case.good for case in cases], dtype=np.float64)
    paid = np.array([case.paid or 0.0 for case in cases])
    priced = np.array([case.paid is not None for case in cases])
    seconds = np.array([case.seconds for case in cases])
    went_out = np.array([case.passed is True for case in cases])
    tried = np.array([case.passed is not None for case in cases])
    trusted = np.array([np.inf if at is None else at for at in home_at])
    with np.errstate(invalid="ignore"):
        skips = tried & (chances < learning.skip_below)
        home = ~tried & (chances >= trusted) & learning.brings_home
    passed_by = skips & went_out
    quality = np.where(went_out, good, 1.0)
    gained = np.where(passed_by, 1.0 - good, 0.0) - np.where(home, 1.0 - good, 0.0)
    dollars = np.where(passed_by, paid, 0.0) - np.where(home, paid, 0.0)
    wasted = np.where(passed_by, good * paid, 0.0)
    rows = Judged(good, chances, mass, groups)

    def told(which: Any) -> bool:
        """Whether it is known of any of these requests what they cost, or there are none."""
        return bool(priced[which].any() or not which.any())

    return Against(
        rows=len(cases),
        requests=float(mass.sum()),
        quality=float(mass @ quality / mass.sum()),
        gained=spread(
            rows,
            float(mass @ gained / mass.sum()),
            lambda drawn: float(drawn @ gained / max(1e-9, drawn.sum())),
        ),
        paid=float(mass @ np.where(went_out, 0.0, paid)) if told(~went_out) else None,
        dollars=spread(rows, float(mass @ dollars), lambda drawn: float(drawn @ dollars))
        if told(passed_by | home)
        else None,
        wasted=spread(rows, float(mass @ wasted), lambda drawn: float(drawn @ wasted))
        if told(passed_by & (good > 0))
        else None,
        in_cloud=float(mass @ paid) if priced.any() else None,
        unpriced=float(mass @ (~priced & (~went_out | passed_by))),
        in_vain=float(mass @ np.where(passed_by, good, 0.0)),
        skipped=float(mass @ skips),
        home=float(mass @ home),
        seconds=float(mass @ np.where(skips, seconds, 0.0)),
    )
