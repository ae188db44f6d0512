"""A wattage that the user types, as a sensor: so much while the machine answers, so much while it waits."""

from collections.abc import Callable

from headgate.core.power import MICROJOULES


class Typed:
    """The user's word for a machine that nobody can measure, or that he has measured better, at the wall.

    Args:
        watts: while it answers, all of it.
        idle: while it waits.
        clock: seconds of a steady clock.
    """

    source = "typed"
    quick = True

    def __init__(self, watts: float, idle: float, clock: Callable[[], float]) -> None:
        self._watts = watts
        self._idle = idle
        self._clock = clock
        self._at = clock()

    def read(self, *, busy: bool) -> int:
        """Microjoules since it was last read."""
        now = self._clock()
        passed, self._at = max(0.0, now - self._at), now
        return int(passed * (self._watts if busy else self._idle) * MICROJOULES)

    def close(self) -> None:
        """There is nothing to give back."""
