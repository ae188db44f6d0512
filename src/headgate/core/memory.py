"""What a model's memory depends on, and how much it is: weights, cache of keys and values, and what computing takes.

A `Shape` comes from the model's own metadata (a GGUF header, Ollama's `/api/show`, a catalogue), never from its name. It does
not know how much memory there is: `core.fit` does. Where a figure is an estimate it is rather too high (docs/memory.md).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from msgspec import Struct

from headgate.core.words import EngineKind

GIB = 1024**3
MIB = 1024**2

KvType = Literal["f16", "q8_0", "q4_0"]
"""How a number of the cache is kept, in llama.cpp's words."""
KV_TYPES: tuple[KvType, ...] = get_args(KvType)

_BLOCK = {"f16": 64, "q8_0": 34, "q4_0": 18}
"""Bytes for 32 numbers: the quantized ones have a scale of two bytes beside them."""

CELLS = 256
"""Engines take room for the cache in steps of so many tokens."""
BATCH = 512
"""Prompt tokens that are computed at once, as all three local engines do unless told otherwise."""
PROCESS = 448 * MIB
"""What a model's process takes of a GPU before it holds anything. CUDA: 300 to 450 MiB."""
UNKNOWN_VOCABULARY = 262_144
UNKNOWN_WIDTH = 8_192


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


class Need(Struct, frozen=True, kw_only=True):
    """The memory that a loaded model takes, in bytes, and for what it was computed."""

    weights: int
    kv: int
    """The cache of keys and values, all requests together."""
    overhead: int
    """What computing takes: buffers, and the process itself."""
    context: int
    """Tokens that one request may take."""
    parallel: int
    """Requests at a time."""
    kv_type: KvType = "f16"
    measured: bool = False
    """The overhead was measured here, and is no estimate."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv + self.overhead


def need(
    shape: Shape,
    context: int,
    parallel: int = 1,
    kv_type: KvType = "f16",
    *,
    overhead: int | None = None,
) -> Need:
    """The memory that a model takes when it is loaded so.

    Args:
        shape: the model.
        context: tokens that one request may take.
        parallel: requests at a time; each has a cache of its own.
        kv_type: how the cache is kept.
        overhead: what computing takes as `overhead_of` found it here; None is estimated.
    """
    return Need(
        weights=shape.weights,
        kv=kv_bytes(shape, context, parallel, kv_type),
        overhead=estimated_overhead(shape, context, parallel) if overhead is None else overhead,
        context=context,
        parallel=parallel,
        kv_type=kv_type,
        measured=overhead is not None,
    )


def caches_of(kind: EngineKind, parallel: int, *, embeds: bool) -> int:
    """How many caches an engine keeps for so many requests at a time.

    LM Studio's requests share one, and a model that turns text into vectors reads one text after the other.
    """
    return 1 if kind == "lmstudio" or embeds else parallel


def kv_bytes(shape: Shape, context: int, parallel: int = 1, kv_type: KvType = "f16") -> int:
    """The cache of keys and values: exact for llama.cpp and what is built on it, to the step in which room is taken.

    Which layers have a sliding window is not known where their heads differ, so those with the fewest heads are taken for
    them: the bigger cache.
    """
    if shape.embeds:
        return 0
    tokens = _stepped(context)
    inside = min(tokens, _stepped(shape.window + BATCH)) if shape.window else tokens
    heads = sorted(shape.kv_heads if len(shape.kv_heads) > 1 else shape.kv_heads * shape.layers)
    kept = sum(heads[: shape.windowed]) * inside + sum(heads[shape.windowed :]) * tokens
    return kept * (shape.key_length + shape.value_length) * _BLOCK[kv_type] // 32 * parallel


def kv_per_token(shape: Shape, kv_type: KvType = "f16") -> int:
    """Bytes of cache for one more token of a long context: what its layers without a window keep."""
    far = _stepped(shape.window or 0) + 2 * BATCH
    return (kv_bytes(shape, far + CELLS, 1, kv_type) - kv_bytes(shape, far, 1, kv_type)) // CELLS


def estimated_overhead(shape: Shape, context: int, parallel: int = 1) -> int:
    """What computing takes, rather too high: with flash attention, which engines turn on where it runs.

    The scores of the whole vocabulary for one batch, the states that its tokens go through, the mask of who sees whom (once
    in 32 and once in 16 bits), and the process. A model that keeps no cache reads its whole text as one batch.
    """
    batch = context if shape.embeds else min(BATCH, context)
    scores = 0 if shape.embeds else 4 * batch * (shape.vocabulary or UNKNOWN_VOCABULARY)
    width = shape.embedding or UNKNOWN_WIDTH
    states = 4 * batch * (4 * width + 2 * (shape.feed_forward or 4 * width))
    mask = 6 * batch * _stepped(context) * (1 if shape.embeds else parallel)
    return scores + states + mask + PROCESS


def overhead_of(shape: Shape, memory: int, context: int, parallel: int = 1, kv_type: KvType = "f16") -> int:
    """What computing took of a model that was measured: all that it took, less weights and cache."""
    return max(0, memory - shape.weights - kv_bytes(shape, context, parallel, kv_type))


def _stepped(tokens: int) -> int:
    return -(-tokens // CELLS) * CELLS
