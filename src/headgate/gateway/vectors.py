"""Texts → vectors on one model: what it wants to read before each text, what is known already, and the rest in calls that it likes.

    look(request, model) → Sought        vectors that are known need no call
    make(sought, engine, model) → Reply   one vector per text, in order, however many calls that took

It does not know which model is asked (`journey`), nor how a call is spoken (`engines`). A request that took several calls is
one attempt still: one reply, with the usage of all calls.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from headgate.core.engine import Engine, find_listed
from headgate.core.prefixes import with_prefixes
from headgate.core.tokens import BYTES_PER_TOKEN, length
from headgate.core.types import Failure, Model, Reply, Request
from headgate.core.usage import added
from headgate.engines.vector_cache import VectorCache
from headgate.fleet.fleet import Fleet

TEXTS_AT_HOME = 64
TOKENS_AT_HOME = 16_384
"""In one call to an engine at home: enough to keep it busy, and soon over, so that others get their turn."""

TEXTS_AWAY = 2048
TOKENS_AWAY = 250_000
"""In one call to a provider: OpenAI takes 2,048 texts and 300,000 tokens, and an estimate may be wrong."""

CALLS_AT_ONCE = 4
"""Of one request, as far as its engine has slots that nobody else wants."""

NOT_ASKED = frozenset({"encoding_format", "user", "input_type", "truncate", "keep_alive"})
"""Fields of a request that change nothing of a vector."""


class Sought(Struct, frozen=True, gc=False, kw_only=True):
    """The texts of a request as one model is asked them, and their vectors as far as they are known."""

    request: Request
    texts: tuple[str, ...]
    """What decides each vector: the text, or the ids of its tokens where they go as they came."""
    identity: str
    """What else decides it."""
    found: tuple[bytes | None, ...]

    @property
    def known(self) -> int:
        """How many vectors need no call."""
        return sum(vector is not None for vector in self.found)

    @property
    def missing(self) -> list[int]:
        """The places of texts to embed, each text once."""
        places = {self.texts[place]: place for place, vector in enumerate(self.found) if vector is None}
        return sorted(places.values())


class Vectors:
    """How texts are embedded.

    Args:
        fleet: its slots, and what its engines say of their models.
        cache: the vectors of before; None keeps none.
    """

    def __init__(self, fleet: Fleet, cache: VectorCache | None) -> None:
        self.fleet = fleet
        self.cache = cache

    async def look(self, request: Request, model: Model) -> Sought:
        """The texts of a request as this model is asked them, with the vectors that are known."""
        asked = with_prefixes(request, model)
        texts = decisive(asked, model)
        identity = self.identity(asked, model)
        found: Sequence[bytes | None] = [None] * len(texts)
        if self.cache is not None:
            found = await self.cache.find(identity, texts)
            if len({len(vector) for vector in found if vector is not None}) > 1:
                found = [None] * len(texts)
        return Sought(request=asked, texts=texts, identity=identity, found=tuple(found))

    def identity(self, request: Request, model: Model) -> str:
        """What decides a vector beside its text."""
        listed = find_listed(model.id, self.fleet.listed.get(model.engine, ()))
        more = {name: raw for name, raw in request.extra.items() if name not in NOT_ASKED}
        facts = (
            model.engine,
            model.id,
            listed.digest if listed is not None else "",
            request.dimensions,
            sorted(model.settings.items()),
            sorted(more.items()),
        )
        return msgspec.json.encode(facts).decode()

    async def make(self, sought: Sought, engine: Engine, model: Model, within: float) -> Reply | Failure:
        """The vectors of all texts, `within` seconds at most. The caller has a slot on the model."""
        until = perf_counter() + within
        replies: list[Reply] = []
        while missing := sought.missing:
            made = await self.call(sought, missing, engine, model, until)
            if isinstance(made, Failure):
                spent = [*(reply.usage for reply in replies), *([made.usage] if made.usage else [])]
                return replace(made, usage=added(spent) if spent else None)
            replies += made
            vectors = dict(zip((sought.texts[place] for place in missing), vectors_of(made), strict=True))
            found = tuple(
                [
                    known if known is not None else vectors[text]
                    for known, text in zip(sought.found, sought.texts, strict=True)
                ]
            )
            size = len(vectors_of(made)[0])
            if any(len(vector) != size for vector in vectors.values()):
                return Failure(reason="malformed", detail=f"{model.id} gave vectors of several lengths")
            # Vectors of before that are of another length are another model's, whatever its name.
            sought = replace(sought, found=tuple([one if len(one) == size else None for one in found]))
        return answer(sought, replies)

    async def call(
        self, sought: Sought, missing: Sequence[int], engine: Engine, model: Model, until: float
    ) -> list[Reply] | Failure:
        """The replies of all calls that are needed, in order; or the failure of the first that went wrong."""
        parts = list(split(sought.request, missing, local=model.local))
        done: list[Reply | Failure | None] = [None] * len(parts)
        to_do = iter(range(len(parts)))
        failed: list[Failure] = []

        async def work() -> None:
            for number in to_do:
                if failed:
                    return
                part = parts[number]
                result = await engine.embed(part_of(sought.request, part), model, until - perf_counter())
                if isinstance(result, Failure):
                    failed.append(result)
                    return
                done[number] = result
                if self.cache is not None:
                    self.cache.keep(sought.identity, [sought.texts[place] for place in part], result.vectors)

        async def lend(lane: str) -> None:
            try:
                await work()
            finally:
                self.fleet.admission.leave(lane, None)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(CALLS_AT_ONCE, len(parts)) - 1):
                lane = self.fleet.admission.enter(model.name)
                if lane is None:
                    break
                group.create_task(lend(lane))
            await work()
        replies = [reply for reply in done if isinstance(reply, Reply)]
        if failed:
            spent = [reply.usage for reply in replies] + [
                one.usage for one in failed if one.usage is not None
            ]
            return replace(failed[0], usage=added(spent) if spent else None)
        return replies


def decisive(request: Request, model: Model) -> tuple[str, ...]:
    """What decides each vector: OpenAI is sent token ids as they came, and two of them may spell the same."""
    if request.token_ids and model.engine_kind == "openai":
        return tuple([f"ids {ids}" for ids in request.token_ids])
    return tuple([message.text for message in request.messages])


def split(request: Request, places: Iterable[int], *, local: bool) -> Iterator[list[int]]:
    """The places of texts, call by call: as many as an engine likes at once."""
    most, tokens_at_most = (TEXTS_AT_HOME, TOKENS_AT_HOME) if local else (TEXTS_AWAY, TOKENS_AWAY)
    part: list[int] = []
    tokens = 0
    for place in places:
        more = length(request.messages[place].text) // BYTES_PER_TOKEN
        if part and (len(part) == most or tokens + more > tokens_at_most):
            yield part
            part, tokens = [], 0
        part.append(place)
        tokens += more
    if part:
        yield part


def part_of(request: Request, places: Sequence[int]) -> Request:
    """The request with the texts at these places alone."""
    if len(places) == len(request.messages):
        return request
    ids = tuple([request.token_ids[place] for place in places]) if request.token_ids else ()
    return replace(
        request,
        messages=tuple([request.messages[place] for place in places]),
        token_ids=ids,
        raw_messages=Raw(msgspec.json.encode(ids)) if ids else request.raw_messages,
    )


def vectors_of(replies: Iterable[Reply]) -> list[bytes]:
    """All their vectors, in order."""
    return [vector for reply in replies for vector in reply.vectors]


def answer(sought: Sought, replies: Sequence[Reply] = ()) -> Reply:
    """All vectors in the order of their texts, with what the calls took; without a call nothing was used."""
    return Reply(
        text="",
        vectors=tuple([vector for vector in sought.found if vector is not None]),
        usage=added([reply.usage for reply in replies]),
        answered_by=replies[0].answered_by if replies else "",
        first_token=replies[0].first_token if replies else None,
        seconds=sum([reply.seconds for reply in replies]),
        loading=sum([reply.loading for reply in replies]),
    )
