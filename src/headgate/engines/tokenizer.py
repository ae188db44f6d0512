"""Text ↔ tokens, offline: counts by OpenAI's o200k encoding, and what ids of cl100k_base spell.

A vocabulary is read on another thread, and only when it is first needed: o200k (a third of a second, 80 MB of memory) when a
prompt comes near a limit, cl100k_base (0.1 s, 5 MB) when a caller sends texts to embed as token ids, as LangChain does.
Models with other tokenizers count somewhat differently; the ledger keeps what each engine reported.

Source of the vocabularies: OpenAI's tiktoken (MIT), packed by `scripts/vocabulary.py`, which names their sha256.
"""

import asyncio
from collections.abc import Sequence
from importlib import resources

from msgspec.structs import replace

from headgate.core import signals, tokens
from headgate.core.policy import Policy
from headgate.core.types import Request, Signals

LARGE = 100_000
"""Bytes of a body from which on it is measured on another thread."""

PARTS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
)


class Tokenizer:
    """A counter and a speller that load themselves when they are first needed."""

    def __init__(self) -> None:
        self.counter: tokens.Counter | None = None
        self.loading: asyncio.Task[tokens.Counter] | None = None
        self.spelling: asyncio.Task[tuple[bytes, ...]] | None = None

    async def measure(self, request: Request, policy: Policy, size: int) -> Signals:
        """Measure a request whose body had `size` bytes, loading the vocabulary if the count could matter."""
        if size > LARGE:
            found = await asyncio.to_thread(signals.measure, request, policy, self.counter)
        else:
            found = signals.measure(request, policy, self.counter)
        if self.counter is not None or not tokens.near(found.tokens, policy.token_limits):
            return found
        if request.kind == "embedding":
            return found
        return replace(found, tokens=await self.count(request), tokens_exact=True)

    async def count(self, request: Request) -> int:
        """Prompt tokens of a request, whatever its length, loading the vocabulary if that has not been done."""
        if self.counter is None:
            if self.loading is None:
                self.loading = asyncio.create_task(
                    asyncio.to_thread(load_counter), name="headgate-vocabulary"
                )
            self.counter = await asyncio.shield(self.loading)
        return await asyncio.to_thread(tokens.count, request, self.counter)

    async def spell(self, texts: Sequence[Sequence[int]]) -> tuple[str, ...] | int:
        """What the ids of cl100k_base in each text spell; or the first id that there is not."""
        if self.spelling is None:
            reading = asyncio.to_thread(read_vocabulary, "cl100k_base")
            self.spelling = asyncio.create_task(reading, name="headgate-spelling")
        vocabulary = await asyncio.shield(self.spelling)
        return await asyncio.to_thread(spell, texts, vocabulary)


def load_counter() -> tokens.Counter:
    """Read the vocabulary (0.3 s, 80 MB) and return a function that counts a text's tokens."""
    import tiktoken  # noqa: PLC0415  # only when the first prompt comes near a limit

    ranks = {token: rank for rank, token in enumerate(read_vocabulary("o200k_base"))}
    encoding = tiktoken.Encoding(
        "o200k_base", pat_str="|".join(PARTS), mergeable_ranks=ranks, special_tokens={}
    )

    def count(text: str) -> int:
        return len(encoding.encode_ordinary(text))

    return count


def read_vocabulary(name: str) -> tuple[bytes, ...]:
    """The tokens of a shipped vocabulary, each at the place of its id."""
    import lzma  # noqa: PLC0415  # only when a vocabulary is needed

    packed = resources.files("headgate.engines").joinpath(f"vocabulary/{name}.xz").read_bytes()
    whole = lzma.decompress(packed)
    start = 4 + int.from_bytes(whole[:4], "little")
    found = []
    for length in whole[4:start]:
        found.append(whole[start : start + length])
        start += length
    return tuple(found)


def spell(texts: Sequence[Sequence[int]], vocabulary: Sequence[bytes]) -> tuple[str, ...] | int:
    """The texts; a letter that was cut apart at an end of one becomes U+FFFD. Or the first id that there is not."""
    most = len(vocabulary)
    for ids in texts:
        if (wrong := next((one for one in ids if not 0 <= one < most), None)) is not None:
            return wrong
    return tuple([b"".join([vocabulary[one] for one in ids]).decode("utf-8", "replace") for ids in texts])
