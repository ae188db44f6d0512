"""What the week shows, beside the report: who answered, how many were right, and one example of each kind.

The figures come from the ledger; only "right" does not, since no ledger can know it: it holds an answer against what
the writer of the prompt meant.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from headgate.core.types import Outcome, Verdict
from headgate.core.words import FallbackReason
from headgate.demo.caller import Answered
from headgate.demo.week import Ask

REJECTED: FallbackReason = "quality check failed"


class Example(Struct, frozen=True):
    """A request that shows something."""

    id: str
    ask: Ask
    text: str
    """The answer that was delivered."""
    outcome: Outcome

    @property
    def rejected(self) -> Verdict | None:
        """The verdict that sent the first answer back, if it was an answer."""
        first = self.outcome.attempts[0]
        scored = [verdict for verdict in first.verdicts if verdict.score is not None]
        return min(scored, key=lambda verdict: verdict.score or 0.0, default=None)


class Findings(Struct, frozen=True, kw_only=True):
    """What the week shows."""

    requests: int
    at_home: int
    """Answered by a model at home."""
    graded: int
    """Of these, the ones that have one right answer."""
    right: int
    """Of these, the ones that were answered so."""
    good: Example | None
    """A right answer from home, at the first attempt."""
    sent_on: Example | None
    """An answer from home that a check rejected, and another model took over."""


def look_at(answers: Iterable[Answered], outcomes: Mapping[str, Outcome], local: Sequence[str]) -> Findings:
    """Compare what the callers got with what the ledger says.

    Args:
        answers: what came back.
        outcomes: the ledger's rows by request id.
        local: the names of the models at home.
    """
    seen = [
        Example(one.request_id, one.ask, one.text, outcomes[one.request_id])
        for one in answers
        if one.request_id in outcomes
    ]
    home = [one for one in seen if one.outcome.model in local]
    graded = [one for one in home if one.ask.right is not None]
    right = [one for one in graded if one.text.strip() == one.ask.right]
    sent_on = [one for one in seen if one.outcome.model not in local and one.outcome.fallback == REJECTED]
    return Findings(
        requests=len(seen),
        at_home=len(home),
        graded=len(graded),
        right=len(right),
        good=next((one for one in reversed(right) if len(one.outcome.attempts) == 1), None),
        sent_on=min(sent_on, key=lambda one: one.outcome.attempts[0].score or 0.0, default=None),
    )
