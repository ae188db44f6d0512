"""How a provider's batches go, as a test sets it: how fast, and what becomes of which item.

It knows no protocol; `openai_batches` and `anthropic_batches` play by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Fate = Literal["succeeded", "errored", "expired"]


def succeeds(custom_id: str) -> Fate:
    """What becomes of an item where nothing is said."""
    del custom_id
    return "succeeded"


@dataclass(slots=True)
class BatchPlay:
    """The course of the batches of one double; a test may change it at any moment."""

    looks: int = 1
    """Looks at a job that still find it under way."""
    held: bool = False
    """Jobs stay under way for as long as this is so."""
    fate: Callable[[str], Fate] = succeeds
    """What becomes of an item, by its custom_id."""
    invalid: str = ""
    """Jobs fail when they are looked at first, for this reason; "" is not at all. Anthropic refuses them at once."""
    done_when_cancelled: int = 0
    """Items that were answered before a job was cancelled."""
    scrambled: bool = True
    """Results come in another order than the items."""
    wrong_line: bytes = b""
    """A line that stands among the results and is none."""

    def ordered(self, lines: list[bytes]) -> bytes:
        """The lines of a results file."""
        lines = lines[::-1] if self.scrambled else lines
        if self.wrong_line:
            lines = [self.wrong_line, *lines]
        return b"".join(line + b"\n" for line in lines)
