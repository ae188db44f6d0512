"""LM Studio's command `lms`: the other way to its models, for versions before 0.4 and for what REST cannot say.

It speaks to the LM Studio of this machine and user, so it is no way to one elsewhere. How the command is run is given
(`Runner`). It does not know REST, and takes none of the command's words for proof.

Source: lmstudio-ai/lms, `src/subcommands`.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from headgate.core.types import Failure
from headgate.wire.upstream import UNREADABLE

Row = TypeVar("Row", bound=Struct)

SHORT = 20.0
"""Seconds for a list. The command may have to wake LM Studio up first."""
DOWNLOAD = 86_400.0


class Ran(Struct, frozen=True):
    """What a command came to."""

    code: int
    out: str


Runner = Callable[[Sequence[str], float], Awaitable[Ran | Failure]]
"""Runs `lms` with these arguments, so many seconds at most. Cancelled, it ends the command."""


class LmsFile(Struct, rename="camel"):
    """A model in `lms ls --json`."""

    model_key: str
    type: str = "llm"
    path: str = ""
    size_bytes: int | None = None
    params_string: str | None = None
    max_context_length: int | None = None


class LmsLoaded(Struct, rename="camel"):
    """A model in `lms ps --json`."""

    identifier: str
    model_key: str = ""
    context_length: int | None = None
    parallel: int | None = None


class Lms:
    """The command.

    Args:
        run: how it is run.
    """

    def __init__(self, run: Runner | None = None) -> None:
        self._run = run or run_lms

    def installed(self) -> bool:
        """Whether there is one to run."""
        return self._run is not run_lms or find_lms() is not None

    async def files(self) -> list[LmsFile] | Failure:
        """The models on the disk."""
        return await self._list(("ls", "--json"), LmsFile)

    async def loaded(self) -> list[LmsLoaded] | Failure:
        """The models in memory."""
        return await self._list(("ps", "--json"), LmsLoaded)

    async def load(
        self, key: str, context: int | None, parallel: int | None, within: float
    ) -> Failure | None:
        """Load a model without asking."""
        arguments = ["load", key, "-y"]
        if context is not None:
            arguments += ["--context-length", str(context)]
        if parallel is not None:
            arguments += ["--parallel", str(parallel)]
        return await self._do(arguments, within)

    async def unload(self, identifier: str) -> Failure | None:
        """Unload one copy of a model."""
        return await self._do(("unload", identifier), SHORT)

    async def get(self, name: str) -> Failure | None:
        """Download a model without asking."""
        return await self._do(("get", name, "-y"), DOWNLOAD)

    async def _do(self, arguments: Sequence[str], within: float) -> Failure | None:
        ran = await self._run(arguments, within)
        return ran if isinstance(ran, Failure) else _trouble(arguments, ran)

    async def _list(self, arguments: Sequence[str], row: type[Row]) -> list[Row] | Failure:
        ran = await self._run(arguments, SHORT)
        if isinstance(ran, Failure):
            return ran
        if (failure := _trouble(arguments, ran)) is not None:
            return failure
        shape: Any = list[row]  # type: ignore[valid-type]  # a type made at run time
        try:
            rows: list[Row] = msgspec.json.decode(ran.out, type=shape)
        except UNREADABLE as error:
            detail = f"lms {' '.join(arguments)} has another shape than expected: {error}"
            return Failure(reason="malformed", detail=detail)
        return rows


def _trouble(arguments: Sequence[str], ran: Ran) -> Failure | None:
    if not ran.code:
        return None
    lines = [line.strip() for line in ran.out.splitlines() if line.strip()]
    said = lines[-1] if lines else f"it ended with code {ran.code}"
    return Failure(reason="http_error", detail=f"lms {arguments[0]}: {said}")


def find_lms() -> str | None:
    """The command's path: LM Studio brings it along without putting it into the PATH."""
    own = Path("~/.lmstudio/bin/lms").expanduser()
    return shutil.which("lms") or (str(own) if own.is_file() else None)


async def run_lms(arguments: Sequence[str], within: float) -> Ran | Failure:
    """Run the command that is installed here."""
    program = find_lms()
    if program is None:
        return Failure(
            reason="refused",
            detail="the command lms is not on this machine",
            hint="it comes with LM Studio: ~/.lmstudio/bin/lms bootstrap puts it into the PATH",
        )
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        return Failure(reason="refused", detail=f"{program} cannot be run: {error.strerror}")
    try:
        async with asyncio.timeout(within):
            out, _ = await process.communicate()
    except TimeoutError:
        return Failure(reason="timeout", detail=f"lms {arguments[0]} did not end within {within:g} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ran(process.returncode or 0, out.decode(errors="replace"))
