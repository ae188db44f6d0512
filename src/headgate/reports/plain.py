"""The weekly report as JSON values, for programs; its JSON Schema is `schema()` and docs/report.schema.json.

Money is dollars, durations are seconds, shares are 0-1, and null is unknown: `fallbacks.unnecessary` is null until audits
measure it. Names of fields are kept from one version to the next; new ones may come. `local_models` is there once a
local model was measured.
"""

from typing import Any

import msgspec
from msgspec import Struct

from headgate.core.cards import Card
from headgate.core.curves import Curve
from headgate.core.estimates import Estimate, Estimates
from headgate.core.judges.agreement import Agreement
from headgate.reports.audited import Audited
from headgate.reports.changes import Change
from headgate.reports.facts import (
    AttemptFacts,
    AuditFacts,
    DayFacts,
    FallbackFacts,
    Latency,
    ServedFacts,
    TaskFacts,
)
from headgate.reports.weekly import Flag, Unnecessary, WeeklyReport


class SavingsJson(Struct, frozen=True, kw_only=True):
    """What was saved; null where no request could be compared, or where a price is not set."""

    baseline_model: str
    baseline: float | None
    cost: float | None
    saved: float | None
    """In cash."""
    share: float | None
    """`saved` of `baseline`."""
    requests: int
    """Requests that are compared."""
    unknown: int
    """Requests that are left out, as their cost or their baseline is unknown."""
    energy_cost: float | None
    energy_unknown: int
    """Of `requests`, those whose energy is in no sum: `net_of_energy` and `net_of_hardware` are at most that."""
    net_of_energy: float | None
    hardware_cost: float | None
    net_of_hardware: float | None
    """Net of energy and hardware."""
    break_even: str | None
    """The day on which the hardware has paid for itself."""
    alternative_model: str
    """The cheap cloud model that most requests are compared with."""
    alternative: float | None
    """What the week would have cost there, without the requests of `alternative_unknown`."""
    alternative_unknown: int
    """Of `requests`, those that no cheap cloud model could have taken."""
    against_alternative: float | None
    """That, minus what the week did cost with energy and hardware; negative where home lost, null where it cannot be said."""


class FallbacksJson(Struct, frozen=True, kw_only=True):
    """Requests that a paid model answered."""

    triggered: int
    unnecessary: int | None
    """Counted where every fallback was audited, else estimated (`audit.whole`)."""
    audit: Unnecessary | None
    reasons: tuple[FallbackFacts, ...]


class EstimateJson(Estimate, frozen=True, kw_only=True):
    """What audits say of some requests: how many are hits, which is unnecessary fallbacks or missed escalations."""

    route: str | None = None
    """With `task`: the stratum that it is of."""
    task: str | None = None
    cause: str | None = None
    """The check that rejected the local answer, or the reason of the fallback; `number` counts the hits of that cause, and `requests`
    is how many the cause is estimated to have."""


class EstimatesJson(Struct, frozen=True, kw_only=True):
    """One kind of audits."""

    all: EstimateJson
    by_stratum: tuple[EstimateJson, ...]
    by_cause: tuple[EstimateJson, ...]


class AuditedJson(Struct, frozen=True, kw_only=True):
    """What audits say of the week, with 95 % intervals."""

    fallbacks: EstimatesJson
    """Hits are unnecessary ones."""
    local: EstimatesJson
    """Local answers that passed; hits are missed escalations, and dollars what the baseline would have cost for them."""
    curves: tuple[Curve, ...]
    """By check: at each threshold, failures against dollars, as if that check alone decided."""
    judges: tuple[str, ...]
    agreement: tuple[Agreement, ...]
    """How the judges agree with labels, each model by itself."""
    cost: float
    """Dollars for repeated answers and judges."""


class TaskJson(TaskFacts, frozen=True, kw_only=True):
    """A task, and how often local answers failed at it."""

    rate: float | None
    interval: tuple[float, float] | None
    """The rate's 95 % interval (Wilson)."""
    flag: Flag | None
    """"over": the interval is above the limit; "maybe": only the rate is; "few": it is, on too few requests."""
    failing: bool
    """The flag is "over"."""
    at_home: int
    """Requests that a local model answered."""
    answered: dict[str, int]
    """Requests by the model that answered."""


class ReportJson(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One week."""

    week: str
    """ "2026-W47"."""
    period: str
    """ "Nov 16 - Nov 22, 2026"."""
    since: float
    """Unix time of its first moment."""
    until: float
    """Unix time of the first moment after it."""
    complete: bool
    """The week was over when the report was made."""
    requests: int
    at_home: int
    """Requests that a local model answered."""
    unanswered: int
    statuses: dict[str, int]
    models: tuple[ServedFacts, ...]
    latency: Latency
    first_token: Latency
    cost: float
    cost_unknown: int
    savings: SavingsJson
    fallbacks: FallbacksJson
    tasks: tuple[TaskJson, ...]
    attempts: tuple[AttemptFacts, ...]
    days: tuple[DayFacts, ...]
    audits: tuple[AuditFacts, ...]
    audited: AuditedJson
    changes: tuple[Change, ...]
    """What the figures say should be changed."""
    too_long: dict[str, int]
    """Requests that a token limit sent away, by the window that would hold them."""
    energy: float
    """Joules, as far as they are known."""
    baselines: dict[str, int]
    alternatives: dict[str, int]
    estimated: int
    """Requests with estimated tokens."""
    lost: int
    unclosed: int
    clock_jumps: int
    imported: int
    repriced: tuple[str, ...]
    renamed: tuple[tuple[str, ...], ...]
    prices_as_of: tuple[str, ...]
    warn_over: float
    at_least: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    local_models: tuple[Card, ...] = ()


def plain(report: WeeklyReport) -> dict[str, Any]:
    """The report as JSON values."""
    facts = report.facts
    shown = ReportJson(
        week=str(report.week),
        period=report.week.period,
        since=facts.since,
        until=facts.until,
        complete=report.complete,
        requests=facts.requests,
        at_home=report.at_home,
        unanswered=report.unanswered,
        statuses=dict(facts.statuses),
        models=facts.served,
        latency=facts.latency,
        first_token=facts.first_token,
        cost=facts.cost,
        cost_unknown=facts.cost_unknown,
        savings=_savings(report),
        fallbacks=FallbacksJson(
            triggered=report.fallbacks,
            unnecessary=None if report.unnecessary is None else report.unnecessary.number,
            audit=report.unnecessary,
            reasons=facts.fallbacks,
        ),
        tasks=tuple(
            TaskJson(
                **msgspec.structs.asdict(line.facts),
                rate=line.rate,
                interval=line.interval,
                flag=line.flag,
                failing=line.failing,
                at_home=line.at_home,
                answered=dict(line.answered),
            )
            for line in report.tasks
        ),
        attempts=facts.attempts,
        days=facts.days,
        audits=facts.audits,
        audited=audited_json(report.audited),
        changes=report.changes,
        too_long={str(size): requests for size, requests in facts.too_long.items()},
        energy=facts.energy,
        baselines=dict(facts.baselines),
        alternatives=dict(facts.alternatives),
        estimated=facts.estimated,
        lost=facts.lost,
        unclosed=facts.unclosed,
        clock_jumps=facts.clock_jumps,
        imported=facts.imported,
        repriced=facts.repriced,
        renamed=facts.renamed,
        prices_as_of=facts.prices_as_of,
        warn_over=report.warn_over,
        at_least=report.at_least,
        warnings=report.warnings,
        notes=report.notes,
        local_models=facts.cards,
    )
    built: dict[str, Any] = msgspec.to_builtins(shown)
    return built


def schema() -> dict[str, Any]:
    """The JSON Schema that every report fits."""
    return msgspec.json.schema(ReportJson)


def audited_json(found: Audited) -> AuditedJson:
    """What audits say, as JSON values are made of it."""
    return AuditedJson(
        fallbacks=_estimates(found.fallbacks),
        local=_estimates(found.local),
        curves=found.curves,
        judges=found.judges,
        agreement=found.agreement,
        cost=found.cost,
    )


def _estimates(found: Estimates) -> EstimatesJson:
    asdict = msgspec.structs.asdict
    return EstimatesJson(
        all=EstimateJson(**asdict(found.all)),
        by_stratum=tuple(
            EstimateJson(**asdict(one), route=route, task=task)
            for (route, task), one in found.by_stratum.items()
        ),
        by_cause=tuple(EstimateJson(**asdict(one), cause=cause) for cause, one in found.by_cause.items()),
    )


def _savings(report: WeeklyReport) -> SavingsJson:
    saved = report.savings
    known = saved.requests > 0
    return SavingsJson(
        baseline_model=report.baseline,
        baseline=saved.baseline if known else None,
        cost=saved.cost if known else None,
        saved=saved.saved if known else None,
        share=saved.share,
        requests=saved.requests,
        unknown=saved.unknown,
        energy_cost=saved.energy_cost,
        energy_unknown=saved.energy_unknown,
        net_of_energy=saved.net_of_energy,
        hardware_cost=saved.hardware_cost,
        net_of_hardware=saved.net_of_hardware,
        break_even=report.facts.break_even,
        alternative_model=report.alternative,
        alternative=saved.alternative,
        alternative_unknown=saved.alternative_unknown,
        against_alternative=saved.against_alternative,
    )
