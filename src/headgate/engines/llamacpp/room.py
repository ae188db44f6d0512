"""Whether this machine's memory has room for a model, before it is loaded: Linux grants more than there is, and then kills.

A lower bound, so that nothing is refused that would fit. Planning ahead is not done here. What other systems, or GPUs, have
free is unknown.
"""

import re
from pathlib import Path

from headgate.core.memory import Shape, kv_bytes

_MEMINFO = Path("/proc/meminfo")


def free_memory() -> int | None:
    """Bytes that programs can still have; None where it cannot be told."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", _MEMINFO.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def least_needed(shape: Shape, context: int, slots: int) -> int:
    """Bytes that a model takes at least: its weights and its cache, without what computing takes."""
    return shape.weights + kv_bytes(shape, context, slots)
