"""The whole loop, week by week: route, record, audit, estimate, tune, apply, watch, roll back.

    run(seasons, policy, chance) → Run: its estimates, its changes, and the truth beside them

What is decided is decided by the functions that decide in a gate: the policy, the cascade, the sampling rule, the estimates, the tuner
and the watch over changes. What they are told is what a ledger would tell them. Here is only the order in which they are asked.
"""

from collections.abc import Sequence
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.audits import Finding
from headgate.core.effects import Record
from headgate.core.estimates import Estimate, estimate
from headgate.core.judge_errors import errors_by_judge
from headgate.core.losses import JudgeErrors
from headgate.core.past import Past
from headgate.core.policy import Policy
from headgate.core.proposals import Refusal
from headgate.core.settings import Setting, setting_of, with_settings
from headgate.core.strata import Population
from headgate.core.tuning import searched_before, tune
from headgate.core.watching import DAY, AppliedChange, judge_change
from headgate.core.words import AuditKind
from headgate.lab.past import without_evidence
from headgate.lab.simulation.auditing import Auditing, Auditor
from headgate.lab.simulation.playing import Player, Recorded, together
from headgate.lab.simulation.truth import crowd_of, truth_of
from headgate.lab.simulation.world import World

WEEK = 7 * DAY

FIRST_TUNING = 4
"""Weeks until the settings are tuned for the first time; from then on each week."""
LOOKED_AT = 8
"""Weeks that a search looks back."""


AUDITED = Auditing()
"""How much is audited where nothing else is said."""


class Change(Struct, frozen=True, kw_only=True):
    """A proposal that was applied, with the truth about it."""

    week: int
    aim: str
    settings: tuple[Setting, ...]
    promised: float
    """The lower bound of quality that it was applied by."""
    quality: float
    """What it really comes to, in the weeks that follow."""
    state: str = "watched"


class Run(Struct, frozen=True, kw_only=True):
    """Some weeks of one agency."""

    policies: tuple[Policy, ...]
    """In force in each week."""
    changes: tuple[Change, ...]
    policy: Policy
    """At the end."""
    unnecessary: int
    """Fallbacks that were, in truth."""
    fallbacks: Estimate
    """What all audits together say of them."""
    missed: int
    """Answers from home that were not good, in truth."""
    local: Estimate
    refusals: tuple[tuple[int, Refusal], ...]
    """With the weeks after which they were given."""


class Loop:
    """An agency's loop under way.

    Args:
        policy: the page in force.
        how: how much is audited.
        floor: the least quality.
        chance: draws.
    """

    def __init__(self, policy: Policy, how: Auditing, floor: float, chance: Random) -> None:
        self.policy, self.floor, self.chance = policy, floor, chance
        self.auditor = Auditor(how)
        self.record: list[tuple[Past, ...]] = []
        self.findings: list[Finding] = []
        self.populations: list[Population] = []
        self.policies: list[Policy] = []
        self.unnecessary = self.missed = 0
        self.changes: list[Change] = []
        self.refusals: list[tuple[int, Refusal]] = []
        self.watched: dict[int, AppliedChange] = {}
        """By their places in `changes`."""
        self.avoid: frozenset[Setting] = frozenset()

    def live(self, world: World, number: int, player: Player) -> None:
        """One week: requests come, are answered, and audited."""
        requests, record = world.week(number, self.chance), Recorded()
        audited = self.auditor.audit(player, requests, record, self.chance)
        self.record.append(tuple(record.past()))
        self.findings += audited.findings
        self.populations += audited.populations
        self.policies.append(self.policy)
        self.unnecessary += audited.unnecessary
        self.missed += audited.missed

    def forget(self, model: str) -> None:
        """Another version of a model lies under its name: what was found of the one before says nothing of it."""
        self.record = [
            tuple([without_evidence(past, frozenset((model,))) for past in week]) for week in self.record
        ]

    def estimate(self, kind: AuditKind) -> Estimate:
        """What all audits so far say, with the errors of judges taken out as far as labels tell of them."""
        return estimate(self.findings, self.populations, kind, self.auditor.confusions).all

    @property
    def errors(self) -> JudgeErrors:
        """Of the judges, as the labels so far tell."""
        return errors_by_judge(self.auditor.confusions, "local", weak_too=True)

    def watch(self) -> None:
        """Look at the changes that are watched."""
        for place, change in tuple(self.watched.items()):
            news = self.look(change)
            if news.state == "watched":
                self.watched[place] = news
                continue
            self.changes[place] = replace(self.changes[place], state=news.state)
            del self.watched[place]
            if news.state == "rolled back":
                self.policy = with_settings(self.policy, change.before)
                self.avoid |= frozenset(change.settings)

    def look(self, change: AppliedChange) -> AppliedChange:
        """A change as it stands now. One whose lines were changed again is nobody's to watch."""
        if any(setting_of(self.policy, one.table, one.key) != one for one in change.settings):
            return replace(change, state="undone")
        now = len(self.record) * WEEK
        first = round(change.applied / WEEK)
        since = Record(past=together(self.record[first:]), weeks=len(self.record) - first)
        judged = judge_change(
            change, since, self.policy, now, errors=self.errors, worked=(now - change.applied) / DAY
        )
        if judged.look is not None:
            change = replace(change, looks=(*change.looks, judged.look))
        if judged.verdict == "keep watching":
            return change
        return replace(change, state="kept" if judged.verdict == "keep" else "rolled back")

    def tune(self, world: World) -> None:
        """Search for better settings, and apply what is proposed."""
        weeks = self.record[-LOOKED_AT:]
        half = len(weeks) // 2
        older, newer = (Record(past=together(part), weeks=len(part)) for part in (weeks[:half], weeks[half:]))
        found = tune(
            older,
            newer,
            self.policy,
            floor=self.floor,
            avoid=self.avoid,
            errors=self.errors,
            searched=searched_before(
                [change.week for change in self.changes],
                len(self.record) - len(weeks) + half,
                len(self.record),
            ),
        )
        if isinstance(found, Refusal):
            self.refusals.append((len(self.record), found))
            return
        self.policy = with_settings(self.policy, found.settings)
        self.watched[len(self.changes)] = AppliedChange(
            applied=len(self.record) * WEEK,
            settings=found.settings,
            before=found.before,
            floor=self.floor,
            expected=found.judged,
        )
        player = Player(self.policy, world.works_by_task())
        self.changes.append(
            Change(
                week=len(self.record),
                aim=found.aim,
                settings=found.settings,
                promised=found.judged.quality.low,
                quality=truth_of(player, crowd_of(world, len(self.record))).quality,
            )
        )


def run(
    seasons: Sequence[World], policy: Policy, chance: Random, how: Auditing = AUDITED, floor: float = 0.98
) -> Run:
    """Run the loop.

    Args:
        seasons: the agency as it is in each week.
        policy: the page to begin with.
        chance: draws.
        how: how much is audited.
        floor: the least quality.
    """
    loop = Loop(policy, how, floor, chance)
    player = Player(policy, seasons[0].works_by_task())
    for number, world in enumerate(seasons):
        if player.policy is not loop.policy or world is not seasons[number - 1]:
            player = Player(loop.policy, world.works_by_task())
        if world.digest != seasons[max(number - 1, 0)].digest:
            loop.forget("small")
        loop.live(world, number, player)
        loop.watch()
        if FIRST_TUNING <= number + 1 < len(seasons):
            loop.tune(world)
    return Run(
        policies=tuple(loop.policies),
        changes=tuple(loop.changes),
        policy=loop.policy,
        unnecessary=loop.unnecessary,
        fallbacks=loop.estimate("fallback"),
        missed=loop.missed,
        local=loop.estimate("local"),
        refusals=tuple(loop.refusals),
    )
