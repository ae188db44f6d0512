"""What is missing for a search, or for one step more: requests, audits, labels.

This module does not know how settings are found (`searching`).
"""

from collections.abc import Mapping
from math import ceil, sqrt

from headgate.core.candidates import Seen, steps
from headgate.core.effects import Record, Weights
from headgate.core.losses import Evidence
from headgate.core.past import Unused
from headgate.core.policy import Policy
from headgate.core.proposals import Labels, Need, Refusal, count
from headgate.core.rerun import NOT_TOLD
from headgate.core.settings import ROUTES, differences, named, with_settings

ENOUGH_REQUESTS = 200
"""Below this nothing is searched."""
EACH = 30
"""Audits that each part wants at least."""
ENOUGH_LABELS, MANY = 5, 0.25
"""From so many requests that were labelled twice on, this share of contradictions is too much."""
TOO_MANY = 200.0
"""Times as much evidence, for which nobody would wait."""
CLOSE = 1.02
"""How near a number of audits that would do is to the least one."""

UNUSED: dict[Unused, str] = {
    "no answer": "in {} no model at home has answered",
    "another version": "{} tell of another version of a model",
    "not by chance": "{} were not chosen with a known probability",
    "unclear": "{} are unclear",
}
"""Why audits do not tell how good other answers are, in words."""


def what_is_missing(
    to_find: Record, to_judge: Record, labels: Labels, unused: Mapping[Unused, int] = {}
) -> Refusal | None:
    """Why a search would rest on too little."""
    parts = (to_find, to_judge)
    past = [one for part in parts for one in part.past]
    requests = sum([one.requests for one in past if one.example.decision.is_known])
    if requests < ENOUGH_REQUESTS:
        why = f"there are {count(requests)}, and tuning wants {ENOUGH_REQUESTS}"
        untold = sum([one.requests for one in past]) - requests
        if untold:
            why += f"; of {untold:,} more nobody can tell: {NOT_TOLD.why}{left_out(unused)}"
        return Refusal(
            reason="decisions not told" if requests + untold >= ENOUGH_REQUESTS else "too few requests",
            why=why,
            needs=(Need("requests", ENOUGH_REQUESTS - requests),),
            unused=unused,
        )
    audits = sum([part.audits for part in parts])
    wanted = min(2 * EACH, requests)
    if not audits:
        needs = (Need("audits of fallbacks", wanted),)
        if not unused:
            why = "no request was audited, so nobody knows how good any answer was"
            return Refusal(reason="no audits", why=why, needs=needs)
        why = (
            f"{count(sum(unused.values()))} were audited, but none of these audits tells how good the answers to others are: "
            f"{in_words(unused)}"
        )
        return Refusal(reason="no audit tells", why=why, needs=needs, unused=unused)
    if labels.twice >= ENOUGH_LABELS and labels.contradicting > MANY * labels.twice:
        why = f"{labels.contradicting} of {count(labels.twice)} that were labelled twice were called good by one and bad by another"
        return Refusal(reason="labels contradict", why=why)
    if audits < wanted:
        return Refusal(
            reason="too few audits",
            why=f"{count(audits)} were audited, and tuning wants {wanted}{left_out(unused)}",
            needs=(Need("audits of fallbacks", wanted - audits),),
            unused=unused,
        )
    return None


def left_out(unused: Mapping[Unused, int]) -> str:
    """What is to be said behind a reason of audits that do not count; "" where there are none."""
    many = sum(unused.values())
    return (
        f"; {many:,} audit{'' if many == 1 else 's'} do{'es' if many == 1 else ''} not count: {in_words(unused)}"
        if many
        else ""
    )


def in_words(unused: Mapping[Unused, int]) -> str:
    """Why audits do not tell how good other answers are, with their numbers."""
    return ", ".join([words.format(f"{unused[why]:,}") for why, words in UNUSED.items() if why in unused])


def what_has_vanished(to_find: Record, to_judge: Record, policy: Policy) -> Refusal | None:
    """Why audits of models that are in the config no more say little of those that are."""
    gone: dict[str, int] = {}
    audits = to_find.audits + to_judge.audits
    for one in (*to_find.past, *to_judge.past):
        for found in one.found:
            if found.tells and named(found.model) not in policy.models:
                gone[named(found.model)] = gone.get(named(found.model), 0) + found.audits
    if 2 * sum(gone.values()) <= audits:
        return None
    names = ", ".join(sorted(gone))
    left = audits - sum(gone.values())
    why = f"{sum(gone.values())} of {count(audits)} that were audited tell of {names}, which the config has no more"
    return Refusal(
        reason="model vanished", why=why, needs=(Need("audits of fallbacks", max(1, 2 * EACH - left)),)
    )


def needs_of(judging: Weights, policy: Policy, floor: float, labels: int = 0) -> tuple[Need, ...]:
    """How many audits more would make sure of the floor under these settings, if they found what those so far have found.

    Where no number of them would, since it is the judges that are in doubt, how many labels more are needed beside them.

    Args:
        judging: where the settings are judged.
        policy: the settings.
        floor: the least quality.
        labels: that there are of judges' verdicts.
    """
    effect = judging.effect(policy)
    if effect.quality.expected < floor:
        return ()
    if not effect.audits:
        return (Need("audits of local answers", EACH),)

    def holds(times: float, labelled: float) -> bool:
        return judging.glance(policy, evidence=Evidence(times, labelled)).least >= floor

    judges = not holds(TOO_MANY, 1.0)
    if judges and not (labels and holds(TOO_MANY, TOO_MANY)):
        return ()
    few, times = 1.0, TOO_MANY
    while times > CLOSE * few:
        middle = sqrt(few * times)
        few, times = (few, middle) if holds(middle, middle if judges else 1.0) else (middle, times)
    routes = tuple(
        [
            one.table.removeprefix(ROUTES)
            for one in differences(judging.today, policy)
            if one.table.startswith(ROUTES)
        ]
    )
    local = effect.audits - effect.audits_moved
    needs = []
    if local:
        needs.append(Need("audits of local answers", ceil((times - 1) * local)))
    if effect.audits_moved:
        needs.append(Need("audits of fallbacks", ceil((times - 1) * effect.audits_moved), routes))
    if judges:
        needs.append(Need("labels", ceil((times - 1) * labels)))
    return tuple(needs)


def needs_of_neighbours(judging: Weights, seen: Seen, floor: float, labels: int = 0) -> tuple[Need, ...]:
    """What the dearest step that may be good would need."""
    best: tuple[float, Policy] | None = None
    for setting in steps(judging.today, judging.today, seen):
        policy = with_settings(judging.today, (setting,))
        its = judging.glance(policy)
        if its.quality >= floor and its.dollars < (best[0] if best else 0.0):
            best = its.dollars, policy
    return () if best is None else needs_of(judging, best[1], floor, labels)
