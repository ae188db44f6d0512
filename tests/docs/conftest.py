"""A gate as a user opens it: `headgate up` in a process of its own, with the embedded engine and a stand-in for Claude."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = """
[engines.embedded]
kind = "llamacpp"

[engines.anthropic]
kind = "anthropic"
url = "{claude}"
key = "env:STAND_IN_KEY"

[models.nano]
engine = "embedded"
id = "headgate-nano"
context = 1024

[models.micro]
engine = "embedded"
id = "headgate-micro"
context = 1024

[models.embed]
engine = "embedded"
id = "headgate-embed"
kind = "embedding"

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"
label = "stand-in"

[[routes]]
name = "labels"
tasks = ["classification", "sentiment"]
try = ["nano", "micro", "claude"]

[[routes]]
name = "everything else"
try = ["micro", "claude"]

[quality.tasks]
classification = ["known-label"]
"""


@dataclass(frozen=True)
class OpenGate:
    url: str
    environment: dict[str, str]
    folder: Path


@pytest.fixture(scope="session")
def open_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenGate]:
    pytest.importorskip("xllamacpp")
    folder = tmp_path_factory.mktemp("docs")
    environment = os.environ | {"HEADGATE_DATA": str(folder / "data"), "STAND_IN_KEY": "not-a-key"}
    environment.pop("HEADGATE_CONFIG", None)
    double = subprocess.Popen(
        [sys.executable, "-m", "headgate.testing.serve", "anthropic", "--label", "stand-in"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        page = folder / "headgate.toml"
        page.write_text(PAGE.format(claude=double.stdout.readline().strip()), encoding="utf-8")
        order = [sys.executable, "-m", "headgate", "up", "--json", "--listen", "127.0.0.1:0"]
        gate = subprocess.Popen(order, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder)
        try:
            yield OpenGate(json.loads(gate.stdout.readline())["url"], environment, folder)
        finally:
            gate.terminate()
            gate.wait(20)
            gate.stdout.close()
    finally:
        double.terminate()
        double.wait(20)
        double.stdout.close()
