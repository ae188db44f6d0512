"""Tuning: the settings with the lowest cost under a quality floor, found on one part of the record and judged on another.

    tune(to_find, to_judge, policy, floor) → Proposal | Refusal

Quality is the share of requests whose delivered answer is as good as the paid model's would have been. A paid answer counts as good; of
answers from home the audits tell. A proposal is made only where the part that did not help to find it says, 95 % sure, that the floor
holds and that the cost is lower. Where the audits say that the floor is broken already, what is proposed is the safe side.

Candidates are made by `candidates`, weighed by `weighing`. Nothing is read or written here, and the same input gives the same proposal.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from headgate.core.audits import Finding
from headgate.core.past import Past
from headgate.core.policy import Policy
from headgate.core.settings import Setting
from headgate.core.tallies import Span
from headgate.core.types import Model

FLOOR = 0.98
"""The quality floor unless the user says another one: as good as always paying in 98 of 100 requests."""


class Audited(Struct, frozen=True):
    """One request that was audited."""

    past: Past
    """As it is recorded, alone."""
    finding: Finding


class Record(Struct, frozen=True, kw_only=True):
    """One part of what was recorded. No request is in two parts."""

    past: tuple[Past, ...]
    audited: tuple[Audited, ...] = ()
    weeks: float = 1.0
    """How long it took."""

    @property
    def requests(self) -> int:
        """All of them."""
        return sum([one.requests for one in self.past])


class Effect(Struct, frozen=True, kw_only=True):
    """What some settings come to, as one part of the record says."""

    requests: int
    weeks: float
    home_before: float
    """Share of requests answered at home as it was, 0-1."""
    home: Span
    """The same under these settings."""
    dollars_before: float
    """A week, as it was."""
    dollars: Span
    """A week, more or (below zero) fewer."""
    quality_before: Span
    """Under the settings in force; `low` is the lower end of a one-sided 95 % interval, `high` the upper one."""
    quality: Span
    moved: int
    """Requests that would be answered by another model."""
    modelled: int
    """Of these: whose new answer nobody has seen; the audits stand for them."""
    audits: int
    """Audited requests that it rests on."""
    audits_moved: int
    """Of these: requests that would be answered by another model."""


class Need(Struct, frozen=True):
    """What is missing for more: "12 more audits of fallbacks of route long"."""

    what: Literal["requests", "fallback", "local"]
    """Recorded requests, audits of fallbacks, or audits of local answers."""
    many: int
    route: str = ""
    """"" is all routes."""


class Proposal(Struct, frozen=True, kw_only=True):
    """Other settings, and what is expected of them."""

    aim: Literal["cheaper", "safer"]
    settings: tuple[Setting, ...]
    before: tuple[Setting, ...]
    """The same settings as they are."""
    floor: float
    found: Effect
    judged: Effect
    """On the part that did not help to find it: this is what is promised."""
    needs: tuple[Need, ...] = ()
    """What would be needed for more."""


class Refusal(Struct, frozen=True, kw_only=True):
    """Why nothing is proposed."""

    reason: Literal[
        "too few requests",
        "no audits",
        "too few audits",
        "one class",
        "labels contradict",
        "nothing better",
        "floor not sure",
    ]
    why: str
    """A sentence for people."""
    needs: tuple[Need, ...] = ()
    now: Effect | None = None
    """What the settings in force come to, where that can be told."""


def tune(
    to_find: Record,
    to_judge: Record,
    policy: Policy,
    *,
    floor: float = FLOOR,
    known: Mapping[str, Model] = {},
) -> Proposal | Refusal:
    """Search for better settings.

    Args:
        to_find: the older part of the record.
        to_judge: the newer part.
        policy: the settings in force.
        floor: the least quality, 0-1, of which the judging part has to be 95 % sure.
        known: the models as they were described then, for those that are in no config any more.
    """
    raise NotImplementedError
