"""Does a gateway survive what engines do? An upstream that fails on demand, and a strict judge of what comes back.

    FaultyUpstream        the engine behind the gateway under test: the model `faulty` fails as the prompt says, `good` never
    run(target, cases)    sends every case through the gateway and judges the answers

Both sides know the cases (`cases`), and nothing of each other: a case travels as a marker in the prompt, so any gateway can be
tested, with several requests at once. `docs/conformance.md` says how, and what counts.
"""

from headgate.testing.conformance.cases import CASES, FAULTY, GOOD, Case, cases_named
from headgate.testing.conformance.suite import NotReadyError, Target, run
from headgate.testing.conformance.upstream import FaultyUpstream
from headgate.testing.conformance.verdicts import Finding, Verdict

__all__ = [
    "CASES",
    "FAULTY",
    "GOOD",
    "Case",
    "FaultyUpstream",
    "Finding",
    "NotReadyError",
    "Target",
    "Verdict",
    "cases_named",
    "run",
]
