"""Where the clients live: two virtual environments and one `node_modules`, made from the files in this folder.

What was made once is used again until its file changes. LiteLLM and LlamaIndex want the second major version of OpenAI's
client, all others the third, hence two environments. Node comes with the first of them, so that none need be installed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ASKED = "HEADGATE_CLIENTS"
"""The variable without which nothing is fetched: it is several hundred megabytes."""
STAMP = "made-from.txt"


@dataclass(frozen=True)
class Environment:
    """What a client's scripts run in: the interpreter, and the folder of the scripts."""

    interpreter: Path
    folder: Path

    @property
    def programs(self) -> Path:
        """Where the programs are that came along."""
        return self.interpreter.parent


def environment(name: str) -> Environment:
    """The environment of this name; it is made now if it is not there, or not as its file wants it."""
    return node_modules() if name == "node" else virtual_environment(name)


def virtual_environment(name: str) -> Environment:
    """Python and the packages of `python/NAME.txt`."""
    wanted = HERE / "python" / f"{name}.txt"
    folder = HERE / "python" / f".venv-{name}"
    python = folder / "bin" / "python"
    key = key_of(wanted, sys.version)
    if not is_made(folder, key):
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder)
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        make([*pip, "install", "-q", "-r", str(wanted)], wanted.parent)
        (folder / STAMP).write_text(key)
    return Environment(python, wanted.parent)


def node_modules() -> Environment:
    """Node and the packages of `node/package-lock.json`."""
    programs = virtual_environment("current").programs
    folder = HERE / "node"
    modules = folder / "node_modules"
    key = key_of(folder / "package-lock.json")
    if not is_made(modules, key):
        make([str(programs / "npm"), "ci", "--no-audit", "--no-fund"], folder, path=programs)
        (modules / STAMP).write_text(key)
    return Environment(programs / "node", folder)


def key_of(file: Path, *more: str) -> str:
    """What an environment depends on, as one word."""
    return hashlib.sha256(b"\0".join([file.read_bytes(), *map(str.encode, more)])).hexdigest()


def is_made(folder: Path, key: str) -> bool:
    """Whether it is there as its file wants it."""
    stamp = folder / STAMP
    return stamp.exists() and stamp.read_text() == key


def make(order: list[str], folder: Path, path: Path | None = None) -> None:
    """Run a package manager; its own words are the error if it fails."""
    given = os.environ | ({"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else {})
    done = subprocess.run(order, cwd=folder, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(order)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
