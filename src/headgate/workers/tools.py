"""The tools of a subagent: loaded from where its table names them, offered under one name each, called and answered as text.

    load_tools(agent, folder) → Tools       its functions now; its MCP servers when they are first needed
    await tools.offered()                   what a model is offered
    await tools.call(call, …)               one call's answer, whatever happens

Functions come from the folder of the config and from installed packages, and from nowhere else: they are the user's own code, and run
with his rights. It does not know who calls, nor how often (`loop`).
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import msgspec

from headgate.core.errors import ConfigError, UsageError
from headgate.core.subagent import Agent, AgentTool
from headgate.core.types import Tool, ToolCall
from headgate.workers.functions import Function, ToolError, said
from headgate.workers.mcp import McpServer

LONGEST_RESULT = 16_000
"""Characters of a tool's result that a model is shown."""

LEAST_RESULT = 1_000


class Callable(Protocol):
    """Something that a model may call."""

    @property
    def spec(self) -> Tool:
        """As a model is offered it."""
        ...

    async def call(self, arguments: Mapping[str, Any], within: float) -> str:
        """Its result.

        Raises:
            ToolError: what the model is told instead.
        """
        ...


class Tools:
    """All tools of one subagent.

    Args:
        functions: by the names that models know them by.
        servers: MCP servers, whose tools are known once they are up.
    """

    def __init__(self, functions: Sequence[Function], servers: Sequence[McpServer] = ()) -> None:
        self.functions = functions
        self.servers = servers

    async def offered(self, *, at_home: bool) -> dict[str, Callable]:
        """The tools by their names. A name that is taken gets its server's before it.

        Args:
            at_home: nothing that is said to them may leave the user's machines.

        Raises:
            EngineError: an MCP server does not start or does not answer.
            UsageError: a server is somewhere else, and nothing may leave.
        """
        found: dict[str, Callable] = {function.spec.name: function for function in self.functions}
        for server in self.servers:
            if at_home and not server.at_home:
                raise UsageError(
                    f"the request must stay on your machines, and the MCP server {server.shown} is not on them"
                )
            for tool in await server.tools():
                name = free_name(tool.spec.name, server.name, found)
                found[name] = tool.named(name)
        return found

    async def close(self) -> None:
        """End the servers that were started for it."""
        for server in self.servers:
            await server.close()


async def answer_call(tool: Callable | None, call: ToolCall, *, within: float, longest: int) -> str:
    """What a model is told of its call: the result, cut if it is too long, or "error: …". Never an exception.

    Args:
        tool: what it called; None is nothing that there is.
        call: the call.
        within: seconds.
        longest: characters of a result.
    """
    if tool is None:
        return f'error: there is no tool "{call.name}"'
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, RecursionError) as error:
        return f"error: the arguments are not JSON: {error}"
    if not isinstance(arguments, dict):
        return "error: the arguments are not a JSON object"
    try:
        result = await tool.call(arguments, within)
    except ToolError as error:
        result = f"error: {error}"
    return shortened(result.encode("utf-8", "replace").decode(), longest)  # half a character is none


def shortened(result: str, longest: int) -> str:
    """A result with a note where the rest of it was left out."""
    if len(result) <= longest:
        return result
    return f"{result[:longest]}\n[cut: these are the first {longest:,} of {len(result):,} characters]"


def longest_result(window: int | None) -> int:
    """Characters of a result that a model with such a window is shown: about a quarter of it."""
    if window is None:
        return LONGEST_RESULT
    return max(LEAST_RESULT, min(LONGEST_RESULT, window))


def free_name(name: str, server: str, taken: Iterable[str]) -> str:
    """A name that is not taken yet: its own, else with its server's before it, else with a number behind."""
    tries = [name, f"{server}_{name}"[:64]]
    return next(
        one
        for one in (*tries, *(f"{tries[1][:60]}_{number}" for number in range(2, 999)))
        if one not in taken
    )


# ── Loading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def load_all_tools(agents: Mapping[str, Agent], source: Path | None) -> dict[str, Tools]:
    """The tools of each subagent that has some.

    Args:
        agents: by their names.
        source: the config; None is the starter page.

    Raises:
        ConfigError: one cannot be loaded.
    """
    folder = source.parent if source is not None else Path.cwd()
    return {name: load_tools(agent, folder) for name, agent in agents.items() if agent.tools}


def load_tools(agent: Agent, folder: Path) -> Tools:
    """The tools that an agent names. Functions are loaded at once, so that a mistake is found before anybody asks.

    Args:
        agent: whose.
        folder: of the config.

    Raises:
        ConfigError: a function cannot be loaded or offered, with the file and the line that name it.
    """
    functions: dict[str, Function] = {}
    servers = []
    modules: dict[str, ModuleType] = {}
    for tool in agent.tools:
        if not tool.function:
            servers.append(server_from(agent, tool, folder))
            continue
        found = load_function(agent, tool.function, folder, modules)
        if found.spec.name in functions:
            raise wrong(
                agent,
                tool.function,
                f'there are two tools called "{found.spec.name}"',
                "give one of them another name",
            )
        functions[found.spec.name] = found
    return Tools(tuple(functions.values()), tuple(servers))


def load_function(agent: Agent, given: str, folder: Path, modules: dict[str, ModuleType]) -> Function:
    """The function of that name; functions of one file share it."""
    where, _, name = given.rpartition(":")
    if where not in modules:
        modules[where] = (
            load_file(agent, given, where, folder)
            if where.endswith(".py")
            else load_module(agent, given, where)
        )
    function = getattr(modules[where], name, None)
    if function is None:
        known = [
            one for one, value in vars(modules[where]).items() if callable(value) and not one.startswith("_")
        ]
        raise wrong(
            agent, given, f'{where} has no function "{name}"', f"it has: {', '.join(known)}" if known else ""
        )
    if not callable(function) or isinstance(function, type):
        raise wrong(agent, given, f'"{name}" in {where} is no function', "name a function, def or async def")
    try:
        return Function(name, function)
    except TypeError as error:
        raise wrong(
            agent,
            given,
            f"no schema says what {name} takes: {error}",
            "a parameter is a str, int, float, bool, list, dict, Literal, Optional, a dataclass or a msgspec Struct",
        ) from error


def load_file(agent: Agent, given: str, where: str, folder: Path) -> ModuleType:
    """A Python file in the folder of the config, or beside the file that describes the agent."""
    folders = [folder.resolve()]
    if agent.source:
        folders.insert(0, Path(agent.source).resolve().parent)
    paths = [(one / where).resolve() for one in folders]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise wrong(
            agent, given, f"there is no file {paths[0]}", "the path is relative to the file that names it"
        )
    if not any(path.is_relative_to(one) for one in folders):
        raise wrong(
            agent, given, f"{path} is not in the folder of the config", "put the file beside the config"
        )
    spec = importlib.util.spec_from_file_location(f"headgate_tools_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise wrong(
            agent, given, f"{path} does not run: {said(error)}", "python must be able to run it by itself"
        ) from error
    return module


def load_module(agent: Agent, given: str, where: str) -> ModuleType:
    """A module of an installed package."""
    try:
        return importlib.import_module(where)
    except (Exception, SystemExit) as error:
        hint = 'install its package, or write "./file.py:function" for a file beside the config'
        raise wrong(agent, given, f"the module {where} cannot be loaded: {said(error)}", hint) from error


def server_from(agent: Agent, tool: AgentTool, folder: Path) -> McpServer:
    """An MCP server, which is not started yet.

    Raises:
        ConfigError: the agent keeps everything at home, and the server is somewhere else.
    """
    server = McpServer(tool, folder)
    if agent.local_only and not server.at_home:
        raise wrong(
            agent,
            tool.url,
            f"the agent is local_only, and its MCP server at {tool.url} is not on this machine",
            "take the server out, or local_only",
        )
    return server


def wrong(agent: Agent, given: str, problem: str, hint: str) -> ConfigError:
    """What is wrong with a tool, with the place that names it."""
    return ConfigError(f"{place_of(agent, given)}: {problem}", hint)


def place_of(agent: Agent, given: str) -> str:
    """Where an agent names a tool: "headgate.toml, line 12"; without a line if it cannot be found there."""
    if not agent.source:
        return f"the agent {agent.name}"
    try:
        lines = Path(agent.source).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    line = next((number for number, text in enumerate(lines, start=1) if given in text), None)
    return f"{agent.source}, line {line}" if line is not None else f"{agent.source}, agent {agent.name}"
