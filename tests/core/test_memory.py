"""What a model's memory depends on, read from its metadata, and how much it is: against figures computed by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.config.catalogue import known_models
from headgate.core.memory import (
    GIB,
    KV_TYPES,
    MIB,
    Shape,
    kv_bytes,
    kv_per_token,
    need,
    overhead_of,
    shape_from,
)

MODELS = known_models().models

LLAMA = {
    "general.architecture": "llama",
    "llama.block_count": 32,
    "llama.embedding_length": 4096,
    "llama.feed_forward_length": 14336,
    "llama.context_length": 131072,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
    "llama.vocab_size": 128256,
    "tokenizer.ggml.tokens": None,
}


def test_ollamas_model_info_says_what_a_cache_takes():
    assert shape_from(LLAMA, 4_920_753_328) == Shape(
        architecture="llama",
        weights=4_920_753_328,
        layers=32,
        kv_heads=(8,),
        key_length=128,
        value_length=128,
        context=131072,
        embedding=4096,
        vocabulary=128256,
        feed_forward=14336,
    )


def gemma(**facts):
    base = {
        "general.architecture": "gemma3",
        "gemma3.block_count": 48,
        "gemma3.attention.head_count": 16,
        "gemma3.attention.head_count_kv": 8,
        "gemma3.attention.key_length": 256,
        "gemma3.attention.value_length": 256,
        "gemma3.attention.sliding_window": 1024,
    }
    return base | {f"gemma3.attention.{name}": value for name, value in facts.items()}


@pytest.mark.parametrize(
    ("facts", "windowed"),
    [
        (gemma(), 40),
        (gemma(sliding_window_pattern=4), 36),
        (gemma(sliding_window_pattern=[True, False] * 24), 24),
        (gemma(sliding_window_pattern=None), 40),
        (gemma(sliding_window=None), 0),
        (gemma() | {"general.architecture": "gemma9"}, None),
        (
            {key.replace("gemma3", "new"): value for key, value in gemma().items()}
            | {"general.architecture": "new"},
            0,
        ),
    ],
)
def test_layers_with_a_sliding_window_are_told_by_the_pattern_or_the_architecture(facts, windowed):
    shape = shape_from(facts, 1)
    assert (shape and shape.windowed) == windowed


@pytest.mark.parametrize(
    ("facts", "heads"),
    [
        ({"llama.attention.head_count_kv": [0, 8] * 16}, (0, 8) * 16),
        ({"llama.attention.head_count_kv": [8, 8, 8]}, None),
        ({"llama.attention.head_count_kv": None}, None),
        ({"llama.attention.head_count_kv": ["8"]}, None),
        ({"llama.attention.head_count_kv": -8}, None),
        ({"llama.block_count": 0}, None),
        ({"llama.embedding_length": None}, None),
        ({"llama.attention.head_count": True}, None),
    ],
)
def test_heads_may_differ_from_layer_to_layer_and_nonsense_is_unknown(facts, heads):
    shape = shape_from(LLAMA | facts, 1)
    assert (shape and shape.kv_heads) == heads


def test_without_a_number_of_kv_heads_every_head_has_its_own():
    assert shape_from({k: v for k, v in LLAMA.items() if "head_count_kv" not in k}, 1).kv_heads == (32,)


@pytest.mark.parametrize(
    ("architecture", "facts", "embeds"),
    [
        ("nomic-bert", {}, True),
        ("gemma-embedding", {}, True),
        ("new", {"new.attention.causal": False}, True),
        ("qwen3", {"qwen3.pooling_type": 3}, False),
    ],
)
def test_only_an_encoder_keeps_no_cache(architecture, facts, embeds):
    renamed = {key.replace("llama.", f"{architecture}."): value for key, value in LLAMA.items()}
    assert shape_from(renamed | {"general.architecture": architecture} | facts, 1).embeds is embeds


@given(
    st.dictionaries(
        st.sampled_from(sorted(LLAMA)), st.none() | st.integers() | st.text() | st.lists(st.integers())
    )
)
def test_any_metadata_has_a_shape_or_none_but_never_raises(facts):
    assert isinstance(shape_from(LLAMA | facts, 1), Shape | None)


BY_HAND = {
    # name: KiB a token, GiB for 4 requests of 8K, GiB for one of 128K (or of all that it was trained for)
    "llama3.1:8b": (128, 4.0, 16),  # 32 layers x 8 heads x 128 x 2 (keys, values) x 2 bytes
    "qwen2.5-coder:7b": (56, 1.75, 7),
    "phi-3-mini-128k": (384, 12.0, 48),
    "phi-4-mini": (128, 4.0, 16),
    "qwen3:4b": (144, 4.5, 18),
    "llama3.2:3b": (112, 3.5, 14),
    "mistral:7b": (128, 4.0, 16),
    "codellama:7b": (512, 16.0, 64),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_cache_of_known_models_is_what_one_computes_by_hand(name):
    shape = MODELS[name].shape_in()
    a_token, four_of_8k, one_of_128k = BY_HAND[name]
    assert kv_per_token(shape) == a_token * 1024
    assert kv_bytes(shape, 8_192, 4) == four_of_8k * GIB
    assert kv_bytes(shape, 131_072) == one_of_128k * GIB


def test_a_quantized_cache_of_phi_3_is_what_one_computes_by_hand():
    phi = MODELS["phi-3-mini-128k"].shape_in()
    assert kv_bytes(phi, 131_072, 1, "q8_0") == 25.5 * GIB  # 34 bytes for 32 numbers
    assert kv_bytes(phi, 131_072, 1, "q4_0") == 13.5 * GIB  # 18 bytes


@pytest.mark.parametrize(
    ("name", "context", "mib"),
    [
        # 8 of 48 layers see all 131072 tokens, 40 keep 1024 and a batch of 512; each has 8 heads of 256 + 256 numbers
        ("gemma3:12b", 131_072, 8 * 8 * 512 * 2 * 131_072 / MIB + 40 * 8 * 512 * 2 * 1_536 / MIB),
        ("gemma3:12b", 1_024, 48 * 8 * 512 * 2 * 1_024 / MIB),
        # 12 of 24 layers keep 128 tokens and a batch, in steps of 256
        ("gpt-oss:20b", 131_072, 12 * 8 * 128 * 2 * (131_072 + 768) / MIB),
        ("gemma2:9b", 8_192, 21 * 8 * 512 * 2 * (8_192 + 4_608) / MIB),
        ("nomic-embed-text", 2_048, 0),
        ("bge-m3", 8_192, 0),
    ],
)
def test_a_sliding_window_and_an_encoder_save_cache(name, context, mib):
    assert kv_bytes(MODELS[name].shape_in(), context) == mib * MIB


def test_layers_without_a_cache_take_none():
    hybrid = shape_from(LLAMA | {"llama.attention.head_count_kv": [0, 0, 0, 8] * 8}, 1)
    assert kv_bytes(hybrid, 8_192) == kv_bytes(shape_from(LLAMA, 1), 8_192) / 4


def test_room_for_the_cache_is_taken_in_steps():
    shape = shape_from(LLAMA, 1)
    assert kv_bytes(shape, 1) == kv_bytes(shape, 256) < kv_bytes(shape, 257) == kv_bytes(shape, 512)


def test_the_overhead_is_no_less_than_what_llama_cpp_was_seen_to_take():
    # "CUDA0 compute buffer size = 258.50 MiB" for Llama 3.1 8B, and some 300 MiB for a CUDA process
    overhead = need(MODELS["llama3.1:8b"].shape_in(), 8_192).overhead
    assert 560 * MIB < overhead < 1_024 * MIB


def test_a_measured_overhead_wins_over_the_estimate():
    shape = MODELS["llama3.1:8b"].shape_in()
    seen = shape.weights + 4 * GIB + 600 * MIB
    overhead = overhead_of(shape, seen, 8_192, 4)
    assert overhead == 600 * MIB
    found = need(shape, 8_192, 4, overhead=overhead)
    assert (found.total, found.measured) == (seen, True)
    assert overhead_of(shape, 1 * GIB, 8_192) == 0


SHAPES = st.builds(
    Shape,
    weights=st.integers(1, 10**11),
    layers=st.just(24),
    kv_heads=st.sampled_from([(8,), (0, 4, 8) * 8]),
    key_length=st.integers(1, 256),
    value_length=st.integers(1, 256),
    window=st.none() | st.integers(1, 8_192),
    windowed=st.integers(0, 24),
    embedding=st.none() | st.integers(64, 16_384),
    vocabulary=st.none() | st.integers(1_000, 300_000),
    feed_forward=st.none() | st.integers(64, 60_000),
    embeds=st.booleans(),
)


@given(SHAPES, st.integers(1, 300_000), st.integers(0, 100_000), st.integers(1, 8), st.sampled_from(KV_TYPES))
def test_more_context_and_more_requests_never_need_less(shape, context, more, parallel, kv_type):
    taken = need(shape, context, parallel, kv_type).total
    assert need(shape, context + more, parallel, kv_type).total >= taken
    assert need(shape, context, parallel + 1, kv_type).total >= taken
    assert taken > shape.weights


@given(SHAPES, st.integers(1, 300_000))
def test_a_cache_in_fewer_bits_is_never_bigger(shape, context):
    sizes = [kv_bytes(shape, context, 1, kv_type) for kv_type in ("f16", "q8_0", "q4_0")]
    assert sizes == sorted(sizes, reverse=True)
