"""Who is there: how many requests are under way, how long nobody has been there, and who makes way when somebody comes.

A request counts while it travels (`journey`), whichever door it came through. What the gate asks for itself, in hours when nobody is
there, travels apart and is told of each arrival before the newcomer looks for a slot: so it can give back what would stand in his
way. This costs a request a fraction of a microsecond. What is asked then is not known here (`lab.auditing`).
"""

from collections.abc import Callable
from time import monotonic


class Presence:
    """The requests that are under way on one road. A request is inside of it: `with presence: …`.

    Attributes:
        under_way: how many there are.
        arrivals: how many there have ever been.
        arrives: called at each arrival; None while there is nothing that could make way.
    """

    __slots__ = ("_last", "arrivals", "arrives", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self.arrivals = 0
        self.arrives: Callable[[], None] | None = None
        self._last = monotonic()

    def __enter__(self) -> None:
        self.under_way += 1
        self.arrivals += 1
        if self.arrives is not None:
            self.arrives()

    def __exit__(self, *_: object) -> None:
        self.under_way -= 1
        self._last = monotonic()

    def quiet(self) -> float:
        """Seconds for which nobody has been there; 0 while somebody is."""
        return 0.0 if self.under_way else monotonic() - self._last
