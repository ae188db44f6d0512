"""A real gate on a port whose subagents have tools or long inputs, in front of doubles of Ollama (at home) and OpenAI (paid).

The models that ship with Headgate are too small to call tools, so doubles play the ones that do: `script` says what a model
answers, turn by turn.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.app import OpenGate, open_gate
from headgate.config.load import parse_config
from headgate.core.types import Outcome
from headgate.engines.transport import Clocks, HttpTransport
from headgate.gateway.listening import bind
from headgate.ledger.queries import LedgerReader
from headgate.testing import Answer, OllamaDouble, OpenAIDouble, ReceivedCall, ServedModel, ToolCall

CLOCKS = Clocks(connect=5, first_byte=60, between_bytes=60, total=120)

PAGE = """
[server]
listen = "127.0.0.1:0"

[engines.home]
kind = "ollama"
url = "{ollama}"
parallel = {parallel}

[engines.openai]
kind = "openai"
url = "{openai}/v1"
key = "env:TEST_KEY"

[models.llama]
engine = "home"
id = "llama3.1:8b"
context = {context}

[models.gpt]
engine = "openai"
id = "gpt-4o"
context = {paid_context}

[[routes]]
name = "everything"
try = {chain}

[ledger]
path = "{folder}/ledger.db"
flush = "20ms"

{agents}
"""


def call(tool: str, **arguments: Any) -> Answer:
    """A model's wish to call a tool."""
    return Answer(tool_calls=(ToolCall(tool, arguments),))


def calls(*wishes: tuple[str, dict[str, Any]]) -> Answer:
    """Several at once."""
    return Answer(tool_calls=tuple(ToolCall(name, arguments) for name, arguments in wishes))


def script(*answers: str | Answer) -> Callable[[ReceivedCall], str | Answer]:
    """A model that answers so, turn by turn, and says the last one again when it is asked further."""
    left = list(answers)

    def answer(_: ReceivedCall) -> str | Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


@dataclass
class Said:
    """A response of the gate."""

    status: int
    headers: dict[str, str]
    json: Any


@dataclass
class WorkerGate:
    """The gate and what is around it."""

    gate: OpenGate
    ollama: OllamaDouble
    openai: OpenAIDouble
    client: HttpTransport
    folder: Path
    url: str

    async def post(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Said:
        lines = list((headers or {}).items())
        response = await self.client.request(
            "POST", path, headers=lines, body=json.dumps(body).encode(), clocks=CLOCKS
        )
        assert hasattr(response, "status"), response
        names = ("x-headgate-cost", "x-headgate-status", "x-headgate-model", "x-headgate-request-id")
        found = {name: response.headers.get(name) for name in names}
        return Said(
            response.status, {k: v for k, v in found.items() if v is not None}, json.loads(response.body)
        )

    async def run(self, agent: str, given: Any = "Where is my order AB-1?", **more: Any) -> dict[str, Any]:
        """A run over HTTP."""
        said = await self.post(f"/v1/agents/{agent}/runs", {"input": given, **more})
        assert said.status == 200, said
        return said.json

    async def chat(self, agent: str, text: str = "Where is my order AB-1?", **more: Any) -> Said:
        """An ordinary chat client."""
        messages = [{"role": "user", "content": text}]
        return await self.post(
            "/v1/chat/completions", {"model": f"agent:{agent}", "messages": messages, **more}
        )

    async def written(self, number: int) -> list[Outcome]:
        """The newest rows of the ledger, the oldest of them first."""
        async with asyncio.timeout(60):
            while self.gate.writer.written < number:
                await asyncio.to_thread(self.gate.writer.flush)
        with LedgerReader(self.folder / "ledger.db") as reader:
            return [entry.outcome for entry in reversed(reader.newest(limit=number))]

    @property
    def asked(self) -> list[ReceivedCall]:
        """What the model at home was asked."""
        return [call for call in self.ollama.calls if call.path == "/api/chat"]

    @property
    def paid(self) -> list[ReceivedCall]:
        """What the paid model was asked."""
        return [call for call in self.openai.calls if call.path == "/v1/chat/completions"]

    def told(self, turn: int) -> list[str]:
        """What the tools' answers were that a turn of the model at home was shown."""
        return [str(m.get("content")) for m in self.asked[turn].messages if m.get("role") == "tool"]


@asynccontextmanager
async def worker_gate(
    folder: Path,
    agents: str,
    *,
    home: Any = "Fine.",
    paid: Any = "Very well.",
    files: dict[str, str] | None = None,
    context: int = 8192,
    paid_context: int = 128_000,
    chain: str = '["llama"]',
    parallel: int = 2,
) -> AsyncIterator[WorkerGate]:
    """Open a gate whose page ends with these agents, in a folder with these files."""
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("TEST_KEY", "not-a-key")
        patch.setenv("HEADGATE_DATA", str(folder / "data"))
        ollama = await stack.enter_async_context(
            OllamaDouble({"llama3.1:8b": ServedModel(context=131_072)}, home, num_ctx=context)
        )
        openai = await stack.enter_async_context(OpenAIDouble(answer=paid))
        page = PAGE.format(
            ollama=ollama.url,
            openai=openai.url,
            folder=folder,
            context=context,
            paid_context=paid_context,
            chain=chain,
            parallel=parallel,
            agents=agents,
        )
        (folder / "headgate.toml").write_text(page)
        gate = await stack.enter_async_context(open_gate(parse_config(page, folder / "headgate.toml")))
        opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(gate.serve(bind("127.0.0.1", 0), opened.set_result))
        url = await opened
        client = HttpTransport(url)
        try:
            yield WorkerGate(gate, ollama, openai, client, folder, url)
        finally:
            await client.close()
            gate.stop()
            await serving
