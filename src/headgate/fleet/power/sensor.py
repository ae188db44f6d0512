"""What a sensor of energy is, whatever it reads."""

from typing import Protocol


class Sensor(Protocol):
    """Says what was drawn since it was last asked."""

    source: str
    """What it measures: "gpu", "cpu" or "typed"; a word of the ledger's table `power`."""
    quick: bool
    """Asking takes microseconds, so it may be asked when an attempt begins and ends. Else it is asked on another thread, now and then."""

    def read(self, *, busy: bool) -> int | None:
        """Microjoules since it was last read, 0 at first; None when it cannot be read any more.

        Args:
            busy: whether an attempt ran all that time.
        """
        ...

    def close(self) -> None:
        """Give back what it holds open."""
        ...
