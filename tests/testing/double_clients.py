"""A client that hides nothing: what came over the wire, in which pieces, and how it ended. And the captures, parsed."""

import asyncio
import json
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httptools

from headgate.testing import AnthropicDouble, LMStudioDouble, OllamaDouble, OpenAIDouble

CAPTURES = Path(__file__).parent.parent / "data" / "captures"
PATIENCE = 5.0


@dataclass
class Got:
    """One reply. `pieces` are the body as it was framed; `whole` says whether HTTP's own end was seen."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    whole: bool = False
    ended_by: Exception | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.body.splitlines() if line]

    @property
    def events(self) -> list[dict]:
        """The JSON of every `data:` line but `[DONE]`."""
        found = [line[6:] for line in self.body.split(b"\n") if line.startswith(b"data: ")]
        return [json.loads(data) for data in found if data != b"[DONE]"]


class _Reading:
    def __init__(self, got: Got) -> None:
        self.got = got
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.got.headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        self.got.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.got.pieces.append(body)

    def on_message_complete(self) -> None:
        self.got.whole = True


def request_bytes(
    url: str, method: str, path: str, body=None, headers: dict[str, str] | None = None
) -> bytes:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    given = {"Host": urlsplit(url).netloc, "Content-Length": str(len(data))} | (headers or {})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def read_reply(reader: asyncio.StreamReader, *, pieces: int | None = None) -> Got:
    """Read one reply to its end, however it ends; or only until that many pieces have come."""
    reading = _Reading(Got())
    got = reading.got
    while not got.whole and (pieces is None or len(got.pieces) < pieces):
        try:
            data = await asyncio.wait_for(reader.read(65536), PATIENCE)
        except ConnectionError as problem:
            got.ended_by = problem
            break
        if not data:
            break
        reading.parser.feed_data(data)
    return got


@asynccontextmanager
async def asking(url: str, method: str, path: str, body=None, headers: dict[str, str] | None = None):
    """Send a request and hold the connection open for the block."""
    reader, writer = await connect(url)
    writer.write(request_bytes(url, method, path, body, headers))
    try:
        yield reader
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def ask(url: str, method: str, path: str, body=None, headers: dict[str, str] | None = None) -> Got:
    async with asking(url, method, path, body, headers) as reader:
        return await read_reply(reader)


# what to ask each double


@dataclass(frozen=True)
class Provider:
    """A correct chat request for one double, and how to find the text in what comes back."""

    double: type
    path: str
    model: str
    headers: dict[str, str]
    more: dict = field(default_factory=dict)

    def body(self, *, stream: bool, **more) -> dict:
        messages = [{"role": "user", "content": "Say one two three four."}]
        return {"model": self.model, "messages": messages, "stream": stream} | self.more | more

    async def chat(self, double, *, stream: bool, **more) -> Got:
        return await ask(double.url, "POST", self.path, self.body(stream=stream, **more), self.headers)

    def text(self, got: Got) -> str:
        """The text of the answer, or of as much of it as came."""
        if self.double is OllamaDouble:
            return "".join(line["message"]["content"] for line in got.lines if "message" in line)
        if self.double is AnthropicDouble:
            if "event-stream" not in got.headers["content-type"]:
                return "".join(block.get("text", "") for block in got.json["content"])
            return "".join(event.get("delta", {}).get("text", "") for event in got.events)
        if "event-stream" not in got.headers["content-type"]:
            return got.json["choices"][0]["message"]["content"]
        choices = [choice for event in got.events for choice in event.get("choices", ())]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    def model_named(self, got: Got) -> str:
        if got.headers["content-type"].startswith("application/json"):
            return got.json["model"]
        first = got.lines[0] if self.double is OllamaDouble else got.events[0]
        return first["message"]["model"] if self.double is AnthropicDouble else first["model"]

    def finish(self, got: Got) -> str | None:
        """The finish reason if the reply proves that it is complete, in the dialect's own word; else None."""
        plain = got.headers["content-type"].startswith("application/json")
        if self.double is OllamaDouble:
            return got.lines[-1].get("done_reason") if got.lines else None
        if self.double is AnthropicDouble:
            if plain:
                return got.json["stop_reason"]
            if not got.events or got.events[-1]["type"] != "message_stop":
                return None
            return got.events[-2]["delta"]["stop_reason"]
        if plain:
            return got.json["choices"][0]["finish_reason"]
        if not got.body.endswith(b"data: [DONE]\n\n"):
            return None
        return [choice["finish_reason"] for event in got.events for choice in event["choices"]][-1]


ANTHROPIC_HEADERS = {"x-api-key": "key", "anthropic-version": "2026-10-21"}

PROVIDERS = {
    "ollama": Provider(OllamaDouble, "/api/chat", "llama3.1:8b", {}),
    "lmstudio": Provider(LMStudioDouble, "/v1/chat/completions", "phi-3-mini-128k-instruct", {}),
    "openai": Provider(OpenAIDouble, "/v1/chat/completions", "gpt-4o", {"Authorization": "Bearer sk-key"}),
    "anthropic": Provider(
        AnthropicDouble, "/v1/messages", "claude-sonnet-5-5", ANTHROPIC_HEADERS, {"max_tokens": 1000}
    ),
}


# captures


@dataclass(frozen=True)
class Captured:
    status: int
    content_type: str
    body: str


def captured(name: str, file: str = "ollama-0.33.txt") -> Captured:
    text = (CAPTURES / file).read_text()
    found = re.search(rf"(?ms)^--- {re.escape(name)}\n(\d+) (.*?)\n(.*?)(?=^--- |\Z)", text)
    assert found, f"no capture named {name!r}"
    return Captured(int(found[1]), found[2], found[3].strip("\n"))


def shape(value):
    """Names in their order and kinds of value: what two replies have in common when only the figures differ."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool) or value is None:
        return value
    return "number" if isinstance(value, (int, float)) else "text"
