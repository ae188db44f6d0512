"""`Gate`: the same for programs without an event loop. Every call is done on a thread of the gate's own, and waited for."""

import asyncio
import weakref
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from headgate.client import Answer
from headgate.core.errors import UsageError
from headgate.core.runs import Given, Run
from headgate.core.words import Task
from headgate.gate.awaited import AsyncGate
from headgate.gate.thread import Loop


class Gate:
    """A gate for programs without an event loop; several threads may use it at the same time.

    It is opened by its first use, or by `with`, and closed by `close`, by the end of `with`, or at the end of the program.

    Args:
        config: a headgate.toml; None is the one of this folder or this user.
        url: the address of an open gate, on whichever machine; then no config is read.
    """

    def __init__(self, config: str | Path | None = None, *, url: str | None = None) -> None:
        self._gate = AsyncGate(config, url=url)
        self._loop = Loop()
        self._close = weakref.finalize(self, end, self._loop, self._gate)

    def __enter__(self) -> Self:
        self._loop.wait(self._gate.open())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The gate's address, for other clients: OpenAI's takes it with "/v1" behind it."""
        return self._loop.wait(self._gate.open())

    def close(self) -> None:
        """Close the connections, and the gate if it was opened here. It cannot be used any more."""
        self._close()

    def run(
        self,
        agent: str,
        given: Given,
        *,
        model: str | None = None,
        pay: bool = True,
        batch: bool = False,
        key: str = "",
        caller: str = "",
    ) -> Run:
        """Give one input to a subagent: see `AsyncGate.run`."""
        return self._loop.wait(
            self._gate.run(agent, given, model=model, pay=pay, batch=batch, key=key, caller=caller)
        )

    def run_many(
        self, agent: str, inputs: Iterable[Given], *, at_once: int = 8, pay: bool = True, caller: str = ""
    ) -> Iterator[Run]:
        """The runs of many inputs, in their order: see `AsyncGate.run_many`. Left early, the rest is not asked for."""
        runs = self._gate.run_many(agent, inputs, at_once=at_once, pay=pay, caller=caller)
        turn = asyncio.Lock()  # a Ctrl-C here cancels what goes on there, and has to let it end
        try:
            while (run := self._loop.wait(after(runs, turn))) is not None:
                yield run
        finally:
            with suppress(UsageError):  # closed meanwhile
                self._loop.wait(leave(runs, turn))

    def ask(
        self,
        prompt: str,
        *,
        model: str = "auto",
        system: str = "",
        task: Task | None = None,
        schema: dict[str, Any] | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        local: bool = False,
        caller: str = "",
    ) -> Answer:
        """Answer a prompt by the cheapest model that can: see `AsyncGate.ask`."""
        return self._loop.wait(
            self._gate.ask(
                prompt,
                model=model,
                system=system,
                task=task,
                schema=schema,
                max_tokens=max_tokens,
                temperature=temperature,
                local=local,
                caller=caller,
            )
        )

    def embed(self, texts: Sequence[str], *, model: str = "auto", query: bool = False) -> list[list[float]]:
        """One vector per text: see `AsyncGate.embed`."""
        return self._loop.wait(self._gate.embed(texts, model=model, query=query))


def end(loop: Loop, gate: AsyncGate) -> None:
    """Close a gate, and the thread that it lives on."""
    loop.end(gate.close())


async def after(runs: AsyncGenerator[Run], turn: asyncio.Lock) -> Run | None:
    """The next of the runs; None when there is none left."""
    async with turn:
        return await anext(runs, None)


async def leave(runs: AsyncGenerator[Run], turn: asyncio.Lock) -> None:
    """Ask for no more of the runs."""
    async with turn:
        await runs.aclose()
