"""Callers' keys in the ledger: made, listed, revoked.

A key is shown once, when it is made; what is kept is its SHA-256 and its first letters. It has 256 bits of chance, so that a plain
hash of it tells nobody anything. Commands write keys beside the gate's own writer; the gate reads them (`gateway.keys`).
A name is never given twice, because rows of the ledger carry it.
"""

import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from headgate.core.errors import LedgerError, UsageError
from headgate.ledger.beside import change, keep_row
from headgate.ledger.opening import open_for_reading
from headgate.ledger.units import MICRO

PREFIX: Final = "hg-"
"""How our keys begin."""

SHOWN: Final = 7
"""Letters of a key that are kept, so that people can tell keys apart."""

LONGEST_NAME: Final = 100
"""Characters of a key's name, and of a team's."""


class Key(Struct, frozen=True, kw_only=True):
    """A key, without the key itself. Times are Unix times."""

    name: str
    team: str = ""
    admin: bool = False
    hint: str
    """Its first letters."""
    created: float
    revoked: float | None = None


def digest_of(key: str) -> str:
    """The SHA-256 of a key, by which it is found: no comparison of secrets, whose time could tell something."""
    return sha256(key.encode("utf-8", "replace")).hexdigest()


def new_key() -> str:
    """A key with 256 bits of chance."""
    return PREFIX + secrets.token_urlsafe(32)


def create_key(path: Path, name: str, *, team: str = "", admin: bool = False, now: float) -> str:
    """Make a key; what is returned is kept nowhere.

    Raises:
        UsageError: the name is taken, or cannot name anything.
        LedgerError: the ledger cannot be written.
    """
    for what, word in (("key", name), ("team", team)):
        if (
            not word.isprintable()
            or word != word.strip()
            or len(word) > LONGEST_NAME
            or (what == "key" and not word)
        ):
            raise UsageError(
                f'"{word[:LONGEST_NAME]}" cannot name a {what}',
                f"one line of text, {LONGEST_NAME} characters at most, without spaces around it",
            )
    taken = next((key for key in list_keys(path) if key.name == name), None)
    if taken is not None:
        was = (
            "was revoked, and rows of the ledger still carry its name"
            if taken.revoked
            else "is there already"
        )
        raise UsageError(
            f'the key "{name}" {was}', "give the new one another name; headgate keys list shows them"
        )
    key = new_key()
    row: dict[str, str | int] = {
        "name": name,
        "team": team,
        "admin": int(admin),
        "digest": digest_of(key),
        "hint": key[:SHOWN],
        "created": round(now * MICRO),
    }
    keep_row(path, "keys", row, f'the key "{name}"')
    return key


def revoke_key(path: Path, name: str, now: float) -> Key:
    """Take a key back; gates notice within seconds. One that was revoked before stays as it was.

    Raises:
        UsageError: there is no such key.
        LedgerError: the ledger cannot be written.
    """
    change(
        path,
        "UPDATE keys SET revoked = ? WHERE name = ? AND revoked IS NULL",
        (round(now * MICRO), name),
        f'the end of the key "{name}"',
    )
    for key in list_keys(path):
        if key.name == name:
            return key
    raise UsageError(f'there is no key "{name}"', "headgate keys list shows them")


def list_keys(path: Path) -> tuple[Key, ...]:
    """All keys, the oldest first; none where there is no ledger yet.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return tuple(read_keys(path).values())


def read_keys(path: Path) -> dict[str, Key]:
    """All keys by their digests.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    query = "SELECT digest, name, team, admin, hint, created, revoked FROM keys ORDER BY n"
    return {
        digest: Key(
            name=name,
            team=team or "",
            admin=bool(admin),
            hint=hint,
            created=created / MICRO,
            revoked=None if revoked is None else revoked / MICRO,
        )
        for digest, name, team, admin, hint, created, revoked in _read(path, query)
    }


def stamp_of(path: Path) -> Sequence[object]:
    """What changes whenever a key is made or revoked.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found = _read(path, "SELECT coalesce(max(n), 0), count(revoked) FROM keys")
    return found[0] if found else (0, 0)


def _read(path: Path, query: str) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    try:
        with closing(open_for_reading(path)) as db:
            return db.execute(query).fetchall()
    except sqlite3.Error as error:
        if "no such table" in str(error):  # of an older Headgate; the next start of the gate adds the table
            return []
        raise LedgerError(
            f"the keys in {path} cannot be read: {error}", "headgate doctor looks at the ledger"
        ) from error
