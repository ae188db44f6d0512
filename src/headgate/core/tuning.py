"""Tuning: the settings with the lowest cost under a quality floor, found on one part of the record and judged on another.

    tune(to_find, to_judge, policy, floor) → Proposal | Refusal

Quality is the share of requests whose delivered answer is as good as the paid model's would have been. A paid answer counts as good; of
answers from home the audits tell. A proposal is made only where the part that did not help to find it says, 95 % sure, that the floor
holds and that the cost is lower. Where the audits say that the floor is broken already, or that this is likelier than not and nothing
cheaper holds it, what is proposed is the safe side.

Nothing is read or written here, and the same input gives the same proposal. How settings are found: `searching`.
"""

from collections.abc import Iterable, Mapping

from headgate.core.candidates import Seen
from headgate.core.effects import ERROR, Record, Weights
from headgate.core.losses import BELIEVED, JudgeErrors
from headgate.core.missing import what_has_vanished, what_is_missing
from headgate.core.past import Unused
from headgate.core.policy import Policy
from headgate.core.proposals import NO_LABELS, Labels, Proposal, Refusal, count
from headgate.core.searching import Search
from headgate.core.settings import Setting, named
from headgate.core.sums import Effect
from headgate.core.types import Model
from headgate.core.words import Task

FLOOR = 0.98
"""The quality floor unless the user says another one: as good as always paying in 98 of 100 requests."""


def tune(
    to_find: Record,
    to_judge: Record,
    policy: Policy,
    *,
    floor: float = FLOOR,
    known: Mapping[str, Model] = {},
    avoid: frozenset[Setting] = frozenset(),
    labels: Labels = NO_LABELS,
    errors: JudgeErrors = BELIEVED,
    searched: float = 0.0,
    unused: Mapping[Unused, int] = {},
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
        errors: of the judges, as labels tell; one of whom they tell nothing is taken at its word.
        searched: how often the judging part was searched before (`searched_before`). Whoever searches the same weeks again finds something
            by chance some day, so with each time less of the error is left: 5 % / (1 + searched).
        unused: audits that are in neither part, since they do not tell how good other answers are.
    """
    refusal = what_is_missing(to_find, to_judge, labels, unused) or what_has_vanished(
        to_find, to_judge, policy
    )
    if refusal is not None:
        return refusal
    finding, judging = (Weights(record, policy, known, errors) for record in (to_find, to_judge))
    whole = Weights(
        Record(past=to_find.past + to_judge.past, weeks=to_find.weeks + to_judge.weeks),
        policy,
        known,
        errors,
    )
    now = judging.effect(policy)
    search = Search(
        finding,
        judging,
        policy,
        floor=floor,
        seen=seen_in(whole),
        avoid=avoid,
        labels=labels.of_judges,
        error=ERROR / (1.0 + searched),
    )
    if now.quality.high < floor or whole.effect(policy).quality.high < floor:
        return search.safer(now, surely=True)
    found = cheaper(search, now, whole.unpriced)
    if isinstance(found, Refusal) and now.quality.expected < floor:
        mended = search.safer(now, surely=False)
        return found if isinstance(mended, Refusal) else mended
    return found


def searched_before(applied: Iterable[float], begins: float, ends: float) -> float:
    """How often a judging part was searched before: each proposal that was applied counts by the share of it that there was by then.

    Args:
        applied: when proposals were applied, as Unix time or any other.
        begins: when the judging part does.
        ends: when it does.
    """
    return sum([(min(at, ends) - begins) / (ends - begins) for at in applied if min(at, ends) > begins])


def cheaper(search: Search, now: Effect, unpriced: Mapping[str, int]) -> Proposal | Refusal:
    """What a search for money comes to, where anybody knows what requests cost; `unpriced` are those of which nobody does, by model."""
    if now.dollars_before:
        return search.cheaper(now)
    return without_a_price(unpriced, search.today) if unpriced else all_at_home(now)


def without_a_price(unpriced: Mapping[str, int], today: Policy) -> Refusal:
    """Why nothing can be called cheaper where nobody knows what anything costs."""
    models = [name for name in sorted(unpriced) if name in today.models and today.models[name].price is None]
    what = f"the price of {' and '.join(models)}" if models else f"what {' and '.join(sorted(unpriced))} took"
    why = f"{what} is not known, so nobody can say which settings would be cheaper"
    return Refusal(reason="price unknown", why=why, models=tuple(models))


def all_at_home(now: Effect) -> Refusal:
    """Why nothing can be cheaper where nothing is paid."""
    why = f"all {count(now.requests)} would be answered without paying: no setting could make them cheaper"
    return Refusal(reason="one class", why=why, now=now)


def seen_in(weights: Weights) -> Seen:
    """The models at home that audits tell of, route by route, and the tasks for which their log-probabilities are recorded."""
    homes: dict[str, set[str]] = {}
    logprobs: dict[str, set[Task]] = {}
    today = weights.today.models
    for one in weights.past:
        for audit in one.found:
            model = today.get(named(audit.model))
            if model is not None and model.local and model.kind == "chat":
                homes.setdefault(one.example.decision.route, set()).add(model.name)
        task = one.example.signals.task
        for attempt in one.example.attempts:
            model = today.get(named(attempt.model))
            if task is not None and attempt.logprob is not None and model is not None and model.local:
                logprobs.setdefault(model.name, set()).add(task)
    return Seen(
        {route: frozenset(models) for route, models in homes.items()},
        {model: frozenset(tasks) for model, tasks in logprobs.items()},
    )
