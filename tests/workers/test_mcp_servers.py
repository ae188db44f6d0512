"""MCP servers as tools: real ones, made with the official package, over stdio and over HTTP, that die, hang and come back."""

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from worker_gate import call, script, worker_gate

from headgate.core.errors import EngineError
from headgate.core.subagent import AgentTool
from headgate.workers.functions import ToolError
from headgate.workers.mcp import McpServer
from headgate.workers.tools import Tools
from program_doubles import free_port

pytest.importorskip("mcp")

SERVER = Path(__file__).with_name("orders_server.py")
COMMAND = (sys.executable, str(SERVER))

DESK = """
[agents.desk]
system = "Answer questions about orders."
tools = [{tools}]
"""
STDIO = f"{{ command = {json.dumps(COMMAND)} }}"


@asynccontextmanager
async def opened(tool, folder=Path()):
    server = McpServer(tool, folder)
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def over_http():
    """The server on a port of its own."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(*COMMAND, str(port), stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield f"http://127.0.0.1:{port}/mcp", process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def tools_of(server):
    return {tool.spec.name: tool for tool in await server.tools()}


async def test_a_server_is_started_when_it_is_needed_and_kept(tmp_path):
    async with opened(AgentTool(command=COMMAND), tmp_path) as server:
        tools = await tools_of(server)
        assert list(tools) == ["find_order", "process", "die", "sleep", "odd_name_with_spaces", "much"]
        assert tools["find_order"].spec.description == "Find an order by its number."
        found = json.loads(await tools["find_order"].call({"number": "AB-1"}, 10))
        assert found == {"number": "AB-1", "state": "shipped"}
        first = await tools["process"].call({}, 10)
        assert first == await tools["process"].call({}, 10), "the same process"
    async with asyncio.timeout(60):
        while alive(int(first)):
            await asyncio.sleep(0.05)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_arguments_are_held_to_the_servers_schema_before_it_is_asked(tmp_path):
    async with opened(AgentTool(command=COMMAND), tmp_path) as server:
        tools = await tools_of(server)
        with pytest.raises(ToolError, match="the arguments do not fit"):
            await tools["find_order"].call({}, 10)
        with pytest.raises(ToolError, match="the arguments do not fit: at number"):
            await tools["find_order"].call({"number": 5}, 10)


async def test_what_a_server_says_went_wrong_is_an_error_for_the_model(tmp_path):
    async with opened(AgentTool(command=COMMAND), tmp_path) as server:
        tools = await tools_of(server)
        with pytest.raises(ToolError, match="Error executing tool"):
            await tools["odd_name_with_spaces"].call({}, 10)


async def test_a_call_that_takes_too_long_is_left(tmp_path):
    async with opened(AgentTool(command=COMMAND), tmp_path) as server:
        tools = await tools_of(server)
        with pytest.raises(ToolError, match=r"it took longer than 0\.2 s"):
            await tools["sleep"].call({"seconds": 1.0}, 0.2)


async def test_a_server_that_was_killed_is_started_again(tmp_path):
    async with opened(AgentTool(command=COMMAND), tmp_path) as server:
        tools = await tools_of(server)
        process = int(await tools["process"].call({}, 10))
        os.kill(process, signal.SIGKILL)
        again = int(await tools["process"].call({}, 10))
        assert again != process


async def test_a_call_during_which_the_server_dies_is_not_repeated(tmp_path):
    async with opened(AgentTool(command=COMMAND), tmp_path) as server:
        tools = await tools_of(server)
        with pytest.raises(ToolError, match="whether the call was carried out is not known"):
            await tools["die"].call({}, 10)
        assert json.loads(await tools["find_order"].call({"number": "A"}, 10))["number"] == "A", "it is back"


@pytest.mark.parametrize(
    ("tool", "problem"),
    [
        (AgentTool(command=("/no/such/program",)), "does not start: FileNotFoundError"),
        (AgentTool(command=(sys.executable, "-c", "print('hello')")), "does not start"),
        (AgentTool(url="http://127.0.0.1:9/mcp"), "cannot be reached"),
    ],
)
async def test_a_server_that_does_not_start_is_named_with_the_reason(tmp_path, tool, problem):
    async with opened(tool, tmp_path) as server:
        with pytest.raises(EngineError, match=problem) as error:
            await server.tools()
        assert server.shown in error.value.message


async def test_a_server_that_never_answers_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("headgate.workers.mcp.START_WITHIN", 0.3)
    async with opened(
        AgentTool(command=(sys.executable, "-c", "import time; time.sleep(600)")), tmp_path
    ) as server:
        begun = time.monotonic()
        with pytest.raises(EngineError, match=r"did not answer within 0 s"):
            await server.tools()
        assert time.monotonic() - begun < 10


async def test_a_caller_who_leaves_while_a_server_starts_leaves_no_process_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("headgate.workers.mcp.START_WITHIN", 600)  # so that nothing else ends it
    note = tmp_path / "process"
    waits = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    async with opened(AgentTool(command=(sys.executable, "-c", waits)), tmp_path) as server:
        asking = asyncio.create_task(server.tools())
        async with asyncio.timeout(60):
            while not note.exists() or not note.read_text():
                await asyncio.sleep(0.02)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        async with asyncio.timeout(60):
            while alive(int(note.read_text())):
                await asyncio.sleep(0.05)


async def test_without_the_package_one_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    async with opened(AgentTool(command=COMMAND), tmp_path) as server:
        with pytest.raises(EngineError) as error:
            await server.tools()
        assert error.value.hint == 'pip install "headgate[mcp]"'


async def test_names_that_clash_get_their_servers_before_them(tmp_path):
    first, second = (
        McpServer(AgentTool(command=COMMAND), tmp_path),
        McpServer(AgentTool(command=COMMAND), tmp_path),
    )
    tools = Tools((), (first, second))
    try:
        offered = await tools.offered(at_home=True)
        assert "find_order" in offered
        assert "orders_find_order" in offered
        assert json.loads(await offered["orders_find_order"].call({"number": "A"}, 10))["number"] == "A"
    finally:
        await tools.close()


async def test_a_server_over_http_is_asked_and_found_again_when_it_comes_back():
    async with over_http() as (url, process, port), opened(AgentTool(url=url)) as server:
        tools = await tools_of(server)
        first = await tools["process"].call({}, 10)
        with pytest.raises(ToolError, match="not known"):
            await tools["die"].call({}, 10)
        await process.wait()
        with pytest.raises(ToolError, match="cannot be reached"):
            await tools["process"].call({}, 10)
        again = await asyncio.create_subprocess_exec(*COMMAND, str(port), stderr=asyncio.subprocess.DEVNULL)
        try:
            async with asyncio.timeout(60):
                while True:
                    try:
                        assert await tools["process"].call({}, 10) != first
                    except ToolError:
                        await asyncio.sleep(0.05)
                    else:
                        break
        finally:
            again.kill()
            await again.wait()


async def test_a_subagent_asks_an_mcp_server_through_the_gate(tmp_path):
    home = script(call("find_order", number="AB-1"), call("much"), "It was shipped.")
    async with worker_gate(tmp_path, DESK.format(tools=STDIO), home=home) as bench:
        run = await bench.run("desk")
        assert (run["status"], run["output"]) == ("ok", "It was shipped.")
        assert json.loads(bench.told(1)[0])["state"] == "shipped"
        assert "[cut: these are the first 8,192 of 1,000,000 characters]" in bench.told(2)[1]


async def test_a_server_killed_between_two_runs_is_no_matter(tmp_path):
    home = lambda received: (  # noqa: E731
        "Done." if any(m.get("role") == "tool" for m in received.messages) else call("process")
    )
    async with worker_gate(tmp_path, DESK.format(tools=STDIO), home=home) as bench:
        first = (await bench.run("desk"))["steps"][1]["result"]
        os.kill(int(first), signal.SIGKILL)
        run = await bench.run("desk")
        assert run["status"] == "ok"
        assert run["steps"][1]["result"] not in ("", first)


async def test_a_run_whose_server_is_not_there_fails_with_the_reason_and_has_its_row(tmp_path):
    async with worker_gate(tmp_path, DESK.format(tools='{ command = ["/no/such/program"] }')) as bench:
        run = await bench.run("desk")
        assert run["status"] == "failed"
        assert "the MCP server /no/such/program does not start" in run["reason"]
        (row,) = await bench.written(1)
        assert (row.status, row.id) == ("failed", run["requests"][0])
        assert bench.asked == []


async def test_what_must_stay_at_home_is_told_to_no_server_elsewhere(tmp_path):
    async with worker_gate(tmp_path, DESK.format(tools='{ url = "https://mcp.example.com/mcp" }')) as bench:
        said = await bench.post(
            "/v1/agents/desk/runs", {"input": "Where is AB-1?"}, {"x-headgate-privacy": "local_only"}
        )
        assert said.json["status"] == "failed"
        assert "must stay on your machines" in said.json["reason"]
        assert bench.asked == []


async def test_nor_is_what_its_route_keeps_at_home(tmp_path):
    page = DESK.format(tools='{ url = "https://mcp.example.com/mcp" }')
    async with worker_gate(tmp_path, page, chain='["llama"]\nlocal_only = true') as bench:
        run = await bench.run("desk")
        assert "must stay on your machines" in run["reason"]


BRIEF = DESK + 'limits = {{ within = "3s" }}\n'


async def test_a_server_that_hangs_takes_no_more_time_than_the_run_has_and_is_started_again(tmp_path):
    def asks(received):
        return "I see." if received.messages[-1]["role"] == "tool" else call("process")

    agents = BRIEF.format(tools=STDIO)
    async with worker_gate(tmp_path, agents, home=asks) as bench:
        told = []
        async with asyncio.timeout(60):  # to start takes a busy machine more than the 3 s of a run
            while not (told and told[0].isdigit()):
                await bench.run("desk")
                told = bench.told(-1) if bench.asked else []
        process = int(told[0])
        os.kill(process, signal.SIGSTOP)
        try:
            begun = time.perf_counter()
            run = await bench.run("desk")
            assert time.perf_counter() - begun < 20, (
                "it is not waited for as long as a server may take to start"
            )
            assert run["status"] == "failed"
            assert run["reason"] == "its MCP servers did not say within its 3 s what they have"
            async with asyncio.timeout(60):
                while (await bench.run("desk"))["status"] != "ok":
                    pass
        finally:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


async def test_a_server_that_is_busy_with_one_call_is_not_taken_for_dead_by_another(tmp_path):
    async with opened(AgentTool(command=COMMAND), tmp_path) as server:
        tools = await tools_of(server)
        before = await tools["process"].call({}, 10)
        slow = asyncio.create_task(tools["sleep"].call({"seconds": 3}, 20))
        await asyncio.sleep(0.3)
        assert await tools["process"].call({}, 20) == before
        assert await slow == "slept"
