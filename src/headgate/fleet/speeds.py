"""How fast one model is on one engine: loading, reading prompts, writing answers, alone and side by side.

Everything is asked through the engine's own adapter, and every figure comes from what the engine counted: where it
does not say how many tokens there were, or only an estimate is known, there is no figure. A prompt begins with a word
that was never sent before, so that no prompt cache helps. It does not know the exam, nor what is done with the figures.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from random import Random
from statistics import median
from time import perf_counter
from typing import Final

from msgspec import Struct

from headgate.core.engine import Engine, LoadedModel, ManagedEngine
from headgate.core.types import Failure, Message, Model, Reply, Request

WARM_ASKS: Final = 3
"""Short prompts whose first token is timed; the middle one counts."""
WRITTEN: Final = 128
"""Tokens asked for when writing is timed."""
WRITTEN_ASKS: Final = 6
"""Answers timed at most, where a model says little."""
LEAST_WRITTEN: Final = 5
"""Tokens from which a speed of writing can be told."""
TAIL: Final = 32
"""Tokens written after each long prompt."""
SHORTEST: Final = 256
"""Tokens of the first of the rising prompts; each has twice as many as the one before."""
SPARE: Final = 64
"""Tokens of a window that are left free beside prompt and answer: templates differ."""
UNKNOWN_WINDOW: Final = 16_384
"""Tokens up to which prompts rise where nobody says how long they may be."""
LONG_PROMPT: Final = 4096
"""Tokens up to which prompts count for the speed of reading; it falls beyond."""
ONE_CALL: Final = 60.0
"""Seconds that one call to a warm model may take at most."""
COUNT: Final = "Count from 1 to 60 in digits, separated by blanks, and write nothing else."

_SYLLABLES: Final = tuple("ba de fi go hu ka le mi no pu ra se ti vo wu za".split())  # noqa: SIM905 - easier to read
_WORDS: Final = tuple(
    "time year people way day man thing woman life child world school state family group country problem hand part "  # noqa: SIM905 - easier to read
    "place case week company system question work night point home water room mother area money story month book".split()
)


class Clock:
    """What is left of the time for measuring. Nothing is begun for which there is none.

    Args:
        within: seconds in all.
    """

    def __init__(self, within: float) -> None:
        self.ends = perf_counter() + within

    @property
    def left(self) -> float:
        """Seconds; 0 when the time is over."""
        return max(0.0, self.ends - perf_counter())

    def part(self, share: float) -> "Clock":
        """A clock for a share of what is left."""
        return Clock(share * self.left)


class Speeds(Struct, kw_only=True):
    """The figures as they are found; None is not measured."""

    load_seconds: float | None = None
    first_token_cold: float | None = None
    first_token_warm: float | None = None
    prompt_speed: float | None = None
    speed: float | None = None
    speed_parallel: float | None = None
    fast_context: int | None = None
    thinks: bool = False
    """It thinks aloud before it answers, and needs room for that."""


class Timed(Struct, frozen=True):
    """One streamed answer: the seconds to its first token, and when that and the last one came, on the steady clock."""

    reply: Reply
    began: float
    first: float | None
    ended: float

    @property
    def wait(self) -> float | None:
        """Seconds to the first token; None where nothing came before the end."""
        return None if self.first is None else self.first - self.began

    @property
    def written(self) -> int:
        """Tokens written after the first one; 0 where the engine did not count them."""
        usage = self.reply.usage
        return max(0, usage.output - 1) if usage.exact and self.first is not None else 0

    @property
    def speed(self) -> float | None:
        """Tokens per second after the first one."""
        if self.first is None or self.written + 1 < LEAST_WRITTEN or self.ended <= self.first:
            return None
        return self.written / (self.ended - self.first)


async def load_anew(engine: ManagedEngine, model: Model, clock: Clock) -> float | Failure:
    """Unload the model and load it again with the config's context; the seconds that loading took.

    How many answers it gives at a time is left to the engine, unless the config says so for this model.
    """
    failed = await engine.unload(model.id)
    if failed is not None:
        return failed
    begun = perf_counter()
    loaded = await engine.load(model.id, model.context, parallel=model.slots, within=clock.left)
    return loaded if isinstance(loaded, Failure) else perf_counter() - begun


async def find_loaded(engine: Engine, model_id: str) -> LoadedModel | None:
    """The model in the engine's memory, where the engine says so."""
    if not isinstance(engine, ManagedEngine):
        return None
    found = await engine.loaded()
    if isinstance(found, Failure):
        return None
    wanted = model_id.removesuffix(":latest")
    return next((one for one in found if one.id.removesuffix(":latest") == wanted), None)


class Stopwatch:
    """Times one model on one engine; `speeds` fills up as it goes.

    Args:
        engine: asked through its own adapter.
        model: of that engine.
        parallel: answers at a time in the figures for many.
    """

    def __init__(self, engine: Engine, model: Model, parallel: int) -> None:
        self.speeds = Speeds()
        self._engine = engine
        self._model = model
        self._parallel = parallel
        self._prompts = Prompts()

    async def begin(self, clock: Clock, *, was_cold: bool) -> Failure | None:
        """Ask once: the first answer after loading, or one that loads by itself, tells of cold starts.

        Args:
            clock: the time for it.
            was_cold: the model was not in memory before, as far as its engine says.
        """
        timed = await self._ask(self._prompts.short(), 16, clock.left)
        if isinstance(timed, Failure):
            return timed
        speeds = self.speeds
        speeds.thinks = bool(timed.reply.reasoning) or "<think>" in timed.reply.text[:32]
        if timed.wait is None:
            return None
        if speeds.load_seconds is not None:
            speeds.first_token_cold = speeds.load_seconds + timed.wait
        elif was_cold and timed.reply.loading:
            speeds.load_seconds, speeds.first_token_cold = timed.reply.loading, timed.wait
        return None

    async def wait_for_first_tokens(self, clock: Clock) -> Failure | None:
        """The wait for the first token of a short prompt."""
        waits = []
        for _ in range(WARM_ASKS):
            timed = await self._ask(self._prompts.short(), 8, clock.left)
            if isinstance(timed, Failure):
                return timed
            if timed.wait is not None:
                waits.append(timed.wait)
        self.speeds.first_token_warm = median(waits) if waits else None
        return None

    async def write(self, clock: Clock) -> Failure | None:
        """The speed of writing, over as many answers as it takes to see some tokens."""
        tokens, seconds = 0, 0.0
        for _ in range(WRITTEN_ASKS):
            timed = await self._ask(self._prompts.count(), WRITTEN, clock.left)
            if isinstance(timed, Failure):
                return timed
            if timed.first is not None and timed.written:
                tokens += timed.written
                seconds += timed.ended - timed.first
            if tokens >= WRITTEN // 2:
                break
        if tokens >= LEAST_WRITTEN and seconds > 0:
            self.speeds.speed = tokens / seconds
        return None

    async def write_side_by_side(self, clock: Clock) -> Failure | None:
        """The speed of `parallel` answers together, from the first token of any to the last of all."""
        if self._parallel == 1:
            self.speeds.speed_parallel = self.speeds.speed
            return None
        asks = (self._ask(self._prompts.count(), WRITTEN, clock.left) for _ in range(self._parallel))
        timed: list[Timed] = []
        for answer in await asyncio.gather(*asks):
            if isinstance(answer, Failure):
                return answer
            timed.append(answer)
        firsts = [one.first for one in timed if one.first is not None and one.written]
        if len(firsts) == self._parallel:
            seconds = max(one.ended for one in timed) - min(firsts)
            self.speeds.speed_parallel = sum(one.written for one in timed) / seconds
        return None

    async def read_longer_and_longer(self, clock: Clock, window: int | None) -> Failure | None:
        """Prompts of rising length: the speed of reading, and up to where writing stays fast.

        Args:
            clock: the time for it; a prompt that would probably take longer is not begun.
            window: tokens of prompt and answer that the model takes.
        """
        read: list[tuple[int, float]] = []
        for tokens in _rising(window or UNKNOWN_WINDOW):
            if read and 2.5 * read[-1][1] > clock.left:
                break
            timed = await self._read(tokens, clock)
            if timed is not None and not isinstance(timed, Failure) and self._is_slow(timed):
                timed = await self._read(tokens, clock)  # something else may have been at work just then
            if timed is None or isinstance(timed, Failure):
                if timed is None or timed.reason in ("context_overflow", "timeout"):
                    break
                return timed
            usage = timed.reply.usage
            read.append((usage.prompt - usage.cache_read, timed.wait or 0.0))
            if self._is_slow(timed):
                break
            if timed.speed is not None:
                self.speeds.fast_context = usage.prompt
        self.speeds.prompt_speed = _slope(read)
        return None

    async def _read(self, tokens: int, clock: Clock) -> Timed | Failure | None:
        """A prompt of about so many tokens; None where the engine does not count them."""
        text, words = self._prompts.long(tokens)
        timed = await self._ask(text, TAIL, clock.left)
        if isinstance(timed, Failure):
            return timed
        usage = timed.reply.usage
        if timed.wait is None or not usage.exact or not usage.prompt:
            return None
        self._prompts.learn(words, usage.prompt)
        return timed

    def _is_slow(self, timed: Timed) -> bool:
        """Whether it was written at less than half of the speed."""
        return (
            timed.speed is not None and self.speeds.speed is not None and timed.speed < self.speeds.speed / 2
        )

    async def _ask(self, text: str, most: int, within: float) -> Timed | Failure:
        request = Request(
            id="bench",
            asked="bench",
            messages=(Message("user", text),),
            max_tokens=most,
            temperature=0.0,
            stream=True,
            local_only=True,
        )
        began, first = perf_counter(), None
        async with aclosing(self._engine.stream(request, self._model, within)) as items:
            async for item in items:
                if isinstance(item, Failure):
                    return item
                if isinstance(item, Reply):
                    return Timed(item, began, first, perf_counter())
                first = first or perf_counter()
        return Failure(reason="broken_stream", detail="the stream ended without an answer")


class Prompts:
    """Texts that no prompt cache has seen."""

    def __init__(self) -> None:
        self._chance = Random()
        self._per_word = 1.5
        """Tokens of a word; a guess until the model at hand has counted some."""

    def short(self) -> str:
        """A question of a few tokens."""
        return f"{self._name()}: say hello."

    def count(self) -> str:
        """An order that makes a model write."""
        return f"{self._name()}. {COUNT}"

    def long(self, tokens: int) -> tuple[str, int]:
        """A text of about so many tokens that ends in the order to count, and how many words it has before."""
        words = max(1, int(tokens / self._per_word))
        text = " ".join(self._chance.choices(_WORDS, k=words))
        return f"{self._name()} {text}\n\nPay no attention to the words above. {COUNT}", words

    def learn(self, words: int, tokens: int) -> None:
        """Learn from a prompt that was counted how many tokens a word has."""
        self._per_word = max(0.5, tokens / words)

    def _name(self) -> str:
        return "".join(self._chance.choices(_SYLLABLES, k=4)).capitalize()


def _rising(window: int) -> list[int]:
    """Prompt lengths: doubled up to the window, and last what just fits into it."""
    most = int(0.95 * (window - TAIL - SPARE))
    lengths = []
    tokens = SHORTEST
    while tokens < 0.8 * most:
        lengths.append(tokens)
        tokens *= 2
    return [*lengths, most] if most > 0 else []


def _slope(read: Sequence[tuple[int, float]]) -> float | None:
    """Tokens per second between the shortest and the longest prompt, so that what each call costs anyway does not count."""
    near = [point for point in read if point[0] <= LONG_PROMPT]
    if len(near) < 2:
        return None
    (few, short), (many, long) = near[0], near[-1]
    return (many - few) / (long - short) if many > few and long > short else None
