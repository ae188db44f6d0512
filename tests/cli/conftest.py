"""The command as a person runs it: a process of its own, an empty home, and doubles of engines on real sockets."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.testing import AnthropicDouble, OllamaDouble
from prepared_python import headgate


@dataclass
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """An empty home directory, and a way to run commands in it."""

    home: Path
    env: dict[str, str]

    def __call__(self, *args: str, stdin: str | None = None, **env: str) -> Ran:
        done = headgate(*args, cwd=self.home, env=self.env | env, stdin=stdin or "")
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *args: str, **env: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "headgate", *args],
            cwd=self.home,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write(self, page: str) -> None:
        (self.home / "headgate.toml").write_text(page)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    home = tmp_path / "home"
    home.mkdir()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "LANG", "SYSTEMROOT", "VIRTUAL_ENV")
    }
    return Shell(home, kept | {"HOME": str(home), "NO_COLOR": "1", "TEST_KEY": "x"})


@dataclass
class World:
    """A shell with a config whose engines are doubles."""

    shell: Shell
    ollama: OllamaDouble
    claude: AnthropicDouble


PAGE = """
[server]
listen = "127.0.0.1:0"

[engines.ollama]
kind = "ollama"
url = "{ollama}"

[engines.anthropic]
kind = "anthropic"
url = "{claude}"
key = "env:TEST_KEY"

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
name = "everything else"
try = ["llama", "claude"]

[ledger]
flush = "20ms"
"""


@pytest.fixture
def world(shell: Shell) -> Iterator[World]:
    with (
        OllamaDouble(answer="A fine answer from home.").in_thread() as ollama,
        AnthropicDouble(answer="A fine answer.").in_thread() as claude,
    ):
        shell.write(PAGE.format(ollama=ollama.url, claude=claude.url))
        yield World(shell, ollama, claude)


Make = Callable[..., Any]
