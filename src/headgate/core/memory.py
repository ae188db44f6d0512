"""What a model's memory depends on.

A `Shape` comes from the model's own metadata (a GGUF header, Ollama's `/api/show`, a catalogue), never from its name.
"""

from msgspec import Struct


class Shape(Struct, frozen=True, kw_only=True):
    """The facts about one model that decide how much memory it takes."""

    architecture: str = ""
    weights: int
    """Bytes of its weights, which is the size of its file."""
    layers: int
    kv_heads: tuple[int, ...]
    """Heads of keys and values: one number for all layers, or one for each."""
    key_length: int
    """Numbers in one key of one head."""
    value_length: int
    context: int | None = None
    """Tokens that it was trained for."""
    window: int | None = None
    """Tokens that a layer with a sliding window keeps."""
    windowed: int = 0
    """How many layers have one."""
    embedding: int | None = None
    """Numbers in the state of one token."""
    vocabulary: int | None = None
    feed_forward: int | None = None
    embeds: bool = False
    """It turns text into vectors, and keeps no cache."""
