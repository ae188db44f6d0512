"""A change that was applied, and whether it was right: judged again and again while new audits come in.

    judge_change(change, since) → Judgement: keep watching | keep | roll back

Whoever looks often enough at chance finds what he looks for. So the looks share one error of 5 %: the k-th is made at 5 % / (k (k + 1)),
and there is a next one only when a quarter more audits are there than at the last. A change is only taken back where that makes it
better: traffic, or a model, may have become another one meanwhile.
"""

from collections.abc import Mapping
from math import ceil
from typing import Literal

from msgspec import Struct

from headgate.core.effects import ERROR, Record, Weights
from headgate.core.losses import BELIEVED, JudgeErrors
from headgate.core.policy import Policy
from headgate.core.settings import Setting, with_settings
from headgate.core.spans import Span
from headgate.core.sums import Effect
from headgate.core.types import Model

DAY = 86_400.0

FIRST = 20
"""Audits since the change at the first look."""
GROWTH = 1.25
"""How many times as many there are at each further look."""
SHORTEST, LONGEST = 7.0, 28.0
"""Days for which a change is watched at least, by the calendar, and days with requests for which it is watched at most."""


class Look(Struct, frozen=True, kw_only=True):
    """One look at a change."""

    at: float
    """Unix time."""
    audits: int
    """Made of requests since the change."""
    quality: Span
    """At the error that this look has."""


class AppliedChange(Struct, frozen=True, kw_only=True):
    """A proposal that was applied."""

    n: int = 0
    """Its number in the ledger."""
    applied: float
    """Unix time."""
    settings: tuple[Setting, ...]
    before: tuple[Setting, ...]
    undo: tuple[str, ...] = ()
    """The words that put the page back (`config.changes`)."""
    floor: float
    expected: Effect
    looks: tuple[Look, ...] = ()
    state: Literal["watched", "kept", "rolled back", "undone"] = "watched"
    """"undone": the user has changed these lines since, so nobody watches them any more."""
    decided: float | None = None
    why: str = ""


class Judgement(Struct, frozen=True, kw_only=True):
    """What to do with a change."""

    verdict: Literal["keep watching", "keep", "roll back"]
    why: str
    look: Look | None = None
    """To be kept with the change; None where there was too little for one."""


def judge_change(
    change: AppliedChange,
    since: Record,
    policy: Policy,
    now: float,
    known: Mapping[str, Model] = {},
    *,
    errors: JudgeErrors = BELIEVED,
    worked: float,
) -> Judgement:
    """Judge a change by what was recorded since.

    Args:
        change: what was applied, with the looks so far.
        since: the requests and audits since then.
        policy: the settings in force, with the change.
        now: Unix time.
        known: the models as they were described, for those that are in no config any more.
        errors: of the judges, as labels tell.
        worked: days since on which there were requests: one on which the gate was closed shows nothing.
    """
    wanted = wanted_audits(change)
    days = (now - change.applied) / DAY
    if since.audits < wanted:
        if worked > LONGEST:
            why = f"{LONGEST:.0f} days of requests have passed, and {since.audits} audits say nothing against it"
            return Judgement(verdict="keep", why=why)
        why = f"{since.audits} audits since; the next look is at {wanted}"
        return Judgement(verdict="keep watching", why=why)
    k = len(change.looks) + 1
    weights, error = Weights(since, policy, known, errors), ERROR / (k * (k + 1))
    quality = weights.effect(policy, error).quality
    look = Look(at=now, audits=since.audits, quality=quality)
    shown = f"{100 * quality.low:.1f} to {100 * quality.high:.1f} % as good as paid answers by {since.audits} audits since"
    if quality.high < change.floor:
        before = weights.effect(with_settings(policy, change.before), error).quality
        if before.expected <= quality.expected:
            why = f"{shown}: below the floor, but the settings before it would be no better"
            return Judgement(verdict="keep watching", why=why, look=look)
        why = f"{shown}: surely below the floor of {100 * change.floor:g} %"
        return Judgement(verdict="roll back", why=why, look=look)
    if quality.low >= change.floor and days >= SHORTEST:
        return Judgement(
            verdict="keep", why=f"{shown}: the floor of {100 * change.floor:g} % holds", look=look
        )
    if worked > LONGEST:
        why = f"{shown}, and {LONGEST:.0f} days of requests have shown nothing worse"
        return Judgement(verdict="keep", why=why, look=look)
    return Judgement(verdict="keep watching", why=shown, look=look)


def wanted_audits(change: AppliedChange) -> int:
    """Audits since the change from which on the next look is worth its share of the error."""
    return FIRST if not change.looks else ceil(GROWTH * change.looks[-1].audits)
