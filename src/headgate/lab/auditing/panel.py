"""Whom an audit can ask for an opinion: the models of the gate, asked aside from the traffic.

The embedding model and a judge at home are asked as any model at home; a judge elsewhere only where the page names one, within the
money of audits, and never about what must stay at home. What they are asked, and what is made of their words, is not known here
(`lab.judges`).
"""

from collections.abc import Awaitable, Callable, Sequence

from headgate.config.audit import AUTO, NONE
from headgate.core.audits import Material
from headgate.core.policy import Policy
from headgate.core.types import Message, Model, Reply, Request
from headgate.lab.auditing.aside import Aside, aside
from headgate.lab.judges import Down, Embedder, Heard, ModelJudge, Panel


def panel_for(job: int, material: Material, ask: Aside, judge: str, money: float) -> Panel:
    """The judges that may see what is kept of a request.

    Args:
        job: the number of the request.
        material: what is kept of it.
        ask: asks models.
        judge: the page's word for the model that judges.
        money: dollars that asking them may cost.
    """
    models = ask.road.policy.models
    embedder = next((one for one in models.values() if one.kind == "embedding" and one.local), None)
    chosen = chosen_judge(ask.road.policy, judge)
    goes_out = chosen is not None and not chosen.local
    seen = chosen is not None and not (goes_out and (material.request.local_only or money <= 0))
    asked = ModelJudge(chosen.name, _asking(job, ask, chosen, money)) if chosen is not None and seen else None
    return Panel(
        embedder=None if embedder is None else Embedder(embedder.name, _embedding(job, ask, embedder)),
        local=None if goes_out else asked,
        cloud=asked if goes_out else None,
    )


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


def _asking(job: int, ask: Aside, model: Model, money: float) -> Callable[[Request], Awaitable[Heard | Down]]:
    left = money

    async def heard(request: Request) -> Heard | Down:
        nonlocal left
        walked = await ask.walk(
            aside(request), (model.name,), audited=job, money=0.0 if model.local else left
        )
        costs = [attempt.cost for attempt in walked.attempts]
        left -= sum([cost or 0.0 for cost in costs])
        if not isinstance(walked.result, Reply):
            return Down(walked.result.reason)
        known = [cost for cost in costs if cost is not None]
        return Heard(walked.result.text, sum(known) if len(known) == len(costs) else None)

    return heard


def _embedding(
    job: int, ask: Aside, model: Model
) -> Callable[[Sequence[str]], Awaitable[list[bytes] | Down]]:
    async def embedded(texts: Sequence[str]) -> list[bytes] | Down:
        messages = tuple([Message("user", text) for text in texts])
        request = aside(Request(id="", asked="auto", kind="embedding", messages=messages), at_home=True)
        walked = await ask.walk(request, (model.name,), audited=job)
        return list(walked.result.vectors) if isinstance(walked.result, Reply) else Down(walked.result.reason)

    return embedded
