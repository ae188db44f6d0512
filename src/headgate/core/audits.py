"""Audits: was paying for a request necessary, and was a local answer good? What is kept for one, and what it finds.

    Material ── the request anew on the local chain, or on the paid one ──► Pair ── a judge ──► Opinion

A fallback is audited by asking the models at home (what they answered before they were passed over is in the material already), a
local answer by asking the paid model that it spared. Who judges is `core.words.Judge`. This module decides nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from headgate.core.types import Attempt, Reply, Request, ToolCall, Verdict
from headgate.core.words import AuditKind, AuditVerdict, FallbackReason, Judge, Task

REJECTED: Final[FallbackReason] = "quality check failed"
"""The reason of a fallback of which more is known: the check."""


class Said(Struct, frozen=True, gc=False, kw_only=True):
    """One model's answer, as an audit compares it."""

    model: str
    local: bool
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    label: str = ""
    """The one that it names, where a subagent offers labels."""
    score: float | None = None
    """The lowest of its checks' scores, 0-1; None without evidence."""
    scores: Mapping[str, float] = {}
    """By check, as far as there is evidence."""
    logprob: float | None = None
    cost: float | None = None
    """Dollars; None is unknown."""


class Material(Struct, frozen=True, gc=False, kw_only=True):
    """What an audit needs of a request that is over."""

    id: str
    kind: AuditKind
    request: Request
    task: Task | None
    route: str
    chain: tuple[str, ...]
    """The models of its route, in order, whether they could serve or not."""
    said: tuple[Said, ...]
    """Every answer that there was, in order."""
    answered: str
    """The model whose answer went out."""
    pass_at: float
    checks: tuple[str, ...]
    cause: str = ""
    """Of a fallback: the check that rejected the local answer, or else the reason of the fallback."""
    reasons: Mapping[str, str] = {}
    """By judge, why it said what it said. It may quote the answers, so it is kept where they are, sealed like them, and goes with them."""


class Pair(Struct, frozen=True, gc=False):
    """Two answers to one request, to be compared: is the local one as good as the paid one?"""

    request: Request
    task: Task | None
    local: Said
    paid: Said
    others: tuple[Said, ...] = ()
    """Other answers from home that are there, and would not have gone out: nobody compares them."""

    @property
    def rejected(self) -> tuple[tuple[str, float], ...]:
        """The models of these, each with the lowest score of its answer's checks."""
        return tuple([(said.model, said.score) for said in self.others if said.score is not None])


class Opinion(Struct, frozen=True, gc=False, kw_only=True):
    """What a judge said. `unnecessary` and `good` say that the local answer is as good as the paid one, or better."""

    verdict: AuditVerdict
    judge: Judge
    by: str = ""
    """The model that judged, or the person or key."""
    score: float | None = None
    """How sure the judge is that the local answer is as good, 0-1; None where it does not say."""
    reason: str = ""
    cost: float | None = 0.0
    """Dollars for asking; None is unknown."""


class Finding(Struct, frozen=True, gc=False, kw_only=True):
    """An audit that was made, as estimates and tuning use it: one request that stands for 1 / probability."""

    request: int
    """Its number in the ledger; 0 once its row is gone."""
    kind: AuditKind
    verdict: AuditVerdict
    judge: str
    probability: float | None
    """None where nobody chose by chance: it stands for itself, and for no other."""
    judged: AuditVerdict | None = None
    """Where the verdict is a person's or a caller's: what a judge says of it; None where none is sure."""
    judged_by: str = ""
    """That judge."""
    route: str
    task: Task | None
    model: str = ""
    """The model at home whose answer was compared; "" is unknown."""
    cause: str = ""
    score: float | None = None
    """The lowest score of the local answer's checks."""
    scores: Mapping[str, float] = {}
    """By check, as far as there is evidence and the row is still there."""
    cost: float | None = None
    """Dollars: what a fallback cost, so that an unnecessary one has wasted it; what the baseline would have cost for a local answer."""


def said_by(attempt: Attempt, reply: Reply, *, local: bool) -> Said:
    """A reply, as audits keep it.

    Args:
        attempt: the one that it came of.
        reply: what came, or what was made of it for the caller.
        local: whether the model is one at home.
    """
    return Said(
        model=attempt.model,
        local=local,
        text=reply.text,
        tool_calls=reply.tool_calls,
        label=reply.label,
        score=attempt.score,
        scores=scores_of(attempt.verdicts),
        logprob=attempt.logprob,
        cost=attempt.cost,
    )


def scores_of(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """By check, as far as there is evidence."""
    return {verdict.check: verdict.score for verdict in verdicts if verdict.score is not None}


def cause_of(fallback: str | None, first: Mapping[str, float]) -> str:
    """What led to a fallback: the check with the lowest score of the first answer from home, where checks rejected it, else the reason.

    Args:
        fallback: its reason; None is no fallback, and has no cause ("").
        first: the scores of that answer, by check.
    """
    if fallback == REJECTED and first:
        return min(first, key=lambda check: first[check])
    return fallback or ""
