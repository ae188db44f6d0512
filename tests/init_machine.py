"""Runs `headgate` on a machine that a test describes: `python init_machine.py FACTS.json init …`, as a process of its own.

The facts take the place of four looks at the world: the hardware, where programs listen by default, how much disk is free, and whether the
embedded engine is there. Everything else is the real command.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import msgspec


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def pretend(facts: dict[str, Any]) -> None:
    from headgate.config import engine
    from headgate.core.errors import EngineError
    from headgate.core.hardware import Hardware
    from headgate.engines.llamacpp import readiness
    from headgate.fleet import hardware
    from headgate.fleet.programs import found

    seen = msgspec.convert(facts["hardware"], Hardware)
    hardware.look = lambda *_: seen
    found.URLS.update(facts["urls"])
    engine.URLS.update({kind: facts["urls"][kind] for kind in ("ollama", "lmstudio")})
    free = facts.get("free")
    if free is not None:
        shutil.disk_usage = lambda _: Usage(10**12, 10**12 - free, free)
    if facts.get("embedded") is False:
        missing = EngineError("the embedded engine is not installed", 'pip install "headgate[embedded]"')
        readiness.check = lambda: missing


if __name__ == "__main__":
    pretend(json.loads(Path(sys.argv[1]).read_text()))
    from headgate.cli.main import main

    main(sys.argv[2:])
