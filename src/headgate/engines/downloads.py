"""How a download is watched: whether bytes come, and not whether somebody says that they do.

An engine may report the same figure for ever, so a download stands still when its figure does. It does not know where the
bytes come from, nor who reports them.
"""

from headgate.core.types import Failure
from headgate.engines.transport import Clocks

STALL = 60.0
"""Seconds without a new byte after which a download stands still."""
CHECKING = 900.0
"""Seconds that an engine may need, in silence, to check and to move what it has fetched."""
WHOLE = Clocks(connect=5.0, first_byte=60.0, between_bytes=CHECKING, total=7 * 86_400.0)
"""The clocks of a download that is one long answer."""


class Watch:
    """Notices a download that stands still.

    Args:
        now: the time at its beginning, on any clock.
    """

    def __init__(self, now: float) -> None:
        self._most = -1
        self._grew = now

    def still_for(self, completed: int | None, now: float) -> float:
        """Seconds since the figure last grew, after a report of `completed` bytes. Without a figure nothing is known."""
        if completed is None or completed > self._most:
            self._most = self._most if completed is None else completed
            self._grew = now
        return now - self._grew


def stalled() -> Failure:
    """The failure of a download that stands still."""
    return Failure(
        reason="timeout",
        detail=f"the download stalled: no byte came for {STALL:g} s",
        hint="check the network and pull again: it goes on where it ended",
    )


def broken_off(who: str) -> Failure:
    """The failure of a download whose reports ended before it did."""
    return Failure(
        reason="broken_stream",
        detail=f"the download broke off: {who} stopped reporting before it was complete",
        hint="pull again: it goes on where it ended",
    )
