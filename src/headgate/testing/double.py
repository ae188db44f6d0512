"""What all doubles share: a socket that opens and closes, the calls it saw, the faults it will show, the answer it gives.

A subclass brings one provider's paths, rules and shapes. Nothing here is specific to any of them.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Self

from headgate.testing.answers import Answer, Answering, ServedModel, default_answer
from headgate.testing.calls import ReceivedCall
from headgate.testing.clock import Clock, Timing, WallClock
from headgate.testing.faults import (
    ANSWER_FAULTS,
    STREAM_FAULTS,
    WIRE_FAULTS,
    Fault,
    FaultKind,
    script,
    spoiled,
)
from headgate.testing.replies import Later, Plain, Reply, Stream
from headgate.testing.server import Listener, Script, Turn


@dataclass(slots=True)
class _Armed:
    fault: Fault
    times: int | None
    path: str | None


class Double:
    """A stand-in for a model provider that listens on a real socket.

    Use it as `async with OllamaDouble() as ollama:`, or from blocking code as `with OllamaDouble().in_thread() as ollama:`.
    `models` names what it serves (a mapping to `ServedModel`, or just names); `answer` is what it says. `calls` keeps the last
    `remember` calls. `clock` is the time that delays pass in, `timing` what takes time besides what answers say; how much of it a
    double plays is the subclass's to say.
    """

    name: ClassVar[str]
    work_paths: ClassVar[frozenset[str]]
    """The paths faults strike unless told otherwise: those where a model works."""
    refusals: ClassVar[frozenset[FaultKind]]
    """The faults beyond those of wire and answer that this provider can show."""

    def __init__(
        self,
        models: Mapping[str, ServedModel] | Iterable[str] | None = None,
        answer: Answering | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        label: str | None = None,
        remember: int = 10_000,
        clock: Clock | None = None,
        timing: Timing | None = None,
    ) -> None:
        if models is None:
            models = self.default_models()
        elif not isinstance(models, Mapping):
            models = dict.fromkeys(models, ServedModel())
        self.models: dict[str, ServedModel] = dict(models)
        self.answer = answer
        self.label = label or f"{self.name} double"
        self.calls: deque[ReceivedCall] = deque(maxlen=remember)
        self._received = 0
        self._came = asyncio.Event()
        self._armed: list[_Armed] = []
        self.clock = clock or WallClock()
        self.timing = timing or Timing()
        self._listener = Listener(self._respond, host, port, self.clock.sleep)
        self._loop: asyncio.AbstractEventLoop | None = None

    # living

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash and without any `/v1`."""
        host = f"[{self._listener.host}]" if ":" in self._listener.host else self._listener.host
        return f"http://{host}:{self._listener.port}"

    @property
    def in_flight(self) -> int:
        """Calls being answered slowly (with delays, pace or waits) at this moment."""
        return self._listener.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most calls that were in flight at once."""
        return self._listener.peak_in_flight

    @property
    def abandoned(self) -> int:
        """Calls whose client hung up before the answer was complete."""
        return self._listener.abandoned

    async def idle(self) -> None:
        """Wait until no call is in flight: every client has its answer, or has left."""
        await self._listener.idle.wait()

    async def received(self, count: int) -> None:
        """Wait until so many calls have come in all, and each is answered, or in the line that it must wait in."""
        while self._received < count:
            self._came.clear()
            await self._came.wait()
        await asyncio.sleep(0)  # the last one's task takes its first step

    async def start(self) -> Self:
        """Open the port; raises OSError when it is taken."""
        self._loop = asyncio.get_running_loop()
        await self._listener.open()
        return self

    async def stop(self) -> None:
        """Close the port and drop every client."""
        await self._listener.close()
        self._loop = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Run on an event loop of its own in a thread, for blocking code; everything else works as before."""
        ready = threading.Event()
        over: list[Callable[[], object]] = []
        failed: list[BaseException] = []

        async def live() -> None:
            end = asyncio.Event()
            try:
                await self.start()
            except OSError as problem:
                failed.append(problem)
                return
            finally:
                loop = asyncio.get_running_loop()
                over.append(lambda: loop.call_soon_threadsafe(end.set))
                ready.set()
            await end.wait()
            await self.stop()

        thread = threading.Thread(target=lambda: asyncio.run(live()), name=self.label, daemon=True)
        thread.start()
        ready.wait()
        if failed:
            thread.join()
            raise failed[0]
        try:
            yield self
        finally:
            over[0]()
            thread.join()

    # going wrong

    def inject(self, fault: Fault, *, times: int | None = 1, path: str | None = None) -> None:
        """Show the fault on the next `times` calls (None: all of them), first come, first served, one fault a call.

        It strikes where a model works, or only on `path` if given. Raises ValueError for a fault this provider cannot show.
        """
        if fault.kind not in self.shows():
            can = ", ".join(sorted(self.shows()))
            raise ValueError(f"{type(self).__name__} cannot show {fault.kind!s}; it can show: {can}")
        if fault.kind is FaultKind.REFUSE:
            self._on_loop(self._listener.refuse)
        else:
            self._armed.append(_Armed(fault, times, path))

    def clear(self) -> None:
        """Forget all faults that are still to come, and open the port again if it was closed by one."""
        self._armed.clear()
        self._on_loop(self._listener.accept_again)

    @classmethod
    def shows(cls) -> frozenset[FaultKind]:
        """The faults this double can show."""
        return WIRE_FAULTS | ANSWER_FAULTS | cls.refusals

    # for the subclasses

    @classmethod
    def default_models(cls) -> dict[str, ServedModel]:
        """What is served when nothing is said."""
        raise NotImplementedError

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply | Later:
        """The provider's reply to a call, answer faults and refusals applied."""
        raise NotImplementedError

    def streams(self, call: ReceivedCall) -> bool:
        """Whether the client asked for a stream."""
        return call.fields.get("stream") is True

    def fault_for(self, call: ReceivedCall) -> Fault | None:
        """What goes wrong with this call: the next of the faults that were injected."""
        return self._next_fault(call) if self._armed else None

    def answer_to(self, call: ReceivedCall, fault: Fault | None) -> Answer:
        """What the model says, before any limit, with an answer fault applied."""
        said = self.answer(call) if callable(self.answer) else self.answer
        if said is None:
            said = default_answer(call, self.label)
        return spoiled(Answer(said) if isinstance(said, str) else said, fault)

    # inside

    def _respond(self, call: ReceivedCall) -> Script | Turn:
        self.calls.append(call)
        self._received += 1
        self._came.set()
        fault = self.fault_for(call)
        try:
            reply = self.reply(call, fault)
        except Exception as problem:  # noqa: BLE001 - the test's own answering function failed: say so, keep serving
            reply = self._could_not(problem)
        if isinstance(reply, Plain | Stream):
            return script(reply, fault, self.label)
        return self._in_turn(reply, fault)

    @asynccontextmanager
    async def _in_turn(self, later: Later, fault: Fault | None) -> AsyncIterator[Script]:
        async with AsyncExitStack() as held:
            try:
                reply = await held.enter_async_context(later)
            except Exception as problem:  # noqa: BLE001 - as above
                reply = self._could_not(problem)
            yield script(reply, fault, self.label)

    def _could_not(self, problem: Exception) -> Plain:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": f"{self.label} could not answer", "exception": problem})
        return Plain(repr(problem).encode(), status=500, content_type="text/plain")

    def _next_fault(self, call: ReceivedCall) -> Fault | None:
        for armed in self._armed:
            if not self._strikes(armed, call):
                continue
            if armed.times is not None:
                armed.times -= 1
                if armed.times <= 0:
                    self._armed.remove(armed)
            return armed.fault
        return None

    def _strikes(self, armed: _Armed, call: ReceivedCall) -> bool:
        if armed.fault.kind in STREAM_FAULTS and not self.streams(call):
            return False
        if armed.path is not None:
            return call.path == armed.path
        return armed.fault.kind is FaultKind.LOADING or call.path in self.work_paths

    def _on_loop(self, act: Callable[[], None]) -> None:
        """Run `act` on the double's loop and wait for it, from whatever thread we are in."""
        loop = self._loop
        if loop is None:
            return
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is loop:
            act()
            return
        done = threading.Event()

        def act_and_tell() -> None:
            try:
                act()
            finally:
                done.set()

        loop.call_soon_threadsafe(act_and_tell)
        done.wait()
