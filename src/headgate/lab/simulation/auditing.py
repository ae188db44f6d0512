"""Audits of simulated requests: chosen by the real sampling rule, compared by judges that err, a few of them labelled by a person.

    auditor.audit(player, week, chance) → Audited: findings, what they mean for the record, and the truth that nobody is told

Which answer from home is compared is what the auditor of a gate does: of a fallback the one that would have gone out if nothing might
be paid, by the models of its chain or, where that has none at home, of the route for everything else; of a local answer that one.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import log
from random import Random

from msgspec import Struct, field

from headgate.core.audits import Finding
from headgate.core.judge_errors import Confusion
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
    labels: int = 20
    """Audited requests that a person labels each week, as chance will have it."""
    right: Right = field(default_factory=lambda: ERRING)


class Audited(Struct, frozen=True, kw_only=True):
    """A week's audits."""

    findings: tuple[Finding, ...]
    populations: tuple[Population, ...]
    unnecessary: int
    """Fallbacks that were, in truth."""
    missed: int
    """Answers from home that were not as good, in truth."""


class Auditor:
    """Audits week after week.

    Args:
        how: how much.
    """

    def __init__(self, how: Auditing) -> None:
        self.how = how
        self._known: dict[Stratum, Known] = {}
        self._right: defaultdict[Judge, list[int]] = defaultdict(lambda: [0, 0, 0, 0])

    def audit(self, player: Player, week: Mapping[Kind, int], record: Recorded, chance: Random) -> Audited:
        """Audit a week, and write into the record what was found."""
        strata: defaultdict[Stratum, list[tuple[Kind, Played, int]]] = defaultdict(list)
        for kind, requests in week.items():
            played = player.play(kind)
            record.add(played, requests)
            stratum = Stratum("local" if played.local else "fallback", played.route, kind.task)
            strata[stratum].append((kind, played, requests))
        chances = self.chances(strata)
        findings: list[Finding] = []
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
                    for (_, _, n), (_, good, _) in zip(rows, compared, strict=True)
                    if good is (stratum.kind == "fallback")
                ]
            )
            found = []
            for place in chosen([requests for _, _, requests in rows], chances[stratum], chance):
                _, played, _ = rows[place]
                model, good, score = compared[place]
                judge = player.works[rows[place][0].task].judge
                said = good is (chance.random() < self.how.right[judge][0 if good else 1])
                labelled = chance.random() < self.how.labels / max(1, self._expected)
                if labelled:
                    self.label(judge, good=good, said=said)
                    said = good
                probability = chances[stratum]
                found.append(
                    Finding(
                        request=0,
                        kind=stratum.kind,
                        verdict=VERDICTS[stratum.kind, said],
                        judge="person" if labelled else judge,
                        probability=probability,
                        route=stratum.route,
                        task=stratum.task,
                        model=model,
                        cause=str(played.outcome.fallback or ""),
                        score=score,
                        cost=played.cost,
                    )
                )
                others = 1 / probability - 1
                record.add_audit(
                    played,
                    Found(
                        model=model,
                        good=said,
                        judge="person" if labelled else judge,
                        score=score,
                        speaks_for=others,
                        squares=others**2,
                    ),
                )
            self.learn(stratum, many, found)
            findings += found
        return Audited(
            findings=tuple(findings),
            populations=tuple(populations),
            unnecessary=truly["fallback"],
            missed=truly["local"],
        )

    def chances(self, strata: Mapping[Stratum, Sequence[tuple[Kind, Played, int]]]) -> dict[Stratum, float]:
        """The probability of each stratum, by what is known of those before; and how many audits that comes to."""
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
        self._expected = sum(
            [found[stratum] * sum([n for _, _, n in rows]) for stratum, rows in strata.items()]
        )
        return found

    def learn(self, stratum: Stratum, requests: int, found: Sequence[Finding]) -> None:
        """Add a week to what is known of a stratum."""
        before = self._known.get(stratum, UNKNOWN)
        bad = len([one for one in found if one.verdict in ("unnecessary", "missed")])
        self._known[stratum] = Known(requests=requests, found=before.found + len(found), bad=before.bad + bad)

    def label(self, judge: Judge, *, good: bool, said: bool) -> None:
        """A person says what a judge should have said."""
        counts = self._right[judge]
        counts[0 if good else 2] += 1
        counts[1 if good else 3] += good == said

    @property
    def confusions(self) -> dict[str, Confusion]:
        """How often each judge was right, by the labels so far."""
        return {judge: Confusion(*counts) for judge, counts in self._right.items()}


def compare(policy: Policy, kind: Kind, played: Played) -> tuple[str, bool, float]:
    """The model whose answer is compared, whether that is good, and its score."""
    answers = {"small": (kind.small_good, SCORES[kind.small]), "large": (kind.large_good, SCORES[kind.large])}
    if played.local:
        return (played.model, *answers[played.model])
    asked = [attempt.model for attempt in played.outcome.attempts if policy.models[attempt.model].local]
    chains = ([one.model for one in played.outcome.decision.candidates], policy.routes[-1].chain)
    home = next(found for chain in chains if (found := [name for name in chain if policy.models[name].local]))
    names = asked + [name for name in home if name not in asked]
    bar = played.outcome.decision.pass_at
    passing = next((name for name in names if answers[name][1] >= bar), None)
    name = passing or max(reversed(names), key=lambda name: answers[name][1])
    return (name, *answers[name])


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
