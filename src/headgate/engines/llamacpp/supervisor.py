"""Keeps the child process with llama.cpp alive: starts it, listens to it, restarts it with back-off, stops it.

    new → starting → up ⇄ waiting (it died; the next start is `Backoff` away) … → stopped
                        ↘ failed (llama.cpp itself cannot be loaded: a restart would not help)

One task owns the state, everybody else reads `status`. A file that kills llama.cpp while it loads is left out from the
second time on, so that it cannot drag the other models down with it. It does not know requests: see `engine`.
"""

import asyncio
import collections
import contextlib
import json
import re
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from msgspec import Struct

State = Literal["new", "starting", "up", "waiting", "failed", "stopped"]

CHILD = (sys.executable, "-P", str(Path(__file__).with_name("child.py")))
"""Run by path and without its folder on sys.path: importing the package would cost more than loading a small model."""

_CRASHES_AT_MOST = 2
_LOG_LINES = 200


class Order(Struct, frozen=True, kw_only=True):
    """One model for the child to load."""

    model: str
    """The name that it answers to."""
    path: str
    size: int = 0
    """Bytes; a big file may take longer to load."""
    context: int = 1024
    """Tokens per slot."""
    slots: int = 1
    """Answers at a time."""
    threads: int = 1
    embeds: bool = False
    cache_mib: int = 0
    """Memory for old prompts, in MiB."""


class Loaded(Struct, frozen=True):
    """A model that serves."""

    url: str
    seconds: float
    """How long it took to load."""


class Broken(Struct, frozen=True):
    """A model that could not be loaded, and why."""

    why: str


class Backoff(Struct, frozen=True, kw_only=True):
    """How long to leave a dead process alone. Seconds."""

    first: float = 0.25
    most: float = 30.0
    healthy: float = 60.0
    """Having served this long, it starts again from `first`."""

    def after(self, previous: float | None, served: float) -> float:
        """The wait after a process that served for `served` seconds, itself started after waiting `previous`."""
        if previous is None or served >= self.healthy:
            return self.first
        return min(previous * 2, self.most)


class Status(Struct, frozen=True, kw_only=True):
    """The child as it is now."""

    state: State
    pid: int | None
    restarts: int
    models: dict[str, Loaded | Broken]
    """What the present process has reported; a model that is missing is not there yet."""
    last_exit: str
    """How the process before this one ended, for people; "" when none has."""


class Supervisor:
    """Owns one child process and the models in it.

    Args:
        orders: what to load.
        backoff: how to restart.
        ready_within: seconds for all models to load; None is a minute and ten seconds for each GB.
        log_to: a file that gets llama.cpp's log; None keeps only its tail in memory.
        command: the child, for tests.
    """

    def __init__(
        self,
        orders: Sequence[Order],
        *,
        backoff: Backoff = Backoff(),  # noqa: B008 - a frozen value
        ready_within: float | None = None,
        log_to: Path | None = None,
        command: Sequence[str] = CHILD,
    ) -> None:
        self.key = secrets.token_urlsafe(32)
        self._orders = tuple(orders)
        self._backoff = backoff
        self._ready_within = ready_within or 60 + sum(order.size for order in orders) / 1e8
        self._command = tuple(command)
        self._log = _Log(log_to)
        self._state: State = "new"
        self._process: asyncio.subprocess.Process | None = None
        self._models: dict[str, Loaded | Broken] = {}
        self._loading: str | None = None
        self._crashes = collections.Counter[str]()
        self._restarts = 0
        self._last_exit = ""
        self._up_since = 0.0
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def status(self) -> Status:
        """The child as it is now."""
        return Status(
            state=self._state,
            pid=self._process.pid if self._process else None,
            restarts=self._restarts,
            models=dict(self._models),
            last_exit=self._last_exit,
        )

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of llama.cpp's log, oldest first."""
        return tuple(self._log.lines)

    async def start(self) -> Status:
        """Start the child, once, and wait until all models have loaded or failed, or the process has."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_alive(), name="headgate embedded engine")
            self._task.add_done_callback(self._note_bug)
        return await self.wait_until(lambda status: status.state not in {"new", "starting"})

    async def wait_until(self, is_so: Callable[[Status], bool]) -> Status:
        """Wait for a status; callers put their own time limit around it."""
        while not is_so(status := self.status):
            await self._changed.wait()
        return status

    async def stop(self, grace: float = 2.0) -> None:
        """Stop for good: close the child's stdin, which ends it; kill it after `grace` seconds. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            if self._process is not None and self._process.stdin is not None:
                self._set("stopped")
                self._process.stdin.close()
                await asyncio.wait([task], timeout=grace)
            task.cancel()
            await asyncio.wait([task])
        self._set("stopped")

    # ── the one task ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _keep_alive(self) -> None:
        wait: float | None = None
        while True:
            self._set("starting")
            self._up_since = 0.0
            await self._run_once()
            if self._state in {"stopped", "failed"}:
                return
            now = asyncio.get_running_loop().time()
            wait = self._backoff.after(wait, now - self._up_since if self._up_since else 0.0)
            self._set("waiting")
            await asyncio.sleep(wait)
            self._restarts += 1

    async def _run_once(self) -> None:
        """Live one life of the child, from its start until it is gone."""
        self._models = {
            model: Broken(
                "llama.cpp did not survive loading it, twice; it is left out until the gate starts again"
            )
            for model, crashes in self._crashes.items()
            if crashes >= _CRASHES_AT_MOST
        }
        self._loading = None
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            self._last_exit = f"could not be started: {error.strerror}"
            return
        self._process = process
        self._tell()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(process))
                tasks.create_task(self._log.follow(process.stderr))
                limit = tasks.create_task(self._end_when_late(process))
                await self._send_order(process)
                self._note_if_ready()  # when every model is left out, the child has nothing to say
                await process.wait()
                limit.cancel()
        finally:
            kill(process)
            await process.communicate()  # asyncio sees the end only when both pipes have been read to theirs
            self._process = None
            self._models = {}
            self._remember_exit(process.returncode or 0)
            self._tell()

    def _remember_exit(self, code: int) -> None:
        if self._state in {"failed", "stopped"}:  # why, it has said itself; or we have asked for it
            return
        self._last_exit = describe_exit(code)
        if self._loading:
            self._crashes[self._loading] += 1
            self._last_exit += f" while loading {self._loading}"

    async def _send_order(self, process: asyncio.subprocess.Process) -> None:
        wanted = [
            {name: getattr(order, name) for name in order.__struct_fields__}
            for order in self._orders
            if order.model not in self._models
        ]
        assert process.stdin is not None
        process.stdin.write(json.dumps({"key": self.key, "models": wanted}).encode() + b"\n")
        with contextlib.suppress(ConnectionError):  # it died at once; how, its exit code will say
            await process.stdin.drain()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Take in what the child says of its models, line by line."""
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                self._log.add(line.decode(errors="replace").rstrip())
            else:
                self._take_in(said)

    def _take_in(self, said: dict[str, Any]) -> None:
        match said:
            case {"fatal": why}:
                self._last_exit = why
                self._set("failed")
            case {"model": model, "loading": True}:
                self._loading = model
                self._log.mark()
            case {"model": model, "error": error}:
                self._loading = None
                self._models[model] = Broken(self._log.reason_since_mark() or error)
            case {"model": model, "url": url, "seconds": seconds}:
                self._loading = None
                self._crashes.pop(model, None)
                self._models[model] = Loaded(url, seconds)
        self._note_if_ready()

    def _note_if_ready(self) -> None:
        if self._state == "starting" and len(self._models) == len(self._orders):
            self._up_since = asyncio.get_running_loop().time()
            self._set("up")

    async def _end_when_late(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(self._ready_within):
                await self.wait_until(lambda status: status.state != "starting")
        except TimeoutError:
            self._log.add(f"headgate: not ready after {self._ready_within:.0f} s, killed")
            kill(process)

    def _note_bug(self, task: asyncio.Task[None]) -> None:
        """Turn an error of our own into a state, so that nobody waits for what will never come."""
        if not task.cancelled() and (error := task.exception()):
            self._last_exit = f"lost its supervisor: {error!r}"
            self._set("failed")

    def _set(self, state: State) -> None:
        self._state = state
        self._tell()

    def _tell(self) -> None:
        """Wake everybody who waits for a status."""
        self._changed.set()
        self._changed = asyncio.Event()


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process, unless it has ended already."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def describe_exit(code: int) -> str:
    """Say how a process ended, from its return code: negative is a signal's number."""
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"ended with exit code {code if code < 256 else hex(code)}"  # Windows' own codes are read in hex


class _Log:
    """The tail of the child's stderr, and a copy of all of it in a file if one is named."""

    def __init__(self, path: Path | None) -> None:
        self.lines = collections.deque[str](maxlen=_LOG_LINES)
        self._path = path
        self._new = 0

    async def follow(self, stream: asyncio.StreamReader | None) -> None:
        """Take in a stream until its end."""
        assert stream is not None
        begun = b""
        with self._open_copy() as copy:
            while chunk := await stream.read(65536):
                if copy:
                    copy.write(chunk)
                *whole, begun = (begun + chunk).split(b"\n")
                for line in whole:
                    self.add(line.decode(errors="replace"))
        if begun:
            self.add(begun.decode(errors="replace"))

    def _open_copy(self) -> AbstractContextManager[BinaryIO | None]:
        if self._path is not None:
            try:
                return self._path.open("ab", buffering=0)
            except OSError as error:
                self.add(f"headgate: no log in {self._path}: {error.strerror}")
        return contextlib.nullcontext()

    def add(self, line: str) -> None:
        """Take in one line."""
        self.lines.append(line)
        self._new += 1

    def mark(self) -> None:
        """Remember this place."""
        self._new = 0

    def reason_since_mark(self) -> str:
        """The native reason of a failed load among the lines since the mark; "" when there is none."""
        for line in list(self.lines)[-self._new :] if self._new else ():
            if found := re.search(r"error loading model: (.*)", line):
                return found[1]
        return ""
