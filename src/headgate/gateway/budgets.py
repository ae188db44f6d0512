"""The money of all budgets: what is spent, what is promised, and what is left for a request.

The most that a call can cost is set aside before it in every budget that it is paid from, in all or in none, and its true cost
settled after it. Where a hard budget has little left, a call gets a share of that, and its answer must be no longer than that
buys (`Reservation.bound`). So requests at the same time cannot overrun a hard budget together, however long their answers are.
Money is counted in integer nano-dollars: what was set aside is given back to the last one.

What was spent before comes from the ledger. A cost belongs to the period in which it is settled. A period is left only forwards: a
clock that jumps back gives nobody the same money twice. Where it jumps back by more than a period, it was ahead before: then the
present period goes on with all that was paid in it and meanwhile.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from time import time
from typing import NamedTuple

from headgate.core.budgets import LEVELS, Alert, Allowance, Budget, Standing, level_of, period_of
from headgate.core.words import Task
from headgate.ledger.units import NANO

NEAR_ITS_END = LEVELS[-2]
"""Percent of a budget that are gone before a request that finds too little left says anything about the budget."""

SHARE = 4
"""One call may have so much of what is left: a fourth. Many calls at once are cut shorter and shorter, but none takes it all."""

NEVER = 2**62
"""Nano-dollars that nobody spends."""


class Account:
    """One budget in its present period.

    Args:
        budget: whose money it is.
        zone: whose midnights count.
        week_starts: the weekday on which weeks begin, 0 is Monday.
        now: Unix time.

    Attributes:
        limit: nano-dollars that there are.
        spent: … that are gone.
        reserved: … that are promised to calls under way.
        begun: Unix time at which the period began.
        begun_shown: its day, for people.
        ahead: a clock that shows less than this was ahead when the period began.
        ends: … and at which the next one does.
        ends_shown: the same, with the time.
        level: the highest level that was told.
        told_next: nano-dollars spent at which the next one is.
    """

    __slots__ = (
        "_before",
        "_week_starts",
        "_zone",
        "ahead",
        "begun",
        "begun_shown",
        "budget",
        "ends",
        "ends_shown",
        "level",
        "limit",
        "reserved",
        "spent",
        "told_next",
    )

    def __init__(self, budget: Budget, zone: tzinfo, week_starts: int, now: float) -> None:
        self.budget = budget
        self.limit = round(budget.dollars * NANO)
        self._zone, self._week_starts = zone, week_starts
        self.begun = 0.0
        self.spent = self.reserved = 0
        self.begin(now)

    def begin(self, now: float) -> None:
        """Begin the period that `now` belongs to, with all its money. What is promised stays so: it will be settled in this one."""
        self._before = self.begun, self.spent
        self._enter(now)
        self.spent = 0
        self.told(0)

    def go_back(self, now: float) -> None:
        """Return to the period that `now` belongs to, because the clock was ahead. What was paid meanwhile was paid in this one."""
        begun, spent = self._before
        self._enter(now)
        if begun == self.begun:
            self.spent += spent

    def _enter(self, now: float) -> None:
        self.begun, self.ends = period_of(now, self.budget.per, self._zone, self._week_starts)
        self.ahead = self.begun - (self.ends - self.begun)
        self.begun_shown = f"{datetime.fromtimestamp(self.begun, self._zone):%Y-%m-%d}"
        self.ends_shown = f"{datetime.fromtimestamp(self.ends, self._zone):%Y-%m-%d %H:%M}"

    def told(self, level: int) -> None:
        """Remember that people know of this level."""
        self.level = level
        next_one = next((one for one in LEVELS if one > level), None)
        self.told_next = NEVER if next_one is None or not self.limit else -(-self.limit * next_one // 100)

    @property
    def left(self) -> int:
        """Nano-dollars that may still be promised; below nothing where estimates were wrong."""
        return self.limit - self.spent - self.reserved

    def allowance(self) -> Allowance:
        """What it leaves to a request."""
        return Allowance(self.budget, max(0, self.left) / NANO, self.ends_shown)

    def standing(self) -> Standing:
        """How it stands, for people."""
        budget = self.budget
        return Standing(
            name=budget.name,
            per=budget.per,
            dollars=budget.dollars,
            when_spent=budget.when_spent,
            key=budget.key,
            team=budget.team,
            task=budget.task,
            spent=self.spent / NANO,
            reserved=self.reserved / NANO,
            left=max(0, self.left) / NANO,
            begun=self.begun,
            ends=self.ends,
            level=level_of(self.spent / NANO, budget.dollars),
        )


class Reservation(NamedTuple):
    """Money set aside for one call."""

    nano: int
    accounts: tuple[Account, ...]
    cut: bool = False
    """It is less than the call could cost."""

    @property
    def bound(self) -> float | None:
        """Dollars that the call must keep to; None where it can cost no more than was set aside, or may."""
        return self.nano / NANO if self.cut else None


class Budgets:
    """The budgets of a gate, and what was paid today.

    Args:
        budgets: all of them.
        zone: whose midnights count.
        week_starts: the weekday on which weeks begin, 0 is Monday.
        clock: Unix time.
        on_level: told of each level that a budget reaches; it must not wait.
    """

    def __init__(
        self,
        budgets: Iterable[Budget],
        zone: tzinfo,
        *,
        week_starts: int = 0,
        clock: Callable[[], float] = time,
        on_level: Callable[[Alert], object] = lambda _: None,
    ) -> None:
        now = clock()
        self.on_level = on_level
        self._clock = clock
        self._accounts = tuple(Account(budget, zone, week_starts, now) for budget in budgets)
        self._today = Account(Budget(name="", per="day", dollars=0.0), zone, week_starts, now)
        self._of: dict[tuple[str, str, Task | None], tuple[Account, ...]] = {}

    def of(self, key: str, team: str, task: Task | None) -> tuple[Account, ...]:
        """The accounts that a request of this key, team and task is paid from."""
        whose = key, team, task
        found = self._of.get(whose)
        if found is None:
            found = tuple([one for one in self._accounts if one.budget.applies(key, team, task)])
            self._of[whose] = found
        return found

    def allowances(self, accounts: tuple[Account, ...]) -> tuple[Allowance | None, Allowance | None]:
        """What is left for a request: of the tightest hard budget, and the first soft one that is spent."""
        if not accounts:
            return None, None
        self._turn(accounts)
        tightest: Account | None = None
        overspent: Account | None = None
        for account in accounts:
            if account.budget.hard:
                if tightest is None or account.left < tightest.left:
                    tightest = account
            elif overspent is None and account.left <= 0:
                overspent = account
        return (
            None if tightest is None else tightest.allowance(),
            None if overspent is None else overspent.allowance(),
        )

    def reserve(
        self, accounts: tuple[Account, ...], least: float, most: float = 0.0
    ) -> Reservation | Allowance:
        """Set money for a call aside in all these accounts; or the hard budget that has not enough, and nothing is set aside.

        Args:
            accounts: what it is paid from.
            least: dollars that it needs to be worth making.
            most: dollars that it can cost, if that is more.
        """
        self._turn(accounts)
        nano = round(least * NANO)
        wanted = max(nano, round(most * NANO))
        granted, bound = wanted, False
        for account in accounts:
            if account.budget.hard:
                left = account.left
                if nano > left:
                    self._look(account, short=True)
                    return account.allowance()
                granted, bound = min(granted, max(nano, left // SHARE)), True
        if not bound:
            granted = wanted = nano
        for account in accounts:
            account.reserved += granted
        return Reservation(granted, accounts, cut=granted < wanted)

    def release(self, reservation: Reservation) -> None:
        """Give back what was set aside; the true cost comes with `settle`."""
        for account in reservation.accounts:
            account.reserved -= reservation.nano

    def settle(self, accounts: tuple[Account, ...], dollars: float) -> None:
        """Take the true cost of a call."""
        nano = round(dollars * NANO)
        self._turn((self._today, *accounts))
        self._today.spent += nano
        for account in accounts:
            account.spent += nano
            if account.spent >= account.told_next:
                self._look(account)

    def turned_away(self, accounts: tuple[Account, ...], allowance: Allowance) -> None:
        """Learn that a request found too little in a budget to be paid from it."""
        for account in accounts:
            if account.budget is allowance.budget:
                self._look(account, short=True)

    def resume(self, spent: Callable[[Budget, float], float], told: Callable[[str, float], int]) -> None:
        """Go on from what an earlier gate left.

        Args:
            spent: dollars that went out of a budget since a moment, by the ledger.
            told: the highest level that people were told of, by budget and beginning of its period.
        """
        for account in (self._today, *self._accounts):
            account.spent += round(spent(account.budget, account.begun) * NANO)
        for account in self._accounts:
            account.told(told(account.budget.name, account.begun))
            self._look(account)

    @property
    def paid_today(self) -> float:
        """Dollars paid today, by all."""
        self._turn((self._today,))
        return self._today.spent / NANO

    def standings(self) -> tuple[Standing, ...]:
        """How all budgets stand."""
        self._turn(self._accounts)
        return tuple(account.standing() for account in self._accounts)

    def _turn(self, accounts: tuple[Account, ...]) -> None:
        """Begin the periods anew whose time has come, and leave those whose time has not."""
        now = self._clock()
        for account in accounts:
            if now >= account.ends:
                account.begin(now)
            elif now < account.ahead:
                account.go_back(now)

    def _look(self, account: Account, *, short: bool = False) -> None:
        """Tell people if a level has been reached that they do not know of; of several at once, the highest.

        The last cents of a hard budget are never spent. So it counts as spent once it has run `short` near its end.
        """
        budget = account.budget
        level = level_of(account.spent / NANO, budget.dollars)
        if short and level >= NEAR_ITS_END:
            level = LEVELS[-1]
        if level <= account.level:
            return
        account.told(level)
        spent = account.spent / NANO
        self.on_level(
            Alert(
                budget=budget.name,
                per=budget.per,
                level=level,
                spent=spent,
                dollars=budget.dollars,
                when_spent=budget.when_spent,
                begun=account.begun,
                ends=account.ends,
                reached=self._clock(),
                title=f"{level} % of {budget.called} from {account.begun_shown} are spent",
                notice=account.allowance().notice if level == LEVELS[-1] else account.allowance().sentence,
            )
        )
