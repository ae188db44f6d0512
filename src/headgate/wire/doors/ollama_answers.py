"""Answers in Ollama's protocol: Reply → an object, Delta → lines of them, for both of its doors.

Chat and generate differ only in where the words stand, which is what a `Say` knows. A tool call goes out whole, because
its arguments are an object here; so all calls are sent when the answer has ended. Zeros are left out, as Ollama does.

It does not know how the request came in. Durations are what the engine's adapter has measured; of an answer that came
in one piece nobody knows how long the prompt alone took, so all of it but the loading counts as writing.

Source: Ollama 0.33.0-rc2 (`api/types.go`) and observation.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Delta, Reply, ToolCall
from headgate.wire import faults
from headgate.wire.doors import About
from headgate.wire.faults import Fault
from headgate.wire.upstream import object_from

Say = Callable[[str, str, Sequence[ToolCall]], dict[str, Any]]
"""Text, thinking and tool calls as the part of an object that holds them."""


class Alternative(Struct, omit_defaults=True, gc=False):
    """A token that might have been."""

    token: str
    logprob: float | None = None
    bytes: list[int] | None = None


class Token(Struct, omit_defaults=True, gc=False):
    """A token and its log-probability; OpenAI's form has empty lists where Ollama's has nothing."""

    token: str
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list[Alternative] = []


encode = msgspec.json.Encoder().encode
decode_tokens = msgspec.json.Decoder(list[Token]).decode

MORE = {"done": False}


def in_message(text: str, thinking: str = "", calls: Sequence[ToolCall] = ()) -> dict[str, Any]:
    """How `/api/chat` says it."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = calls_out(calls)
    return {"message": message}


def at_top(text: str, thinking: str = "", calls: Sequence[ToolCall] = ()) -> dict[str, Any]:
    """How `/api/generate` says it."""
    said: dict[str, Any] = {"response": text}
    if thinking:
        said["thinking"] = thinking
    if calls:
        said["tool_calls"] = calls_out(calls)
    return said


def calls_out(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Tool calls, their arguments as objects."""
    return [
        {
            "id": call.id,
            "function": {"index": index, "name": call.name, "arguments": object_from(call.arguments)},
        }
        for index, call in enumerate(calls)
    ]


def encode_reply(reply: Reply, about: About, say: Say) -> bytes:
    """A whole reply as one object."""
    said = say(reply.text, reply.reasoning, reply.tool_calls)
    return encode(head(about) | said | logprobs_out(reply.logprobs) | last_words(reply, about))


def encode_loaded(model: str, reason: str, say: Say, received: float) -> bytes:
    """The answer to a request that only wanted a model loaded or unloaded."""
    known = {"model": model, "created_at": moment(received)}
    return encode(known | say("", "", ()) | {"done": True, "done_reason": reason})


def keep_alive(about: About, say: Say) -> bytes:
    """A line that says nothing: Ollama's clients take every line for an object, so an empty line would break them."""
    return encode(head(about) | say("", "", ()) | MORE) + b"\n"


class LineEncoder:
    """One answer as lines, each a piece of it; the last one says `done`."""

    def __init__(self, about: About, say: Say) -> None:
        self._about = about
        self._say = say
        self._head = head(about)

    def delta(self, delta: Delta) -> bytes:
        """A piece of text or thinking. Pieces of tool calls wait for the end."""
        if not (delta.text or delta.reasoning):
            return b""
        said = self._say(delta.text, delta.reasoning, ())
        return encode(self._head | said | MORE | logprobs_out(delta.logprobs)) + b"\n"

    def end(self, reply: Reply) -> bytes:
        """The tool calls, if there are any, and the line that ends the answer."""
        calls = b""
        if reply.tool_calls:
            calls = encode(self._head | self._say("", "", reply.tool_calls) | MORE) + b"\n"
        return calls + encode(self._head | self._say("", "", ()) | last_words(reply, self._about)) + b"\n"

    def fail(self, fault: Fault) -> bytes:
        """An error line, on which Ollama's clients raise."""
        return faults.encode_in_stream(fault, "ollama")


def head(about: About) -> dict[str, Any]:
    """What every object begins with."""
    return {"model": about.model or about.request.asked, "created_at": moment(about.received)}


def moment(seconds: float) -> str:
    """Unix time as RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def last_words(reply: Reply, about: About) -> dict[str, Any]:
    """Why it ended, how long it took and what it used."""
    writing = max(0.0, reply.seconds - reply.loading)
    reading = 0.0
    if about.request.stream and reply.first_token is not None:
        reading = min(writing, max(0.0, reply.first_token - reply.loading))
        writing -= reading
    figures = {
        "total_duration": nanoseconds(reply.seconds),
        "load_duration": nanoseconds(reply.loading),
        "prompt_eval_count": reply.usage.prompt,
        "prompt_eval_duration": nanoseconds(reading),
        "eval_count": reply.usage.output,
        "eval_duration": nanoseconds(writing),
    }
    reason = "length" if reply.finish == "length" else "stop"
    return {"done": True, "done_reason": reason} | {name: value for name, value in figures.items() if value}


def nanoseconds(seconds: float) -> int:
    """A duration in Ollama's unit."""
    return round(seconds * 1e9)


def logprobs_out(logprobs: Raw | None) -> dict[str, Any]:
    """Log-probabilities in Ollama's form; a token without one is left out, since its clients demand a number."""
    tokens = [] if logprobs is None else [t for t in decode_tokens(logprobs) if t.logprob is not None]
    return {"logprobs": tokens} if tokens else {}
