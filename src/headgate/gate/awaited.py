"""`AsyncGate`: the gate for programs with an event loop; and how a gate is found, or opened in this process.

It does not know threads (`thread`).
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from headgate.client import Answer, Connections, HttpEmbedder, HttpRunner, ask, caller_lines
from headgate.core.errors import UsageError
from headgate.core.runs import Given, Run
from headgate.core.words import Task
from headgate.wire.vectors import unpack

log = logging.getLogger("headgate")


class AsyncGate:
    """A gate for programs with an event loop. It is opened by its first use, or by `async with`.

    Args:
        config: a headgate.toml; None is the one of this folder or this user.
        url: the address of an open gate, on whichever machine; then no config is read. Its key, if it asks for one, is in
            the environment variable HEADGATE_KEY.

    Raises:
        UsageError: both were given.
    """

    def __init__(self, config: str | Path | None = None, *, url: str | None = None) -> None:
        if config is not None and url is not None:
            raise UsageError("a gate has a config or an address", "leave one of them out")
        self._config = config
        self._asked_url = url
        self._stack: AsyncExitStack | None = None
        self._opening = asyncio.Lock()
        self._connections: Connections | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> str:
        """Find the gate, or open one; its address.

        Raises:
            ConfigError: the config is wrong.
            LedgerError: no gate is open, and the ledger cannot be opened here.
        """
        async with self._opening:
            if self._connections is None:
                stack = AsyncExitStack()
                try:
                    if self._asked_url is None:
                        url, key = await stack.enter_async_context(found_or_opened(self._config))
                        self._connections = Connections(url, key)
                    else:
                        self._connections = Connections(self._asked_url)
                except BaseException:
                    await stack.aclose()
                    raise
                stack.push_async_callback(self._connections.close)
                self._stack = stack
            return self._connections.url

    async def close(self) -> None:
        """Close the connections, and the gate if it was opened here. Used again, it opens again."""
        stack, self._stack, self._connections = self._stack, None, None
        if stack is not None:
            await stack.aclose()

    async def _connected(self) -> Connections:
        await self.open()
        assert self._connections is not None, "it has just been opened"
        return self._connections

    async def run(
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
        """Give one input, a text or the fields of the agent's template, to a subagent.

        Whatever becomes of it is in the run: look at `run.status` before `run.output`.

        Args:
            agent: its name.
            given: the input.
            model: only this model of its chain.
            pay: whether paid models may answer.
            batch: nobody waits for it: people's requests are served first.
            key: asked again with the same key within an hour, the gate repeats the run that it has.
            caller: whose request it is, as far as waiting has to be fair.

        Raises:
            UsageError: there is no such agent, or the input lacks a field.
            EngineError: the gate does not answer.
        """
        runner = HttpRunner(await self._connected())
        return await runner.run(agent, given, model=model, pay=pay, batch=batch, key=key, caller=caller)

    async def run_many(
        self, agent: str, inputs: Iterable[Given], *, at_once: int = 8, pay: bool = True, caller: str = ""
    ) -> AsyncGenerator[Run]:
        """The runs of many inputs, in the order of the inputs, each as soon as it and those before it are there.

        Inputs are taken from the iterable only as they are needed. Many thousands of them are a batch: see
        `headgate agents run --batch`, which can be stopped and goes on.

        Raises:
            UsageError: there is no such agent, or an input lacks a field.
            EngineError: the gate does not answer.
        """
        if isinstance(inputs, str | Mapping):  # its letters, or its keys, would each be an input
            raise UsageError("run_many takes many inputs, and this is one", "give a list, or use run")
        under_way: deque[asyncio.Task[Run]] = deque()
        try:
            for given in inputs:
                if len(under_way) >= max(1, at_once):
                    yield await under_way.popleft()
                one = self.run(agent, given, pay=pay, batch=True, caller=caller)
                under_way.append(asyncio.create_task(one))
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def ask(
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
        """Answer a prompt by the cheapest model that can.

        Args:
            prompt: what is asked.
            model: "auto", "auto:code", "agent:triage", or a model by name.
            system: what the model is told first.
            task: names the task instead of letting it be guessed.
            schema: a JSON Schema that the answer has to fit.
            max_tokens: the longest answer.
            temperature: how freely it is answered.
            local: never leave machines of the user's.
            caller: whose request it is, as far as waiting has to be fair.

        Raises:
            UsageError: there is no such model or task.
            EngineError: the gate does not answer, or no model could.
        """
        said = [{"role": "system", "content": system}] if system else []
        request: dict[str, Any] = {
            "model": model,
            "messages": [*said, {"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "temperature": temperature,
        }
        if schema is not None:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema},
            }
        headers = caller_lines(caller, batch=False)
        headers |= {"x-headgate-task": quote(task)} if task else {}
        headers |= {"x-headgate-privacy": "local_only"} if local else {}
        kept = {name: value for name, value in request.items() if value is not None}
        return await ask(await self._connected(), kept, headers)

    async def embed(
        self, texts: Sequence[str], *, model: str = "auto", query: bool = False
    ) -> list[list[float]]:
        """One vector per text.

        Args:
            texts: at most 2,048.
            model: an embedding model; "auto" is the first of the config.
            query: they are looked for, and not looked through: some models want to know.

        Raises:
            UsageError: there is no such model.
            EngineError: no model could embed them.
        """
        embedder = HttpEmbedder(await self._connected(), model)
        return [unpack(vector) for vector in await embedder.embed(texts, query=query)]


@asynccontextmanager
async def found_or_opened(config_file: str | Path | None) -> AsyncGenerator[tuple[str, str]]:
    """The address of the gate that is open with this config, or of one that is open as long as the context lasts; and its key."""
    from headgate.cli.runner import serving  # noqa: PLC0415  # the gate loads slowly, and may not be needed
    from headgate.config.load import load_config  # noqa: PLC0415

    config = await asyncio.to_thread(load_config, None if config_file is None else str(config_file))
    there = await asyncio.to_thread(serving, config, log.info)
    if there is not None:
        yield there.url, there.key
        return
    from headgate.app import open_gate  # noqa: PLC0415
    from headgate.gateway.listening import bind  # noqa: PLC0415

    async with open_gate(config) as gate:
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        served = asyncio.create_task(gate.serve(bind("127.0.0.1", 0), address.set_result))
        try:
            either: set[asyncio.Future[Any]] = {served, address}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            yield address.result() if address.done() else await unopened(served), gate.local_key
        finally:
            gate.stop()
            await served


async def unopened(served: "asyncio.Task[None]") -> str:
    """Raise what kept a gate from being opened."""
    await served
    raise AssertionError("a gate that never said that it is open does not end by itself")
