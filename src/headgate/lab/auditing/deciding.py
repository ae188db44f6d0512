"""Asks OpenAI's Decisions API aside from the traffic: one quick call, with a slot beside which another one is free.

It has no answer to check and no chain to walk, so it is no `Journey`; the money is counted in the same places. What is asked is not
known here (`core.judges.deciding`).
"""

import asyncio
from typing import Final

from headgate.core.decisions import Decided, Questions
from headgate.core.engine import DecidingEngine
from headgate.core.policy import unavailable
from headgate.core.prices import cost, cost_at_most, unpaid
from headgate.core.tokens import BYTES_PER_TOKEN, length
from headgate.core.types import Model
from headgate.gateway.budgets import Reservation
from headgate.gateway.road import Road
from headgate.lab.auditing.purse import Purse
from headgate.lab.judges import Down, HeardDecision

SLACK: Final = 2
"""A prompt may have so many times the tokens that its bytes suggest."""


def decides(road: Road, model: Model) -> DecidingEngine | None:
    """The engine that answers there with this model; None where it does not."""
    engine = road.fleet.engines[model.engine]
    return engine if isinstance(engine, DecidingEngine) and engine.decides(model) else None


async def decide(
    road: Road, purse: Purse, asked: Questions, model: Model, *, audited: int, money: float
) -> HeardDecision | Down:
    """Ask once.

    Args:
        road: the gate's.
        purse: pays.
        asked: the questions.
        model: answers them.
        audited: the number of the request that is audited, which pays.
        money: dollars that it may cost.

    Raises:
        CancelledError: somebody is there.
        LedgerError: what it pays cannot be written down, so it was not asked.
    """
    if road.presence.under_way:
        raise asyncio.CancelledError("somebody is there")
    engine, accounts = decides(road, model), road.accounts(None)
    assert engine is not None, "whoever asks has looked"
    away = unavailable(model, road.view(accounts))
    most = cost_at_most(model, SLACK * tokens_of(asked), 0)
    if away is not None:
        return Down(away[1])
    if most is None or most > money:
        return Down(
            "its price is unknown" if most is None else f"it may cost ${most:.4f}, and ${money:.4f} are left"
        )
    admission = road.fleet.admission
    lane = admission.enter(model.name)
    if lane is None or not admission.has_slot(model.name):
        if lane is not None:
            admission.leave(lane, None)
        return Down(f"{model.engine} has no slot to spare")
    reserved = road.budgets.reserve(accounts, most)
    try:
        if not isinstance(reserved, Reservation):
            return Down(reserved.sentence)
        async with purse.pay(audited, most) as bill:
            try:
                found = await engine.decide(asked, model, road.policy.limits.answer_within)
                known = cost(found.usage, model.price) if isinstance(found, Decided) else unpaid(found, model)
                bill.cost = most if known is None else known
                if isinstance(found, Decided):
                    return HeardDecision(found, known)
                return Down(f"{found.reason} ({found.detail})")
            finally:
                road.budgets.settle(accounts, bill.cost)
    finally:
        if isinstance(reserved, Reservation):
            road.budgets.release(reserved)
        admission.leave(lane, None)


def tokens_of(asked: Questions) -> int:
    """About the tokens of all that is asked, by their bytes."""
    told = (
        asked.input if isinstance(asked.input, str) else "\n".join([message.text for message in asked.input])
    )
    texts = [told, *(question.instructions for question in asked.questions)]
    return sum([length(text) for text in texts]) // BYTES_PER_TOKEN + 1
