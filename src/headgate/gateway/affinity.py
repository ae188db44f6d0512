"""Which model answered the last turn of a conversation: the conversation stays with it, because its prompt cache holds it.

Callers send the whole conversation each time, so a turn is known again by what stood before the last answer: exactly the
messages of the turn before. What is remembered is a hash of them and a name, for as long as providers keep a prompt
cache, and no longer. It does not know what was said, nor who said it; two callers who send the same messages share what is
remembered, which is no more than the name of a model.
"""

from collections.abc import Callable, Sequence
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.types import Message, Model, Request, Signals, Usage

MOST = 10_000
"""Turns in each of two generations; when the younger is full, the older is forgotten."""

CACHED_BY_ITSELF = 1024
"""Tokens from which on OpenAI caches a prompt without being asked."""


class Answered(Struct, frozen=True, gc=False):
    """Who answered the last turn of a conversation."""

    model: str
    cached: int
    until: float


class Affinity:
    """The conversations of a gate.

    Args:
        keep_for: seconds after its last turn for which a conversation is remembered; 0 is not at all.
        clock: a steady clock.
    """

    def __init__(self, keep_for: float, clock: Callable[[], float] = monotonic) -> None:
        self._keep_for = keep_for
        self._clock = clock
        self._young: dict[int, Answered] = {}
        self._old: dict[int, Answered] = {}

    def recall(self, request: Request, signals: Signals) -> Signals:
        """The signals, with the model that answered the turn before, if there was one."""
        if len(request.messages) < 3:
            return signals
        before = opening(request.messages)
        key = hash(before)
        turn = (self._young.get(key) or self._old.get(key)) if before else None
        if turn is None or turn.until < self._clock():
            return signals
        return replace(signals, keeps_to=turn.model, cached=turn.cached)

    def note(self, request: Request, model: Model, usage: Usage) -> None:
        """Remember who answered."""
        if not self._keep_for:
            return
        if len(self._young) >= MOST:
            self._old, self._young = self._young, {}
        until = self._clock() + self._keep_for
        self._young[hash(request.messages)] = Answered(model.name, cached_after(model, usage), until)


def opening(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages before the last answer; nothing when there is none."""
    for index in range(len(messages) - 1, 0, -1):
        if messages[index].role == "assistant":
            return messages[:index]
    return ()


def cached_after(model: Model, usage: Usage) -> int:
    """Tokens that the model's prompt cache holds after an answer, as far as its provider says or is known for."""
    if model.engine_kind == "openai" and usage.prompt >= CACHED_BY_ITSELF:
        return usage.prompt
    return usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
