"""How long a model may take to begin and to go on, learned from how long it usually takes.

One timeout for all is too long for a model that answers at once and too short for one that reads a long prompt on a slow
machine. A limit that the user sets is the limit. It does not know loading: an engine that loads a model by itself does so
before the first token, which is why engines at home are never given less than a cold start may take.
"""

FIRST = 60.0
"""Seconds to the first token while nothing is known, and the least that an engine at home is given."""

LEAST_FIRST = 15.0
"""The least that any other engine is given."""

SILENCE = 30.0
"""Seconds between two tokens while nothing is known."""

LEAST_SILENCE = 5.0

TIMES_FIRST = 4.0
TIMES_SILENCE = 10.0

NEWEST = 0.2
"""Weight of the newest call in what is usual."""


class Pace:
    """What is usual for one model.

    Args:
        first_token: the user's own limit, or None.
        between_tokens: likewise.
        at_home: its engine may have to load it first.
    """

    __slots__ = ("_first", "_gap", "_least_first", "_set_first", "_set_silence", "_size")

    def __init__(self, first_token: float | None, between_tokens: float | None, *, at_home: bool) -> None:
        self._set_first = first_token
        self._set_silence = between_tokens
        self._least_first = FIRST if at_home else LEAST_FIRST
        self._first: float | None = None
        self._size = 1.0
        self._gap: float | None = None

    def first_token(self, size: int) -> float:
        """Seconds that the first token of a prompt of `size` bytes may take."""
        if self._set_first is not None:
            return self._set_first
        if self._first is None:
            return FIRST
        return max(self._least_first, TIMES_FIRST * self._first * max(1.0, size / self._size))

    @property
    def silence(self) -> float:
        """Seconds that may pass between two tokens."""
        if self._set_silence is not None:
            return self._set_silence
        return SILENCE if self._gap is None else max(LEAST_SILENCE, TIMES_SILENCE * self._gap)

    def note(self, size: int, first: float, gap: float) -> None:
        """A whole answer came: its first token after so many seconds, none of the others later than `gap` after the one before."""
        if self._first is None or self._gap is None:
            self._first, self._size, self._gap = first, float(max(size, 1)), gap
            return
        self._first += NEWEST * (first - self._first)
        self._size += NEWEST * (size - self._size)
        self._gap = max(gap, self._gap + NEWEST * (gap - self._gap))
