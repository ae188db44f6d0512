"""How many fallbacks were unnecessary, and how many local answers wrong: what audits of some requests say of all of them.

    findings + populations ── estimate() ──► Estimates: overall, by stratum, by cause; each with a 95 % interval

A request that was chosen with the chance p stands for 1 / p requests of its stratum, which is its route and its task. Within a stratum
the weights are brought to the number of requests that there were (post-stratification), so that audits which failed or gave no clear
verdict leave no hole. `docs/audits.md` is the method for people. This module does not know how requests are chosen or judged.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from headgate.core.audits import Finding
from headgate.core.tallies import Span
from headgate.core.words import AuditKind, AuditVerdict, Task

Stratum = tuple[str, Task | None]
"""A route and a task."""

HITS: Final[Mapping[AuditKind, AuditVerdict]] = {"fallback": "unnecessary", "local": "missed"}
"""What is counted, by the kind of audit."""


class Population(Struct, frozen=True, kw_only=True):
    """The requests of one stratum over some time, of which audits of one kind are a sample."""

    kind: AuditKind
    route: str
    task: Task | None
    requests: int
    cost: float = 0.0
    """Dollars that they cost, as far as they are known."""


class Agreement(Struct, frozen=True):
    """How often a judge says what labels say of a local answer."""

    good: int
    """Labelled pairs whose local answer is as good."""
    good_said: int
    """Of these, those that the judge called so."""
    bad: int
    """Labelled pairs whose local answer is not."""
    bad_said: int
    """Of these, those that the judge called so."""


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
    """What the hits cost; None likewise."""
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


class Weighed(Struct, frozen=True):
    """A judged finding, and how many requests it stands for."""

    finding: Finding
    weight: float


def estimate(
    findings: Iterable[Finding],
    populations: Iterable[Population],
    kind: AuditKind,
    agreement: Mapping[str, Agreement] | None = None,
) -> Estimates:
    """What findings say of all requests.

    Args:
        findings: of any kind; those of another kind are passed over.
        populations: all requests of the time, by stratum.
        kind: fallbacks, of which the unnecessary ones are hits; or local answers, of which the missed ones are.
        agreement: how often each judge is right, where labels tell; its errors are then taken out, and widen the interval.
    """
    raise NotImplementedError


def weigh(
    findings: Iterable[Finding], populations: Iterable[Population], kind: AuditKind
) -> tuple[Weighed, ...]:
    """The judged findings, each with its weight: within a stratum the weights add up to its requests."""
    raise NotImplementedError
