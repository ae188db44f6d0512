"""How many fallbacks were unnecessary, and how many local answers wrong: what audits of some requests say of all of them.

    findings + populations ── estimate() ──► Estimates: overall, by stratum, by cause; each with a 95 % interval

A request that was chosen with the chance p stands for 1 / p requests of its stratum, which is its route and its task. Within a stratum
the weights are brought to the number of requests that there were (post-stratification), so that audits which failed or gave no clear
verdict leave no hole. `docs/audits.md` is the method for people. This module does not know how requests are chosen or judged.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, sqrt
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.audits import Finding
from headgate.core.counted import NONE, Counted, Judging, is_hit, judging_of
from headgate.core.judge_errors import Confusion
from headgate.core.judges.found import verdict_for
from headgate.core.shares import share_ends
from headgate.core.spans import SURE, Span
from headgate.core.strata import (
    Population,
    Requests,
    Stratum,
    Weighed,
    is_clear,
    is_known,
    put_together,
    strata_of,
)
from headgate.core.words import AuditKind, AuditVerdict

STEADY: Final = 2.0
"""Findings' worth of trust in that hits weigh no more than others, before the findings themselves say so."""


class Estimate(Struct, frozen=True, kw_only=True):
    """What is known of some requests: how many of them are hits (unnecessary fallbacks, missed escalations)."""

    requests: int
    """That it is about, audited or not."""
    judged: int
    """Audited with a clear verdict."""
    unclear: int
    """Audited, and nobody can say."""
    found: int
    """Hits among the judged."""
    number: Span | None
    """Hits among all; None where nothing that was chosen by chance tells."""
    dollars: Span | None
    """What the hits cost, as far as it is known; None likewise, and where the cost of all is unknown."""
    unpriced: int
    """Of the requests, those whose cost is unknown: the dollars are at least what is said, without these."""
    if_unclear: tuple[float, float] | None
    """The expected number if no unclear one was a hit, and if each was; None likewise."""
    whole: bool
    """Every request was judged: the number is counted and no estimate."""


class Estimates(Struct, frozen=True, kw_only=True):
    """The estimates of one kind of audits."""

    kind: AuditKind
    all: Estimate
    by_stratum: Mapping[Stratum, Estimate]
    """Those of most requests first."""
    by_cause: Mapping[str, Estimate]
    """By the check or the reason that led there, those of most hits first: `number` counts the hits of that cause."""


def estimate(
    findings: Iterable[Finding],
    populations: Iterable[Population],
    kind: AuditKind,
    confusions: Mapping[str, Confusion] | None = None,
) -> Estimates:
    """What findings say of all requests.

    Args:
        findings: of any kind; those of another kind are passed over.
        populations: all requests of the time, by stratum.
        kind: fallbacks, of which the unnecessary ones are hits; or local answers, of which the missed ones are.
        confusions: how often each judge is right, where labels tell; its errors are then taken out, and widen the interval.
    """
    strata = strata_of(findings, populations, kind)
    judging = judging_of(
        [finding for stratum in strata for finding in stratum.findings], confusions or {}, kind
    )
    groups = put_together(strata)
    causes = {finding.cause for stratum in strata for finding in stratum.findings if finding.cause}
    by_cause = {cause: _of_cause(groups, cause, judging) for cause in sorted(causes)}
    return Estimates(
        kind=kind,
        all=_of_groups(strata, groups, judging),
        by_stratum={(one.route, one.task): _of_groups([one], [one], judging) for one in strata},
        by_cause=dict(sorted(by_cause.items(), key=lambda item: -_expected(item[1]))),
    )


# ── Sums with ends ───────────────────────────────────────────────────────────────────────────────────────────────────


class Part(Struct, frozen=True):
    """What one group adds to a sum."""

    expected: float
    down: float
    """How far below that the truth may lie, with 95 %, since only some requests were audited."""
    up: float
    least: float
    most: float
    """What no error can exceed: the part that is known, and with all of the rest."""
    by_judge: Mapping[str, tuple[float, float]]
    """How much the expected value changes with each of the two rates of a judge."""


Size = Callable[[Finding], float | None]


def part_of(
    group: Requests,
    total: float,
    size: Size,
    judging: Judging,
    cause: str | None = None,
) -> Part | None:
    """What a group's hits come to; None where nothing tells.

    Args:
        group: the requests.
        total: what the sizes of all of them add up to.
        size: what a request counts for; None is unknown.
        judging: what findings count for.
        cause: only hits of this one; None is all.
    """
    certain = [
        (value, is_hit(one) and cause in (None, one.cause))
        for one in group.certain
        if (value := size(one)) is not None
    ]
    known = sum(value for value, counts in certain if counts)
    rest = max(0.0, total - sum(value for value, _ in certain))
    chosen = [
        (one.weight, value, judging.count(one.finding) if cause in (None, one.finding.cause) else NONE)
        for one in group.weighed
        if (value := size(one.finding)) is not None
    ]
    whole = sum(weight * value for weight, value, _ in chosen)
    if not whole:
        return None if rest > 1e-9 * total else Part(known, 0.0, 0.0, known, known, {})
    share = sum(weight * value * counted.seen for weight, value, counted in chosen) / whole
    low, high = share_ends(share, effective_size([(w, value, one.seen) for w, value, one in chosen], share))
    expected = perhaps = stretched = 0.0
    by_judge: dict[str, tuple[float, float]] = {}
    for weight, value, counted in chosen:
        if counted is NONE:
            continue
        part = weight * value / whole * rest
        expected += part * counted.value
        perhaps += part
        stretched += (1.0 - counted.believed) * part
        if counted.judge:
            errors = judging.known[counted.judge].errors
            doubt = counted.believed * part / errors.power
            stretched += doubt
            said = errors.corrected(counted.said)
            hits, misses = by_judge.get(counted.judge, (0.0, 0.0))
            by_judge[counted.judge] = hits - doubt * said, misses + doubt * (1.0 - said)
    reach = rest * (stretch_of(chosen, stretched / perhaps) if judging.known and perhaps else 1.0)
    return Part(
        known + expected, reach * (share - low), reach * (high - share), known, known + rest, by_judge
    )


def stretch_of(chosen: Sequence[tuple[float, float, Counted]], usual: float) -> float:
    """How many times as far values lie apart once errors are taken out: those of the judges that find something count most.

    Args:
        chosen: weight, size, and what it counts for.
        usual: how many times on the average of all: it is believed of one more hit, which none may have been yet.
    """
    whole = sum(weight * size for weight, size, _ in chosen)
    seen, value = [
        sum(weight * size * told for (weight, size, _), told in zip(chosen, each, strict=True)) / whole
        for each in ([one.seen for _, _, one in chosen], [one.value for _, _, one in chosen])
    ]
    before = after = spread = 0.0
    for weight, size, counted in chosen:
        square = weight * (weight - 1.0) * size * size
        spread += square
        before += square * (counted.seen - seen) ** 2
        after += square * (counted.value - value) ** 2
    one = spread / len(chosen)
    return sqrt((after + one * usual * usual) / (before + one)) if one else usual


def effective_size(chosen: Sequence[tuple[float, float, float]], share: float) -> float:
    """How many requests chosen alike, from very many, would tell as much; infinite where all are known.

    Kish's, with what is certain counted as such: a request of weight 1 adds no doubt. Where hits weigh more (or less) than others, the
    findings say so by and by, and the design effect follows them.

    Args:
        chosen: weight, size, and whether it is a hit (1) or not (0).
        share: of the hits.
    """
    whole = sum(weight * size for weight, size, _ in chosen)
    spread = sum(weight * (weight - 1.0) * size * size for weight, size, _ in chosen)
    if spread <= 1e-9 * whole * whole:
        return inf
    alike = whole * whole / spread
    if not 0.0 < share < 1.0:
        return alike
    usual = share * (1.0 - share)
    seen = (
        sum(weight * (weight - 1.0) * size * size * (hit - share) ** 2 for weight, size, hit in chosen)
        / spread
    )
    trust = min(share, 1.0 - share) * len(chosen)
    return alike * min(1.0, usual / ((seen * trust + usual * STEADY) / (trust + STEADY)))


def span_of(parts: Sequence[Part | None], judging: Judging) -> Span | None:
    """The parts put together by the squares of their distances (MOVER, as in `spans`); None where any is missing."""
    if any(part is None for part in parts):
        return None
    told = [part for part in parts if part is not None]
    expected = sum(part.expected for part in told)
    doubt = 0.0
    for judge, known in judging.known.items():
        hits = sum(part.by_judge.get(judge, (0.0, 0.0))[0] for part in told)
        misses = sum(part.by_judge.get(judge, (0.0, 0.0))[1] for part in told)
        errors = known.errors
        doubt += hits * hits * errors.hit_variance + misses * misses * errors.miss_variance
        doubt += 2.0 * hits * misses * errors.covariance
    doubt *= SURE * SURE
    least, most = sum(part.least for part in told), sum(part.most for part in told)
    expected = min(max(expected, least), most)
    down = sqrt(doubt + sum(part.down**2 for part in told))
    up = sqrt(doubt + sum(part.up**2 for part in told))
    return Span(max(least, expected - down), expected, min(most, expected + up))


# ── Estimates ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_groups(strata: Sequence[Requests], groups: Sequence[Requests], judging: Judging) -> Estimate:
    findings = [finding for stratum in strata for finding in stratum.findings]
    clear = [finding for finding in findings if is_clear(finding)]
    requests = sum(stratum.requests for stratum in strata)
    unpriced = sum(stratum.unpriced for stratum in strata)
    return Estimate(
        requests=requests,
        judged=len(clear),
        unclear=len(findings) - len(clear),
        found=sum(map(is_hit, clear)),
        number=span_of([part_of(one, one.requests, _one, judging) for one in groups], judging),
        dollars=None
        if 0 < requests <= unpriced
        else span_of([part_of(one, one.cost, _dollars, judging) for one in groups], judging),
        unpriced=unpriced,
        if_unclear=_if_unclear(groups),
        whole=len(clear) >= requests,
    )


def _of_cause(groups: Sequence[Requests], cause: str, judging: Judging) -> Estimate:
    findings = [finding for group in groups for finding in group.findings if finding.cause == cause]
    clear = [finding for finding in findings if is_clear(finding)]
    standing = [
        one
        for group in groups
        for one in (*(Weighed(finding, 1.0) for finding in group.certain), *group.weighed)
        if one.finding.cause == cause
    ]
    unknown = [one.weight for one in standing if one.finding.cost is None]
    priced = len(unknown) < len(standing) if standing else any(one.unpriced < one.requests for one in groups)
    return Estimate(
        requests=round(sum(one.weight for one in standing)),
        judged=len(clear),
        unclear=len(findings) - len(clear),
        found=sum(map(is_hit, clear)),
        number=span_of([part_of(one, one.requests, _one, judging, cause) for one in groups], judging),
        dollars=span_of([part_of(one, one.cost, _dollars, judging, cause) for one in groups], judging)
        if priced
        else None,
        unpriced=round(sum(unknown)),
        if_unclear=None,
        whole=all(map(is_known, groups)),
    )


def _if_unclear(groups: Sequence[Requests]) -> tuple[float, float] | None:
    """The expected number of hits with every unclear finding as none, and as one; judges are taken at their word."""
    ends = []
    for as_hit in (False, True):
        total = 0.0
        for group in groups:
            decided = [
                one if is_clear(one) else replace(one, verdict=clear_verdict(one.kind, hit=as_hit))
                for one in group.findings
            ]
            part = part_of(replace(group, findings=tuple(decided)), group.requests, _one, Judging())
            if part is None:
                return None
            total += part.expected
        ends.append(total)
    return ends[0], ends[1]


def clear_verdict(kind: AuditKind, *, hit: bool) -> AuditVerdict:
    """What an unclear one would be: a hit of fallbacks is an answer that is as good, one of local answers is not."""
    return verdict_for(kind, as_good=hit == (kind == "fallback"))


def _one(_finding: Finding) -> float:
    return 1.0


def _dollars(finding: Finding) -> float | None:
    return finding.cost


def _expected(estimate: Estimate) -> float:
    return estimate.found if estimate.number is None else estimate.number.expected
