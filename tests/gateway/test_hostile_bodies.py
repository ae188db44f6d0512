"""Whatever comes in at whatever door is answered in that door's words, soon, and leaves the gate as it was.

The gate is a process of its own with its default limits; what it takes in memory is looked at from outside.
"""

import base64
import gzip
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.testing import OllamaDouble, OpenAIDouble, ServedModel

PAGE = """
[server]
listen = "127.0.0.1:0"

[engines.ollama]
kind = "ollama"
url = "{ollama}"

[engines.openai]
kind = "openai"
url = "{openai}/v1"
key = "env:TEST_KEY"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"
context = 8192

[models.gpt]
engine = "openai"
id = "gpt-4o"
capabilities = ["tools", "images", "json", "schema"]

[models.nomic]
engine = "ollama"
id = "nomic-embed-text"
kind = "embedding"

[[routes]]
name = "vectors"
tasks = ["embedding"]
try = ["nomic"]

[[routes]]
name = "everything else"
try = ["llama", "gpt"]

[ledger]
path = "{ledger}"
"""

ANSWERS_WITHIN = 20.0
"""Seconds for any answer, on a busy machine too."""
LOOKS_WITHIN = 5.0
"""Seconds in which /healthz answers while the gate has something hostile before it."""
MEMORY_AT_MOST = 700 * 1024
"""KB at the peak. The gate starts with 60 MB, its vocabulary takes 80, and a body of 20 MB exists several times while it is
passed on."""

HELLO = [{"role": "user", "content": "How are you?"}]
DOORS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "auto", "messages": HELLO},
    "/v1/responses": {"model": "auto", "input": "How are you?"},
    "/v1/responses/input_tokens": {"model": "auto", "input": "How are you?"},
    "/v1/completions": {"model": "auto", "prompt": "How are you?"},
    "/v1/embeddings": {"model": "auto", "input": "How are you?"},
    "/v1/messages": {"model": "auto", "max_tokens": 100, "messages": HELLO},
    "/v1/messages/count_tokens": {"model": "auto", "messages": HELLO},
    "/api/chat": {"model": "auto", "messages": HELLO, "stream": False},
    "/api/generate": {"model": "auto", "prompt": "How are you?", "stream": False},
    "/api/embed": {"model": "auto", "input": "How are you?"},
    "/api/embeddings": {"model": "auto", "prompt": "How are you?"},
    "/api/show": {"model": "auto"},
}
"""A good request for each."""

TALKS = {path: good for path, good in DOORS.items() if "messages" in good}
TOOL_DOORS = (*TALKS, "/v1/responses", "/v1/responses/input_tokens")
MEGABYTE = 1024 * 1024
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + os.urandom(15 * MEGABYTE)).decode()
"""Twenty megabytes of base64."""


@dataclass
class Gate:
    port: int
    pid: int

    def send(self, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of the answer; meanwhile somebody else looks at /healthz, and sees it."""
        done = threading.Event()
        slowest: list[float] = []
        watch = threading.Thread(target=self.watch, args=(done, slowest))
        watch.start()
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWERS_WITHIN)) as wire:
                lines = {"content-type": "application/json"}
                lines |= {name.replace("_", "-"): value for name, value in headers.items()}
                wire.request("POST", path, body, lines)
                answer = wire.getresponse()
                said = answer.status, dict(answer.getheaders()), json.loads(answer.read())
        finally:
            done.set()
            watch.join()
        assert slowest
        assert max(slowest) < LOOKS_WITHIN
        assert self.peak() < MEMORY_AT_MOST
        return said

    def watch(self, done: threading.Event, slowest: list[float]) -> None:
        """Look at /healthz again and again, and note how long each look took."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWERS_WITHIN)) as wire:
            while True:
                begun = time.monotonic()
                wire.request("GET", "/healthz")
                health = wire.getresponse()
                health.read()
                slowest.append(time.monotonic() - begun)
                if done.wait(0.01):
                    return

    def peak(self) -> int:
        """KB that the gate has held at most; 0 where the system does not tell."""
        status = Path(f"/proc/{self.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    home = tmp_path_factory.mktemp("hostile")
    served = {"llama3.1:8b": ServedModel(), "nomic-embed-text": ServedModel(kind="embedding", dimensions=8)}
    with ExitStack() as stack:
        ollama, openai = OllamaDouble(served), OpenAIDouble({"gpt-4o": ServedModel(vision=True)})
        stack.enter_context(ollama.in_thread())
        stack.enter_context(openai.in_thread())
        page = home / "headgate.toml"
        page.write_text(PAGE.format(ollama=ollama.url, openai=openai.url, ledger=home / "ledger.db"))
        given = os.environ | {"HEADGATE_DATA": str(home / "data"), "TEST_KEY": "not-a-key"}
        order = [sys.executable, "-m", "headgate", "up", "--json", "--config", str(page)]
        opened = subprocess.Popen(order, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=given, text=True)
        try:
            url = json.loads(opened.stdout.readline())["url"]
            yield Gate(int(url.rpartition(":")[2]), opened.pid)
        finally:
            opened.terminate()
            _, talk = opened.communicate(timeout=ANSWERS_WITHIN)
        assert "Traceback" not in talk


def error_in(path: str, said: Any) -> str:
    """The message of an error, which stands in the dialect's own envelope."""
    if path.startswith("/api/"):
        assert list(said) == ["error"]
        message = said["error"]
    elif path.startswith("/v1/messages"):
        assert said["type"] == "error"
        assert said["error"]["type"] in ("invalid_request_error", "request_too_large", "not_found_error")
        message = said["error"]["message"]
    else:
        assert said["error"]["type"] == "invalid_request_error"
        message = said["error"]["message"]
    assert "(hint: " in message
    return message


def with_raw(good: dict[str, Any], more: bytes) -> bytes:
    """A good body with something more in it, as bytes."""
    return json.dumps(good).encode()[:-1] + b", " + more + b"}"


def first_text(good: dict[str, Any]) -> bytes:
    """The body with a mark where its text is."""
    return json.dumps(good).replace("How are you?", "MARK").encode()


NESTED = MEGABYTE // 2
REFUSED = {
    "nothing": (lambda good: b"", 400, "not valid JSON"),
    "half of it": (lambda good: json.dumps(good).encode()[:-1], 400, "not valid JSON"),
    "a text": (lambda good: b'"hello"', 400, "not a JSON object"),
    "a list": (lambda good: b"[]", 400, "not a JSON object"),
    "a number": (lambda good: b"7", 400, "not a JSON object"),
    "null": (lambda good: b"null", 400, "not a JSON object"),
    "an open megabyte of brackets": (
        lambda good: with_raw(good, b'"x": ' + b"[" * MEGABYTE),
        400,
        "not valid JSON",
    ),
    "a closed megabyte of brackets": (
        lambda good: with_raw(good, b'"x": ' + b"[" * NESTED + b"]" * NESTED),
        400,
        "nested too deeply",
    ),
    "a megabyte of nested objects": (
        lambda good: with_raw(good, b'"x": ' + b'{"a":' * (MEGABYTE // 6) + b"1" + b"}" * (MEGABYTE // 6)),
        400,
        "nested too deeply",
    ),
    "no number": (lambda good: with_raw(good, b'"x": NaN'), 400, "not valid JSON"),
    "a raw NUL": (lambda good: with_raw(good, b'"x":\x00 1'), 400, "not valid JSON"),
    "a lone surrogate": (lambda good: with_raw(good, rb'"x": "\ud83d"'), 400, "lone surrogate"),
    "a surrogate the wrong way round": (
        lambda good: with_raw(good, rb'"x": "\ude00\ud83d"'),
        400,
        "lone surrogate",
    ),
    "bytes that are no UTF-8": (lambda good: with_raw(good, b'"x": "\xff\xfe"'), 400, "not valid JSON"),
    "UTF-16": (lambda good: json.dumps(good).encode("utf-16"), 400, "not valid JSON"),
}


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("case", REFUSED)
def test_a_body_that_cannot_be_read_is_refused_in_the_words_of_its_door(gate, path, case):
    body, status, words = REFUSED[case]
    answered, headers, said = gate.send(path, body(DOORS[path]))
    assert (answered, headers["content-type"]) == (status, "application/json")
    assert words in error_in(path, said)
    assert headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", DOORS)
def test_a_compressed_body_is_refused_with_what_to_do(gate, path):
    answered, _, said = gate.send(
        path, gzip.compress(json.dumps(DOORS[path]).encode()), content_encoding="gzip"
    )
    assert answered == 415
    assert "without content-encoding" in error_in(path, said)


@pytest.mark.parametrize("path", DOORS)
def test_a_body_beyond_the_limit_is_refused(gate, path):
    answered, _, said = gate.send(path, with_raw(DOORS[path], b'"x": "%b"' % (b"x" * (65 * MEGABYTE))))
    assert answered == 413
    assert "body_limit_mb" in error_in(path, said)


@pytest.mark.parametrize("path", [path for path in DOORS if path != "/api/show"])
@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5000, "0.5e-99999"])
def test_a_number_that_no_machine_holds_is_refused_or_without_effect(gate, path, number):
    field = "options" if path.startswith("/api/") else "temperature"
    value = f'{{"temperature": {number}}}' if field == "options" else number
    answered, _, said = gate.send(path, with_raw(DOORS[path], f'"{field}": {value}'.encode()))
    assert answered in (200, 400)
    if answered == 400:
        error_in(path, said)


HANDLED = {
    "the same field twice": lambda good: with_raw(good, b'"model": "auto"'),
    "a NUL in a text": lambda good: first_text(good).replace(b"MARK", rb"How\u0000 are you?"),
    "control characters": lambda good: first_text(good).replace(b"MARK", rb"\u0001\u001b[31m\u0085 hello"),
    "a byte order inside": lambda good: first_text(good).replace(b"MARK", "\ufeffhello".encode()),
    "a character beyond the first 65,536": lambda good: first_text(good).replace(b"MARK", rb"\ud83d\ude00"),
    "white space around": lambda good: b" \r\n\t" * 1000 + json.dumps(good).encode() + b"\n" * 1000,
    "a thousand unknown fields": lambda good: json.dumps(good | {f"x{n}": n for n in range(1000)}).encode(),
}


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("case", HANDLED)
def test_what_is_only_odd_is_answered(gate, path, case):
    answered, _, said = gate.send(path, HANDLED[case](DOORS[path]))
    assert answered == 200, said


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8", ""]
)
def test_the_content_type_is_not_looked_at_because_curl_and_ollamas_clients_send_any(gate, path, kind):
    assert gate.send(path, json.dumps(DOORS[path]).encode(), content_type=kind)[0] == 200


def tool(path: str, number: int, schema: dict[str, Any]) -> dict[str, Any]:
    """A tool in the words of a door."""
    name = f"tool_{number}"
    if path.startswith("/v1/messages"):
        return {"name": name, "input_schema": schema}
    if path.startswith("/v1/responses"):
        return {"type": "function", "name": name, "parameters": schema}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def answered_or_too_long(path: str, answered: int, said: Any) -> None:
    """It was passed on, or it fits no model and the caller hears that."""
    assert answered in (200, 400), said
    if answered == 400:
        assert any(word in error_in(path, said) for word in ("window", "no model gave an answer"))


@pytest.mark.parametrize("path", TOOL_DOORS)
def test_a_thousand_tools_are_handled(gate, path):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    body = DOORS[path] | {"tools": [tool(path, number, schema) for number in range(1000)]}
    answered, _, said = gate.send(path, json.dumps(body).encode())
    answered_or_too_long(path, answered, said)


@pytest.mark.parametrize("path", TOOL_DOORS)
def test_a_tool_with_a_schema_of_a_megabyte_is_handled(gate, path):
    fields = {f"field_{n}": {"type": "string", "description": "x" * 90} for n in range(8000)}
    body = json.dumps(
        DOORS[path] | {"tools": [tool(path, 1, {"type": "object", "properties": fields})]}
    ).encode()
    assert len(body) > MEGABYTE
    answered, _, said = gate.send(path, body)
    answered_or_too_long(path, answered, said)


@pytest.mark.parametrize("path", [*TALKS, "/v1/responses", "/v1/responses/input_tokens"])
def test_ten_thousand_messages_are_handled(gate, path):
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"Word {n}."} for n in range(9_999)]
    body = DOORS[path] | {"messages" if path in TALKS else "input": turns}
    answered, _, said = gate.send(path, json.dumps(body).encode())
    answered_or_too_long(path, answered, said)


PICTURED: dict[str, Any] = {
    "/v1/chat/completions": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
            }
        ]
    },
    "/v1/responses": {
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}],
            }
        ]
    },
    "/v1/messages": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
                ],
            }
        ]
    },
    "/api/chat": {"messages": [{"role": "user", "content": "What is it?", "images": [PNG]}]},
    "/api/generate": {"prompt": "What is it?", "images": [PNG]},
}


@pytest.mark.parametrize("path", PICTURED)
def test_a_picture_of_twenty_megabytes_is_passed_on(gate, path):
    answered, headers, said = gate.send(path, json.dumps(DOORS[path] | PICTURED[path]).encode())
    assert answered == 200, str(said)[:500]
    assert headers["x-headgate-model"] == "gpt"
