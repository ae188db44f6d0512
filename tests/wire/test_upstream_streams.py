"""Framing: however the network cuts a stream, the same answer comes out of it."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_upstream_anthropic import ANTHROPIC, WHOLE, claude
from test_upstream_ollama import DONE, OLLAMA, ollama_model, said
from test_upstream_openai import PLAIN, chunk
from upstream_values import (
    a_model,
    a_request,
    captured,
    failed,
    lines,
    named_events,
    read_stream,
    replied,
    sse,
)

from headgate.core.types import Failure, Reply
from headgate.wire import ndjson
from headgate.wire import sse as events
from headgate.wire.ndjson import LineDecoder, OverlongLineError
from headgate.wire.sse import Event, OverlongEventError, SSEDecoder
from headgate.wire.upstream import Pieces

UNICODE = sse(chunk("na\u00efve \u2014 "), chunk("\u65e5\u672c\u8a9e \U0001f600"), chunk(finish="stop"))
STREAMS = {
    "openai": (PLAIN, a_model(), UNICODE),
    "openai with CRLF": (PLAIN, a_model(), UNICODE.replace(b"\n", b"\r\n")),
    "llama-server": (PLAIN, a_model(), captured("llama_server_stream.sse")),
    "ollama": (OLLAMA, ollama_model(), lines(said("na\u00efve \u2014 "), said("\u65e5\u672c\u8a9e"), DONE)),
    "ollama captured": (OLLAMA, ollama_model(), captured("ollama_stream.ndjson")),
    "anthropic": (ANTHROPIC, claude(), named_events(*WHOLE)),
}


def cut(raw, places):
    edges = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    return [raw[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("name", STREAMS)
@given(places=st.lists(st.integers(0, 100_000), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_answer(name, places):
    dialect, model, raw = STREAMS[name]
    whole_deltas, whole = read_stream(dialect, [raw], a_request(), model)
    deltas, result = read_stream(dialect, cut(raw, places), a_request(), model)
    assert replied(result) == replied(whole)
    assert deltas == whole_deltas


@pytest.mark.parametrize("name", STREAMS)
def test_single_bytes_give_the_same_answer(name):
    dialect, model, raw = STREAMS[name]
    single = [raw[i : i + 1] for i in range(len(raw))]
    assert read_stream(dialect, single, a_request(), model) == read_stream(dialect, [raw], a_request(), model)


@given(length=st.integers(0, 2000))
def test_no_beginning_of_a_stream_passes_for_the_whole(length):
    for dialect, model, raw in STREAMS.values():
        if length >= len(raw.rstrip()):
            continue
        _, result = read_stream(dialect, [raw[:length]], a_request(), model)
        assert failed(result).reason == "broken_stream"


LINES = st.lists(
    st.sampled_from(["data: a", "data:b", "data", ": note", "event: x", "id: 1", "retry: 5", "", ""])
)


@given(
    texts=LINES, ends=st.sampled_from(["\n", "\r\n", "\r"]), places=st.lists(st.integers(0, 500), max_size=6)
)
def test_every_line_end_and_every_cut_give_the_same_events(texts, ends, places):
    plain = SSEDecoder()
    expected = plain.feed("\n".join([*texts, "", ""]).encode())
    decoder = SSEDecoder()
    found = [
        event for piece in cut(ends.join([*texts, "", ""]).encode(), places) for event in decoder.feed(piece)
    ]
    assert found == expected


def test_events_are_read_by_the_rules():
    decoder = SSEDecoder()
    raw = b"\xef\xbb\xbf: hello\nevent: x\ndata: one\ndata:two\n\nevent: empty\n\ndata\n\ndata: last"
    assert decoder.feed(raw) == [Event(b"one\ntwo", "x"), Event(b"")]
    assert decoder.finish() == [Event(b"last")]
    assert decoder.finish() == []


def test_a_byte_order_mark_may_be_cut():
    decoder = SSEDecoder()
    found = [event for piece in (b"\xef", b"\xbb", b"\xbfdata: x\n\n") for event in decoder.feed(piece)]
    assert found == [Event(b"x")]


@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"))),
    places=st.lists(st.integers(0, 500)),
)
def test_every_cut_gives_the_same_lines(texts, places):
    decoder = LineDecoder()
    raw = "\n".join(texts).encode()
    found = [line for piece in cut(raw, places) for line in decoder.feed(piece)] + decoder.finish()
    assert found == [line.strip() for line in raw.split(b"\n") if line.strip()]


def test_a_line_or_event_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(ndjson, "LONGEST_LINE", 100)
    monkeypatch.setattr(events, "LONGEST_EVENT", 100)
    with pytest.raises(OverlongLineError):
        LineDecoder().feed(b"x" * 101)
    with pytest.raises(OverlongEventError):
        SSEDecoder().feed(b"data: " + b"x" * 101)
    with pytest.raises(OverlongEventError):
        SSEDecoder().feed(b"data: x\n" * 101)
    for dialect, model, _ in STREAMS.values():
        decoder = dialect.stream_decoder(a_request(), model)
        assert decoder.feed(b"x" * 200) == []
        assert decoder.over
        assert decoder.finish().reason == "malformed"


FIELDS = st.sampled_from(
    [
        "choices",
        "message",
        "delta",
        "content",
        "error",
        "model",
        "usage",
        "type",
        "index",
        "finish_reason",
        "tool_calls",
        "function",
        "arguments",
        "logprobs",
        "done",
        "stop_reason",
        "content_block",
        "input",
        "text",
        "prompt_tokens",
        "details",
        "message_start",
        "detail",
        "code",
    ]
)
DEEP = [b"[" * 100_000, b'{"error":' + b"[" * 3000 + b"]" * 3000 + b"}", b'{"x":' + b'{"a":' * 3000]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=12,
)


@given(value=st.binary(max_size=60) | JSON.map(msgspec.json.encode) | st.sampled_from(DEEP))
def test_whatever_an_engine_sends_becomes_a_value(value):
    for dialect, model, _ in STREAMS.values():
        assert isinstance(dialect.decode_reply(value, a_request(), model), Reply | Failure)
        assert isinstance(dialect.decode_error(500, {}, value), Failure)
        stream = [b"data: ", value, b"\n\n", value, b"\n"]
        assert isinstance(read_stream(dialect, stream, a_request(), model)[1], Reply | Failure)


def test_a_text_in_many_pieces_is_kept_in_few_and_whole():
    pieces = Pieces()
    for number in range(5000):
        pieces.add(f"{number} ")
    assert "".join(pieces) == "".join(f"{number} " for number in range(5000))
    assert len(pieces) < 1024
