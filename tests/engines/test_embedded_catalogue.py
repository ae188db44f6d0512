"""Which models there are to load, and what the head of their files says."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import EngineError
from headgate.core.memory import Shape
from headgate.engines.llamacpp.catalogue import File, examine, resolve
from headgate.engines.llamacpp.header import Header, read_header, shape_of
from headgate.engines.llamacpp.shipped import SHIPPED, shipped_folder

U32, BOOL, STRING, ARRAY = 4, 7, 8, 9


def text(word):
    raw = word.encode()
    return struct.pack("<Q", len(raw)) + raw


def fact(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def u32(key, value):
    return fact(key, U32, struct.pack("<I", value))


FACTS = (
    fact("general.architecture", STRING, text("llama")),
    fact("general.tags", ARRAY, struct.pack("<IQ", STRING, 2) + text("tiny") + text("test")),
    fact("general.size_label", STRING, text("8B")),
    u32("general.file_type", 15),
    fact("general.odd", ARRAY, struct.pack("<IQ", BOOL, 3) + b"\1\0\1"),
    u32("llama.context_length", 131072),
    fact("tokenizer.ggml.model", STRING, text("gpt2")),
    fact("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 2) + text("a") + text("b")),
    u32("llama.pooling_type", 0),
)


def head(*facts, version=3):
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(facts)) + b"".join(facts)


def test_the_head_of_a_file_says_what_the_model_is():
    assert read_header(head(*FACTS)) == Header(
        architecture="llama",
        context=131072,
        parameters="8B",
        quantization="Q4_K_M",
        embeds=False,
        facts={"llama.context_length": 131072, "llama.pooling_type": 0, "llama.vocab_size": 2},
    )


@pytest.mark.parametrize(
    ("architecture", "pooling", "embeds"),
    [("nomic-bert", None, True), ("qwen3", 3, True), ("qwen3", 0, False)],
)
def test_a_model_that_pools_makes_vectors(architecture, pooling, embeds):
    facts = [fact("general.architecture", STRING, text(architecture))]
    if pooling is not None:
        facts.append(u32(f"{architecture}.pooling_type", pooling))
    assert read_header(head(*facts)).embeds is embeds


def test_a_fact_behind_the_vocabulary_is_read_too():
    assert read_header(head(*FACTS[:-1], u32("llama.pooling_type", 1))).embeds


def test_what_the_file_does_not_say_is_unknown():
    assert read_header(head()) == Header()


@given(st.integers(min_value=4, max_value=len(head(*FACTS)) - 1))
def test_a_head_that_is_cut_anywhere_is_called_cut(length):
    assert read_header(head(*FACTS)[:length]) == "it is a GGUF file, but cut short or damaged"


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused_but_never_raise(junk):
    assert isinstance(read_header(b"GGUF" + junk), Header | str)
    assert isinstance(read_header(head(*FACTS)[:40] + junk), Header | str)
    assert isinstance(read_header(head(text("a") + junk)), Header | str)


def numbers(key, *values):
    return fact(key, ARRAY, struct.pack(f"<IQ{len(values)}I", U32, len(values), *values))


def flags(key, *values):
    return fact(key, ARRAY, struct.pack(f"<IQ{len(values)}?", BOOL, len(values), *values))


def test_the_head_of_a_file_says_what_its_cache_takes():
    odd = head(
        fact("general.architecture", STRING, text("odd")),
        u32("odd.block_count", 4),
        u32("odd.embedding_length", 512),
        u32("odd.attention.head_count", 8),
        numbers("odd.attention.head_count_kv", 0, 2, 4, 4),
        u32("odd.attention.value_length", 48),
        u32("odd.attention.sliding_window", 1024),
        flags("odd.attention.sliding_window_pattern", True, True, False, True),
        numbers("odd.feed_forward_length", 1000, 1200, 1200, 1200),
        fact(
            "tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 3) + text("a") + text("b") + text("c")
        ),
        numbers("tokenizer.ggml.token_type", *range(2000)),
    )
    assert shape_of(read_header(odd), 99) == Shape(
        architecture="odd",
        weights=99,
        layers=4,
        kv_heads=(0, 2, 4, 4),
        key_length=64,
        value_length=48,
        window=1024,
        windowed=3,
        embedding=512,
        vocabulary=3,
        feed_forward=1200,
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_model_says_what_its_cache_takes(name):
    file = examine(name)
    shape = shape_of(file.header, file.size)
    assert shape.weights == file.size
    assert shape.context == file.header.context
    assert shape.embeds is file.header.embeds


def test_a_head_without_layers_has_no_shape():
    assert shape_of(read_header(head(*FACTS)), 1) is None


def test_a_string_that_claims_to_be_endless_is_refused_at_once():
    endless = head(text("general.name") + struct.pack("<IQ", STRING, 2**63))
    assert read_header(endless) == "it is a GGUF file, but cut short or damaged"


def test_an_array_that_claims_to_be_endless_is_refused_at_once():
    endless = head(text("general.tags") + struct.pack("<IIQ", ARRAY, STRING, 2**63))
    assert read_header(endless) == "it is a GGUF file, but cut short or damaged"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_model_is_found_by_name(name):
    found = examine(name)
    assert isinstance(found, File), found
    assert found.small
    assert found.header.context
    assert found.header.embeds is (name == "headgate-embed")


def test_a_users_own_file_is_found_by_its_path(tmp_path):
    file = tmp_path / "mine.gguf"
    file.write_bytes(head(*FACTS))
    assert resolve(str(file)) == file
    assert examine(str(file)).header.context == 131072


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.gguf").write_bytes(head())
    assert resolve("~/mine.gguf") == tmp_path / "mine.gguf"


def test_a_misspelt_shipped_name_lists_the_right_ones():
    error = resolve("headgate-nono")
    assert isinstance(error, EngineError)
    assert "headgate-nano" in error.hint


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"PK\3\4 a zip file, in truth", "it is not a GGUF file"),
        (b"", "it is empty"),
        (b"GGUF\3", "it is a GGUF file, but cut short or damaged"),
    ],
)
def test_a_file_that_is_no_model_is_named_with_the_reason(tmp_path, content, why):
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    error = examine(str(file))
    assert isinstance(error, EngineError)
    assert str(file) in str(error)
    assert why in str(error)
    assert error.hint


def test_a_file_that_is_not_there_is_an_error_and_not_a_crash(tmp_path):
    error = examine(str(tmp_path / "gone.gguf"))
    assert isinstance(error, EngineError)
    assert "does not exist" in str(error)


def test_a_folder_is_no_model(tmp_path):
    assert isinstance(examine(str(tmp_path)), EngineError)


def file_of(size, context=None):
    return File(path=shipped_folder(), size=size, header=Header(context=context))


@pytest.mark.parametrize(
    ("size", "cores", "threads"), [(2_000_000, 16, 1), (4_000_000_000, 16, 15), (4_000_000_000, 1, 1)]
)
def test_small_models_get_one_thread_and_big_ones_leave_a_core_free(size, cores, threads):
    assert file_of(size).threads(cores) == threads


@pytest.mark.parametrize(("trained_for", "context"), [(1024, 1024), (131072, 8192), (None, 8192)])
def test_a_long_context_is_not_paid_for_in_memory_unasked(trained_for, context):
    assert file_of(1, trained_for).context == context
