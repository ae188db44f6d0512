"""An MCP server as a source of tools, through the official client: started when it is first needed, kept while the gate is open.

    McpServer(tool, folder) → await tools() → await tool.call(arguments, 30)

A server that has died is started again, once for each call that finds it dead. A call during which it dies is not repeated: nobody
knows whether it was carried out, and the model is told so. The package `mcp` is the extra headgate[mcp], imported when it is needed.
This module does not know which subagent has the tools.
"""

import asyncio
import re
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from headgate.config.engine import is_private
from headgate.core.checks.schemas import compiled, misfit
from headgate.core.errors import EngineError
from headgate.core.subagent import AgentTool
from headgate.core.types import Tool
from headgate.workers.functions import ToolError, said

if TYPE_CHECKING:
    from mcp import Client

START_WITHIN = 30.0
"""Seconds that a server gets to start and to say what it has."""

ALIVE_WITHIN = 2.0
"""Seconds in which a server that has nothing else to do answers, or it is taken for dead."""

CLOSE_WITHIN = 10.0
"""Seconds that a server gets to end."""

CONNECTION_CLOSED = -32000
TIMED_OUT = -32001
"""Error codes of the client itself."""

NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")
"""What models' APIs do not take in the name of a tool."""

LONGEST_NAME = 64

T = TypeVar("T")


class Gone(Exception):  # noqa: N818  # it is a state of the server, which is then started again
    """The server does not answer any more."""


class McpTool:
    """A tool that a server offers.

    Args:
        server: whose.
        name: by which the server knows it.
        spec: as models are offered it.
    """

    def __init__(self, server: "McpServer", name: str, spec: Tool) -> None:
        self.server = server
        self.name = name
        self.spec = spec

    def named(self, name: str) -> "McpTool":
        """The same tool under another name."""
        spec = Tool(name, self.spec.description, self.spec.parameters)
        return McpTool(self.server, self.name, spec)

    async def call(self, arguments: Mapping[str, Any], within: float) -> str:
        """Call it.

        Raises:
            ToolError: the arguments do not fit its schema, it failed, took too long, or its server is gone.
        """
        validator = compiled(bytes(self.spec.parameters))
        problem = None if isinstance(validator, str) else misfit(validator, dict(arguments))
        if problem is not None:
            raise ToolError(f"the arguments do not fit: {problem}")
        return await self.server.call(self.name, dict(arguments), within)


class McpServer:
    """A server, which runs from the first call on until it is closed.

    Args:
        tool: its command, or its address.
        folder: in which its command is started.
    """

    def __init__(self, tool: AgentTool, folder: Path) -> None:
        self.tool = tool
        self.folder = folder
        self.name = short_name(tool)
        """To stand before the names of its tools, where two have the same."""
        self._turn = asyncio.Lock()
        self._calls = 0
        """Calls under way. While there are some, its silence says nothing."""
        self._client: Client | None = None
        self._life: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    @property
    def at_home(self) -> bool:
        """Whether what it is told stays on the user's machines."""
        return not self.tool.url or is_private(self.tool.url)

    @property
    def shown(self) -> str:
        """For people."""
        return self.tool.url or " ".join(self.tool.command)

    @property
    def advice(self) -> str:
        """What to do about one that does not answer."""
        return "is it running?" if self.tool.url else "start it by hand to see what it says"

    async def tools(self) -> list[McpTool]:
        """What it offers now.

        Raises:
            EngineError: it does not start or does not answer.
        """
        client = await self._living()
        found, cursor = [], None
        try:
            while True:
                page = await self._answer(client.list_tools(cursor=cursor, cache_mode="bypass"))
                found += page.tools
                cursor = page.next_cursor
                if not cursor:
                    break
        except Exception as error:
            raise EngineError(
                f"the MCP server {self.shown} does not say what it has: {said(error)}"
            ) from error
        return [
            McpTool(
                self,
                tool.name,
                Tool(
                    NOT_IN_A_NAME.sub("_", tool.name)[:LONGEST_NAME],
                    tool.description or "",
                    Raw(msgspec.json.encode(tool.input_schema)),
                ),
            )
            for tool in found
        ]

    async def call(self, name: str, arguments: dict[str, Any], within: float) -> str:
        """Call one of its tools.

        Raises:
            ToolError: what the model is told instead of a result.
        """
        from mcp import MCPError  # noqa: PLC0415  # only where there are MCP servers

        begun = perf_counter()
        try:
            async with asyncio.timeout(within):
                client = await self._living()
        except EngineError as error:
            raise ToolError(error.message) from error
        except TimeoutError as error:
            raise ToolError(f"its server did not answer within {within:.3g} s") from error
        left = max(0.0, within - (perf_counter() - begun))
        self._calls += 1
        try:
            result = await self._answer(client.call_tool(name, arguments, read_timeout_seconds=left))
        except Gone as error:
            raise ToolError(
                "its server ended during the call; whether the call was carried out is not known"
            ) from error
        except MCPError as error:
            if error.code == TIMED_OUT:
                raise ToolError(f"it took longer than {within:.3g} s") from error
            raise ToolError(said(error)) from error
        except Exception as error:
            raise ToolError(said(error)) from error
        finally:
            self._calls -= 1
        text = text_of(result)
        if result.is_error:
            raise ToolError(text or "it failed and did not say why")
        return text

    async def close(self) -> None:
        """End it."""
        async with self._turn:
            await self._end()

    # ── Its life ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _living(self) -> "Client":
        """The connection to the server, started if there is none or if it has died.

        Raises:
            EngineError: it does not start.
        """
        async with self._turn:
            if self._client is not None:
                if self._calls:
                    return self._client
                try:
                    async with asyncio.timeout(ALIVE_WITHIN):
                        await self._client.list_tools(cache_mode="bypass")
                except Exception:  # noqa: BLE001  # whatever is wrong with it, it is started again
                    await self._end()
                else:
                    return self._client
            return await self._start()

    async def _start(self) -> "Client":
        try:
            from mcp import Client, StdioServerParameters  # noqa: PLC0415  # only where there are MCP servers
        except ImportError as error:
            raise EngineError("MCP servers need the package mcp", 'pip install "headgate[mcp]"') from error
        if self.tool.url:
            target: str | StdioServerParameters = self.tool.url
        else:
            program, *rest = self.tool.command
            target = StdioServerParameters(command=program, args=rest, cwd=self.folder)
        self._over = asyncio.Event()
        opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(
            live(Client(target, read_timeout_seconds=START_WITHIN), opened, self._over),
            name=f"headgate-mcp-{self.name}",
        )
        either: list[asyncio.Future[Any]] = [self._life, opened]
        try:
            done, _ = await asyncio.wait(either, timeout=START_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:  # nobody waits for it any more
            await self._end()
            raise
        if not done:
            await self._end()
            raise EngineError(
                f"the MCP server {self.shown} did not answer within {START_WITHIN:.0f} s", self.advice
            )
        if not opened.done():
            ended = self._life.exception() if not self._life.cancelled() else None
            await self._end()
            why = said(innermost(ended)) if ended is not None else "it ended"
            fails = "cannot be reached" if self.tool.url else "does not start"
            raise EngineError(f"the MCP server {self.shown} {fails}: {why}", self.advice)
        self._client = opened.result()
        told = self._client.server_info
        if told is not None and told.name:
            self.name = NOT_IN_A_NAME.sub("_", told.name)[: LONGEST_NAME // 2]
        return self._client

    async def _end(self) -> None:
        life, client, self._life, self._client = self._life, self._client, None, None
        if life is None:
            return
        if client is not None:
            self._over.set()
            await asyncio.wait({life}, timeout=CLOSE_WITHIN)
        life.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await life

    async def _answer(self, asked: Awaitable[T]) -> T:
        """The answer to a request.

        Raises:
            Gone: the connection was closed before it came.
        """
        from mcp import MCPError  # noqa: PLC0415  # only where there are MCP servers

        try:
            return await asked
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                raise Gone(self.shown) from error
            raise


async def live(client: "Client", opened: "asyncio.Future[Client]", over: asyncio.Event) -> None:
    """One connection from its beginning to its end, in one task, as its scopes want it."""
    async with client:
        opened.set_result(client)
        await over.wait()


def innermost(error: BaseException) -> BaseException:
    """What a group of exceptions is about."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def text_of(result: Any) -> str:
    """A result as text; what is no text is named."""
    parts = [
        block.text
        if block.type == "text"
        else f"[{block.type} of the type {getattr(block, 'mime_type', 'unknown')}]"
        for block in result.content
    ]
    if not parts and result.structured_content is not None:
        return msgspec.json.encode(result.structured_content).decode()
    return "\n".join(parts)


def short_name(tool: AgentTool) -> str:
    """A server's name until it says one itself: its host, or its program."""
    word = urlsplit(tool.url).hostname if tool.url else Path(tool.command[0]).stem
    return NOT_IN_A_NAME.sub("_", word or "server")[: LONGEST_NAME // 2]
