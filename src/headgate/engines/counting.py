"""Counts texts' o200k tokens in a process of its own: the vocabulary is 80 MB, and the gate wants it now and then only.

    counts = await count_apart(texts)        text → tokens

The child reads one line of JSON, the texts, and writes one, their tokens; it is polite to whoever else wants the processor, and gone
when it has answered. Where the vocabulary is needed all the time, `tokenizer` keeps it.
"""

import asyncio
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

import msgspec

LONGEST: Final = 60.0
"""Seconds that a count may take."""


class CountError(Exception):
    """The child could not count."""


async def count_apart(texts: Iterable[str]) -> Mapping[str, int]:
    """The tokens of each of these texts.

    Raises:
        CountError: the child could not be started, or did not answer.
    """
    asked = tuple(dict.fromkeys(texts))
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "headgate.engines.counting",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise CountError(f"no process can be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(LONGEST):
            said, _ = await child.communicate(encoded(asked))
        counted = msgspec.json.decode(said, type=tuple[int, ...])
        return dict(zip(asked, counted, strict=True))
    except (TimeoutError, OSError, ValueError) as error:
        raise CountError("the process that counts did not answer") from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def encoded(texts: Iterable[str]) -> bytes:
    """The texts as the child reads them; half a surrogate, which no encoding knows, is a question mark."""
    return msgspec.json.encode([text.encode("utf-8", "replace").decode() for text in texts])


def main() -> None:
    """The child."""
    from headgate.engines.tokenizer import load_counter  # noqa: PLC0415  # not in the parent

    if hasattr(os, "nice"):
        os.nice(19)
    texts = msgspec.json.decode(sys.stdin.buffer.read(), type=list[str])
    counter = load_counter()
    sys.stdout.buffer.write(msgspec.json.encode([counter(text) for text in texts]))


if __name__ == "__main__":
    main()
