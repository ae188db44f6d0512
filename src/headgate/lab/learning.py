"""Learn a router from the ledger's evidence, and say whether it may be used.

    learn(evidence, models, learning) → Lesson: a router, or none; and of each model what was learned, or why nothing was

For each model at home: the newest audited requests are held out; from the older ones a router is learned, and tested on those. Nearly
equal prompts are never on both sides. Then the router that is kept is learned from all. What only checks said of an answer helps to
learn, with little weight, and tests nothing. A model with too few audits, with audits of one kind only, with audits that contradict
each other, or whose chances turn out to tell nothing, is refused with the number of audits that it would take.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from headgate.core.expecting import Learning
from headgate.core.features import features
from headgate.core.intervals import wilson
from headgate.core.router import Learned, Router, Scorer
from headgate.core.spans import ONE_SIDED
from headgate.core.types import Model
from headgate.lab.against_rules import against_rules
from headgate.lab.doubts import uncalibrated, unsorted
from headgate.lab.evidence import Case, Evidence
from headgate.lab.learned import Against, Lesson, ModelLearned, TaskLearned
from headgate.lab.learner import Fitted, Floats, Ints, fit
from headgate.lab.likeness import groups_of
from headgate.lab.reliability import Judged, alone, auc, calibration_error, table, together

LEAST = 100
"""Audited requests without which nothing is learned of a model."""
LEAST_OF_A_KIND = 15
"""Of these, good answers and bad ones without which nothing is learned."""
LEAST_OF_TASK = 30
"""Audited requests of a task without which the router says nothing of it."""
LEAST_HOME = 60
"""Audited requests on which trust rests, at least."""
HELD_OUT = 0.3
"""The share of audited requests, the newest, that is held out."""
HINT = 0.1
"""What an answer weighs that only its checks judged, beside an audited one."""
HEAVIEST = 10.0
"""No audited request counts for more than so many times the middle one, while learning."""
CONTRADICTED = 0.25
"""Of nearly equal prompts, the share that may be judged against the others."""
REPEATED = 20
"""Nearly equal prompts below which that is not looked at."""
NO_WORSE = 0.005
"""Quality that a router may cost, at the lower end of what is known, before it may be used."""
WASTE = 0.02
"""The share of what everything would cost in the cloud that it may pay for requests which home has answered well."""
UNFAMILIAR = 0.02
"""The share of learned prompts that may have fewer known words than a prompt needs, to be judged at all."""


class Tested(Struct, frozen=True):
    """A model's held-out cases, and what was foretold of them."""

    cases: Sequence[Case]
    chances: Floats
    groups: Ints
    home_at: float | None


def learn(
    evidence: Evidence, models: Mapping[str, Model], learning: Learning
) -> tuple[Router | None, Lesson]:
    """Learn from all that the ledger knows.

    Args:
        evidence: what was read.
        models: the config's.
        learning: what a router may do.
    """
    by_model: dict[str, list[Case]] = {}
    for case in evidence.cases:
        by_model.setdefault(case.model, []).append(case)
    told: list[ModelLearned] = []
    learned: list[Learned] = []
    tested: list[Tested] = []
    for name, cases in sorted(by_model.items()):
        if not any(case.good is not None for case in cases):
            continue
        digest = evidence.digests.get(name, "")
        found, report, test = Lessons(models[name], cases, learning, digest).learn()
        told.append(report)
        if found is not None and test is not None:
            learned.append(found)
            tested.append(test)
    against = compare(tested, learning) if tested else None
    why, needs = verdict(told, against, evidence.gone)
    lesson = Lesson(
        models=tuple(told),
        against=against,
        gone=evidence.gone,
        older=evidence.older,
        unanswered=evidence.unanswered,
        unclear=evidence.unclear,
        sealed=evidence.sealed,
        why_not=why,
        needs=needs,
    )
    return (Router(learned=tuple(learned), learning=learning) if learned else None), lesson


def verdict(
    told: Sequence[ModelLearned], against: Against | None, gone: Mapping[str, int]
) -> tuple[str, int]:
    """Why a router may not be used, and how many audits it would take; "" is that it may."""
    if against is None:
        if not told and gone:
            names = " and ".join(sorted(gone))
            return (
                f"{sum(gone.values()):,} audits tell of {names}, and none of a model at home that the config has",
                LEAST,
            )
        if not told:
            return "no request has been audited whose local answer tells anything", LEAST
        return "of no model was anything learned", min(one.needs for one in told)
    if against.gained.low < -NO_WORSE:
        lost = f"it may cost {-against.gained.low:.1%} of quality on requests from which nothing was learned"
        return lost, ceil(against.rows * (against.gained.low / NO_WORSE) ** 2 / HELD_OUT)
    if against.wasted is None or against.in_cloud is None:  # then all count alike
        if against.in_vain > WASTE * against.requests:
            return (
                f"it would have paid for {against.in_vain:,.0f} requests that home had answered well, at a price that is not known",
                0,
            )
    elif against.wasted.expected > WASTE * against.in_cloud:
        return (
            f"it would have paid ${against.wasted.expected:,.4f} for requests that home had answered well",
            0,
        )
    return "", 0


def compare(tested: Sequence[Tested], learning: Learning) -> Against:
    """All held-out cases, of all models together, beside the rules."""
    offsets = np.cumsum([0, *[int(test.groups.max()) + 1 for test in tested]])
    return against_rules(
        [case for test in tested for case in test.cases],
        np.concatenate([test.chances for test in tested]),
        np.concatenate([test.groups + offset for test, offset in zip(tested, offsets, strict=False)]),
        [test.home_at for test in tested for _ in test.cases],
        learning,
    )


class Lessons:
    """Learning of one model.

    Args:
        model: the config's.
        cases: what is known of its answers, the oldest first.
        learning: what a router may do.
        digest: of the model's files.
    """

    def __init__(self, model: Model, cases: Sequence[Case], learning: Learning, digest: str) -> None:
        self.model, self.learning, self.digest = model, learning, digest
        worded = [case for case in cases if case.ask]
        audited = sum([case.good is not None for case in worded])
        self.words = audited >= max(LEAST, sum([case.good is not None for case in cases]) / 2)
        self.cases = worded if self.words else cases
        self.known = np.array([case.good is not None for case in self.cases])
        self.rows = [features((case.ask or "") if self.words else "", case.signals) for case in self.cases]
        self.groups = groups_of([row.words for row in self.rows])
        self.labels, self.mass = labels_of(self.cases), masses_of(self.cases)
        self.truth = self.labels[self.known]

    def learn(self) -> tuple[Learned | None, ModelLearned, Tested | None]:
        """What was learned, what there is to say of it, and how it did on what was held out."""
        report = self.described()
        reason, needs = self.too_little()
        if reason:
            return None, replace(report, refused=reason, needs=needs), None
        held = self.held_out()
        train = self.outside(held)
        try:
            first = self.fitted(train)
        except ValueError:
            reason = "the older audits are all of one kind, so nothing could be tested"
            return None, replace(report, refused=reason, needs=2 * len(self.truth)), None
        home_at = self.trusted_at(first, train)
        chances = self.foretold(first, train, held)
        judged = Judged(
            self.labels[held], chances, np.array([self.cases[i].weight for i in held]), self.groups[held]
        )
        tells = ~np.isnan(chances)
        seen = Judged(judged.truth[tells], chances[tells], judged.mass[tells], judged.group[tells])
        sorts = auc(seen) if tells.any() else None
        if sorts is None or sorts.low <= 0.5:
            return None, replace(report, **unsorted(sorts, len(self.truth), len(held))), None
        unseen = together(self.left_out(first, train), seen)
        error = calibration_error(unseen)
        report = replace(
            report,
            held_out=len(seen.truth),
            auc=sorts,
            calibrated_on=len(unseen.truth),
            ece=error,
            reliability=table(unseen),
        )
        reason, needs = uncalibrated(error, calibration_error(seen), len(unseen.truth), len(self.truth))
        if reason:
            return None, replace(report, refused=reason, needs=needs), None
        last = self.fitted(np.arange(len(self.cases)))
        found = self.kept(last)
        test = Tested([self.cases[i] for i in held], chances, self.groups[held], home_at)
        return found, replace(report, home_at=found.home_at), test

    def described(self) -> ModelLearned:
        """What was seen, before anything is learned."""
        weights = np.array([case.weight for case in self.cases])[self.known]
        tasks: dict[str, TaskLearned] = {}
        names = np.array([case.signals.task or "" for case in self.cases])[self.known]
        for task in sorted(set(names)):
            inside = names == task
            good = float(np.average(self.truth[inside], weights=weights[inside]))
            tasks[str(task)] = TaskLearned(int(inside.sum()), good, bool(inside.sum() >= LEAST_OF_TASK))
        return ModelLearned(
            model=self.model.name,
            audited=len(self.truth),
            hints=int((~self.known).sum()),
            good=float(np.average(self.truth, weights=weights)) if len(self.truth) else None,
            words=self.words,
            tasks=tasks,
        )

    def too_little(self) -> tuple[str, int]:
        """Why nothing can be learned, and how many audits it would take; "" where it can."""
        audited, good = len(self.truth), int(self.truth.sum())
        fewer = min(good, audited - good)
        if audited < LEAST:
            return f"{audited} of its answers are audited", LEAST
        if fewer == 0:
            return (
                f"all {audited} audited answers are {'good' if good else 'bad'}: there is nothing to tell apart",
                (audited + LEAST_OF_A_KIND),
            )
        if fewer < LEAST_OF_A_KIND:
            kind = "good" if good < audited - good else "bad"
            return f"only {fewer} of {audited} audited answers are {kind}", ceil(
                audited * LEAST_OF_A_KIND / fewer
            )
        against, repeated = self.contradictions()
        if repeated >= REPEATED and against > CONTRADICTED * repeated:
            why = f"its audits contradict each other: of {repeated} nearly equal prompts, {against} are judged against the others"
            return f"{why} (headgate audit review)", audited + REPEATED
        if not any(task.known for task in self.described().tasks.values()):
            return f"no task has {LEAST_OF_TASK} audited answers", LEAST_OF_TASK * len(self.described().tasks)
        return "", 0

    def contradictions(self) -> tuple[int, int]:
        """Of nearly equal prompts that were audited: how many are judged against the others, and how many there are."""
        total, good = Counter[int](), Counter[int]()
        for group, truth in zip(self.groups[self.known], self.truth, strict=True):
            total[int(group)] += 1
            good[int(group)] += int(truth)
        several = [group for group, many in total.items() if many > 1]
        return sum(min(good[g], total[g] - good[g]) for g in several), sum(total[g] for g in several)

    def held_out(self) -> Ints:
        """The newest audited cases."""
        audited = np.flatnonzero(self.known)
        return audited[-round(HELD_OUT * len(audited)) :]

    def outside(self, held: Ints) -> Ints:
        """The cases that are older, without those that are nearly equal to a held-out one."""
        before = np.arange(int(held[0]))
        return before[~np.isin(self.groups[before], self.groups[held])]

    def fitted(self, which: Ints) -> Fitted:
        """What these cases teach.

        Raises:
            ValueError: the audited ones are all of one kind.
        """
        return fit(
            [self.rows[i] for i in which],
            self.labels[which],
            self.mass[which],
            self.groups[which],
            known=list(map(bool, self.known[which])),
        )

    def kept(self, fitted: Fitted) -> Learned:
        """What the router keeps."""
        everything = np.arange(len(self.cases))
        return Learned(
            model=self.model.name,
            engine=self.model.engine,
            id=self.model.id,
            digest=self.digest,
            weights=fitted.weights,
            words=self.words,
            tasks=self.tasks_in(everything),
            longest=max(case.signals.tokens for case in self.cases if case.good is not None),
            familiar=self.familiar(everything),
            home_at=self.trusted_at(fitted, everything),
        )

    def tasks_in(self, which: Ints) -> dict[str, int]:
        """The tasks of which these cases have enough audited ones."""
        found = Counter([self.cases[i].signals.task or "" for i in which if self.known[i]])
        return {task: many for task, many in found.items() if many >= LEAST_OF_TASK}

    def familiar(self, which: Ints) -> float:
        """The share of words that a prompt must have in common with others: that of nearly all these cases, each left out itself."""
        if not self.words:
            return 0.0
        seen = Counter([slot for i in which for slot in self.rows[i].words])
        shares = [
            sum([seen[slot] > 1 for slot in self.rows[i].words]) / len(self.rows[i].words)
            for i in which
            if self.rows[i].words
        ]
        return float(np.quantile(shares, UNFAMILIAR)) * 0.8 if shares else 0.0

    def foretold(self, fitted: Fitted, train: Ints, held: Ints) -> Floats:
        """What a router that was learned from `train` says of the others; not a number where it says nothing."""
        scorer, tasks = Scorer(fitted.weights), self.tasks_in(train)
        familiar = self.familiar(train)
        said = np.full(len(held), np.nan)
        for at, i in enumerate(held):
            chance, known = scorer.judge(self.rows[i])
            if (self.cases[i].signals.task or "") in tasks and known >= familiar:
                said[at] = chance
        return said

    def left_out(self, fitted: Fitted, which: Ints) -> Judged:
        """The audited ones of these cases, each foretold by weights and a line that had not seen its like."""
        tasks = self.tasks_in(which)
        inside = np.array(
            [self.known[i] and (self.cases[i].signals.task or "") in tasks for i in which], dtype=bool
        )
        rows = which[inside]
        weights = np.array([self.cases[i].weight for i in rows])
        return Judged(self.labels[rows], fitted.left_out[inside], weights, self.groups[rows])

    def trusted_at(self, fitted: Fitted, which: Ints) -> float | None:
        """The chance from which on answers were good as often as the floor asks for, 95 % sure; None where that was not shown.

        The likeliest tenth is looked at first, then more and more as long as they hold: a fixed order of tests, of which none is
        made after one that fails.
        """
        judged = np.flatnonzero(self.known[which])
        chances, truth = fitted.left_out[judged], self.labels[which][judged]
        mass = np.array([self.cases[i].weight for i in which])[judged]
        order = np.argsort(-chances, kind="stable")
        found = None
        for share in (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0):
            inside = order[: max(LEAST_HOME, round(share * len(order)))]
            several = alone(mass[inside])
            good = float(np.average(truth[inside], weights=mass[inside]))
            ends = wilson(good * several, several, ONE_SIDED)
            if len(inside) < LEAST_HOME or ends is None or ends[0] < self.learning.floor:
                break
            found = float(chances[inside[-1]])
        return found


def labels_of(cases: Sequence[Case]) -> Floats:
    """How good each answer was; where only checks judged it, what audits say of answers that checks judged so."""
    audited = [case for case in cases if case.good is not None]

    def share(before: float, *, passed: bool) -> float:
        alike = [case for case in audited if case.passed is passed]
        good = sum([case.weight * (case.good or 0.0) for case in alike])
        total = sum([case.weight for case in alike])
        middle = total / len(alike) if alike else 1.0
        return (good + 5 * middle * before) / (total + 5 * middle)

    hints = {True: share(0.9, passed=True), False: share(0.2, passed=False)}
    return np.array([case.good if case.good is not None else hints[bool(case.passed)] for case in cases])


def masses_of(cases: Sequence[Case]) -> Floats:
    """What each case counts for while learning."""
    weights = np.array([case.weight for case in cases])
    known = np.array([case.good is not None for case in cases])
    middle = float(np.median(weights[known])) if known.any() else 1.0
    return np.where(known, np.minimum(weights / middle, HEAVIEST), HINT)
