"""The search for settings: one small step after another on one part of the record, and each then judged on another.

Candidates are made by `candidates`, weighed by `effects`.
"""

from collections.abc import Callable
from typing import Literal

from headgate.core.candidates import Seen, steps
from headgate.core.effects import ERROR, Weights
from headgate.core.missing import TOO_MANY, needs_of, needs_of_neighbours
from headgate.core.policy import Policy
from headgate.core.proposals import Need, Proposal, Refusal, shown
from headgate.core.settings import Setting, differences, setting_of, with_settings
from headgate.core.sums import Effect, Glance

FEW, FEW_AUDITS = 20, 10
"""Requests that a proposal has to move in the judging part, and audits that have to tell of them."""
CAUTIOUS, LOOSE = 0.02, 0.2
"""The errors of bounds while a step is looked for, at first and then: the other part judges it."""
LITTLE, ENOUGH = 0.002, 0.015
"""The shares of the money below which a step is not worth taking, and a proposal not worth a change of the page."""
NOTHING = 1e-6
MOST_STEPS, MOST_LINES = 12, 4
"""Steps of a proposal, and lines that it changes."""

Worth = Callable[[Glance, Glance], float]
"""How good a step is, from what the settings before it come to and those after it; 0 is not at all."""


class Search:
    """A search under way: one small step after another, and each then judged.

    Args:
        finding: where steps are looked for.
        judging: where they are judged.
        today: the settings in force.
        floor: the least quality.
        seen: what may be tried with which model.
        avoid: settings that are not tried.
        labels: that there are of judges' verdicts.
        error: how often settings that break the floor may be let through.
    """

    def __init__(
        self,
        finding: Weights,
        judging: Weights,
        today: Policy,
        *,
        floor: float,
        seen: Seen,
        avoid: frozenset[Setting] = frozenset(),
        labels: int = 0,
        error: float = ERROR,
    ) -> None:
        self.finding, self.judging, self.today, self.floor = finding, judging, today, floor
        self.seen, self.avoid, self.labels, self.error = seen, avoid, labels, error

    def cheaper(self, now: Effect) -> Proposal | Refusal:
        """The cheapest settings of which the judging part says that they are cheap and good.

        They are judged in the order in which they are likely to hold the floor, as the finding part says, and the first that may break
        it ends that. So however many are judged, a wrong one is let through no more often than one of them would be (a fixed sequence
        of tests). Some are found with caution and others with less: where the settings in force are near the floor, the latter alone
        would be too bold.
        """
        found = [
            policy
            for error in (CAUTIOUS, LOOSE)
            for policy in self.path(self.mend(error), self.worth_it, error)
        ]
        path = sorted(found, key=lambda policy: -self.finding.glance(policy).least)
        best: tuple[Policy, Effect] | None = None
        failed: Policy | None = None
        for policy in path:
            if self.judging.glance(policy, self.error).least < self.floor:
                failed = policy
                break
            judged = self.judging.effect(policy)
            if self.is_worth_a_change(judged) and (best is None or is_cheaper(judged, best[1])):
                best = policy, judged
        needs = () if failed is None else needs_of(self.judging, failed, self.floor, self.labels)
        if best is not None:
            return self.propose("cheaper", now, *best, needs)
        if now.quality.low < self.floor:
            needs = needs_of(self.judging, self.today, self.floor, self.labels)
            more = f"{TOO_MANY:,.0f} times as many audits{' and labels' if self.labels else ''}"
            then = (
                "so nothing can be spared before more is known"
                if needs
                else f"and not even {more} that find the same would make sure of it: only a lower floor can be held surely"
            )
            why = (
                f"at least {shown(now.quality.low)} of the answers are as good as the paid model's now, 95 % sure: "
                f"that is below the floor of {shown(self.floor)}, {then}"
            )
            return Refusal(reason="floor not sure", why=why, needs=needs, now=now)
        why = "no other setting is surely cheaper and surely keeps the floor"
        if not path:
            needs = needs_of_neighbours(self.judging, self.seen, self.floor, self.labels)
        return Refusal(reason="nothing better", why=why, needs=needs, now=now)

    def is_worth_a_change(self, judged: Effect) -> bool:
        """Whether enough is known of what moves, and it surely costs less, and not only by a little."""
        told = judged.moved >= FEW and judged.audits_moved >= FEW_AUDITS
        return told and judged.dollars.high < 0 and -judged.dollars.expected >= ENOUGH * judged.dollars_before

    def safer(self, now: Effect, *, surely: bool) -> Proposal | Refusal:
        """The settings that bring quality back above the floor for the least money, or as near to it as the steps allow.

        Args:
            now: what the settings in force come to.
            surely: it has to be above the floor surely, and not only likelier than not: as surely as it is below now, since more would be
                dear where perhaps nothing is wrong.
        """
        best = self.mended(now, surely=surely)
        if best is None or not self.holds(*best, surely=surely):
            # what has gone wrong lately is not in the older part; to be safe, nothing has to be proven on another
            latest = Search(
                self.judging,
                self.judging,
                self.today,
                floor=self.floor,
                seen=self.seen,
                avoid=self.avoid,
                error=self.error,
            ).mended(now, surely=surely)
            if latest is not None and (best is None or is_surer(latest[1], best[1], surely=surely)):
                best = latest
        if best is not None:
            return self.propose("safer", now, *best, (), surely=surely)
        why = (
            f"at most {shown(now.quality.high)} of the answers are as good as the paid model's now, 95 % sure: "
            f"that is below the floor of {shown(self.floor)}, and no step of these settings makes it better"
        )
        return Refusal(
            reason="floor not sure",
            why=why,
            needs=needs_of(self.judging, self.today, self.floor, self.labels),
            now=now,
        )

    def mended(self, now: Effect, *, surely: bool) -> tuple[Policy, Effect] | None:
        """The first settings on the way to the floor that reach it, or those that come nearest; None where none is better than now."""
        best: tuple[Policy, Effect] | None = None
        for policy in self.path(self.today, self.worth_its_price, ERROR):
            judged = self.judging.effect(policy)
            if judged.quality.expected <= (now if best is None else best[1]).quality.expected:
                continue
            best = policy, judged
            if self.holds(policy, judged, surely=surely):
                break
        return best

    def holds(self, policy: Policy, judged: Effect, *, surely: bool) -> bool:
        """Whether settings hold the floor: surely, or likelier than not."""
        if surely:
            return self.judging.glance(policy, self.error).least >= self.floor
        return judged.quality.expected >= self.floor

    def propose(
        self,
        aim: Literal["cheaper", "safer"],
        now: Effect,
        policy: Policy,
        judged: Effect,
        needs: tuple[Need, ...],
        *,
        surely: bool = False,
    ) -> Proposal:
        """The proposal of a policy."""
        settings = differences(self.today, policy)
        return Proposal(
            aim=aim,
            broken=surely,
            settings=settings,
            before=tuple([setting_of(self.today, one.table, one.key) for one in settings]),
            floor=self.floor,
            now=now,
            found=self.finding.effect(policy),
            judged=judged,
            needs=needs,
        )

    # ── Finding ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def mend(self, error: float) -> Policy:
        """Where to begin: today's settings, or where these may break the floor, the cheapest that hold it.

        What they cost more has to be saved by the steps that follow.
        """
        path = self.path(self.today, self.worth_its_price, error)
        return path[-1] if path else self.today

    def path(
        self, policy: Policy, worth: Worth, error: float, before: frozenset[object] = frozenset()
    ) -> list[Policy]:
        """The settings that a search passes from some on, each one step further than the one before.

        Args:
            policy: from where.
            worth: how good a step is.
            error: of its bounds.
            before: where it does not go, having been there (`key_of`).
        """
        effect = self.finding.glance(policy, error)
        found: list[Policy] = []
        seen = {key_of(policy), *before}
        while len(found) < MOST_STEPS:
            best: tuple[float, Policy, Glance] | None = None
            for setting in steps(policy, self.today, self.seen):
                other = with_settings(policy, (setting,))
                if setting in self.avoid or key_of(other) in seen or self.too_many(other):
                    continue
                its = self.finding.glance(other, error)
                value = worth(effect, its)
                if value > (0.0 if best is None else best[0]):
                    best = value, other, its
            if best is None and worth == self.worth_it:
                best = self.trade(policy, effect, frozenset(seen), error)
            if best is None:
                break
            _, policy, effect = best
            seen.add(key_of(policy))
            found.append(policy)
        return found

    def trade(
        self, policy: Policy, effect: Glance, seen: frozenset[object], error: float
    ) -> tuple[float, Policy, Glance] | None:
        """Several steps at once, where none by itself is worth it: one saves and breaks the floor, and others mend that for less.

        A bar that is raised on a route with cheap answers may pay for longer prompts at home.
        """
        best: tuple[float, Policy, Glance] | None = None
        for setting in steps(policy, self.today, self.seen):
            other = with_settings(policy, (setting,))
            if setting in self.avoid or self.too_many(other):
                continue
            if self.finding.glance(other, error).dollars >= effect.dollars:
                continue
            mended = self.path(other, self.worth_its_price, error, seen)
            if not mended:
                continue
            its = self.finding.glance(mended[-1], error)
            value = self.worth_it(effect, its)
            if value > (0.0 if best is None else best[0]):
                best = value, mended[-1], its
        return best

    def too_many(self, policy: Policy) -> bool:
        """Whether more lines would change than a person looks through."""
        return len(differences(self.today, policy)) > MOST_LINES

    def worth_it(self, before: Glance, after: Glance) -> float:
        """Dollars that a step saves for each bit of quality that it may cost; 0 is no step to take."""
        saved = before.dollars - after.dollars
        if saved < LITTLE * after.dollars_before or after.least < self.floor:
            return 0.0
        return saved / max(before.least - after.least, NOTHING)

    def worth_its_price(self, before: Glance, after: Glance) -> float:
        """Quality that a step brings for each dollar that it costs; 0 is no step to take."""
        gained = after.quality - before.quality
        if gained <= NOTHING or before.least >= self.floor:
            return 0.0
        return gained / max(after.dollars - before.dollars, LITTLE * after.dollars_before, NOTHING)


def is_surer(one: Effect, other: Effect, *, surely: bool) -> bool:
    """Whether some settings hold the floor rather than others: surely, or as is expected."""
    if surely:
        return one.quality.low > other.quality.low
    return one.quality.expected > other.quality.expected


def is_cheaper(one: Effect, other: Effect) -> bool:
    """Whether some settings are expected to cost less than others."""
    return one.dollars.expected < other.dollars.expected


def key_of(policy: Policy) -> object:
    """What tells two policies of one search apart."""
    routes = [(route.tokens_over, route.tokens_under, route.pass_at, route.chain) for route in policy.routes]
    wanted = [tuple(sorted(model.confidence_for.items())) for model in policy.models.values()]
    return (tuple(routes), policy.task_confidence, tuple(wanted))
