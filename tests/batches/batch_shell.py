"""Batches as a person runs them: the command in a process of its own, with a home that is empty but for a config."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from prepared_python import headgate

NANO = """
[server]
listen = "127.0.0.1:0"

[engines.home]
kind = "llamacpp"

[models.nano]
engine = "home"
id = "headgate-nano"

[ledger]
flush = "5ms"
keep_bodies = true

[[routes]]
name = "all"
try = ["nano"]

[agents.kind]
system = "Classify this support email as billing, technical, feature-request or escalation."
labels = ["billing", "technical", "feature-request", "escalation"]
"""


@dataclass
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


class BatchShell:
    """A home with a config, and a way to run `headgate` in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
        self.env = kept | {
            "HOME": str(home),
            "HEADGATE_DATA": str(home / "data"),
            "NO_COLOR": "1",
            "TEST_KEY": "x",
            "PYTHONUNBUFFERED": "1",
        }

    def write(self, page: str) -> None:
        (self.home / "headgate.toml").write_text(page)

    def start(self, *args: str, stdin=subprocess.DEVNULL) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "headgate", *args],
            cwd=self.home,
            env=self.env,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *args: str, piped: str = "") -> Said:
        done = headgate(*args, cwd=self.home, env=self.env, stdin=piped, timeout=250)
        return Said(done.returncode, done.stdout, done.stderr)

    def batch(self, *args: str, agent: str = "kind", inputs: str = "in.jsonl", out: str = "results.jsonl"):
        return ("agents", "run", agent, "--batch", inputs, "--out", out, *args)

    def items(self, texts, name: str = "in.jsonl") -> None:
        (self.home / name).write_text("".join(json.dumps(text) + "\n" for text in texts))

    def results(self, name: str = "results.jsonl") -> list[dict]:
        return whole_lines(self.home / name)

    def wait_for_lines(self, process, many: int, name: str = "results.jsonl") -> None:
        """Wait until so many results are there; the process must not end before."""
        path = self.home / name
        until = monotonic() + 200
        while not path.exists() or path.read_bytes().count(b"\n") < many:
            assert process.poll() is None, process.stderr.read()
            assert monotonic() < until, f"no {many} results in time"
            sleep(0.005)


def whole_lines(path: Path) -> list[dict]:
    """The lines of a results file that end; a torn one is left out."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]
