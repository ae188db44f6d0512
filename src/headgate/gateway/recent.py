"""The answers that were given a short while ago, in memory and nowhere else.

Clients of OpenAI's Responses name items of earlier answers instead of sending them again, because OpenAI keeps them for
a month. Within one talk an hour is enough, and nothing has to be written for it. What is remembered has a bound in bytes and
in time; the oldest go first. It does not know how a caller names an answer (`wire.doors`), nor what the ledger keeps.
"""

from collections import OrderedDict
from collections.abc import Callable
from sys import getsizeof
from time import monotonic

from msgspec import Struct

from headgate.core.types import Message

MOST_BYTES = 32 * 1024 * 1024
KEEP_FOR = 3600.0
"""Seconds after which an answer is forgotten."""

BESIDE = 500
"""Bytes that an answer takes in memory beside its texts."""


class Remembered(Struct, frozen=True, gc=False):
    """An answer."""

    answer: Message
    local_only: bool
    """It may not leave the user's machines."""
    size: int
    until: float


class RecentAnswers:
    """The recent answers of a gate.

    Args:
        most_bytes: of memory for all of them together.
        keep_for: seconds for which each is remembered.
        clock: a steady clock.
    """

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        keep_for: float = KEEP_FOR,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.size = 0
        self._most_bytes = most_bytes
        self._keep_for = keep_for
        self._clock = clock
        self._answers: OrderedDict[str, Remembered] = OrderedDict()  # a dict finds its oldest entry slowly

    def note(self, request_id: str, answer: Message, *, local_only: bool) -> None:
        """Remember an answer; one that alone is larger than all that may be remembered is not."""
        size = size_of(answer)
        if size > self._most_bytes:
            return
        now = self._clock()
        self._answers[request_id] = Remembered(answer, local_only, size, now + self._keep_for)
        self.size += size
        self._forget(now)

    def find(self, request_id: str) -> Remembered | None:
        """The answer to a request, while it is remembered."""
        self._forget(self._clock())
        return self._answers.get(request_id)

    def _forget(self, now: float) -> None:
        while self._answers:
            oldest = next(iter(self._answers))
            if self.size <= self._most_bytes and self._answers[oldest].until >= now:
                return
            self.size -= self._answers.pop(oldest).size


def size_of(answer: Message) -> int:
    """About how many bytes of memory an answer takes."""
    texts = [answer.text, answer.reasoning]
    for call in answer.tool_calls:
        texts += [call.id, call.name, call.arguments]
    return BESIDE + sum([getsizeof(text) for text in texts])
