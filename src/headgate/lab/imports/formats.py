"""The formats that are known, and which one a record looks like."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from headgate.lab.imports import anthropic, helicone, jsonl, langfuse, litellm, openai
from headgate.lab.imports.calls import PastCall, Record


class Format(Struct, frozen=True):
    """A format of exports."""

    name: str
    shown: str
    read: Callable[[Record], Sequence[PastCall] | str]
    """The calls that a record tells of, or why it cannot be read."""
    looks_like: Callable[[Record], bool]


FORMATS: Final = {
    found.name: found
    for found in (
        Format("openai", "OpenAI", openai.read, openai.looks_like),
        Format("anthropic", "Anthropic", anthropic.read, anthropic.looks_like),
        Format("litellm", "LiteLLM", litellm.read, litellm.looks_like),
        Format("langfuse", "Langfuse", langfuse.read, langfuse.looks_like),
        Format("helicone", "Helicone", helicone.read, helicone.looks_like),
        Format("jsonl", "JSON Lines", jsonl.read, jsonl.looks_like),
    )
}
"""By name; the one that takes most stands last."""


def format_like(record: Record) -> Format | None:
    """The format that a record looks like."""
    return next((found for found in FORMATS.values() if found.looks_like(record)), None)
