"""Audited requests in strata, and how many requests each of them stands for.

A stratum is a route and a task. A request that was chosen with the chance p stands for 1 / p of its stratum's; then the weights are
brought to the number of requests that there were (post-stratification), so that audits which failed or gave no clear verdict leave no
hole. One that nobody chose by chance stands for itself. This module does not know what is estimated with it (`estimates`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from headgate.core.audits import Finding
from headgate.core.words import AuditKind, Task

Stratum = tuple[str, Task | None]
"""A route and a task."""

ENOUGH: Final = 10
"""Judged findings of a stratum from which on it is estimated by itself; smaller ones are put together."""


class Population(Struct, frozen=True, kw_only=True):
    """The requests of one stratum over some time, of which audits of one kind are a sample."""

    kind: AuditKind
    route: str
    task: Task | None
    requests: int
    cost: float = 0.0
    """Dollars that they cost, as far as they are known."""
    unpriced: int = 0
    """Of them, those whose cost is unknown."""


class Weighed(Struct, frozen=True):
    """A judged finding, and how many requests it stands for."""

    finding: Finding
    weight: float


def weigh(
    findings: Iterable[Finding], populations: Iterable[Population], kind: AuditKind
) -> tuple[Weighed, ...]:
    """The judged findings, each with its weight: the weights add up to all requests, as far as any finding speaks for them."""
    return tuple(
        weighed
        for group in put_together(strata_of(findings, populations, kind))
        for weighed in (*(Weighed(finding, 1.0) for finding in group.certain), *group.weighed)
    )


class Requests(Struct, frozen=True, kw_only=True):
    """The requests of a stratum, or of some that are put together, and what audits found of them."""

    route: str = ""
    task: Task | None = None
    requests: int
    cost: float
    unpriced: int = 0
    """Requests that are in no `cost`."""
    findings: tuple[Finding, ...]

    @property
    def certain(self) -> tuple[Finding, ...]:
        """The judged ones that nobody chose by chance."""
        return tuple(one for one in self.findings if is_clear(one) and chance_of(one) is None)

    @property
    def chosen(self) -> tuple[tuple[Finding, float], ...]:
        """The judged ones that were chosen by chance, and with which."""
        return tuple((one, p) for one in self.findings if is_clear(one) and (p := chance_of(one)) is not None)

    @property
    def weighed(self) -> tuple[Weighed, ...]:
        """The latter with their weights, which add up to all requests but the certain ones."""
        chosen = self.chosen
        unadjusted = sum(1.0 / p for _, p in chosen)
        if not unadjusted:
            return ()
        scale = (self.requests - len(self.certain)) / unadjusted
        return tuple(Weighed(finding, max(1.0, scale / p)) for finding, p in chosen)


def is_clear(finding: Finding) -> bool:
    """Whether a judge could say."""
    return finding.verdict != "unclear"


def chance_of(finding: Finding) -> float | None:
    """With which it was chosen. A caller's word comes unasked: what it is of stands for itself, chosen or not."""
    return None if finding.judge == "caller" else finding.probability


def strata_of(
    findings: Iterable[Finding], populations: Iterable[Population], kind: AuditKind
) -> tuple[Requests, ...]:
    """The strata, those of most requests first. There are at least as many requests as findings."""
    found: defaultdict[Stratum, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.kind == kind:
            found[finding.route, finding.task].append(finding)
    known: defaultdict[Stratum, list[Population]] = defaultdict(list)
    for population in populations:
        if population.kind == kind:
            known[population.route, population.task].append(population)
    strata = [_stratum(stratum, known[stratum], found[stratum]) for stratum in {*found, *known}]
    return tuple(sorted(strata, key=lambda one: (-one.requests, one.route, one.task or "")))


def _stratum(stratum: Stratum, known: Sequence[Population], found: Sequence[Finding]) -> Requests:
    requests = max(sum(one.requests for one in known), len(found))
    return Requests(
        route=stratum[0],
        task=stratum[1],
        requests=requests,
        cost=sum(one.cost for one in known),
        unpriced=requests - sum(one.requests - one.unpriced for one in known),
        findings=tuple(found),
    )


def put_together(strata: Sequence[Requests]) -> tuple[Requests, ...]:
    """Strata with too few findings to be estimated by themselves become one; if that has too few, too, it joins the smallest other."""
    large = [one for one in strata if len(one.chosen) >= ENOUGH or is_known(one)]
    small = [one for one in strata if one not in large]
    if not small:
        return tuple(large)
    rest = _merged(small)
    able = [one for one in large if not is_known(one)]
    if len(rest.chosen) < ENOUGH and able:
        smallest = able[-1]
        large.remove(smallest)
        rest = _merged([smallest, rest])
    return (*large, rest)


def is_known(stratum: Requests) -> bool:
    """Whether each of its requests was judged."""
    return sum(map(is_clear, stratum.findings)) >= stratum.requests


def _merged(strata: Sequence[Requests]) -> Requests:
    return Requests(
        requests=sum(one.requests for one in strata),
        cost=sum(one.cost for one in strata),
        unpriced=sum(one.unpriced for one in strata),
        findings=tuple(finding for one in strata for finding in one.findings),
    )
