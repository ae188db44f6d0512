"""What there is time for in a batch with `--by`, and who is asked. It does not know the items, nor a provider."""

from msgspec import Struct

from headgate.core.types import Model

LIVE = 2.0
"""Seconds that a live answer takes, as a guess for the time to keep for those."""
LEAST_MARGIN = 60.0


class Night(Struct, frozen=True, kw_only=True):
    """What there is time for, and who is asked."""

    agent: str
    models: tuple[Model, ...]
    """The one that is asked in batches, and the paid ones after it, which are asked live."""
    until: float
    """Unix time at which all has to be there."""
    poll: float
    """Seconds between the first looks at a job."""
    at_once: int

    def margin(self, many: int, now: float) -> float:
        """Seconds before the end that are kept for asking so many items live."""
        return min(max(LEAST_MARGIN, many * LIVE / self.at_once), max(self.until - now, 0.0) / 2)
