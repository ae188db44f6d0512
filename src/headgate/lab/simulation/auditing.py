"""Audits of simulated requests: chosen by the real sampling rule, compared by judges that err, a few of them labelled by a person.

    auditor.audit(player, week, chance) → Audited: findings, what they mean for the record, and the truth that nobody is told

Which answer from home is compared is what the auditor of a gate does: of a fallback the one that would have gone out if nothing might
be paid, by the models of its chain or, where that has none at home, of the route for everything else; of a local answer that one.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice
from math import log
from random import Random

from msgspec import Struct, field

from headgate.core.alternating import alternating
from headgate.core.audits import Finding, Opinion
from headgate.core.judge_errors import Confusion, Tally
from headgate.core.past import Found
from headgate.core.policy import Policy
from headgate.core.sampling import UNKNOWN, Known, Stratum, shares, unseen
from headgate.core.strata import Population
from headgate.core.words import AuditKind, AuditVerdict, Judge
from headgate.lab.simulation.playing import Played, Player, Recorded
from headgate.lab.simulation.world import SCORES, Kind

VERDICTS: Mapping[tuple[AuditKind, bool], AuditVerdict] = {
    ("fallback", True): "unnecessary",
    ("fallback", False): "necessary",
    ("local", True): "good",
    ("local", False): "missed",
}

Right = Mapping[Judge, tuple[float, float]]
"""How often each judge is right about a good local answer, and about a bad one."""

ERRING: Right = {
    "label": (0.998, 0.995),
    "fields": (0.995, 0.99),
    "facts": (0.985, 0.96),
    "local model": (0.97, 0.93),
}
INFALLIBLE: Right = dict.fromkeys(ERRING, (1.0, 1.0))


class Auditing(Struct, frozen=True, kw_only=True):
    """How much is audited, and by whom."""

    sample: float = 0.2
    """Share of fallbacks (`[audit] sample`)."""
    local_sample: float = 0.1
    """Share of answers from home (`[audit] local_sample`)."""
    labels: int = 40
    """Audited requests that a person labels each week, in turns of what the judge said."""
    right: Right = field(default_factory=lambda: ERRING)


class Audited(Struct, frozen=True, kw_only=True):
    """A week's audits."""

    findings: tuple[Finding, ...]
    populations: tuple[Population, ...]
    unnecessary: int
    """Fallbacks that were, in truth."""
    missed: int
    """Answers from home that were not as good, in truth."""


class Compared(Struct, frozen=True):
    """The answer from home that an audit compares."""

    model: str
    good: bool
    """In truth."""
    score: float
    rejected: tuple[tuple[str, float], ...] = ()
    """Others that answered, with their scores."""


class Audit(Struct, frozen=True):
    """One request that was chosen, and what a judge says of it."""

    stratum: Stratum
    played: Played
    compared: Compared
    judge: Judge
    as_good: bool
    """As the judge says."""

    @property
    def said(self) -> Opinion:
        """The judge's word."""
        return Opinion(verdict=VERDICTS[self.stratum.kind, self.as_good], judge=self.judge)

    @property
    def label(self) -> Opinion:
        """A person's, which is the truth."""
        return Opinion(verdict=VERDICTS[self.stratum.kind, self.compared.good], judge="person")

    def finding(self, probability: float, *, labelled: bool) -> Finding:
        """As estimates use it."""
        in_force = self.label if labelled else self.said
        return Finding(
            request=0,
            kind=self.stratum.kind,
            verdict=in_force.verdict,
            judge=in_force.judge,
            judged=self.said.verdict if labelled else None,
            judged_by=self.judge if labelled else "",
            probability=probability,
            route=self.stratum.route,
            task=self.stratum.task,
            model=self.compared.model,
            cause=str(self.played.outcome.fallback or ""),
            score=self.compared.score,
            cost=self.played.cost,
        )

    def found(self, probability: float, *, labelled: bool) -> Found:
        """As a search uses it."""
        compared, others = self.compared, 1 / probability - 1
        return Found(
            model=compared.model,
            good=compared.good if labelled else self.as_good,
            judge=self.judge,
            judged=self.as_good,
            score=compared.score,
            rejected=compared.rejected,
            speaks_for=others,
            squares=others**2,
        )


class Auditor:
    """Audits week after week.

    Args:
        how: how much.
    """

    def __init__(self, how: Auditing) -> None:
        self.how = how
        self._known: dict[Stratum, Known] = {}
        self._tally = Tally()

    def audit(self, player: Player, week: Mapping[Kind, int], record: Recorded, chance: Random) -> Audited:
        """Audit a week, and write into the record what was found."""
        strata: defaultdict[Stratum, list[tuple[Kind, Played, int]]] = defaultdict(list)
        for kind, requests in week.items():
            played = player.play(kind)
            record.add(played, requests)
            stratum = Stratum("local" if played.local else "fallback", played.route, kind.task)
            strata[stratum].append((kind, played, requests))
        chances = self.chances(strata)
        audits: list[Audit] = []
        populations = []
        truly = {"fallback": 0, "local": 0}
        for stratum, rows in strata.items():
            many = sum([requests for _, _, requests in rows])
            cost = sum([requests * played.cost for _, played, requests in rows])
            populations.append(
                Population(
                    kind=stratum.kind, route=stratum.route, task=stratum.task, requests=many, cost=cost
                )
            )
            compared = [compare(player.policy, kind, played) for kind, played, _ in rows]
            truly[stratum.kind] += sum(
                [
                    n
                    for (_, _, n), one in zip(rows, compared, strict=True)
                    if one.good is (stratum.kind == "fallback")
                ]
            )
            for place in chosen([requests for _, _, requests in rows], chances[stratum], chance):
                kind, played, _ = rows[place]
                judge = player.works[kind.task].judge
                good = compared[place].good
                said = good is (chance.random() < self.how.right[judge][0 if good else 1])
                audits.append(Audit(stratum, played, compared[place], judge, said))
        labelled = self.label(audits, chance)
        findings: defaultdict[Stratum, list[Finding]] = defaultdict(list)
        for audit in audits:
            probability, seen = chances[audit.stratum], id(audit) in labelled
            findings[audit.stratum].append(audit.finding(probability, labelled=seen))
            record.add_audit(audit.played, audit.found(probability, labelled=seen))
        for population in populations:
            stratum = Stratum(population.kind, population.route, population.task)
            self.learn(stratum, population.requests, findings[stratum])
        return Audited(
            findings=tuple([finding for found in findings.values() for finding in found]),
            populations=tuple(populations),
            unnecessary=truly["fallback"],
            missed=truly["local"],
        )

    def chances(self, strata: Mapping[Stratum, Sequence[tuple[Kind, Played, int]]]) -> dict[Stratum, float]:
        """The probability of each stratum, by what is known of those before."""
        found: dict[Stratum, float] = {}
        kinds: tuple[tuple[AuditKind, float], ...] = (
            ("fallback", self.how.sample),
            ("local", self.how.local_sample),
        )
        for kind, sample in kinds:
            own = {stratum: known for stratum, known in self._known.items() if stratum.kind == kind}
            told = shares(sample, own)
            new = unseen(sample, told.values())
            found |= {stratum: told.get(stratum, new) for stratum in strata if stratum.kind == kind}
        return found

    def learn(self, stratum: Stratum, requests: int, found: Sequence[Finding]) -> None:
        """Add a week to what is known of a stratum."""
        before = self._known.get(stratum, UNKNOWN)
        bad = len([one for one in found if one.verdict in ("unnecessary", "missed")])
        self._known[stratum] = Known(requests=requests, found=before.found + len(found), bad=before.bad + bad)

    def label(self, audits: Sequence["Audit"], chance: Random) -> set[int]:
        """A person says of some what a judge should have said: the identities of these."""
        by_verdict: defaultdict[AuditVerdict, list[Audit]] = defaultdict(list)
        for audit in audits:
            by_verdict[audit.said.verdict].append(audit)
        for alike in by_verdict.values():
            chance.shuffle(alike)
        labelled = {id(audit) for audit in islice(alternating(by_verdict), self.how.labels)}
        for audit in audits:
            self._tally.add(audit.said, audit.label if id(audit) in labelled else None)
        return labelled

    @property
    def confusions(self) -> dict[str, Confusion]:
        """How often each judge was right, by the labels so far."""
        return self._tally.confusions


def compare(policy: Policy, kind: Kind, played: Played) -> Compared:
    """The answer from home that is compared, and those that were had beside it."""
    answers = {"small": (kind.small_good, SCORES[kind.small]), "large": (kind.large_good, SCORES[kind.large])}
    if played.local:
        return Compared(played.model, *answers[played.model])
    asked = [attempt.model for attempt in played.outcome.attempts if policy.models[attempt.model].local]
    chains = ([one.model for one in played.outcome.decision.candidates], policy.routes[-1].chain)
    home = next(found for chain in chains if (found := [name for name in chain if policy.models[name].local]))
    names = asked + [name for name in home if name not in asked]
    bar = played.outcome.decision.pass_at
    passing = next((name for name in names if answers[name][1] >= bar), None)
    had = names[: names.index(passing) + 1] if passing else names
    name = passing or max(reversed(names), key=lambda name: answers[name][1])
    return Compared(
        name, *answers[name], tuple([(other, answers[other][1]) for other in had if other != name])
    )


def chosen(requests: Sequence[int], probability: float, chance: Random) -> Iterator[int]:
    """Each request is chosen with this probability: the places of those that are.

    Drawn by the gaps between them, which is the same as asking for each.
    """
    if probability <= 0.0:
        return
    ends = list(accumulate(requests))
    at = -1
    scale = log(1.0 - probability) if probability < 1.0 else 0.0
    while True:
        at += 1 + (int(log(1.0 - chance.random()) / scale) if scale else 0)
        if at >= ends[-1]:
            return
        yield bisect_right(ends, at)
