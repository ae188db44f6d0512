"""GGUF files made on the spot, of any size: real ones that llama.cpp runs, with weights that mean nothing."""

import random
import struct
from pathlib import Path

LETTERS = range(ord("a"), ord("z") + 1)


def text(word: str) -> bytes:
    raw = word.encode()
    return struct.pack("<Q", len(raw)) + raw


def number(key: str, value: int) -> bytes:
    return text(key) + struct.pack("<II", 4, value)


def words(key: str, value: str) -> bytes:
    return text(key) + struct.pack("<I", 8) + text(value)


def list_of_words(key: str, values: list[str]) -> bytes:
    return text(key) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text, values))


def byte_tokens() -> list[str]:
    """GPT-2's letters for bytes."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def random_model(path: Path, *, width: int = 512, layers: int = 8, context: int = 4096) -> Path:
    """A llama of 20 MB (or of another size) that says letters and never ends by itself."""
    rng = random.Random(7)
    tokens = ["<|start|>", "<|end|>", *byte_tokens(), "th"]
    heads, kv_heads, wide = 4, 2, 2 * width
    head = width // heads

    def rows(columns: int, count: int) -> bytes:
        """Q8_0: a scale and 32 numbers, again and again. A few rows are repeated, because making them takes time."""
        some = [
            b"".join(struct.pack("<e", 0.004) + rng.randbytes(32) for _ in range(columns // 32))
            for _ in range(16)
        ]
        return b"".join(some[rng.randrange(16)] for _ in range(count))

    def letters() -> bytes:
        """Rows that are zero but for letters, so that nothing else is ever the likeliest."""
        row = width // 32 * 34
        return b"".join(
            rows(width, 1) if token - 2 in LETTERS else bytes(row) for token in range(len(tokens))
        )

    ones = struct.pack("<f", 1.0) * width
    tensors: list[tuple[str, tuple[int, ...], int, bytes]] = [
        ("token_embd.weight", (width, len(tokens)), 8, rows(width, len(tokens))),
        ("output_norm.weight", (width,), 0, ones),
        ("output.weight", (width, len(tokens)), 8, letters()),
    ]
    for layer in range(layers):
        name = f"blk.{layer}."
        tensors += [(f"{name}{norm}.weight", (width,), 0, ones) for norm in ("attn_norm", "ffn_norm")]
        tensors += [
            (f"{name}{matrix}.weight", (columns, count), 8, rows(columns, count))
            for matrix, columns, count in (
                ("attn_q", width, width),
                ("attn_k", width, head * kv_heads),
                ("attn_v", width, head * kv_heads),
                ("attn_output", width, width),
                ("ffn_gate", width, wide),
                ("ffn_up", width, wide),
                ("ffn_down", wide, width),
            )
        ]
    facts = [
        words("general.architecture", "llama"),
        number("general.file_type", 7),
        number("llama.context_length", context),
        number("llama.embedding_length", width),
        number("llama.block_count", layers),
        number("llama.feed_forward_length", wide),
        number("llama.attention.head_count", heads),
        number("llama.attention.head_count_kv", kv_heads),
        number("llama.rope.dimension_count", head),
        text("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", 6, 1e-5),
        words("tokenizer.ggml.model", "gpt2"),
        words("tokenizer.ggml.pre", "gpt-2"),
        list_of_words("tokenizer.ggml.tokens", tokens),
        text("tokenizer.ggml.token_type")
        + struct.pack("<IIQ", 9, 5, len(tokens))
        + struct.pack(f"<{len(tokens)}i", 3, 3, *[1] * (len(tokens) - 2)),
        list_of_words("tokenizer.ggml.merges", ["t h"]),
        number("tokenizer.ggml.bos_token_id", 0),
        number("tokenizer.ggml.eos_token_id", 1),
        words("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}"),
    ]
    path.write_bytes(put_together(facts, tensors))
    return path


def put_together(facts: list[bytes], tensors: list[tuple[str, tuple[int, ...], int, bytes]]) -> bytes:
    """A file from its facts and its tensors: name, dimensions, kind, content."""
    named, content, at = [], [], 0
    for name, dimensions, kind, data in tensors:
        named.append(
            text(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, at)
        )
        content.append(data + bytes(-len(data) % 32))
        at += len(content[-1])
    opening = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts)) + b"".join(facts) + b"".join(named)
    return opening + bytes(-len(opening) % 32) + b"".join(content)
