"""What the double of the program `ollama` does: `--version`, `serve`, `list`, `ps`, `pull`.

`serve` is an `OllamaDouble`, set up by the variables that the real one reads, until SIGINT or SIGTERM; its log is on stderr and names
them, as the real one's does.
"""

# ruff: noqa: T201 - a command: its stdout is its answer

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from headgate.testing.ollama import OllamaDouble
from headgate.testing.ollama_rules import seconds
from headgate.testing.programs import write_down

DEFAULT_PORT = 11434
_DEFAULTS = {
    "OLLAMA_CONTEXT_LENGTH": "0",
    "OLLAMA_FLASH_ATTENTION": "false",
    "OLLAMA_HOST": "",
    "OLLAMA_KEEP_ALIVE": "5m0s",
    "OLLAMA_KV_CACHE_TYPE": "",
    "OLLAMA_MAX_LOADED_MODELS": "0",
    "OLLAMA_MAX_QUEUE": "512",
    "OLLAMA_MODELS": "",
    "OLLAMA_NUM_PARALLEL": "1",
}


def main(arguments: Sequence[str], setup: Mapping[str, Any]) -> int:
    """Run one command; the exit status."""
    given = {name: value for name, value in os.environ.items() if name.startswith("OLLAMA_")}
    write_down(Path(setup["script"]), arguments, given)
    match list(arguments):
        case ["--version" | "-v"]:
            return _version(setup["version"], given)
        case ["serve"]:
            heard = {name: value for name, value in given.items() if name not in setup["ignores"]}
            return _serve(setup, _DEFAULTS | heard)
        case ["list" | "ls"]:
            return _table("/api/tags", ("name", "digest", "size"), given)
        case ["ps"]:
            return _table("/api/ps", ("name", "size", "size_vram", "context_length", "expires_at"), given)
        case ["pull", name]:
            return _pull(name, given)
    print(f'Error: unknown command "{" ".join(arguments)}" for "ollama"', file=sys.stderr)
    return 1


def address(said: str) -> tuple[str, int]:
    """Host and port that OLLAMA_HOST means; a scheme without a port has the scheme's own."""
    parts = urlsplit(said if "://" in said else f"//{said}")
    port = {"http": 80, "https": 443}.get(parts.scheme, DEFAULT_PORT) if parts.port is None else parts.port
    return parts.hostname or "127.0.0.1", port


def _serve(setup: Mapping[str, Any], settings: Mapping[str, str]) -> int:
    host, port = address(settings["OLLAMA_HOST"])
    if setup["fails"]:
        print(setup["fails"], file=sys.stderr)
        return 1
    shown = " ".join(f"{name}:{value}" for name, value in sorted(settings.items()))
    _log("This is a test double of Ollama; no model runs")
    _log("server config", f'env="map[{shown}]"')
    try:
        asyncio.run(_serve_until_told(setup, settings, host, port))
    except OSError:
        print(f"Error: listen tcp {host}:{port}: bind: address already in use", file=sys.stderr)
        return 1
    return 0


async def _serve_until_told(
    setup: Mapping[str, Any], settings: Mapping[str, str], host: str, port: int
) -> None:
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    kept = seconds(settings["OLLAMA_KEEP_ALIVE"])
    double = OllamaDouble(
        setup["models"] or None,
        num_ctx=int(settings["OLLAMA_CONTEXT_LENGTH"]) or 4096,
        parallel=int(settings["OLLAMA_NUM_PARALLEL"]) or 1,
        max_loaded=int(settings["OLLAMA_MAX_LOADED_MODELS"]) or 3,
        max_queue=int(settings["OLLAMA_MAX_QUEUE"]),
        keep_alive=300.0 if kept is None else kept,
        kv_cache=settings["OLLAMA_KV_CACHE_TYPE"] or "f16",
        version=setup["version"],
        host=host,
        port=port,
        remember=100,
    )
    async with double:
        where = urlsplit(double.url)
        _log(f"Listening on {where.hostname}:{where.port} (version {setup['version']})")
        await end.wait()


def _version(version: str, given: Mapping[str, str]) -> int:
    try:
        print(f"ollama version is {_asked('/api/version', given)['version']}")
    except OSError:
        print("Warning: could not connect to a running Ollama instance", file=sys.stderr)
        print(f"Warning: client version is {version}")
    return 0


def _table(path: str, columns: Sequence[str], given: Mapping[str, str]) -> int:
    try:
        models = _asked(path, given)["models"]
    except OSError:
        print("Error: could not connect to ollama server, run 'ollama serve' to start it", file=sys.stderr)
        return 1
    for row in [[name.upper() for name in columns], *([str(m[name]) for name in columns] for m in models)]:
        print("    ".join(row))
    return 0


def _pull(name: str, given: Mapping[str, str]) -> int:
    try:
        said = _asked("/api/pull", given, {"model": name, "stream": False})
    except urllib.error.HTTPError as problem:
        print(f"Error: {json.load(problem)['error']}", file=sys.stderr)
        return 1
    print(said["status"])
    return 0


def _asked(path: str, given: Mapping[str, str], body: Any = None) -> Any:
    host, port = address(given.get("OLLAMA_HOST", ""))
    data = None if body is None else json.dumps(body).encode()
    host = "127.0.0.1" if host == "0.0.0.0" else host
    with urllib.request.urlopen(f"http://{host}:{port}{path}", data, timeout=5) as reply:
        return json.load(reply)


def _log(text: str, more: str = "") -> None:
    print(f'level=INFO source=routes.go msg="{text}" {more}'.rstrip(), file=sys.stderr, flush=True)
