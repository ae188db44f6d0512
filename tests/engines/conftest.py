"""The transport is tested on both event loops that it runs on; what stands on it, on the plain one. And which Ollama is tested."""

import asyncio
import json
import os
import urllib.request

import pytest
import uvloop

from headgate.testing import OllamaDouble, ServedModel

URL, MODEL, PULL = "HEADGATE_TEST_OLLAMA_URL", "HEADGATE_TEST_OLLAMA_MODEL", "HEADGATE_TEST_OLLAMA_PULL"
TINY = "tiny:latest"


def pytest_asyncio_loop_factories(config, item):
    both = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return both if item.path.name.startswith("test_transport") else {"asyncio": asyncio.new_event_loop}


@pytest.fixture
def ollama_url():
    """A real Ollama, if the environment names one; else its double, set up as the real one is out of the box."""
    if os.environ.get(URL):
        yield os.environ[URL].rstrip("/")
        return
    models = {TINY: ServedModel(context=8192, size=400_000_000, layers=16)}
    library = {"new:latest": ServedModel(context=8192, size=1_000_000)}
    double = OllamaDouble(models, library=library, parallel=1, max_loaded=3, vram=24 << 30)
    with double.in_thread():
        yield double.url


@pytest.fixture
def ollama_model(ollama_url):
    """The one model that tests may use there: the one that is named, or the smallest that chats and is no cloud model."""
    if os.environ.get(MODEL):
        return os.environ[MODEL]
    with urllib.request.urlopen(f"{ollama_url}/api/tags", timeout=10) as reply:
        listed = json.load(reply)["models"]
    able = [m for m in listed if not m.get("remote_host") and "embedding" not in m.get("capabilities", ())]
    able = [m for m in able if "bert" not in m["details"]["family"]]
    if not able:
        pytest.skip(f"no model that chats at {ollama_url}; pull one, or name one in {MODEL}")
    return min(able, key=lambda m: m["size"])["name"]
