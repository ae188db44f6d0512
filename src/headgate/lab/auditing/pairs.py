"""From what is kept of a request to two answers that can be compared: the missing one is asked for.

    at_home     a fallback: the local models of its chain, in order, as if nothing might be paid
    elsewhere   a local answer: the paid model that it has spared, within the money of audits

An answer that is there already is taken as it is: nobody is asked twice, and nobody is paid twice. What cannot be had now is put off
with the reason. Which of two answers is better is not known here.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from msgspec import Struct

from headgate.core.audits import Material, Opinion, Pair, Said, said_by
from headgate.core.cascade import passes_with
from headgate.core.policy import Policy
from headgate.core.types import Failure, Reply
from headgate.core.words import FailureReason, Skip
from headgate.lab.auditing.aside import Aside, Walked, aside
from headgate.lab.auditing.purse import Purse

Keep = Callable[[Iterable[Said]], Awaitable[None]]
"""Keeps the answers that were asked for, so that whatever happens next nobody has to ask for them again."""

PASSING: Final[frozenset[Skip]] = frozenset({"down", "busy", "breaker", "budget"})
"""Reasons for which a model is skipped today and may not be tomorrow."""
TROUBLES: Final[frozenset[FailureReason]] = frozenset(
    {"refused", "http_error", "broken_stream", "wrong_model"}
)
"""Failures that say something about an engine and nothing about what its model can do."""
REFUSED: Final = range(400, 500)
"""Statuses with which an engine says that it will never take this request …"""
LATER: Final = frozenset({401, 403, 404, 408, 409, 429})
"""… but for these."""
HAD_ITS_TIME: Final = 0.5
"""The share of a request's time below which it was the engine's own clock (load, first token, silence) that ended an attempt."""


class PutOff(Struct, frozen=True):
    """The audit cannot be made now."""

    why: str
    """One sentence."""
    until: float | None = None
    """Unix time before which it makes no sense to try again; None is after a pause that grows with each try."""


async def at_home(job: int, material: Material, ask: Aside, keep: Keep) -> Pair | Opinion | PutOff:
    """The paid answer beside that of the models at home; an opinion at once where these have none.

    Args:
        job: the number of the request.
        material: what is kept of it.
        ask: asks models.
        keep: keeps what they said.
    """
    paid = next((said for said in reversed(material.said) if not said.local), None)
    if paid is None:
        return PutOff("the paid answer was not kept")
    known = [said for said in material.said if said.local]
    if not any(passes(said, material.pass_at) for said in known):
        asked = {said.model for said in material.said}
        chain = [name for name in chain_at_home(ask.road.policy, material) if name not in asked]
        if chain:
            request = aside(material.request, at_home=True)
            walked = await ask.walk(
                request, chain, audited=job, checks=material.checks, pass_at=material.pass_at
            )
            fresh = said_in(walked, local=True)
            passed = any(passes(said, material.pass_at) for said in fresh)
            trouble = None if passed else trouble_of(walked, ask.road.policy.limits.answer_within)
            if fresh:
                await keep(fresh)
                known += fresh
            if trouble is not None:
                return PutOff(trouble)
            if not known:
                return Opinion(verdict="necessary", judge="exact", reason=why_none(walked))
    if not known:
        return Opinion(verdict="necessary", judge="exact", reason="no model at home could be asked")
    return with_best(material, known, paid)


async def elsewhere(job: int, material: Material, ask: Aside, keep: Keep, purse: Purse) -> Pair | PutOff:
    """The local answer beside that of the paid model that it has spared.

    Args:
        job: the number of the request.
        material: what is kept of it.
        ask: asks models.
        keep: keeps what they said.
        purse: pays.
    """
    local = next((said for said in reversed(material.said) if said.local), None)
    if local is None:
        return PutOff("the local answer was not kept")
    paid = next((said for said in material.said if not said.local), None)
    if paid is None:
        model = paid_model(ask.road.policy, material)
        if model is None:
            return PutOff("no paid model is left in the config to compare with")
        money = await purse.left()
        walked = await ask.walk(aside(material.request), (model,), audited=job, money=money)
        candidate = walked.candidates[0]
        if candidate.skip == "privacy":
            return PutOff(f"{candidate.detail}, so only a person can judge it")
        if candidate.skip == "budget":
            return PutOff(f"{model} was not asked: {candidate.detail}", purse.week.ends)
        said = said_in(walked, local=False)
        if not said:
            return PutOff(trouble_of(walked, ask.road.policy.limits.answer_within) or why_none(walked))
        if walked.cut:
            return PutOff(f"the money left for this week cut the answer of {model} short", purse.week.ends)
        await keep(said)
        (paid,) = said
    return Pair(material.request, material.task, local, paid)


def chain_at_home(policy: Policy, material: Material) -> list[str]:
    """The local models that could have answered: those of its chain, else those of the route for everything else."""
    for chain in (material.chain, policy.routes[-1].chain):
        found = [name for name in chain if name in policy.models and policy.models[name].local]
        if found:
            return found
    return []


def paid_model(policy: Policy, material: Material) -> str | None:
    """The paid model that would have been asked next: the first of its chain, else the last of the route for everything else."""
    for chain in (material.chain, reversed(policy.routes[-1].chain)):
        for name in chain:
            if name in policy.models and not policy.models[name].local:
                return name
    return None


def passes(said: Said, pass_at: float) -> bool:
    """Whether the answer would have gone out, as the cascade sees it."""
    return passes_with(said.score, pass_at)


def with_best(material: Material, known: Iterable[Said], paid: Said) -> Pair:
    """The paid answer of a fallback beside that from home which would have gone out without any money; the others are not compared."""
    known = tuple(known)
    local = best(known, material.pass_at)
    return Pair(
        material.request, material.task, local, paid, tuple([said for said in known if said is not local])
    )


def best(said: Iterable[Said], pass_at: float) -> Said:
    """The answer that would have gone out without any money: the first that passes, else the one with the highest score."""
    answers = list(said)
    first = next((answer for answer in answers if passes(answer, pass_at)), None)
    return first or max(reversed(answers), key=lambda answer: answer.score or 0.0)


def said_in(walked: Walked, *, local: bool) -> list[Said]:
    """The answers of a walk, in order."""
    delivered = walked.result if isinstance(walked.result, Reply) else None
    found = []
    for attempt, reply in zip(walked.attempts, walked.replies, strict=True):
        if reply is not None:
            settled = delivered if delivered is not None and attempt.model == walked.model else reply
            found.append(said_by(attempt, settled, local=local))
    return found


def trouble_of(walked: Walked, within: float) -> str | None:
    """Why a model that might have answered did not, where that may be otherwise another time.

    Args:
        walked: who was asked.
        within: seconds that a request may take.
    """
    for candidate in walked.candidates:
        if candidate.skip in PASSING:
            return f"{candidate.model} could not be asked: {candidate.skip} ({candidate.detail})"
    for attempt in walked.attempts:
        if attempt.failure is not None and is_trouble(
            attempt.failure, (attempt.ended - attempt.started) / within
        ):
            return f"{attempt.model}: {attempt.failure.reason} ({attempt.failure.detail})"
    return None


def is_trouble(failure: Failure, share: float) -> bool:
    """Whether another try may end otherwise. A model that had its time and was too slow would have been too slow for the caller.

    Args:
        failure: why there was no answer.
        share: of the time that a request may take, that the attempt had.
    """
    if failure.reason == "timeout":
        return share < HAD_ITS_TIME
    refused = failure.status in REFUSED and failure.status not in LATER
    return failure.reason in TROUBLES and not refused


def why_none(walked: Walked) -> str:
    """Why there is no answer of these models."""
    parts = [f"{c.model}: {c.skip} ({c.detail})" for c in walked.candidates if c.skip is not None]
    parts += [
        f"{a.model}: {a.failure.reason} ({a.failure.detail})"
        for a in walked.attempts
        if a.failure is not None
    ]
    return "no answer: " + "; ".join(parts)
