"""The examples of docs/testing.md run as they stand, against a small app that deserves to pass them."""

import asyncio
import inspect
import json
import re
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from double_clients import ask

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
CHAT = {"model": "llama3.1:8b", "stream": False}


def asked(text: str, **more) -> dict:
    return CHAT | {"messages": [{"role": "user", "content": text}]} | more


async def greet(name: str, base_url: str) -> str:
    try:
        got = await ask(base_url, "POST", "/api/chat", asked(f"Greet {name}."))
    except ConnectionRefusedError:
        return "Sorry, try later."
    return got.json["message"]["content"]


def greet_blocking(name: str, base_url: str) -> str:
    with urllib.request.urlopen(
        f"{base_url}/api/chat", json.dumps(asked(f"Greet {name}.")).encode(), timeout=5
    ) as reply:
        return json.load(reply)["message"]["content"]


async def label(text: str, base_url: str) -> str:
    got = await ask(base_url, "POST", "/api/chat", asked(text, format={"type": "object"}))
    return json.loads(got.json["message"]["content"])["label"]


async def fetch(name: str, base_url: str) -> str:
    got = await ask(base_url, "POST", "/api/pull", {"model": name})
    return got.lines[-1].get("error") or got.lines[-1]["status"]


async def stream_all(base_url: str) -> str:
    for _ in range(3):
        got = await ask(base_url, "POST", "/api/chat", asked("Count.", stream=True))
        if got.lines and got.lines[-1]["done"]:
            return "".join(line["message"]["content"] for line in got.lines)
    return ""


def examples() -> dict:
    """Everything the page's Python blocks define, read in order as one module."""
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE.read_text())
    app = SimpleNamespace(
        greet=greet, greet_blocking=greet_blocking, label=label, stream_all=stream_all, fetch=fetch
    )
    module = {"my_app": app}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), module)
    return {name: thing for name, thing in module.items() if name.startswith("test_")}


@pytest.mark.parametrize("name", examples())
def test_an_example_of_the_page_runs(name):
    outcome = examples()[name]()
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)


def test_the_page_names_every_fault():
    from headgate.testing import FaultKind

    page = PAGE.read_text()
    assert [kind for kind in FaultKind if f"`{kind}(" not in page] == []
