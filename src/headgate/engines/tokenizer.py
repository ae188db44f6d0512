"""Count tokens exactly, offline: OpenAI's o200k encoding by tiktoken, with the vocabulary that ships with us.

The vocabulary takes a third of a second to read and 80 MB of memory, so it is read on another thread, and only when
a prompt first comes near a limit. Models with other tokenizers count somewhat differently; the ledger keeps what each
engine reported. Source of the file: OpenAI's tiktoken (MIT), sha256 446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d.
"""

import asyncio
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
    """A counter that loads itself when it is first needed."""

    def __init__(self) -> None:
        self.counter: tokens.Counter | None = None
        self.loading: asyncio.Task[tokens.Counter] | None = None

    async def measure(self, request: Request, policy: Policy, size: int) -> Signals:
        """Measure a request whose body had `size` bytes, loading the vocabulary if the count could matter."""
        if size > LARGE:
            found = await asyncio.to_thread(signals.measure, request, policy, self.counter)
        else:
            found = signals.measure(request, policy, self.counter)
        if self.counter is not None or not tokens.near(found.tokens, policy.token_limits):
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


def load_counter() -> tokens.Counter:
    """Read the vocabulary (0.3 s, 80 MB) and return a function that counts a text's tokens."""
    import gzip  # noqa: PLC0415  # only when the first prompt comes near a limit
    from base64 import b64decode  # noqa: PLC0415

    import tiktoken  # noqa: PLC0415

    packed = resources.files("headgate.engines").joinpath("vocabulary/o200k_base.tiktoken.gz").read_bytes()
    lines = (line.split() for line in gzip.decompress(packed).splitlines() if line)
    ranks = {b64decode(token): int(rank) for token, rank in lines}
    encoding = tiktoken.Encoding(
        "o200k_base", pat_str="|".join(PARTS), mergeable_ranks=ranks, special_tokens={}
    )

    def count(text: str) -> int:
        return len(encoding.encode_ordinary(text))

    return count
