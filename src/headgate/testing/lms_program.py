"""What the double of the program `lms` does: `server start|stop|status`, `ls`, `ps`, `load`, `unload`, `get`.

It speaks to an `LMStudioDouble` over HTTP: one that a test has running, or one that `server start` runs in the background. Which it is,
and on what port, it keeps in a file beside the script. The real one speaks to the program in a way that is not played here.
"""

# ruff: noqa: T201 - a command: its stdout is its answer

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from headgate.testing.programs import write_down

_LOOK_AGAIN = 0.02
"""Seconds between two looks at a download."""


def main(arguments: Sequence[str], setup: Mapping[str, Any]) -> int:
    """Run one command; the exit status."""
    script = Path(setup["script"])
    given = {name: value for name, value in os.environ.items() if name.startswith("LMS_")}
    write_down(script, arguments, given)
    if setup["fails"]:
        print(setup["fails"], file=sys.stderr)
        return 1
    wanted = _parser().parse_args(arguments)
    here = _Server(setup, script.with_name("lms.server.json"))
    try:
        return int(_COMMANDS[wanted.command](here, wanted))
    except urllib.error.HTTPError as problem:
        error = json.load(problem)["error"]
        print(f"Error: {error if isinstance(error, str) else error['message']}", file=sys.stderr)
    except OSError:
        print("Error: LM Studio is not running. Start it with `lms server start`.", file=sys.stderr)
    return 1


class _Server:
    """The server that the program speaks to, and what is remembered of it."""

    def __init__(self, setup: Mapping[str, Any], file: Path) -> None:
        self.setup, self.file = setup, file
        self.state: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        if setup["url"] and not self.state:
            self.state = {"port": urlsplit(setup["url"]).port, "running": True}

    @property
    def url(self) -> str:
        return str(self.setup["url"] or f"http://127.0.0.1:{self.state.get('port', self.setup['port'])}")

    def running(self) -> bool:
        """Whether it is meant to run and answers."""
        if not self.state.get("running"):
            return False
        with suppress(OSError):
            return "models" in self.asked("/api/v1/models")
        return False

    def start(self, port: int | None) -> None:
        if not self.setup["url"] and not self.running():
            port = port if port is not None else self.state.get("port", self.setup["port"])
            names = [word for name in self.setup["models"] for word in ("--model", name)]
            command = [
                sys.executable,
                "-m",
                "headgate.testing.serve",
                "lmstudio",
                "--port",
                str(port),
                *names,
            ]
            source = str(Path(__file__).parents[2])
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": source},
            )
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise OSError
            self.state |= {"pid": process.pid, "port": urlsplit(line.strip()).port}
        self._remember(running=True)

    def stop(self) -> None:
        if self.state.get("pid"):
            with suppress(ProcessLookupError):
                os.kill(self.state.pop("pid"), signal.SIGTERM)
        self._remember(running=False)

    def _remember(self, *, running: bool) -> None:
        self.state["running"] = running
        self.file.write_text(json.dumps(self.state))

    def asked(self, path: str, body: Any = None) -> Any:
        if not self.state.get("running"):
            raise OSError
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=60) as reply:
            return json.load(reply)


def _server(here: _Server, wanted: argparse.Namespace) -> int:
    match wanted.action:
        case "start":
            here.start(wanted.port)
            print(f"Success! Server is now running on port {here.state['port']}", file=sys.stderr)
        case "stop":
            here.stop()
            print(f"Stopped the server on port {here.state.get('port')}.", file=sys.stderr)
        case "status":
            running = here.running()
            if wanted.json:
                port = {"port": here.state["port"]} if "port" in here.state else {}
                print(json.dumps({"running": running} | port))
            else:
                text = f"is running on port {here.state['port']}." if running else "is not running."
                print(f"The server {text}", file=sys.stderr)
    return 0


def _list(here: _Server, wanted: argparse.Namespace) -> int:
    found = here.asked(f"/double/{wanted.command}")
    kinds = [kind for kind in ("llm", "embedding") if getattr(wanted, kind, False)]
    found = [model for model in found if not kinds or model["type"] in kinds]
    if wanted.json:
        print(json.dumps(found))
    else:
        for model in found:
            print(model.get("identifier", model["modelKey"]), model["sizeBytes"], model.get("status", ""))
    return 0


def _load(here: _Server, wanted: argparse.Namespace) -> int:
    body = {"model": wanted.key, "context_length": wanted.context_length, "parallel": wanted.parallel}
    body |= {"ttl": wanted.ttl, "identifier": wanted.identifier}
    loaded = here.asked("/double/load", {name: value for name, value in body.items() if value is not None})
    print(f"Model loaded successfully in {loaded['load_time_seconds']}s.")
    print(f'To use the model in the API/SDK, use the identifier "{loaded["instance_id"]}".')
    return 0


def _unload(here: _Server, wanted: argparse.Namespace) -> int:
    loaded = [model["identifier"] for model in here.asked("/double/ps")]
    for name in loaded if wanted.all else [wanted.identifier]:
        here.asked("/api/v1/models/unload", {"instance_id": name})
        print(f'Model "{name}" unloaded.')
    return 0


def _get(here: _Server, wanted: argparse.Namespace) -> int:
    name, _, quantization = wanted.name.partition("@")
    job = here.asked("/api/v1/models/download", {"model": name, "quantization": quantization or None})
    while job["status"] == "downloading":
        time.sleep(_LOOK_AGAIN)
        job = here.asked(f"/api/v1/models/download/status/{job['job_id']}")
    if job["status"] in ("failed", "paused"):
        print(f"Error: download {job['status']}", file=sys.stderr)
        return 1
    print("Download completed." if job["status"] == "completed" else "Already downloaded.")
    return 0


_COMMANDS = {"server": _server, "ls": _list, "ps": _list, "load": _load, "unload": _unload, "get": _get}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lms", description="A double of LM Studio's lms, for tests.")
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("server")
    server.add_argument("action", choices=("start", "stop", "status"))
    server.add_argument("-p", "--port", type=int)
    server.add_argument("--bind")
    server.add_argument("--cors", action="store_true")
    server.add_argument("--json", action="store_true")
    for name in ("ls", "ps"):
        lists = commands.add_parser(name)
        lists.add_argument("--json", action="store_true")
        lists.add_argument("--llm", action="store_true")
        lists.add_argument("--embedding", action="store_true")
    load = commands.add_parser("load")
    load.add_argument("key")
    load.add_argument("-c", "--context-length", type=int)
    load.add_argument("--parallel", type=int)
    load.add_argument("--ttl", type=float)
    load.add_argument("--identifier")
    load.add_argument("--gpu")
    load.add_argument("-y", "--yes", action="store_true")
    unload = commands.add_parser("unload")
    unload.add_argument("identifier", nargs="?")
    unload.add_argument("-a", "--all", action="store_true")
    get = commands.add_parser("get")
    get.add_argument("name")
    get.add_argument("-y", "--yes", action="store_true")
    get.add_argument("--gguf", action="store_true")
    return parser
