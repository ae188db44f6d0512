"""A change that was applied, and whether it was right: judged again and again while new audits come in.

    judge_change(change, since) → Judgement: keep watching | keep | roll back

Whoever looks often enough at chance finds what he looks for. So the looks share one error of 5 %: the k-th is made at 5 % / (k (k + 1)),
and there is a next one only when a quarter more audits are there than at the last.
"""

from typing import Literal

from msgspec import Struct

from headgate.core.policy import Policy
from headgate.core.settings import Setting
from headgate.core.tallies import Span
from headgate.core.tuning import Effect, Record


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


def judge_change(change: AppliedChange, since: Record, policy: Policy, now: float) -> Judgement:
    """Judge a change by what was recorded since.

    Args:
        change: what was applied, with the looks so far.
        since: the requests and audits since then.
        policy: the settings in force, with the change.
        now: Unix time.
    """
    raise NotImplementedError
