"""A real gate on a port, in front of doubles of Ollama and Anthropic, and a client that speaks HTTP to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop

from headgate.app import OpenGate, open_gate
from headgate.config.load import parse_config
from headgate.core.types import Outcome
from headgate.engines.transport import Clocks, HttpTransport
from headgate.gateway.listening import bind
from headgate.ledger.queries import LedgerReader
from headgate.testing import AnthropicDouble, OllamaDouble, ServedModel


def pytest_asyncio_loop_factories(config, item):
    """The server is tested on both event loops that it runs on; the gate behind it, on the plain one."""
    both = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return both if item.path.name.startswith("test_http") else {"asyncio": asyncio.new_event_loop}


CLOCKS = Clocks(connect=5, first_byte=30, between_bytes=30, total=60)

PAGE = """
[server]
listen = "127.0.0.1:0"
body_limit_mb = 1

[engines.ollama]
kind = "ollama"
url = "{ollama}"
first_token = "1s"
between_tokens = "1s"
manage = {manage}
{ollama_more}

[engines.anthropic]
kind = "anthropic"
url = "{anthropic}"
key = "env:TEST_KEY"
first_token = "1s"
between_tokens = "1s"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"
context = 8192

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"

[[routes]]
name = "long"
tokens_over = 4000
try = ["claude"]

[[routes]]
name = "labels"
tasks = ["classification"]
try = ["llama", "claude"]

[[routes]]
name = "everything else"
try = ["llama", "claude"]

[quality.tasks]
classification = ["known-label"]

[streaming]
mode = "{mode}"
peek_characters = 40
keep_alive = "50ms"

[limits]
answer_within = "5s"
queue_for = "{queue_for}"
{limits}

[ledger]
path = "{ledger}"
flush = "20ms"
{ledger_more}
"""


@dataclass
class Said:
    """A response as a client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.json["choices"][0]["message"]["content"]

    @property
    def events(self) -> list[Any]:
        """The data of a stream's events: objects, and "[DONE]"."""
        lines = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]

    @property
    def streamed(self) -> str:
        choices = [event["choices"][0] for event in self.events if event != "[DONE]" and event.get("choices")]
        return "".join(choice["delta"].get("content") or "" for choice in choices)


@dataclass
class Bench:
    """The gate under test and everything around it."""

    gate: OpenGate
    url: str
    ollama: OllamaDouble
    claude: AnthropicDouble
    client: HttpTransport
    ledger: Path

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Said:
        lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
        response = await self.client.request(method, path, headers=lines, body=body, clocks=CLOCKS)
        assert hasattr(response, "status"), response
        names = ("content-type", "x-should-retry", "retry-after", "allow")
        more = (
            "request-id",
            "model",
            "route",
            "reason",
            "attempts",
            "cost",
            "saved",
            "status",
            "adjusted",
            "cached",
            "notice",
        )
        found = {
            name: response.headers.get(name) for name in (*names, *(f"x-headgate-{name}" for name in more))
        }
        return Said(response.status, {k: v for k, v in found.items() if v is not None}, response.body)

    async def ask(
        self,
        text: str | list[dict[str, Any]] = "How are you?",
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Said:
        messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
        body = json.dumps({"model": "auto", "messages": messages} | more).encode()
        return await self.send("POST", "/v1/chat/completions", body, **(headers or {}))

    async def written(self, number: int = 1) -> list[Outcome]:
        """The newest outcomes, the oldest of them first, once the ledger has them."""
        async with asyncio.timeout(60):
            while self.gate.writer.written < number:
                await asyncio.to_thread(self.gate.writer.flush)
        with LedgerReader(self.ledger) as reader:
            return [entry.outcome for entry in reversed(reader.newest(limit=number))]


Opener = Callable[..., Any]


@pytest.fixture
def open_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens a gate: `async with open_bench(mode="hold") as bench`."""
    monkeypatch.setenv("TEST_KEY", "not-a-key")
    monkeypatch.setenv("HEADGATE_DATA", str(tmp_path / "data"))

    @asynccontextmanager
    async def opener(
        *,
        mode: str = "peek",
        queue_for: str = "3s",
        limits: str = "",
        manage: bool = False,
        ollama_more: str = "",
        ledger_more: str = "",
        library: dict[str, ServedModel] | None = None,
        local: Any = "Fine, thank you. It was a quiet morning at the desk.",
        paid: Any = "Very well. I hope that your day is going as it should.",
        change: Callable[[str], str] = lambda page: page,
    ) -> AsyncIterator[Bench]:
        async with AsyncExitStack() as stack:
            ollama = await stack.enter_async_context(OllamaDouble(library, local))
            claude = await stack.enter_async_context(AnthropicDouble(answer=paid))
            ledger = tmp_path / "ledger.db"
            page = PAGE.format(
                ollama=ollama.url,
                anthropic=claude.url,
                ledger=ledger,
                mode=mode,
                queue_for=queue_for,
                limits=limits,
                manage="true" if manage else "false",
                ollama_more=ollama_more,
                ledger_more=ledger_more,
            )
            config = parse_config(change(page), tmp_path / "headgate.toml")
            gate = await stack.enter_async_context(open_gate(config))
            opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            serving = asyncio.create_task(gate.serve(bind("127.0.0.1", 0), opened.set_result))
            url = await opened
            client = HttpTransport(url)
            stack.push_async_callback(client.close)
            try:
                yield Bench(gate, url, ollama, claude, client, ledger)
            finally:
                await client.close()
                gate.stop()
                await serving

    return opener
