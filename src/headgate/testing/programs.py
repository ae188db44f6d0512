"""Doubles of two programs, `ollama` and `lms`, as small scripts for a folder on the PATH.

    ollama = write_ollama(tmp_path)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "OLLAMA_HOST": "127.0.0.1:0"}

`ollama serve` is the HTTP double, set up by the environment as the real one is; `lms server start` starts LM Studio's in the background.
Every call is written down: `ollama.calls()`. Both say in their file and in their log that they are doubles. What the commands do is
in `ollama_program` and `lms_program`.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPT = """#!{python}
# A double of `{name}` for tests, made by headgate.testing. No model runs.
import sys
sys.path.insert(0, {source!r})
from headgate.testing.{name}_program import main
raise SystemExit(main(sys.argv[1:], {setup!r}))
"""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a program: its arguments, the variables of the environment that it listens to, and its process."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    pid: int


@dataclass(frozen=True, slots=True)
class Program:
    """A double of a program. `path` is the script."""

    path: Path

    def calls(self) -> list[Invocation]:
        """Every call so far, oldest first."""
        log = _log_of(self.path)
        lines = log.read_text().splitlines() if log.exists() else []
        found = [json.loads(line) for line in lines]
        return [Invocation(tuple(one["arguments"]), one["environment"], one["pid"]) for one in found]


def write_ollama(
    folder: Path,
    *,
    models: Sequence[str] = (),
    version: str = "0.33.0",
    ignores: Sequence[str] = (),
    fails: str = "",
) -> Program:
    """Write the double of `ollama` into a folder.

    Args:
        folder: where; the script is called `ollama`.
        models: names of the models that it has; none means those of the starter configuration.
        version: what it says it is.
        ignores: variables like `OLLAMA_NUM_PARALLEL` that it does not listen to.
        fails: with this text, `ollama serve` ends at once with it.
    """
    setup = {"models": list(models), "version": version, "ignores": list(ignores), "fails": fails}
    return _write(folder, "ollama", setup)


def write_lms(
    folder: Path, *, url: str | None = None, models: Sequence[str] = (), port: int = 1234, fails: str = ""
) -> Program:
    """Write the double of `lms` into a folder.

    Args:
        folder: where; the script is called `lms`, and keeps beside it what it must remember.
        url: of an `LMStudioDouble` that is there already; without one, `lms server start` starts a process with one.
        models: names of the models of that process; none means those of the starter configuration.
        port: of that process, unless `--port` says another; 0 picks a free one.
        fails: with this text, every command ends at once with it.
    """
    return _write(folder, "lms", {"url": url, "models": list(models), "port": port, "fails": fails})


def write_down(script: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Keep a call in the script's log."""
    entry = {"arguments": list(arguments), "environment": dict(environment), "pid": os.getpid()}
    with _log_of(script).open("a") as log:
        log.write(json.dumps(entry) + "\n")


def _log_of(script: Path) -> Path:
    return script.with_name(f"{script.name}.calls.jsonl")


def _write(folder: Path, name: str, setup: dict[str, Any]) -> Program:
    path = folder / name
    source = str(Path(__file__).parents[2])
    setup["script"] = str(path)
    path.write_text(_SCRIPT.format(python=sys.executable, name=name, source=source, setup=setup))
    path.chmod(0o755)
    return Program(path)
