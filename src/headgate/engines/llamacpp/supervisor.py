"""Keeps the child process with llama.cpp alive: starts it, tells it what to load, restarts it with back-off, stops it.

    new → starting → up ⇄ waiting (it died; the next start is `Backoff` away) … → stopped
                        ↘ failed (llama.cpp itself cannot be loaded: a restart would not help)

While it is up, models are loaded and unloaded one after the other, in the order asked. A process that takes the place of a
dead one loads what the dead one had. A load that fails leaves what was there before, also under the same name; one that
kills llama.cpp twice is not tried again, so that it cannot drag the other models down with it.

One task owns the process, everybody else reads `status`. It does not know requests: see `engine`.
"""

import asyncio
import collections
import contextlib
import json
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from headgate.engines.llamacpp.log import Log
from headgate.engines.llamacpp.orders import Backoff, Broken, Loaded, Order, State, Status, describe_exit

CHILD = (sys.executable, "-P", str(Path(__file__).with_name("child.py")))
"""Run by path and without its folder on sys.path: importing the package would cost more than loading a small model."""

_CRASHES_AT_MOST = 2
_LEFT_OUT = Broken("llama.cpp did not survive loading it, twice; it is left out until the gate starts again")


class _Asked(Struct, frozen=True, eq=False):
    """What the child has been asked to do with one model and has not answered yet."""

    model: str
    order: Order | None
    """None: unload it."""
    before: Order | None
    """What served under the name, to go back to."""
    answer: asyncio.Future[Loaded | Broken | None]
    """Cancelled when nobody waits for it any more."""


class Supervisor:
    """Owns one child process and the models in it.

    Args:
        orders: what to load at the start.
        backoff: how to restart.
        ready_within: seconds for all models of a start to load, and for one to be unloaded; None is a minute and ten
            seconds for each GB.
        log_to: a file that gets llama.cpp's log; None keeps only its tail in memory.
        on_gone: told the url of each server that will answer no more, before it goes.
        command: the child, for tests.
    """

    def __init__(
        self,
        orders: Sequence[Order] = (),
        *,
        backoff: Backoff = Backoff(),  # noqa: B008 - a frozen value
        ready_within: float | None = None,
        log_to: Path | None = None,
        on_gone: Callable[[str], None] = lambda _: None,
        command: Sequence[str] = CHILD,
    ) -> None:
        self.key = secrets.token_urlsafe(32)
        self.on_gpu: bool | None = None
        """Whether llama.cpp has a GPU; None until it has said so."""
        self._orders = {order.model: order for order in orders}  # what a new process will load
        self._backoff = backoff
        self._ready_within = ready_within
        self._on_gone = on_gone
        self._command = tuple(command)
        self._log = Log(log_to)
        self._state: State = "new"
        self._process: asyncio.subprocess.Process | None = None
        self._told = False  # the present process has its first order
        self._models: dict[str, Loaded | Broken] = {}
        self._asked = collections.deque[_Asked]()  # it answers in this order
        self._loading: Order | None = None
        self._crashes = collections.Counter[Order]()
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

    def find(self, model: str) -> Loaded | Broken | None:
        """How one model is at this moment."""
        return self._models.get(model)

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

    async def load(self, order: Order) -> Loaded | Broken:
        """Load a model, in the place of one of the same name; callers put their own time limit around it.

        Cancelled, or failed, it leaves what was there before.
        """
        await self.wait_until(
            lambda status: (
                status.state in {"failed", "stopped"}
                or (status.state == "up" and not self._is_asked_about(order.model))
            )
        )
        if self._state != "up":
            return Broken(self.status.describe())
        if self._crashes[order] >= _CRASHES_AT_MOST:
            return _LEFT_OUT
        asked = self._ask(order.model, order, self._orders.get(order.model))
        try:
            found = await asked.answer
        except asyncio.CancelledError:
            self._undo(asked)
            raise
        if isinstance(found, Loaded):
            return found
        # What was there before is back by then, if it can be.
        await self.wait_until(lambda _: not self._is_asked_about(order.model))
        return found or Broken(self.status.describe())

    async def unload(self, model: str) -> None:
        """Take a model out of memory, and wait until it is. What it was saying ends as broken."""
        self._orders.pop(model, None)
        limit = self._limit()
        try:
            async with asyncio.timeout(limit):
                await self._unload(model)
        except TimeoutError:  # native code hangs, and nothing that is asked later would ever be done
            self._log.add(f"headgate: {model} was not unloaded after {limit:.0f} s, killed")
            if self._process is not None:
                kill(self._process)
                await self.wait_until(lambda _: not self._told)

    async def _unload(self, model: str) -> None:
        await self.wait_until(lambda _: not self._is_asked_about(model))
        self._orders.pop(model, None)
        if self._told:
            await self._ask(model, None, None).answer
        else:
            self._models.pop(model, None)

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
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(process))
                tasks.create_task(self._log.follow(process.stderr))
                limit = tasks.create_task(self._end_when_late(process))
                self._begin()
                await process.wait()
                limit.cancel()
        finally:
            kill(process)
            await process.communicate()  # asyncio sees the end only when both pipes have been read to theirs
            self._process = None
            self._note_end(process.returncode or 0)

    def _begin(self) -> None:
        """Give the process its first order: all that is wanted, but for what has killed its like twice."""
        left_out = {
            model for model, order in self._orders.items() if self._crashes[order] >= _CRASHES_AT_MOST
        }
        self._models = dict.fromkeys(left_out, _LEFT_OUT)
        wanted = [order for model, order in self._orders.items() if model not in left_out]
        for order in wanted:
            self._asked.append(_Asked(order.model, order, None, _future()))
        self._write({"key": self.key, "models": wanted})
        self._told = True
        self._tell()

    def _note_end(self, code: int) -> None:
        if self._state not in {"failed", "stopped"}:  # why, it has said itself; or we have asked for it
            self._last_exit = describe_exit(code)
            if self._loading:
                self._crashes[self._loading] += 1
                self._last_exit += f" while loading {self._loading.model}"
        self._told = False
        self._loading = None
        over = self._state in {"failed", "stopped"}
        why = Broken(self.status.describe() if over else f"the embedded engine broke off ({self._last_exit})")
        gone, self._models = self._models, {}
        for found in gone.values():
            if isinstance(found, Loaded):
                self._on_gone(found.url)
        lost = tuple(self._asked)
        self._asked.clear()
        for asked in lost:
            if not asked.answer.done():
                asked.answer.set_result(why if asked.order else None)
        self._tell()

    # ── talking with the child ───────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, model: str, order: Order | None, before: Order | None) -> _Asked:
        """Have a model loaded, or unloaded, after what was asked before; from now on nobody is sent to it."""
        asked = _Asked(model, order, before, _future())
        self._asked.append(asked)
        old = self._models.pop(model, None)
        if isinstance(old, Loaded):
            self._on_gone(old.url)
        # One turn later: who hears that it goes hangs up first, and a server that nobody listens to ends at once.
        asyncio.get_running_loop().call_soon(self._write, {"load": order} if order else {"unload": model})
        self._tell()
        return asked

    def _undo(self, asked: _Asked) -> None:
        """Have done with a load that nobody waits for any more, before anything that is asked later."""
        if asked.before:
            self._orders[asked.model] = asked.before
        else:
            self._orders.pop(asked.model, None)
        if self._told:
            self._ask(asked.model, asked.before, None)

    def _is_asked_about(self, model: str) -> bool:
        return any(asked.model == model for asked in self._asked)

    def _write(self, order: dict[str, Any]) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")

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
            case {"ready": True} if self._state == "starting":
                self.on_gpu = said.get("gpu")
                self._up_since = asyncio.get_running_loop().time()
                self._set("up")
            case {"model": model} if self._asked and self._asked[0].model == model:
                self._take_in_answer(self._asked[0], said)

    def _take_in_answer(self, asked: _Asked, said: dict[str, Any]) -> None:
        match asked.order, said:
            case Order() as order, {"loading": True}:
                self._loading = order
                self._log.mark()
            case Order(), {"error": error}:
                self._settle(asked, Broken(self._log.reason_since_mark() or error))
            case Order() as order, {"url": url, "seconds": seconds}:
                self._crashes.pop(order, None)
                self._settle(asked, Loaded(url, seconds, said.get("memory"), order))
            case None, {"unloaded": True}:
                self._settle(asked, None)

    def _settle(self, asked: _Asked, found: Loaded | Broken | None) -> None:
        """Take in what came of an order. What was given up meanwhile has been asked to be undone already."""
        self._asked.popleft()
        self._loading = None
        if not asked.answer.cancelled():
            asked.answer.set_result(found)
            if isinstance(found, Loaded):
                self._orders[asked.model] = found.order
                self._models[asked.model] = found
            elif found and asked.before:
                self._ask(asked.model, asked.before, None)
            elif found:
                self._models[asked.model] = found
        self._tell()

    def _limit(self) -> float:
        """Seconds for all that is wanted, or asked, to load."""
        size = sum(order.size for order in self._orders.values())
        asked = sum(asked.order.size for asked in self._asked if asked.order)
        return self._ready_within or 60 + (size + asked) / 1e8

    async def _end_when_late(self, process: asyncio.subprocess.Process) -> None:
        within = self._limit()
        try:
            async with asyncio.timeout(within):
                await self.wait_until(lambda status: status.state != "starting")
        except TimeoutError:
            self._log.add(f"headgate: not ready after {within:.0f} s, killed")
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


def _future() -> asyncio.Future[Loaded | Broken | None]:
    return asyncio.get_running_loop().create_future()


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process, unless it has ended already."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
