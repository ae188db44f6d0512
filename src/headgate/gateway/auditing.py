"""What is kept of a request that is chosen to be audited: decided at the end of its journey, when all of it is known.

Chance comes first and costs least; only then is it asked whether the request could be audited at all. That is so where a whole
answer went out, the choice of the model was ours, and there is a model on the other side, at home or paid, that could take it. A
request that may not leave the user's machines is never checked by a paid model, so it is not chosen for that. This module does not
know how an audit is made, nor when.
"""

from collections.abc import Iterator
from time import time
from typing import Final

from msgspec import UNSET, UnsetType

from headgate.core.audits import Material, Said, cause_of, said_by, scores_of
from headgate.core.material import MOST, least_size, material_bytes
from headgate.core.policy import BY_NAME, weigh
from headgate.core.sampled import Sampled
from headgate.core.sampling import Stratum
from headgate.core.words import AuditKind, FallbackReason, Skip, Status
from headgate.gateway.journey import Journey
from headgate.gateway.sampling import Sampling

CANNOT: Final[frozenset[Skip]] = frozenset({"window", "format", "capability"})
"""Why a model could not have taken a request at any hour."""


def sampled(
    sampling: Sampling, journey: Journey, status: Status, fallback: FallbackReason | None
) -> Sampled | UnsetType:
    """What the ledger keeps for an audit of this request, if it is chosen for one.

    Args:
        sampling: the gate's.
        journey: the request's, which is over.
        status: what its caller got.
        fallback: why a paid model answered; None if none did.
    """
    thrown = sampling.chance()
    if thrown >= sampling.highest:
        return UNSET
    kind = kind_of(journey, status, fallback)
    if kind is None:
        return UNSET
    probability = sampling.probability(Stratum(kind, journey.decision.route, journey.signals.task))
    if thrown >= probability:
        return UNSET
    expires = time() + sampling.keep
    return Sampled(kind, probability, expires, kept(sampling, material_of(journey, kind, fallback)))


def kind_of(journey: Journey, status: Status, fallback: FallbackReason | None) -> AuditKind | None:
    """What could be asked of the request; None is nothing."""
    model, request, decision = journey.model, journey.request, journey.decision
    if status not in ("ok", "imperfect") or model is None or request.kind != "chat" or decision.by_name:
        return None
    if fallback is not None:
        can = fallback != BY_NAME and next(takers(journey, local=True), None) is not None
        return "fallback" if can else None
    asks = status == "ok" and request.pay and not journey.signals.local_only
    return "local" if asks and next(takers(journey, local=False), None) is not None else None


def takers(journey: Journey, *, local: bool) -> Iterator[str]:
    """The models at home, or the paid ones, that could have taken the request, had they been there and free.

    Those of its chain; where that has none of the sort, those of the route for everything else.
    """
    policy, decision = journey.road.policy, journey.decision
    view = journey.road.view(journey.accounts)
    own = [c for c in decision.candidates if policy.models[c.model].local == local]
    weighed = own or [
        weigh(model, view, journey.request, journey.signals, local_only=False, spend=None)
        for name in policy.routes[-1].chain
        if (model := policy.models[name]).local == local
    ]
    for candidate in weighed:
        model = policy.models[candidate.model]
        elsewhere = local and (model.engine, model.id) in view.remote
        if candidate.skip not in CANNOT and not elsewhere:
            yield candidate.model


def material_of(journey: Journey, kind: AuditKind, fallback: FallbackReason | None) -> Material:
    """All that an audit needs of the request."""
    decision, model = journey.decision, journey.model
    assert model is not None, "somebody has answered"
    named = tuple(candidate.model for candidate in decision.candidates)
    others = tuple(name for name in takers(journey, local=kind == "fallback") if name not in named)
    return Material(
        id=journey.request.id,
        kind=kind,
        request=journey.request,
        task=journey.signals.task,
        route=decision.route,
        chain=named + others,
        said=tuple(answers(journey)),
        answered=model.name,
        pass_at=decision.pass_at,
        checks=decision.checks,
        cause=cause_of(fallback, first_scores(journey)),
    )


def answers(journey: Journey) -> Iterator[Said]:
    """All answers that there were, those that were rejected too."""
    models = journey.road.policy.models
    for attempt, reply in zip(journey.attempts, journey.replies, strict=True):
        if reply is not None:
            yield said_by(attempt, reply, local=models[attempt.model].local)


def first_scores(journey: Journey) -> dict[str, float]:
    """What the checks gave the first answer from home."""
    models = journey.road.policy.models
    first = next((attempt for attempt in journey.attempts if models[attempt.model].local), None)
    return {} if first is None else scores_of(first.verdicts)


def kept(sampling: Sampling, material: Material) -> bytes:
    """The material as the ledger keeps it; nothing where it is too large, or is no text."""
    if least_size(material) > MOST:
        return b""
    try:
        plain = material_bytes(material)
    except ValueError:
        return b""
    if len(plain) > MOST:
        return b""
    return plain if sampling.seal is None else sampling.seal.close(plain)
