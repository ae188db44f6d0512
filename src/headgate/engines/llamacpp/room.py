"""Whether this machine's memory has room for a model, before it is loaded: Linux grants more than there is, and then kills.

A lower bound, so that nothing is refused that would fit: the weights, and the cache of the layers that see everything. Planning
ahead is not done here. What other systems, or GPUs, have free is unknown.
"""

import re
from pathlib import Path

from headgate.core.memory import Shape

_MEMINFO = Path("/proc/meminfo")


def free_memory() -> int | None:
    """Bytes that programs can still have; None where it cannot be told."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", _MEMINFO.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def least_needed(shape: Shape, context: int, slots: int) -> int:
    """Bytes that a model takes at least, its cache in 16 bits."""
    heads = sorted(shape.kv_heads if len(shape.kv_heads) > 1 else shape.kv_heads * shape.layers)
    seeing = sum(heads[: len(heads) - shape.windowed])
    cached = 0 if shape.embeds else seeing * (shape.key_length + shape.value_length) * 2 * context * slots
    return shape.weights + cached
