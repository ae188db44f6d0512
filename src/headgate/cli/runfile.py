"""The run file: how `headgate down` and the others find the gate that is open on this machine.

A file alone proves nothing: its process may be dead, and its number may belong to another program by now. A gate counts
as open only if it answers at its address and says the same process number.
"""

import os
from pathlib import Path
from time import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import msgspec

from headgate import __version__
from headgate.config.places import data_home
from headgate.core.errors import HeadgateError

PATIENCE = 2.0
"""Seconds in which an open gate answers."""

NOT_WELL = 503
"""The status with which a gate that is not well says how it is."""


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """What an open gate says of itself in its user's data folder."""

    pid: int
    url: str
    started: float
    config: str | None = None
    key: str = ""
    """Lets commands of this user in as an admin, as long as the gate is open; the file is his alone."""
    version: str = __version__


def place() -> Path:
    """Where the run file lies."""
    return data_home() / "run.json"


def read() -> RunFile | None:
    """What the run file says, true or not; None when there is none."""
    try:
        return msgspec.json.decode(place().read_bytes(), type=RunFile)
    except (OSError, msgspec.MsgspecError):
        return None


def find_gate() -> RunFile | None:
    """The gate that is open, or None."""
    run = read()
    if run is None or run.pid <= 1 or not run.url.startswith("http://"):
        return None
    try:
        with urlopen(f"{run.url}/healthz", timeout=PATIENCE) as answer:  # noqa: S310  # http, checked above
            body = answer.read()
    except URLError as error:
        body = error.read() if hasattr(error, "read") else b""
    except (OSError, ValueError):
        return None
    try:
        return run if msgspec.json.decode(body)["pid"] == run.pid else None
    except (msgspec.MsgspecError, KeyError, TypeError):
        return None


def ask_fleet(gate: RunFile) -> dict[str, Any] | None:
    """What an open gate has in memory, and who waits; None if it cannot be asked."""
    return ask(gate, "/admin/fleet")


def ask_health(gate: RunFile) -> dict[str, Any] | None:
    """How an open gate is, its budgets included; None if it cannot be asked."""
    return ask(gate, "/healthz")


def ask(gate: RunFile, path: str) -> dict[str, Any] | None:
    """What an open gate shows at a path; None if it cannot be asked."""
    asked = Request(f"{gate.url}{path}", headers={"authorization": f"Bearer {gate.key}"} if gate.key else {})  # noqa: S310  # http, from our own run file
    try:
        with urlopen(asked, timeout=PATIENCE) as answer:  # noqa: S310
            body = answer.read()
    except HTTPError as error:
        if error.code != NOT_WELL:
            return None
        body = error.read()
    except OSError:
        return None
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None


def private(path: str, flags: int) -> int:
    """Open a file that only this user may read."""
    return os.open(path, flags, 0o600)


def write(url: str, source: Path | None, key: str = "") -> bool:
    """Say that this process has opened a gate. False: another one is open, and stays the one that is found."""
    before = read()
    if before is not None and before.url != url and find_gate() is not None:
        return False
    config = str(source.resolve()) if source else None
    run = RunFile(pid=os.getpid(), url=url, started=time(), config=config, key=key)
    path = place()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{run.pid}")
        fresh.unlink(missing_ok=True)
        with open(fresh, "xb", opener=private) as file:  # Path.open takes no opener
            file.write(msgspec.json.encode(run))
        fresh.replace(path)
    except OSError as error:
        raise HeadgateError(
            f"{path} cannot be written: {error.strerror}", "set HEADGATE_DATA to a folder of yours"
        ) from error
    return True


def remove() -> None:
    """Say that this process has closed its gate."""
    run = read()
    if run is not None and run.pid == os.getpid():
        place().unlink(missing_ok=True)
