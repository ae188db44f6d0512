"""Leave a model alone for a while after it failed several times in a row.

    closed → open (nobody tries) → half-open (one request tries; everybody else still goes elsewhere) → closed, or open for longer

Pure but for its own counters: the time is an argument. An engine that says itself when to come back (`retry-after`) is
believed.
"""

from headgate.core.types import Failure

FAILURES = 5
PAUSE = 10.0
LONGEST_PAUSE = 120.0

TRIAL = 30.0
"""Seconds that others wait for the outcome of a trial; one whose caller hung up has none."""


class Breaker:
    """One model's record of failures in a row."""

    def __init__(self) -> None:
        self.failures = 0
        self.pause = PAUSE
        self.open_until = 0.0
        self.trial_until = 0.0

    def is_open(self, now: float) -> bool:
        """Whether the model is left alone at this moment (seconds of any steady clock)."""
        return now < self.open_until or now < self.trial_until

    def try_again(self, now: float) -> bool:
        """Whether a request may go through. After a pause the first one may, and the others wait for what comes of it."""
        if self.is_open(now):
            return False
        if self.open_until:
            self.trial_until = now + TRIAL
        return True

    def note(self, failure: Failure | None, now: float) -> None:
        """Take the outcome of one call into account."""
        if failure is None:
            self.failures, self.pause = 0, PAUSE
            self.open_until = self.trial_until = 0.0
            return
        if now < self.open_until or not blames_engine(failure):
            return  # calls that were under way when it opened are no news
        self.trial_until = 0.0
        self.failures += 1
        if failure.retry_after is not None:
            self.open_until = max(self.open_until, now + min(failure.retry_after, LONGEST_PAUSE))
        elif self.failures >= FAILURES:
            self.open_until = now + self.pause
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
            self.failures = FAILURES - 1


def blames_engine(failure: Failure) -> bool:
    """Whether the failure says something about the engine, and not about this one request."""
    if failure.reason in ("timeout", "refused", "broken_stream"):
        return True
    return failure.reason == "http_error" and (
        failure.status is None or failure.status >= 500 or failure.status in (401, 403, 429)
    )
