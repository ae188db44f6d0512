"""A person at `headgate init`: a home, a PATH of doubles, a machine with the hardware that a test wants, and a terminal to answer at."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prepared_python import python
from program_doubles import free_port

GIB = 1024**3
RUNNER = Path(__file__).with_name("init_machine.py")
SCREENS = Path(__file__).parent / "data/screens"

CARD_24 = {
    "gpus": [
        {
            "name": "NVIDIA GeForce RTX 4090",
            "vendor": "nvidia",
            "total": 24 * GIB,
            "free": int(23.3 * GIB),
            "driver": "570.86",
        }
    ],
    "ram_total": 64 * GIB,
    "ram_available": 58 * GIB,
    "disk_free": 420 * 10**9,
    "processor": "AMD Ryzen 9 7950X",
    "cores": 16,
    "features": ["avx2", "fma", "f16c"],
    "system": "linux",
}
NO_GPU = {
    "gpus": [],
    "ram_total": 16 * GIB,
    "ram_available": 14 * GIB,
    "disk_free": 120 * 10**9,
    "processor": "Intel Core i7-1165G7",
    "cores": 4,
    "features": ["avx2", "fma", "f16c"],
    "system": "linux",
}


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
class Desk:
    """A machine and its user."""

    home: Path
    programs: Path
    hardware: dict[str, Any]
    ports: dict[str, int] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    free: int | None = 400 * 10**9
    embedded: bool = True

    def __post_init__(self) -> None:
        for kind in ("ollama", "lmstudio", "llama-server", "vllm"):
            self.ports.setdefault(kind, free_port())
        self.home.mkdir(exist_ok=True)
        self.programs.mkdir(exist_ok=True)
        self.env |= {
            "HOME": str(self.home),
            "PATH": str(self.programs),
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
            "COLUMNS": "160",
        }
        self.env |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}

    @property
    def page(self) -> Path:
        return self.home / "headgate.toml"

    @property
    def order(self) -> list[str]:
        facts = self.home.parent / "machine.json"
        urls = {kind: f"http://127.0.0.1:{port}" for kind, port in self.ports.items()}
        facts.write_text(
            json.dumps(
                {"hardware": self.hardware, "urls": urls, "free": self.free, "embedded": self.embedded}
            )
        )
        return [str(RUNNER), str(facts)]

    def start(self, *args: str, stdin: Any = subprocess.DEVNULL, **env: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *self.order, *args],
            cwd=self.home,
            env=self.env | env,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *args: str, **env: str) -> Ran:
        done = python(*self.order, *args, cwd=self.home, env=self.env | env)
        return Ran(done.returncode, done.stdout, done.stderr)

    def typing(self, *answers: str, args: tuple[str, ...] = ("init",), **env: str) -> Ran:
        """The command at a terminal, where these lines are typed."""
        ours, theirs = pty.openpty()
        try:
            child = self.start(*args, stdin=theirs, **env)
            os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
            out, err = child.communicate(timeout=90)
        finally:
            os.close(ours)
            os.close(theirs)
        return Ran(child.returncode, out, err)

    def end(self) -> None:
        """End every process that the doubles left behind."""
        pids = []
        for log in self.programs.glob("*.calls.jsonl"):
            pids += [json.loads(line)["pid"] for line in log.read_text().splitlines() if '"serve"' in line]
        state = self.programs / "lms.server.json"
        if state.exists():
            pids.append(json.loads(state.read_text()).get("pid") or 0)
        for pid in filter(None, pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def same_screen(self, name: str, text: str) -> None:
        """Compare a screen with the one that is kept. HEADGATE_WRITE_SCREENS=1 keeps the new one instead."""
        text = text.replace(str(self.home), "/home").replace(str(self.programs), "/bin")
        for kind, shown in (("ollama", "11434"), ("lmstudio", "1234")):
            text = text.replace(str(self.ports[kind]), shown)
        text = re.sub(r"process \d+", "process PID", text)
        text = re.sub("─+", "────", text)
        text = re.sub(r"(in|ok    \w+ ) ?\d+(?:\.\d+)? (?:s|min \d+ s)\b", r"\1 N s", text)
        text = re.sub(r", \d+ tokens/s", "", text)  # a double may be too quick for a pace
        text = re.sub(r", [\d.,]+ [kMGT]?B/s", ", N MB/s", text)
        text = re.sub(r", [^,\n]* left$", ", N s left", text, flags=re.MULTILINE)
        text = re.sub(r"^pulling [0-9a-f]{12}", "pulling LAYER", text, flags=re.MULTILINE)
        text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
        kept = SCREENS / f"{name}.txt"
        if os.environ.get("HEADGATE_WRITE_SCREENS"):
            kept.write_text(text)
        assert text == kept.read_text()
