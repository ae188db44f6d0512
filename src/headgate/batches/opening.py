"""Opening a results file: for one process at a time, by the batch that it belongs to, and with what a crash left of it.

A torn last line is cut off, a line that cannot be read is set aside, and its item is asked again. A file that is another
batch's, or no batch's, is never touched. It does not know how results are written (`results`).
"""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import msgspec
from msgspec import Struct

from headgate.batches.index import MOST_ITEMS, Index
from headgate.batches.lock import lock, unlock
from headgate.batches.results import Contents, Results, decode_mark
from headgate.batches.types import Tally
from headgate.core.errors import UsageError

ELSEWHERE = "name another file with --out, or move this one away"


class Header(Struct, frozen=True, kw_only=True):
    """Whose batch a results file is: the content of the file beside it."""

    batch: str
    """Its name, by chance."""
    agent: str
    version: str = ""
    """Of the agent: all that decides how it answers, in a few digits; "" is unknown."""
    inputs: tuple[str, ...] = ()
    pid: int = 0
    """Of the process that works on it, or did last."""


@contextmanager
def open_results(
    path: Path, *, agent: str, version: str = "", inputs: Sequence[str] = ()
) -> Generator[tuple[Results, tuple[str, ...]]]:
    """The results of a batch, new or to be gone on with, and sentences about what was found damaged.

    Args:
        path: the results file; it is made where there is none.
        agent: whose answers they are.
        version: of the agent; answers of another version are not mixed with these.
        inputs: where the items come from, as the user named it.

    Raises:
        UsageError: another batch is at work on the file, or it is not this batch's.
        OSError: it cannot be read or written.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file", "name a file for the results with --out")
    beside = path.with_name(f"{path.name}.batch")
    file = os.open(beside, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        try:
            mine = lock(file)
        except OSError as error:
            raise UsageError(
                f"{beside} cannot be locked: {error.strerror}",
                "name a file on a disk of this machine with --out",
            ) from error
        if not mine:
            raise UsageError(f"{path} is another batch's: {at_work(beside)}", f"wait for it, or {ELSEWHERE}")
        before = read_header(beside)
        if before is not None:
            refuse_others(path, before, agent, version, inputs)
        try:
            contents, notes = load(path, agent, ours=before is not None)
        except UsageError:
            if before is None:  # the file beside it is new, and nothing for it to stand beside
                beside.unlink()
            raise
        header = Header(
            batch=before.batch if before is not None else token_hex(8),
            agent=agent,
            version=version,
            inputs=tuple(inputs),
            pid=os.getpid(),
        )
        write_header(file, header)
        results = Results(path, header.batch, agent, contents)
        try:
            yield results, notes
        finally:
            results.close()
    finally:
        unlock(file)
        os.close(file)


def read_header(beside: Path) -> Header | None:
    """Whose batch it is; None where nothing says so."""
    try:
        return msgspec.json.decode(beside.read_bytes(), type=Header)
    except (OSError, msgspec.MsgspecError):
        return None


def write_header(file: int, header: Header) -> None:
    """Say whose batch it is. The file stays the same one, because it is locked."""
    line = msgspec.json.encode(header) + b"\n"
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, line)
    os.ftruncate(file, len(line))
    os.fsync(file)


def at_work(beside: Path) -> str:
    """Who holds the lock."""
    header = read_header(beside)
    return "it is being written" if header is None else f"process {header.pid} is writing it"


def refuse_others(path: Path, before: Header, agent: str, version: str, inputs: Sequence[str]) -> None:
    """Stop where the results are another batch's.

    Raises:
        UsageError: of another agent, another version of it, or other inputs.
    """
    if not path.exists() or not path.stat().st_size:
        return
    if before.agent != agent:
        raise UsageError(f"{path} holds results of the agent {before.agent}, not of {agent}", ELSEWHERE)
    if before.version and version and before.version != version:
        raise UsageError(
            f"{path} holds results of another version of {agent}: what it is told, or how it is sampled, has changed since",
            f"{ELSEWHERE}, and the new version answers everything again",
        )
    if before.inputs and inputs and not set(before.inputs) & set(inputs):
        raise UsageError(
            f"{path} holds the results of {', '.join(before.inputs)}, not of {', '.join(inputs)}", ELSEWHERE
        )


def load(path: Path, agent: str, *, ours: bool) -> tuple[Contents, tuple[str, ...]]:
    """What is in a results file, which is made where there is none, and what was damaged. A torn last line is cut off.

    Args:
        path: the file.
        agent: whose results it must hold.
        ours: the file beside it says that it is a batch's, so a torn line alone is one of ours.

    Raises:
        UsageError: it holds something else than results of this agent.
    """
    path.touch()
    index, tally = Index(), Tally()
    broken: list[int] = []
    end = count = 0
    last = b""
    with path.open("rb") as lines, path.open("rb") as earlier:
        for number, line in enumerate(lines, 1):
            last = line
            try:
                mark = decode_mark(line)
            except msgspec.ValidationError as error:
                raise UsageError(
                    f"{path} line {number} is no result of a batch: {error}", ELSEWHERE
                ) from error
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                broken.append(number)
            else:
                if mark.agent != agent:
                    raise UsageError(
                        f"{path} line {number} is a result of the agent {mark.agent}, not of {agent}",
                        ELSEWHERE,
                    )
                if not 0 < mark.item <= MOST_ITEMS:
                    raise UsageError(f"{path} line {number} names item {mark.item}", ELSEWHERE)
                if index.has(mark.item):
                    earlier.seek(index.offset(mark.item))
                    tally.add(decode_mark(earlier.readline()), -1)
                tally.add(mark)
                index.note(mark.item, end, mark.digest, mark.status)
            count = number
            end += len(line)
    torn = bool(broken) and broken[-1] == count and not last.endswith(b"\n")
    if broken and len(broken) == count and not (ours and torn and count == 1):
        raise UsageError(f"{path} holds no results of a batch", ELSEWHERE)
    mend(path, end, last, torn=torn)
    return Contents(index, tally, count - torn), tuple(damages(path, broken, torn=torn))


def mend(path: Path, end: int, last: bytes, *, torn: bool) -> None:
    """Let the file end with a whole line."""
    if torn:
        os.truncate(path, end - len(last))
    elif last and not last.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")


def damages(path: Path, broken: list[int], *, torn: bool) -> Generator[str]:
    """What is said about lines that cannot be read."""
    if torn:
        yield f"the last line of {path} was written half and is cut off; its item is asked again"
    for number in broken[: len(broken) - torn]:
        yield f"{path} line {number} cannot be read; its item is asked again"
