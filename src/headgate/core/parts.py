"""The parts of a usage, as bits: which of them are exact and which are estimated.

The five parts that never overlap are the whole of it: what was read of a prompt (`input`, `cache_read`, `cache_write_5m`,
`cache_write_1h`) and what was written (`output`). Four more are shares of these: `reasoning` and `audio_output` of the output,
`images` and `audio` of `input`. A share is never larger than its whole.
"""

from typing import Final

INPUT: Final = 1
CACHE_READ: Final = 2
CACHE_WRITE_5M: Final = 4
CACHE_WRITE_1H: Final = 8
OUTPUT: Final = 16
REASONING: Final = 32
IMAGES: Final = 64
AUDIO: Final = 128
AUDIO_OUTPUT: Final = 256

PARTS: Final = {
    "input": INPUT,
    "cache_read": CACHE_READ,
    "cache_write_5m": CACHE_WRITE_5M,
    "cache_write_1h": CACHE_WRITE_1H,
    "output": OUTPUT,
    "reasoning": REASONING,
    "images": IMAGES,
    "audio": AUDIO,
    "audio_output": AUDIO_OUTPUT,
}
"""The parts, each with its bit in `Usage.estimated`."""

PROMPT: Final = INPUT | CACHE_READ | CACHE_WRITE_5M | CACHE_WRITE_1H
WHOLE: Final = PROMPT | OUTPUT
"""The parts that never overlap."""


def named(estimated: int) -> tuple[str, ...]:
    """The names of parts, from their bits."""
    return tuple([name for name, bit in PARTS.items() if estimated & bit])
