"""Who calls: the keys that callers show, known by their digests, and the sessions of browsers.

The ledger is not asked per request: its keys are kept here and read again when one was made or revoked, which is looked for every
two seconds, and when an unknown key is shown. A session stands for a key: once that is revoked, the session is worth nothing.
This module does not know what a holder may do (`entrance`).
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from time import monotonic

from msgspec import Struct

from headgate.core.errors import LedgerError
from headgate.ledger.keys import PREFIX, Key, digest_of, read_keys, stamp_of

LOOK_EVERY = 2.0
"""Seconds between two looks for new and revoked keys."""

AT_A_MISS = 1.0
"""Seconds between two looks because of unknown keys: guessing must cost the gate nothing."""

COOKIE = "headgate"
"""The cookie of a browser's session."""

SESSION = 12 * 3600
"""Seconds that a session lasts."""

MOST_SESSIONS = 1_000
"""The oldest go first."""

log = logging.getLogger("headgate.gateway")


class Holder(Struct, frozen=True, gc=False):
    """Who calls."""

    name: str = ""
    """The name of his key; "" is somebody without one of ours."""
    team: str = ""
    admin: bool = False


ANYBODY = Holder()

OWN = "\t"
"""Stands for the gate's own user where a key's name is kept; no key can be called so."""

holder: ContextVar[Holder] = ContextVar("headgate-holder", default=ANYBODY)
"""Who calls, for all that is done on his behalf: set where a call comes in, and passed on to every task that it begins."""


class Keys:
    """The keys of one ledger.

    Args:
        path: the ledger.
        local: a key that only this gate knows, for commands of its own user; "" is none.
    """

    def __init__(self, path: Path, local: str = "") -> None:
        self._path = path
        self._local = digest_of(local) if local else ""
        self._keys: dict[str, Key] = {}
        self._holders: dict[str, Holder] = {}
        self._stamp: object = None
        self._missed = -AT_A_MISS
        self._sessions: dict[str, tuple[str, float]] = {}
        self._watching: asyncio.Task[None] | None = None

    # ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Read the keys, and go on looking for changes.

        Raises:
            LedgerError: they cannot be read.
        """
        await asyncio.to_thread(self._read)
        self._watching = asyncio.create_task(self._watch(), name="headgate-keys")

    async def close(self) -> None:
        """Look for no more changes."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self._look_again()

    async def _look_again(self) -> None:
        try:
            await asyncio.to_thread(self._read)
        except LedgerError as error:  # what is known stays so until it can be read again
            log.warning("%s", error.message)

    def _read(self) -> None:
        """Read the keys if any was made or revoked. On another thread: whole dictionaries take the places of others."""
        stamp = stamp_of(self._path)
        if stamp == self._stamp:
            return
        keys = read_keys(self._path)
        holders = {
            digest: Holder(key.name, key.team, key.admin)
            for digest, key in keys.items()
            if key.revoked is None
        }
        if self._local:
            holders[self._local] = Holder(admin=True)
        self._keys, self._holders, self._stamp = keys, holders, stamp

    # ── Looking up ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def find(self, shown: str) -> Holder | None:
        """Who holds this key; None when it is none of ours, or is one no more."""
        digest = digest_of(shown)
        found = self._holders.get(digest)
        if found is None and monotonic() - self._missed >= AT_A_MISS:
            self._missed = monotonic()
            await self._look_again()
            found = self._holders.get(digest)
        return found

    def was_revoked(self, shown: str) -> bool:
        """Whether this was a key of ours once."""
        return digest_of(shown) in self._keys

    def named(self, name: str) -> Holder | None:
        """Who holds the key of this name; None when it is one no more."""
        return next((one for one in self._holders.values() if name and one.name == name), None)

    # ── Sessions of browsers ─────────────────────────────────────────────────────────────────────────────────────────

    async def begin_session(self, shown: str, *, secure: bool) -> bytes | None:
        """The header line that gives a browser a session in place of a key; None when the key is none of ours.

        Args:
            shown: what was typed into the form.
            secure: the browser speaks TLS, with a proxy in front.
        """
        if await self.find(shown) is None:
            return None
        token = secrets.token_urlsafe(32)
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_hashed(token)] = digest_of(shown), monotonic() + SESSION
        return _cookie_line(token, SESSION, secure=secure)

    def end_session(self, headers: Mapping[bytes, bytes]) -> bytes:
        """End the session of a call, if it has one; the header line that takes the cookie back."""
        self._sessions.pop(_hashed(_token_in(headers)), None)
        return _cookie_line("", 0, secure=False)

    def by_session(self, headers: Mapping[bytes, bytes]) -> Holder | None:
        """Whose session a call belongs to."""
        if b"cookie" not in headers or not self._sessions:
            return None
        digest, until = self._sessions.get(_hashed(_token_in(headers)), ("", 0.0))
        return self._holders.get(digest) if monotonic() < until else None


def shown_key(headers: Mapping[bytes, bytes]) -> str:
    """The key that a call shows: `x-api-key`, else what stands in `authorization`; "" is none."""
    word = headers.get(b"x-api-key")
    if word is None:
        word = headers.get(b"authorization")
        if word is None:
            return ""
        scheme, _, rest = word.partition(b" ")
        word = rest if scheme.lower() == b"bearer" else word
    return word.strip().decode("latin-1")


def looks_like_ours(shown: str) -> bool:
    """Whether a key claims to be one of ours, so that it is never taken for somebody else's."""
    return shown.startswith(PREFIX)


def _hashed(token: str) -> str:
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def _token_in(headers: Mapping[bytes, bytes]) -> str:
    try:
        found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _cookie_line(token: str, lasts: int, *, secure: bool) -> bytes:
    line = f"set-cookie: {COOKIE}={token}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict"
    return (line + ("; Secure" if secure else "") + "\r\n").encode()
