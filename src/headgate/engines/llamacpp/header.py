"""Reads the few facts about a model that the head of its GGUF file holds: what it is, and what decides its memory.

A pure function over bytes. Hand it a memory map, and only the pages that it walks are read: a few kB, and the
vocabulary, which it steps over in 0.1 s at most. It does not know tensors or weights.
"""

import struct
from collections.abc import Mapping
from mmap import mmap
from typing import Any

from msgspec import Struct

from headgate.core.memory import Shape, shape_from

MAGIC = b"GGUF"

# The format's own numbers, see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
_VERSIONS = (2, 3)
_SCALARS = {
    kind: struct.Struct("<" + form)
    for kind, form in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
_UINT32, _UINT64 = _SCALARS[4], _SCALARS[10]
_STRING, _ARRAY = 8, 9
_SHORT = 1024
"""Numbers in an array that is kept: one for each layer of any model. Longer ones belong to the vocabulary."""
_QUANTIZATIONS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS",
    20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M",
    28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16",
}  # fmt: skip


class Header(Struct, frozen=True, kw_only=True):
    """What the file says of its model. Unknown facts are None or ""."""

    architecture: str = ""
    name: str = ""
    context: int | None = None
    """Tokens that the model was trained for."""
    parameters: str = ""
    """Its size as people say it, for instance "8B"."""
    quantization: str = ""
    embeds: bool = False
    """It turns text into vectors: the file says how to pool."""
    facts: Mapping[str, Any] = {}
    """The architecture's own numbers under the format's keys, for `shape_of`."""


def read_header(data: bytes | mmap) -> Header | str:
    """Read a GGUF file's head, or say in one clause why it cannot be read.

    Args:
        data: the file's bytes, or at least its first ones.
    """
    if data[0:4] != MAGIC:
        return "it is not a GGUF file"
    try:
        return _describe(_facts(data))
    except (struct.error, UnicodeDecodeError, KeyError):
        return "it is a GGUF file, but cut short or damaged"


def shape_of(header: Header, size: int) -> Shape | None:
    """What decides the model's memory; None when the file does not say.

    Args:
        header: what `read_header` read.
        size: bytes of the whole file, of all its parts where it was split.
    """
    return shape_from({"general.architecture": header.architecture} | dict(header.facts), size)


def _describe(facts: dict[str, Any]) -> Header:
    architecture = str(facts.get("general.architecture", ""))
    kept = {key: value for key, value in facts.items() if architecture and key.startswith(f"{architecture}.")}
    if architecture and facts.get("tokenizer.ggml.tokens"):
        kept.setdefault(f"{architecture}.vocab_size", facts["tokenizer.ggml.tokens"])
    context = facts.get(f"{architecture}.context_length")
    pooling = facts.get(f"{architecture}.pooling_type", 0)
    return Header(
        architecture=architecture,
        name=str(facts.get("general.name", "")),
        context=context if isinstance(context, int) and context > 0 else None,
        parameters=str(facts.get("general.size_label", "")),
        quantization=_QUANTIZATIONS.get(facts.get("general.file_type", -1), ""),
        embeds=architecture.endswith("bert") or pooling in {1, 2, 3},
        facts=kept,
    )


def _facts(data: bytes | mmap, at: int = 24) -> dict[str, Any]:
    """Scalars, strings, short arrays of numbers, and of other arrays the length.

    Raises struct.error where the bytes end too early.
    """
    version, _tensors, count = struct.unpack_from("<IQQ", data, 4)
    if version not in _VERSIONS:
        raise KeyError(version)
    facts: dict[str, Any] = {}
    for _ in range(count):
        key, at = _string(data, at)
        kind, at = _number(data, at, _UINT32)
        if kind == _STRING:
            facts[key], at = _string(data, at)
        elif kind == _ARRAY:
            facts[key], at = _array(data, at)
        else:
            facts[key], at = _number(data, at, _SCALARS[kind])
    return facts


def _number(data: bytes | mmap, at: int, form: struct.Struct) -> tuple[Any, int]:
    return form.unpack_from(data, at)[0], at + form.size


def _string(data: bytes | mmap, at: int) -> tuple[str, int]:
    length, at = _number(data, at, _UINT64)
    return data[at : _within(data, at + length)].decode(), at + length


def _array(data: bytes | mmap, at: int) -> tuple[Any, int]:
    kind, at = _number(data, at, _UINT32)
    count, at = _number(data, at, _UINT64)
    if kind == _STRING:
        for _ in range(count):  # a vocabulary has hundreds of thousands: kept short on purpose
            at = _within(data, at + 8 + _UINT64.unpack_from(data, at)[0])
        return count, at
    end = _within(data, at + count * _SCALARS[kind].size)
    if count > _SHORT:
        return count, end
    return tuple(
        _SCALARS[kind].unpack_from(data, at + step)[0] for step in range(0, end - at, _SCALARS[kind].size)
    ), end


def _within(data: bytes | mmap, at: int) -> int:
    if at > len(data):
        raise struct.error
    return at
