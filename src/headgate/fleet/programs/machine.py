"""The machine that programs run on, behind one value.

All that this package asks of the world outside, it asks here or reads below `root`, so a test gives it a folder of executable
doubles and a folder that stands for `/`. Nothing here raises: what cannot be had is None. It does not know any program.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
from msgspec import Struct

from headgate.config.places import data_home

System = Literal["linux", "darwin", "windows"]

PATIENCE = 5.0
"""Seconds that a program gets to answer a question, such as which version it is."""

PROBE = 2.0
"""Seconds that a server gets to answer a probe."""


class Ran(Struct, frozen=True):
    """What a program said. A code of None: it could not be run, or took too long."""

    code: int | None
    out: str = ""
    err: str = ""

    @property
    def why(self) -> str:
        """Its last word, for people."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else f"it ended with code {self.code}"


class Fetched(Struct, frozen=True):
    """What a server answered: the status and, where it was JSON, the body."""

    status: int
    body: Any = None


class Machine(Struct, frozen=True, kw_only=True):
    """A machine. `root` stands for `/`, and `data` is our user's folder on it."""

    system: System
    home: Path
    data: Path
    env: Mapping[str, str]
    root: Path = Path("/")

    def which(self, name: str) -> str | None:
        """Where a command is, by the PATH."""
        return shutil.which(name, path=self.env.get("PATH", ""))

    def run(self, order: Sequence[str], within: float = PATIENCE) -> Ran:
        """Run a program to its end, without a terminal."""
        try:
            done = subprocess.run(  # noqa: S603  # a program that was found, with our own arguments
                order,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=within,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Ran(None, err=f"{order[0]} did not end within {within:g} seconds")
        except (OSError, ValueError) as error:
            return Ran(None, err=f"{order[0]}: {getattr(error, 'strerror', None) or error}")
        return Ran(done.returncode, done.stdout, done.stderr)

    def run_in_view(self, line: str) -> int:
        """Run a shell's line before the user's eyes; what it prints is talk, so all of it goes to stderr."""
        sys.stderr.flush()
        return subprocess.run(  # noqa: S602  # the very line that the user has seen and said yes to
            line, shell=True, env=dict(self.env), stdout=sys.stderr.fileno(), check=False
        ).returncode

    def place(self, path: str) -> Path:
        """A path of this machine, below its root."""
        return self.root / path.lstrip("/") if path.startswith("/") else Path(path)

    def read(self, path: Path) -> str | None:
        """A file's text; None when it is not there or not ours to read."""
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def fetch(self, url: str, key: str | None = None, within: float = PROBE) -> Fetched | None:
        """Ask a server; None when nothing speaks HTTP there. Never through a proxy: it is this machine's own."""
        request = Request(url, headers={"authorization": f"Bearer {key}"} if key else {})  # noqa: S310  # http, by EngineSettings
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=within) as answer:
                status, body = answer.status, answer.read(1 << 20)
        except HTTPError as error:
            return Fetched(error.code)
        except (OSError, ValueError):
            return None
        except Exception:  # noqa: BLE001  # http.client has errors of its own for what is not HTTP
            return Fetched(0)
        try:
            return Fetched(status, msgspec.json.decode(body))
        except msgspec.MsgspecError:
            return Fetched(status)


def this_machine() -> Machine:
    """The machine that we run on, and its user."""
    system: System = (
        "darwin" if sys.platform == "darwin" else "windows" if sys.platform == "win32" else "linux"
    )
    return Machine(system=system, home=Path.home(), data=data_home(), env=dict(os.environ))
