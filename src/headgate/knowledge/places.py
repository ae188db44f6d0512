"""Where bases lie, and by which names: `knowledge/NAME.db` in the user's data folder, the index beside it."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from headgate.config.places import data_home
from headgate.core.errors import HeadgateError, UsageError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def home() -> Path:
    """The folder of all bases."""
    return data_home() / "knowledge"


def names() -> list[str]:
    """The bases that there are, in order."""
    return sorted(path.stem for path in home().glob("*.db") if _NAME.fullmatch(path.stem))


def place_of(name: str) -> Path:
    """Where a base of this name lies, or would lie.

    Raises:
        UsageError: it cannot be a name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f'a knowledge base cannot be called "{name}"', "letters, digits, - and _, at most 64 of them"
        )
    return home() / f"{name}.db"


def find(name: str) -> Path:
    """Where a base lies that must be there.

    Raises:
        UsageError: there is none of this name.
    """
    path = place_of(name)
    if path.is_file():
        return path
    there = names()
    close = get_close_matches(name, there, n=1)
    if close:
        hint = f"did you mean {close[0]}?"
    elif there:
        hint = f"one of: {', '.join(there)}"
    else:
        hint = f"headgate kb add {name} FOLDER makes one"
    raise UsageError(f'there is no knowledge base "{name}"', hint)


def index_of(path: Path) -> Path:
    """Where the index of a base lies."""
    return path.with_suffix(".index")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Be the only one that writes to a base, until the process ends, however it ends.

    The lock is SQLite's own on a file beside the base: it works on every system, and is gone with its process.

    Raises:
        HeadgateError: another process writes to it, or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = sqlite3.connect(
            path.with_suffix(".lock"), timeout=0, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise HeadgateError(
            f"{path.parent} cannot be written: {error}", "set HEADGATE_DATA to a folder of yours"
        ) from error
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise HeadgateError(
                f"the knowledge base {path.stem} is being written by another process",
                "wait until it is done, or stop it: what it has done so far is kept",
            ) from error
        yield


def remove(path: Path) -> None:
    """Delete a base with all that lies beside it."""
    with writing(path):
        for end in (".db", ".db-wal", ".db-shm"):
            path.with_suffix(end).unlink(missing_ok=True)
        shutil.rmtree(index_of(path), ignore_errors=True)
    path.with_suffix(".lock").unlink(missing_ok=True)
