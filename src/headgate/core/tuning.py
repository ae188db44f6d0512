"""Tuning: the settings with the lowest cost under a quality floor, found on one part of the record and judged on another.

    tune(to_find, to_judge, policy, floor) → Proposal | Refusal

Quality is the share of requests whose delivered answer is as good as the paid model's would have been. A paid answer counts as good; of
answers from home the audits tell. A proposal is made only where the part that did not help to find it says, 95 % sure, that the floor
holds and that the cost is lower. Where the audits say that the floor is broken already, what is proposed is the safe side.

Candidates are made by `candidates`, weighed by `effects`. Nothing is read or written here, and the same input gives the same proposal.
"""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Literal

from msgspec import Struct

from headgate.core.candidates import Homes, steps
from headgate.core.effects import ERROR, Effect, Record, Weights
from headgate.core.policy import Policy
from headgate.core.settings import QUALITY, ROUTES, Key, Setting, named, setting_of, with_settings
from headgate.core.types import Model

FLOOR = 0.98
"""The quality floor unless the user says another one: as good as always paying in 98 of 100 requests."""

ENOUGH_REQUESTS = 200
"""Below this nothing is searched."""
EACH = 30
"""Audits that each part wants at least."""
FEW, FEW_AUDITS = 20, 10
"""Requests that a proposal has to move in the judging part, and audits that have to tell of them."""
ENOUGH_LABELS, MANY = 5, 0.25
"""From so many requests that were labelled twice on, this share of contradictions is too much."""

CAUTIOUS, LOOSE = 0.02, 0.2
"""The errors of bounds while a step is looked for, at first and then: the other part judges it."""
LITTLE = 0.002
"""The share of the money below which a step is not worth the change."""
NOTHING = 1e-6
BOUGHT = 4
"""Steps that buy quality, of which it is tried what they would allow: those that ask least for it."""
MOST_STEPS, MOST_LINES = 12, 4
"""Steps of a proposal, and lines that it changes."""
GROWTH, TOO_MANY = 1.05, 200.0
"""By how much evidence is thought to grow, and from when on nobody would wait for it."""

KEYS: tuple[Key, ...] = ("tokens_over", "tokens_under", "pass_at", "try")
"""Of a route, in the order in which they are written."""

Worth = Callable[[Effect, Effect], float]
"""How good a step is, from what the settings before it come to and those after it; 0 is not at all."""


class Need(Struct, frozen=True):
    """What is missing: "12 more audits of fallbacks"."""

    what: Literal["requests", "audits of fallbacks", "audits of local answers"]
    many: int
    routes: tuple[str, ...] = ()
    """Of these routes; () is all."""


class Labels(Struct, frozen=True):
    """What people and callers said of answers, where at least two of them spoke of the same one."""

    twice: int = 0
    """Requests that were labelled more than once."""
    contradicting: int = 0
    """Of these: once as good and once as not."""


NO_LABELS = Labels()


class Proposal(Struct, frozen=True, kw_only=True):
    """Other settings, and what is expected of them."""

    aim: Literal["cheaper", "safer"]
    settings: tuple[Setting, ...]
    before: tuple[Setting, ...]
    """The same lines as they are."""
    floor: float
    now: Effect
    """What the settings in force come to, as the judging part says."""
    found: Effect
    judged: Effect
    """On the part that did not help to find it: this is what is promised."""
    needs: tuple[Need, ...] = ()
    """What would be needed to go one step further."""


class Refusal(Struct, frozen=True, kw_only=True):
    """Why nothing is proposed."""

    reason: Literal[
        "too few requests",
        "no audits",
        "too few audits",
        "one class",
        "labels contradict",
        "model vanished",
        "floor not sure",
        "nothing better",
    ]
    why: str
    """A sentence for people."""
    needs: tuple[Need, ...] = ()
    now: Effect | None = None
    """What the settings in force come to, where that can be told."""


def tune(
    to_find: Record,
    to_judge: Record,
    policy: Policy,
    *,
    floor: float = FLOOR,
    known: Mapping[str, Model] = {},
    avoid: frozenset[Setting] = frozenset(),
    labels: Labels = NO_LABELS,
) -> Proposal | Refusal:
    """Search for better settings.

    Args:
        to_find: the older part of the record.
        to_judge: the newer part.
        policy: the settings in force.
        floor: the least quality, 0-1, of which the judging part has to be 95 % sure.
        known: the models as they were described then, for those that are in no config any more.
        avoid: settings that were tried and rolled back.
        labels: whether people contradict each other.
    """
    refusal = what_is_missing(to_find, to_judge, labels) or what_has_vanished(to_find, to_judge, policy)
    if refusal is not None:
        return refusal
    finding, judging = (Weights(record, policy, known) for record in (to_find, to_judge))
    whole = Weights(
        Record(past=to_find.past + to_judge.past, weeks=to_find.weeks + to_judge.weeks), policy, known
    )
    now = judging.effect(policy)
    search = Search(finding, judging, policy, floor=floor, homes=homes_of(whole), avoid=avoid)
    if now.quality.high < floor or whole.effect(policy).quality.high < floor:
        return search.safer(now)
    if not now.dollars_before:
        why = f"all {count(now.requests)} were answered without paying: no setting could make them cheaper"
        return Refusal(reason="one class", why=why, now=now)
    return search.cheaper(now)


def what_is_missing(to_find: Record, to_judge: Record, labels: Labels) -> Refusal | None:
    """Why a search would rest on too little."""
    parts = (to_find, to_judge)
    requests = sum([part.requests for part in parts])
    if requests < ENOUGH_REQUESTS:
        why = f"there are {count(requests)}, and tuning wants {ENOUGH_REQUESTS}"
        return Refusal(
            reason="too few requests", why=why, needs=(Need("requests", ENOUGH_REQUESTS - requests),)
        )
    audits = sum([part.audits for part in parts])
    wanted = min(2 * EACH, requests)
    if not audits:
        why = "no request was audited, so nobody knows how good any answer was"
        return Refusal(reason="no audits", why=why, needs=(Need("audits of fallbacks", wanted),))
    if labels.twice >= ENOUGH_LABELS and labels.contradicting > MANY * labels.twice:
        why = f"{labels.contradicting} of {count(labels.twice)} that were labelled twice were called good by one and bad by another"
        return Refusal(reason="labels contradict", why=why)
    if audits < wanted:
        why = f"{count(audits)} were audited, and tuning wants {wanted}"
        return Refusal(
            reason="too few audits", why=why, needs=(Need("audits of fallbacks", wanted - audits),)
        )
    return None


def what_has_vanished(to_find: Record, to_judge: Record, policy: Policy) -> Refusal | None:
    """Why audits of models that are in the config no more say little of those that are."""
    gone: dict[str, int] = {}
    audits = to_find.audits + to_judge.audits
    for one in (*to_find.past, *to_judge.past):
        for found in one.found:
            if found.good is not None and named(found.model) not in policy.models:
                gone[named(found.model)] = gone.get(named(found.model), 0) + found.audits
    if 2 * sum(gone.values()) <= audits:
        return None
    names = ", ".join(sorted(gone))
    left = audits - sum(gone.values())
    why = f"{sum(gone.values())} of {count(audits)} that were audited tell of {names}, which the config has no more"
    return Refusal(
        reason="model vanished", why=why, needs=(Need("audits of fallbacks", max(1, 2 * EACH - left)),)
    )


def homes_of(weights: Weights) -> Homes:
    """The models at home that audits tell of, route by route."""
    found: dict[str, set[str]] = {}
    for one in weights.past:
        for audit in one.found:
            model = weights.today.models.get(named(audit.model))
            if model is not None and model.local and model.kind == "chat":
                found.setdefault(one.example.decision.route, set()).add(model.name)
    return {route: frozenset(models) for route, models in found.items()}


class Search:
    """A search under way: one small step after another, and each then judged.

    Args:
        finding: where steps are looked for.
        judging: where they are judged.
        today: the settings in force.
        floor: the least quality.
        homes: the models that may be put first.
        avoid: settings that are not tried.
    """

    def __init__(
        self,
        finding: Weights,
        judging: Weights,
        today: Policy,
        *,
        floor: float,
        homes: Homes,
        avoid: frozenset[Setting],
    ) -> None:
        self.finding, self.judging, self.today, self.floor = finding, judging, today, floor
        self.homes, self.avoid = homes, avoid

    def cheaper(self, now: Effect) -> Proposal | Refusal:
        """The cheapest settings of which the judging part says that they are cheap and good.

        They are judged in the order in which they were found, and the first that may break the floor ends it. So however many are
        judged, a wrong one is let through in no more than 5 % (a fixed sequence of tests). The cautious ones come first: where the
        settings in force are near the floor, those that are found with less caution would end it at once.
        """
        path = [
            policy
            for error in (CAUTIOUS, LOOSE)
            for policy in self.path(self.mend(error), self.worth_it, error)
        ]
        best: tuple[Policy, Effect] | None = None
        failed: Policy | None = None
        for policy in path:
            judged = self.judging.effect(policy)
            if judged.quality.low < self.floor:
                failed = policy
                break
            told = judged.moved >= FEW and judged.audits_moved >= FEW_AUDITS
            if told and judged.dollars.high < 0 and (best is None or is_cheaper(judged, best[1])):
                best = policy, judged
        needs = () if failed is None else self.needs(failed)
        if best is not None:
            return self.propose("cheaper", now, *best, needs)
        if now.quality.low < self.floor:
            why = (
                f"at least {shown(now.quality.low)} of the answers are as good as the paid model's now, 95 % sure: "
                f"that is below the floor of {shown(self.floor)}, so nothing can be spared before more is known"
            )
            return Refusal(reason="floor not sure", why=why, needs=self.needs(self.today), now=now)
        why = "no other setting is surely cheaper and surely keeps the floor"
        if not path:
            needs = self.needs_of_neighbours()
        return Refusal(reason="nothing better", why=why, needs=needs, now=now)

    def safer(self, now: Effect) -> Proposal | Refusal:
        """The settings that bring quality back above the floor for the least money, or as near to it as the steps allow."""
        best = self.mended(now)
        if best is None or best[1].quality.low < self.floor:
            # what has gone wrong lately is not in the older part; to be safe, nothing has to be proven on another
            latest = Search(
                self.judging, self.judging, self.today, floor=self.floor, homes=self.homes, avoid=self.avoid
            ).mended(now)
            if latest is not None and (best is None or latest[1].quality.low > best[1].quality.low):
                best = latest
        if best is not None:
            return self.propose("safer", now, *best, ())
        why = (
            f"at most {shown(now.quality.high)} of the answers are as good as the paid model's now, 95 % sure: "
            f"that is below the floor of {shown(self.floor)}, and no step of these settings makes it better"
        )
        return Refusal(reason="floor not sure", why=why, needs=self.needs(self.today), now=now)

    def mended(self, now: Effect) -> tuple[Policy, Effect] | None:
        """The first settings on the way to the floor that reach it, or those that come nearest; None where none is better than now."""
        best: tuple[Policy, Effect] | None = None
        for policy in self.path(self.today, self.worth_its_price, ERROR):
            judged = self.judging.effect(policy)
            if judged.quality.expected <= (now if best is None else best[1]).quality.expected:
                continue
            best = policy, judged
            if judged.quality.low >= self.floor:
                break
        return best

    def propose(
        self,
        aim: Literal["cheaper", "safer"],
        now: Effect,
        policy: Policy,
        judged: Effect,
        needs: tuple[Need, ...],
    ) -> Proposal:
        """The proposal of a policy."""
        settings = differences(self.today, policy)
        return Proposal(
            aim=aim,
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

    def path(self, policy: Policy, worth: Worth, error: float = LOOSE) -> list[Policy]:
        """The settings that a search passes from some on, each one step further than the one before; `error` is that of its bounds."""
        effect = self.finding.effect(policy, error)
        found: list[Policy] = []
        seen = {key_of(policy)}
        while len(found) < MOST_STEPS:
            best: tuple[float, Policy, Effect] | None = None
            for setting in steps(policy, self.today, self.homes):
                other = with_settings(policy, (setting,))
                if setting in self.avoid or key_of(other) in seen or self.too_many(other):
                    continue
                its = self.finding.effect(other, error)
                value = worth(effect, its)
                if value > (0.0 if best is None else best[0]):
                    best = value, other, its
            if best is None and worth == self.worth_it:
                best = self.trade(policy, effect, seen, error)
            if best is None:
                break
            _, policy, effect = best
            seen.add(key_of(policy))
            found.append(policy)
        return found

    def trade(
        self, policy: Policy, effect: Effect, seen: set[object], error: float
    ) -> tuple[float, Policy, Effect] | None:
        """Two steps at once, where none by itself is worth it: one buys quality for little, another one spends it to save more.

        A bar that is raised on a route with cheap answers may pay for longer prompts at home.
        """
        bought: list[tuple[float, Policy]] = []
        for setting in steps(policy, self.today, self.homes):
            other = with_settings(policy, (setting,))
            its = self.finding.effect(other, error)
            gained = its.quality.low - effect.quality.low
            if gained > NOTHING and setting not in self.avoid:
                price = max(its.dollars.expected - effect.dollars.expected, LITTLE * its.dollars_before)
                bought.append((gained / price, other))
        best: tuple[float, Policy, Effect] | None = None
        for _, better in sorted(bought, key=lambda one: -one[0])[:BOUGHT]:
            for setting in steps(better, self.today, self.homes):
                other = with_settings(better, (setting,))
                if setting in self.avoid or key_of(other) in seen or self.too_many(other):
                    continue
                its = self.finding.effect(other, error)
                value = self.worth_it(effect, its)
                if value > (0.0 if best is None else best[0]):
                    best = value, other, its
        return best

    def too_many(self, policy: Policy) -> bool:
        """Whether more lines would change than a person looks through."""
        return len(differences(self.today, policy)) > MOST_LINES

    def worth_it(self, before: Effect, after: Effect) -> float:
        """Dollars that a step saves for each bit of quality that it may cost; 0 is no step to take."""
        saved = before.dollars.expected - after.dollars.expected
        if saved < LITTLE * after.dollars_before or after.quality.low < self.floor:
            return 0.0
        return saved / max(before.quality.low - after.quality.low, NOTHING)

    def worth_its_price(self, before: Effect, after: Effect) -> float:
        """Quality that a step brings for each dollar that it costs; 0 is no step to take."""
        gained = after.quality.expected - before.quality.expected
        if gained <= NOTHING or before.quality.low >= self.floor:
            return 0.0
        return gained / max(
            after.dollars.expected - before.dollars.expected, LITTLE * after.dollars_before, NOTHING
        )

    # ── What is missing ──────────────────────────────────────────────────────────────────────────────────────────────

    def needs(self, policy: Policy) -> tuple[Need, ...]:
        """How many audits more would make sure of the floor under these settings, if they found what those so far have found."""
        effect = self.judging.effect(policy)
        if effect.quality.expected < self.floor:
            return ()
        if not effect.audits:
            return (Need("audits of local answers", EACH),)
        times = 1.0
        while self.judging.effect(policy, evidence=times).quality.low < self.floor:
            times *= GROWTH
            if times > TOO_MANY:
                return ()
        routes = tuple(
            [
                one.table.removeprefix(ROUTES)
                for one in differences(self.today, policy)
                if one.table != QUALITY
            ]
        )
        local = effect.audits - effect.audits_moved
        needs = []
        if local:
            needs.append(Need("audits of local answers", ceil((times - 1) * local)))
        if effect.audits_moved:
            needs.append(Need("audits of fallbacks", ceil((times - 1) * effect.audits_moved), routes))
        return tuple(needs)

    def needs_of_neighbours(self) -> tuple[Need, ...]:
        """What the dearest step that may be good would need."""
        best: tuple[float, Policy] | None = None
        for setting in steps(self.today, self.today, self.homes):
            policy = with_settings(self.today, (setting,))
            effect = self.judging.effect(policy)
            if effect.quality.expected >= self.floor and effect.dollars.expected < (best[0] if best else 0.0):
                best = effect.dollars.expected, policy
        return () if best is None else self.needs(best[1])


def is_cheaper(one: Effect, other: Effect) -> bool:
    """Whether some settings are expected to cost less than others."""
    return one.dollars.expected < other.dollars.expected


def differences(today: Policy, policy: Policy) -> tuple[Setting, ...]:
    """The settings of a policy that are not today's, in the order of the page."""
    found: list[Setting] = []
    for route in policy.routes:
        table = f"{ROUTES}{route.name}"
        found += [
            now for key in KEYS if (now := setting_of(policy, table, key)) != setting_of(today, table, key)
        ]
    if policy.task_confidence != today.task_confidence:
        found.append(setting_of(policy, QUALITY, "task_confidence"))
    return tuple(found)


def key_of(policy: Policy) -> object:
    """What tells two policies of one search apart."""
    routes = [(route.tokens_over, route.tokens_under, route.pass_at, route.chain) for route in policy.routes]
    return (tuple(routes), policy.task_confidence)


def count(requests: int) -> str:
    """So many requests, in words."""
    return f"{requests:,} request{'' if requests == 1 else 's'}"


def shown(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.1f} %"
