"""What settings come to in truth, and the best thresholds in hindsight: what nobody at an agency can know.

    truth_of(player, crowd) → Truth(requests, good, dollars)
    best_in_hindsight(crowd, policy, floor) → the lowest dollars of any thresholds that keep the floor

Each route's money and losses only depend on its own bar and on the length from which prompts go elsewhere, so all thresholds of all
routes are tried by trying one bar for all of them and putting the routes together afterwards.
"""

from collections import defaultdict
from collections.abc import Mapping
from itertools import product

from msgspec import Struct

from headgate.core.policy import Policy
from headgate.core.settings import Setting, with_settings
from headgate.core.words import Task
from headgate.lab.simulation.playing import Player
from headgate.lab.simulation.world import BARS, LENGTHS, Kind, Work, World

Crowd = Mapping[Kind, tuple[float, float, float]]
"""By what both models' scores are: requests, and how many of the small and of the large model's answers are good."""


class Truth(Struct, frozen=True):
    """What some requests come to."""

    requests: float
    good: float
    """Answered as well as the paid model would."""
    dollars: float

    @property
    def quality(self) -> float:
        """The share of these."""
        return self.good / self.requests


def crowd_of(world: World, week: int) -> Crowd:
    """The requests that are expected in a week."""
    found: dict[Kind, list[float]] = {}
    for kind, many in world.expected(week).items():
        alike = kind._replace(small_good=False, large_good=False)
        sums = found.setdefault(alike, [0.0, 0.0, 0.0])
        sums[0] += many
        sums[1] += many * kind.small_good
        sums[2] += many * kind.large_good
    return {kind: (sums[0], sums[1], sums[2]) for kind, sums in found.items()}


def by_route(player: Player, crowd: Crowd) -> dict[str, Truth]:
    """What the requests of each route come to."""
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for kind, (many, small, large) in crowd.items():
        played = player.play(kind)
        of = sums[played.route]
        of[0] += many
        of[1] += (small if played.model == "small" else large) if played.local else many
        of[2] += many * played.cost
    return {route: Truth(*of) for route, of in sums.items()}


def truth_of(player: Player, crowd: Crowd) -> Truth:
    """What all of them come to."""
    routes = by_route(player, crowd).values()
    return Truth(
        *[sum(part) for part in zip(*[(one.requests, one.good, one.dollars) for one in routes], strict=True)]
    )


class Hindsight:
    """Knows the best thresholds of every agency with this page.

    Args:
        policy: the page.
        works: the tasks: their lengths are the same everywhere.
    """

    def __init__(self, policy: Policy, works: Mapping[Task, Work]) -> None:
        self.routes = [route.name for route in policy.routes if route.tokens_over is None]
        self.long = [route.name for route in policy.routes if route.tokens_over is not None]
        self._players = {
            (limit, bar): Player(with_settings(policy, self._settings(limit, bar)), works)
            for limit in LENGTHS[:-1]
            for bar in BARS
        }

    def _settings(self, limit: int, bar: float) -> list[Setting]:
        return [
            *[Setting(f"routes.{name}", "pass_at", bar) for name in self.routes],
            *[Setting(f"routes.{name}", "tokens_over", limit) for name in self.long],
        ]

    def best(self, crowd: Crowd, floor: float) -> Truth | None:
        """What the cheapest thresholds come to that keep the floor; None where none do."""
        nothing = Truth(0.0, 0.0, 0.0)
        found: Truth | None = None
        for limit in LENGTHS[:-1]:
            by_bar = {bar: by_route(self._players[limit, bar], crowd) for bar in BARS}
            long = [by_bar[BARS[0]].get(name, nothing) for name in self.long]
            each = [[by_bar[bar].get(name, nothing) for bar in BARS] for name in self.routes]
            for parts in product(*each):
                whole = (*long, *parts)
                dollars = sum([part.dollars for part in whole])
                if found is not None and dollars >= found.dollars:
                    continue
                requests = sum([part.requests for part in whole])
                good = sum([part.good for part in whole])
                if good >= floor * requests:
                    found = Truth(requests, good, dollars)
        return found
