"""What all journeys share. Built once (`app`), read by everything on a request's path."""

import asyncio
from collections.abc import Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headgate.core.checks import Check
from headgate.core.policy import Policy
from headgate.core.router import Prepared
from headgate.core.signals import human_ask
from headgate.core.types import FleetView, Model, Request, Signals
from headgate.core.words import Task
from headgate.engines.tokenizer import LARGE, Tokenizer
from headgate.fleet.fleet import Fleet
from headgate.fleet.power.sampler import Power
from headgate.gateway.affinity import Affinity
from headgate.gateway.budgets import Account, Budgets
from headgate.gateway.keys import holder
from headgate.gateway.presence import Presence
from headgate.gateway.recounts import Recounts
from headgate.gateway.sampling import Sampling
from headgate.gateway.vectors import Vectors


class Road(Struct, kw_only=True):
    """The compiled policy, and the ways out.

    Of all this only prices (`prices`), settings that were tuned (`lab.watching`) and the router (`learned`) change in an open gate.
    """

    policy: Policy
    checks: Mapping[str, Check]
    fleet: Fleet
    budgets: Budgets
    tokenizer: Tokenizer
    affinity: Affinity
    vectors: Vectors
    recounts: Recounts
    power: Power
    price_per_kwh: float | None
    alternatives: tuple[Model, ...]
    prices_as_of: str
    peek_characters: int
    keep_bodies: bool
    sampling: Sampling | None = None
    """Chooses the requests that are audited; None chooses none."""
    temperatures: Mapping[tuple[str, str], float] = {}
    """Of the calibration of each agent with each model; those that are missing have none."""
    router: Prepared | None = None
    """The learned router in use."""
    presence: Presence = msgspec.field(default_factory=Presence)
    """Who is on it."""
    silent: set[str] = msgspec.field(default_factory=set)
    """Models whose engines refused to tell log-probabilities."""
    chosen: dict[tuple[str, ...], tuple[tuple[str, Check], ...]] = {}
    """The checks of each set of names that was asked for so far."""

    async def measure(self, request: Request, size: int) -> Signals:
        """Measure a request whose body had `size` bytes, and ask the learned router of it, where one is in use."""
        signals = await self.tokenizer.measure(request, self.policy, size)
        if self.router is None or request.kind != "chat":
            return signals
        if size > LARGE:
            return await asyncio.to_thread(expecting, self.router, request, signals)
        return expecting(self.router, request, signals)

    def accounts(self, task: Task | None) -> tuple[Account, ...]:
        """What a request of this task is paid from, for whoever calls."""
        whose = holder.get()
        return self.budgets.of(whose.name, whose.team, task)

    def view(self, accounts: tuple[Account, ...]) -> FleetView:
        """Engines and money as a decision sees them."""
        return self.fleet.view(*self.budgets.allowances(accounts))

    def named(self, names: tuple[str, ...]) -> tuple[tuple[str, Check], ...]:
        """The checks of these names."""
        found = self.chosen.get(names)
        if found is None:
            found = self.chosen[names] = tuple([(name, self.checks[name]) for name in names])
        return found


def expecting(router: Prepared, request: Request, signals: Signals) -> Signals:
    """The signals, with what a learned router expects of each model's answer."""
    expected = router.judge(human_ask(request), signals)
    if not expected.chances:
        return signals
    return replace(signals, chances=expected.chances, trusted=expected.trusted)
