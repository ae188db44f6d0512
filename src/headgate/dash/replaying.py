"""Replays for the page, each in a process of its own: reading a month takes a second of a processor, and the gate has none to spare.

    async for line in Replays(config).run(words, since, until): …       {"done", "of"}, then {"result"} or {"error"}

The child is `headgate replay`, so the page and the command line cannot disagree. One runs at a time, and one whose caller has gone is
ended. It does not know HTTP.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

LINE = 8 * 1024 * 1024
"""Bytes of the longest answer."""
LONGEST = 120.0
"""Seconds of one replay."""


class Replays:
    """Runs replays, one at a time.

    Args:
        source: the config's file; None is the starter page.
    """

    def __init__(self, source: Path | None) -> None:
        self.source = source
        self._turn = asyncio.Semaphore(1)

    async def run(
        self, words: Sequence[str], since: float | None, until: float | None
    ) -> AsyncGenerator[bytes]:
        """Lines of JSON: how far it is, then the result or what is wrong."""
        given = ["replay", "--progress", *[part for word in words for part in ("--set", word)]]
        if since is not None:
            given += ["--since", repr(since)]
        if until is not None:
            given += ["--until", repr(until)]
        if self.source is not None:
            given += ["--config", str(self.source)]
        async with self._turn:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # nothing of the folder in which the gate was opened
                "-m",
                "headgate",
                *given,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LINE,
            )
            assert child.stdout is not None, "it is a pipe"
            assert child.stderr is not None, "it is a pipe"
            try:
                async with asyncio.timeout(LONGEST):
                    async for line in child.stdout:
                        yield line
                    said = await child.stderr.read()
                    if await child.wait() != 0:
                        yield fault_line(said.decode(errors="replace"))
            except TimeoutError:
                yield fault_line(
                    f"error: the replay took longer than {LONGEST:.0f} s\n\nhint: look at less time"
                )
            finally:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()


def fault_line(said: str) -> bytes:
    """What the child said on stderr, as a line of JSON."""
    lines = [line for line in said.splitlines() if line.strip()]
    message = next(
        (line for line in lines if line.startswith("error: ")), lines[-1] if lines else "the replay failed"
    )
    hint = next((line for line in lines if line.startswith("hint: ")), "")
    error = {"message": message.removeprefix("error: "), "hint": hint.removeprefix("hint: ")}
    return msgspec.json.encode({"error": error}) + b"\n"
