"""How often the truth lies within the 95 % intervals of estimates from audits, over made-up weeks whose truth is known.

    python benchmarks/audit_estimates.py [RUNS]

Weeks differ in their strata, in how many requests these have, in the share that is audited, in how many fallbacks are unnecessary, and
in whether these are rather the often or the rarely chosen ones; chances differ nine-fold within a week. The weeks are those of
`tests/core/test_estimates_coverage.py`. RUNS of each, 60 where nothing is said, takes three minutes.
"""

import sys
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "core"))

from test_estimates_coverage import covered

RATES = ((0.0, 0.0), (0.03, 0.0), (0.12, 0.8), (0.12, -0.8), (0.5, 0.8), (0.58, 0.0))


def main(runs: int) -> None:
    """Print the coverage over all weeks, and the least of any kind of week."""
    total, hits, least = 0, [0, 0, 0], 1.0
    for strata, requests, sample, (rate, leaning) in product((1, 5, 15), (40, 250), (0.05, 0.2, 0.6), RATES):
        week = {
            "strata": strata,
            "requests": requests,
            "sample": sample,
            "rate": rate,
            "leaning": leaning,
        }
        found, told = covered(3, runs, **week)
        total += told
        hits = [before + here for before, here in zip(hits, found, strict=True)]
        least = min(least, found[0] / told)
    number, money, cause = (f"{one / total:.1%}" for one in hits)
    print(
        f"{total:,} weeks: number {number}, dollars {money}, one cause {cause}; number, at least {least:.1%}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 60)
