"""What the ledger counts for a report: plain figures over some time, nothing judged yet.

Money is dollars, durations are seconds, and None is unknown. Requests are counted once, by what became of them in the
end; attempts are counted apart.
"""

from collections.abc import Mapping

from msgspec import Struct

from headgate.core.audits import Finding
from headgate.core.cards import Card
from headgate.core.judge_errors import Confusion
from headgate.core.judges.agreement import Agreement
from headgate.core.strata import Population
from headgate.core.words import AuditVerdict
from headgate.reports.savings import Home, Money


class Latency(Struct, frozen=True):
    """How long some requests took, in seconds; None when there were none."""

    requests: int = 0
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None


class ServedFacts(Struct, frozen=True, kw_only=True):
    """The requests that one model answered in the end."""

    shown: str
    """The model with engine and label, "claude-sonnet-5-5 (API) [stand-in]"."""
    local: bool | None
    requests: int
    latency: Latency
    first_token: Latency
    cost: float
    """Of all attempts of these requests, as far as it is known."""
    cost_unknown: int
    """Requests whose cost is unknown."""


class TriedFacts(Struct, frozen=True):
    """What one local model did for one task."""

    shown: str
    attempts: int
    """Calls for requests of this task."""
    failed: int
    """Of these, the ones without a usable answer and the ones that a check rejected."""


class TaskFacts(Struct, frozen=True, kw_only=True):
    """The requests of one task."""

    task: str | None
    """None is "no evidence"."""
    requests: int
    tried_locally: int
    """Requests for which a local model was called."""
    failed_locally: int
    """Of these, the ones for which a local model's answer failed or was rejected."""
    models: tuple[TriedFacts, ...] = ()
    """The local models that were called for it, the busiest first."""


class AttemptFacts(Struct, frozen=True, kw_only=True):
    """The calls to one model."""

    shown: str
    local: bool | None
    attempts: int
    rejected: int
    """Answers that a check rejected."""
    failures: Mapping[str, int]
    """Calls without a usable answer, by reason."""
    input: int
    """Prompt tokens, cached ones too."""
    output: int
    cost: float
    cost_unknown: int


class FallbackFacts(Struct, frozen=True):
    """The requests that a paid model answered for one reason."""

    reason: str
    limit: int | None
    """N of "token count > N"."""
    requests: int
    cost: float = 0.0
    """Dollars, as far as they are known."""


class AuditFacts(Struct, frozen=True):
    """The requests of that time that were audited, by what was found."""

    verdict: AuditVerdict
    judge: str
    """Who said so: a model, a person, or "import"."""
    requests: int


class DayFacts(Struct, frozen=True, kw_only=True):
    """One day of that time, and the requests of one task that one model answered on it."""

    day: str
    """In the report's time zone, "2026-11-23"."""
    task: str | None = None
    """None is "no evidence"."""
    shown: str | None
    """The model that answered; None is nobody."""
    local: bool | None
    requests: int
    cost: float
    baseline: float
    """Of the requests that are compared (`savings`)."""


class GroupFacts(Struct, frozen=True, kw_only=True):
    """The requests that have one thing in common, such as the key or the task."""

    name: str | None
    """None is "none"."""
    requests: int
    tried_locally: int
    failed_locally: int
    cost: float
    cost_unknown: int
    money: Money


class WeeklyFacts(Struct, frozen=True, kw_only=True):
    """All that a report says, counted."""

    since: float
    until: float
    """Unix times; `until` is the first moment after."""
    requests: int = 0
    served: tuple[ServedFacts, ...] = ()
    latency: Latency = Latency()
    """Of the requests that were answered."""
    first_token: Latency = Latency()
    tasks: tuple[TaskFacts, ...] = ()
    attempts: tuple[AttemptFacts, ...] = ()
    fallbacks: tuple[FallbackFacts, ...] = ()
    audits: tuple[AuditFacts, ...] = ()
    """Empty while nothing has been audited."""
    findings: tuple[Finding, ...] = ()
    """What these audits found, as estimates use it."""
    populations: tuple[Population, ...] = ()
    """The requests that they are a sample of, by stratum."""
    agreement: tuple[Agreement, ...] = ()
    """How the judges agree with the labels that there were until then."""
    confusions: Mapping[str, Confusion] = {}
    """What these labels say of each judge's errors."""
    judging: float = 0.0
    """Dollars that audits cost; they are in `cost`."""
    days: tuple[DayFacts, ...] = ()
    """By day, task and model, in order; a day without requests has no row."""
    too_long: Mapping[int, int] = {}
    """Requests that a token limit sent to a paid model, by the smallest power of two that holds their prompt and an answer."""
    energy: float = 0.0
    """Joules of all requests, as far as they are known."""
    home: Home = Home()
    """What the machines at home cost beside requests."""
    break_even: str | None = None
    """The day on which the hardware has paid for itself, "2027-03-14"; None when that cannot be said."""
    break_even_why: str = ""
    """How that day was found, or why there is none; "" when nothing was bought."""
    alternatives: Mapping[str, int] = {}
    """Requests by the cheap cloud model that they are compared with."""
    statuses: Mapping[str, int] = {}
    cost: float = 0.0
    """Of all requests, as far as it is known."""
    cost_unknown: int = 0
    money: Money = Money()
    baselines: Mapping[str, int] = {}
    """Requests by baseline model."""
    estimated: int = 0
    """Requests with tokens that we had to estimate."""
    lost: int = 0
    """Requests that the ledger could not write, in the runs of that time."""
    unclosed: int = 0
    """Runs of that time that ended without closing the ledger; what waited for the disk then was not written."""
    prices_as_of: tuple[str, ...] = ()
    """Days of the prices used, in order."""
    repriced: tuple[str, ...] = ()
    """Models that were called at more than one price, as they are shown."""
    renamed: tuple[tuple[str, ...], ...] = ()
    """The names of each model that was shown under more than one."""
    imported: int = 0
    """Requests that were not seen by a gate but read from a file."""
    clock_jumps: int = 0
    """How often the machine's clock was set back while the ledger was written."""
    cards: tuple[Card, ...] = ()
    """What was last measured of each local model before the end of that time."""
