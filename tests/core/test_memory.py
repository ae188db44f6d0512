"""What a model's memory depends on, read from its metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.memory import Shape, shape_from

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
