"""Placed calls, counted: what a proof is made of, in memory that does not grow with their number.

Names that come from an export (models, people) are told apart up to a limit, so that a strange one cannot fill the memory.
Nothing here reads files, knows prices or draws conclusions (`proof`).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

from ddsketch import DDSketch
from msgspec import Struct

from headgate.core.alternatives import cheapest
from headgate.core.prices import uncached
from headgate.core.types import Model, Signals, Usage
from headgate.lab.imports.calls import PastCall
from headgate.lab.placing import Placed
from headgate.lab.seen import Seen

Priced = Callable[[PastCall], float | None]
"""Dollars by the list, None where the price is unknown."""

SIZES: Final = (500, 2_000, 8_000, 32_000, 128_000)
"""Prompt tokens up to which calls are put together as a kind."""

MOST_NAMES: Final = 10_000
"""Users, models and kinds that are told apart; more are counted together."""
MOST_MINUTES: Final = 600_000
"""More than there are in a year; of longer exports the busiest minute is not known."""
NOBODY: Final = "(nobody named)"
OTHERS: Final = "(others)"


class Sum(Struct):
    """Some calls."""

    calls: int = 0
    cost: float = 0.0
    """Dollars, as far as they are known."""
    unknown: int = 0
    """Calls whose cost is unknown."""

    def add(self, calls: int, cost: float | None) -> None:
        """Count calls and what they cost."""
        self.calls += calls
        if cost is None:
            self.unknown += calls or 1
        else:
            self.cost += cost


class Kind(Struct, frozen=True):
    """Calls that are alike."""

    task: str
    size: str
    model: str


class Proving:
    """Counts placed calls; its memory does not grow with them.

    Args:
        priced: what a call cost by the list, where the export does not say.
    """

    def __init__(self, priced: Priced, alternatives: tuple[Model, ...] = ()) -> None:
        self._priced = priced
        self._alternatives = alternatives
        self.all = Sum()
        self.alternative = 0.0
        """Dollars of the calls that are compared, each on the cheapest cloud model that could have taken it."""
        self.compared = Sum()
        """What these have cost."""
        self.cheap: dict[str, int] = defaultdict(int)
        """Compared calls by that model."""
        self.failed = 0
        self.others = Sum()
        """Calls for embeddings, pictures and speech."""
        self.doubles = 0
        self.billed = 0
        """Calls whose cost the export says."""
        self.first: float | None = None
        self.last: float | None = None
        self.ways: dict[tuple[str, bool, str | None], Sum] = defaultdict(Sum)
        """By (way, settled or possible, task)."""
        self.whys: dict[tuple[str, str], Sum] = defaultdict(Sum)
        """By (way, why), of what goes to the cloud or cannot be placed."""
        self.routes: dict[tuple[str, str], Sum] = defaultdict(Sum)
        self.models: dict[str, Sum] = defaultdict(Sum)
        self.people: dict[str, Sum] = defaultdict(Sum)
        self.kinds: dict[Kind, Sum] = defaultdict(Sum)
        self.windows = DDSketch(0.01)
        """Prompt and answer tokens of calls that would have gone home."""
        self.longest = 0
        self.home_tokens = 0
        """Of prompts and answers of calls that would have gone home."""
        self.minutes: dict[int, tuple[int, int]] = {}
        """Of calls that would have gone home, by minute: how many, and the tokens of their answers."""
        self._seen = Seen()

    def is_double(self, call: PastCall) -> bool:
        """Whether a call with this id was counted before."""
        if not call.id or self._seen.add((call.id, call.time)):
            return False
        self.doubles += 1
        return True

    def cost_of(self, call: PastCall) -> float | None:
        """What it has cost: as the export says, else by the list."""
        return self._priced(call) if call.cost is None else call.cost

    def add(self, call: PastCall, placed: Placed, cost: float | None) -> None:
        """Count a call that brought an answer."""
        if call.cost is not None:
            self.billed += call.calls
        number = call.calls
        self.all.add(number, cost)
        flag = placed.possible if placed.way == "unknown" else placed.settled
        self.ways[placed.way, flag, placed.task].add(number, cost)
        model = _named(call.model, self.models)
        self.models[model].add(number, cost)
        kind = Kind(placed.task or "unknown", _size(placed.tokens), model)
        if kind not in self.kinds and len(self.kinds) >= MOST_NAMES:
            kind = Kind("any", "any number of", OTHERS)
        self.kinds[kind].add(number, cost)
        self.people[_named(call.who or NOBODY, self.people)].add(number, cost)
        if placed.way == "home":
            self.home_tokens += placed.tokens + (0 if call.usage is None else call.usage.output)
            self.routes[placed.route, placed.model].add(number, cost)
        else:
            self.whys[placed.way, placed.why.partition(": ")[0]].add(number, cost)
        if cost is not None:
            self._compare(call, placed, cost)
        if call.time is not None:
            self._at(call.time, call, placed)

    def _compare(self, call: PastCall, placed: Placed, cost: float) -> None:
        """What the cheapest cloud model would have taken for it. Of sums it is the mean call that has to fit."""
        if call.usage is None or not call.calls or not self._alternatives:
            return
        mean = call.usage if call.calls == 1 else _mean(call.usage, call.calls)
        found = cheapest(self._alternatives, placed.signals or _plain(mean.prompt), uncached(mean))
        if found is None:
            return
        self.cheap[found[0].name] += call.calls
        self.alternative += found[1] * call.calls
        self.compared.add(call.calls, cost)

    def _at(self, time: float, call: PastCall, placed: Placed) -> None:
        last = time if call.until is None else call.until
        self.first = time if self.first is None else min(self.first, time)
        self.last = last if self.last is None else max(self.last, last)
        if placed.way != "home":
            return
        output = 0 if call.usage is None else call.usage.output
        self.windows.add(placed.tokens + output)
        self.longest = max(self.longest, placed.tokens + output)
        minute = int(time // 60)
        if minute in self.minutes or len(self.minutes) <= MOST_MINUTES:
            calls, written = self.minutes.get(minute, (0, 0))
            self.minutes[minute] = calls + 1, written + output


def _named(name: str, known: Mapping[str, Sum]) -> str:
    """The name, or that of all others when too many are told apart already."""
    return name if name in known or len(known) < MOST_NAMES else OTHERS


def _mean(usage: Usage, calls: int) -> Usage:
    """One of so many calls that are only known together."""
    return Usage(input=round(usage.prompt / calls), output=round(usage.output / calls))


def _plain(tokens: int) -> Signals:
    """What is known of a call without its prompt."""
    return Signals(task=None, task_confidence=0.0, task_by="none", tokens=tokens, tokens_exact=False)


def _size(tokens: int) -> str:
    for limit in SIZES:
        if tokens <= limit:
            return f"up to {limit:,}"
    return f"over {SIZES[-1]:,}"
