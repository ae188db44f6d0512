"""What a model's memory depends on.

A `Shape` comes from the model's own metadata (a GGUF header, Ollama's `/api/show`, a catalogue), never from its name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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
    """It turns text into vectors, and keeps no cache. One that reads as it would write (causal) keeps one: False."""


PATTERNS = {
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "cohere2": 4,
    "exaone4": 4,
    "gpt-oss": 2,
    "gptoss": 2,
    "olmo2": 4,
}
"""Of so many layers, one sees everything and the others a sliding window, where llama.cpp knows it by architecture only."""


def shape_from(facts: Mapping[str, Any], weights: int) -> Shape | None:
    """A model's shape from its metadata; None when that does not say how big its cache is.

    Args:
        facts: GGUF's keys and values: a file's header, or `model_info` of Ollama's `/api/show`. Values that are None are
            unknown, as are the arrays that Ollama leaves out unless asked for with `verbose`.
        weights: bytes of the model's file.
    """
    architecture = str(facts.get("general.architecture") or "")

    def number(key: str) -> int | None:
        return _positive(facts.get(f"{architecture}.{key}"))

    layers, embedding = number("block_count"), number("embedding_length")
    heads = _heads(facts, f"{architecture}.attention.head_count")
    if f"{architecture}.attention.head_count_kv" in facts:
        kv_heads = _heads(facts, f"{architecture}.attention.head_count_kv")
    else:
        kv_heads = heads  # the format's rule: every head has keys and values of its own
    narrow = embedding // max(heads) if embedding and any(heads) else None
    key_length = number("attention.key_length") or narrow
    value_length = number("attention.value_length") or narrow
    if not layers or not kv_heads or not key_length or not value_length or len(kv_heads) not in {1, layers}:
        return None
    window = number("attention.sliding_window")
    tokens = facts.get("tokenizer.ggml.tokens")
    return Shape(
        architecture=architecture,
        weights=weights,
        layers=layers,
        kv_heads=kv_heads,
        key_length=key_length,
        value_length=value_length,
        context=number("context_length"),
        window=window,
        windowed=_windowed(facts, architecture, layers) if window else 0,
        embedding=embedding,
        vocabulary=number("vocab_size") or (len(tokens) if isinstance(tokens, Sequence) else None) or None,
        feed_forward=max(_heads(facts, f"{architecture}.feed_forward_length"), default=0) or None,
        embeds=keeps_no_cache(facts),
    )


def keeps_no_cache(facts: Mapping[str, Any]) -> bool:
    """Whether a model reads its text at once and is done: the encoders among those that turn text into vectors."""
    architecture = str(facts.get("general.architecture") or "")
    return (
        architecture.endswith("bert")
        or architecture == "gemma-embedding"
        or facts.get(f"{architecture}.attention.causal") is False
    )


def _windowed(facts: Mapping[str, Any], architecture: str, layers: int) -> int:
    """How many layers keep a window only; where nothing tells, none, which is the bigger cache."""
    pattern = facts.get(f"{architecture}.attention.sliding_window_pattern")
    if isinstance(pattern, Sequence):
        return sum(map(bool, pattern[:layers]))
    every = _positive(pattern) or PATTERNS.get(architecture)
    return layers - layers // every if every else 0


def _heads(facts: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """One number for all layers, or one for each; () is unknown."""
    value = facts.get(key)
    many = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    sound = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in many)
    return many if sound and any(many) else ()


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
