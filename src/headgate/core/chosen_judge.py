"""Which model judges by the word of [audit]: one that the user names, or the ablest at home. Whether it may is said by `judges.trust`."""

from typing import Final

from headgate.core.policy import Policy
from headgate.core.types import Model

AUTO: Final = "auto"
NONE: Final = "none"


def chosen_judge(policy: Policy, judge: str) -> Model | None:
    """The model that judges: the one of that name, or the ablest at home; None is nobody.

    The ablest is the one that did best in the exam; where none took it, the last one at home of the route for everything else,
    because a chain rises in ability.
    """
    if judge == NONE:
        return None
    if judge != AUTO:
        return policy.models.get(judge)
    able = {
        model.name: sum(model.scores.values()) / len(model.scores)
        for model in policy.named.values()
        if model.local and model.kind == "chat" and model.scores
    }
    if able:
        return policy.models[max(able, key=able.__getitem__)]
    rising = [
        name
        for name in policy.routes[-1].chain
        if policy.models[name].local and not policy.models[name].lane_of
    ]
    return policy.models[rising[-1]] if rising else None
