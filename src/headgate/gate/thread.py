"""An event loop on a thread of its own, for those who wait for it elsewhere. It does not know what is done on it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

from headgate.core.errors import UsageError

Result = TypeVar("Result")


class Loop:
    """An event loop on a thread of its own, begun when there is something to do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._last: asyncio.Task[None] | None = None
        self._closed = False

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do it there, and wait for it here. A Ctrl-C here cancels it there.

        Raises:
            UsageError: the gate was closed.
        """
        try:
            loop = self._running()
        except UsageError:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise UsageError("the gate was closed", "make another Gate()")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=turn, args=(self._loop,), name="headgate", daemon=True)
                self._thread.start()
            return self._loop

    def end(self, last: Coroutine[Any, Any, None]) -> None:
        """Do the last thing, and let the thread end."""
        with self._lock:
            self._closed, loop, thread = True, self._loop, self._thread
        if loop is None or thread is None:
            last.close()
            return
        loop.run_in_executor = partial(here, loop)  # type: ignore[method-assign,assignment]  # at exit no thread can be begun any more
        if threading.current_thread() is thread:  # thrown away, and found here by the garbage collector
            self._last = loop.create_task(last)
            self._last.add_done_callback(lambda _: loop.stop())
            return
        asyncio.run_coroutine_threadsafe(last, loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped."""
    loop.run_forever()
    loop.close()


def here(
    loop: asyncio.AbstractEventLoop, _: Executor | None, work: Callable[..., Result], *args: Any
) -> asyncio.Future[Result]:
    """Do a piece of work on the loop's own thread, as `run_in_executor` would on another one."""
    done: asyncio.Future[Result] = loop.create_future()
    try:
        done.set_result(work(*args))
    except Exception as error:  # noqa: BLE001  # it belongs to whoever waits for it
        done.set_exception(error)
    return done
