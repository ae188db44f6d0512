"""Everything that can go wrong, as a closed list, and what each fault does to a reply on its way to the wire.

Three families: the *wire* faults here reshape any reply; the *answer* faults change what is said (`spoiled`); the *refusals*
are error replies, which each double words in its own dialect. Which faults a double can show is the double's to say.
"""

import enum
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from headgate.testing.answers import Answer
from headgate.testing.replies import Plain, Reply
from headgate.testing.server import Cut, Pause, Script, Step


class FaultKind(enum.StrEnum):
    """The closed list. The comment says what the client meets."""

    # wire faults
    REFUSE = "refuse"  # nobody listens: connection refused, until `clear`
    CUT_BEFORE_HEADERS = "cut_before_headers"  # the request is read, then the connection is gone
    HALF_OPEN = "half_open"  # the request is read, then nothing is said, and the connection stays
    CUT_MID_STREAM = "cut_mid_stream"  # part of the body, then the connection is gone
    BROKEN_CHUNK = "broken_chunk"  # part of the body, then bytes that are no HTTP, and the connection is gone
    SLOW_FIRST_TOKEN = "slow_first_token"
    STALL_MID_STREAM = "stall_mid_stream"  # part of the body, then silence
    DRIBBLE = "dribble"  # the whole reply, a few bytes at a time, cut inside words and characters
    MALFORMED_JSON = "malformed_json"  # well-framed HTTP around half a JSON document
    MANGLED_PIECE = (
        "mangled_piece"  # streams only: half of one piece is lost, and the stream goes on to its end
    )
    NO_END_PROOF = "no_end_proof"  # streams only: ends without done/[DONE]/message_stop
    NO_LAST_EVENT = "no_last_event"  # streams only: all but the very last event, so [DONE] is missing
    ERROR_EVENT_MID_STREAM = "error_event_mid_stream"  # streams only: status 200, then the dialect's error
    # answer faults
    WRONG_MODEL = "wrong_model"  # another model answers
    TRUNCATED = "truncated"  # half the answer, marked as cut by the token limit
    EMPTY_ANSWER = "empty_answer"
    REPETITION_LOOP = "repetition_loop"
    SILENT_TRUNCATION = "silent_truncation"  # the prompt was cut to the context window; nobody said so
    NO_USAGE = "no_usage"  # the tokens are not counted
    # refusals
    STATUS_200_ERROR_BODY = "status_200_error_body"
    CONTEXT_OVERFLOW = "context_overflow"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"  # 429 that waiting will not cure
    OVERLOADED = "overloaded"
    QUEUE_FULL = "queue_full"
    LOADING = "loading"
    AUTH_FAILED = "auth_failed"
    INVALID_REQUEST = "invalid_request"
    SERVER_ERROR = "server_error"


WIRE_FAULTS = frozenset(
    {
        FaultKind.REFUSE,
        FaultKind.CUT_BEFORE_HEADERS,
        FaultKind.HALF_OPEN,
        FaultKind.CUT_MID_STREAM,
        FaultKind.BROKEN_CHUNK,
        FaultKind.SLOW_FIRST_TOKEN,
        FaultKind.STALL_MID_STREAM,
        FaultKind.DRIBBLE,
        FaultKind.MALFORMED_JSON,
        FaultKind.MANGLED_PIECE,
        FaultKind.NO_END_PROOF,
        FaultKind.NO_LAST_EVENT,
        FaultKind.ERROR_EVENT_MID_STREAM,
    }
)
STREAM_FAULTS = frozenset(
    {
        FaultKind.MANGLED_PIECE,
        FaultKind.NO_END_PROOF,
        FaultKind.NO_LAST_EVENT,
        FaultKind.ERROR_EVENT_MID_STREAM,
    }
)
ANSWER_FAULTS = frozenset(
    {FaultKind.WRONG_MODEL, FaultKind.TRUNCATED, FaultKind.EMPTY_ANSWER, FaultKind.REPETITION_LOOP}
)

ALL = 1_000_000
"""More pieces than any answer has."""

Overflow = Literal["default", "keep_first", "n_keep", "in_stream", "empty"]
"""How a context overflow shows. All but "default" are LM Studio's, which had four ways over its versions."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. Make it with a constructor below, which says what the fields mean for it."""

    kind: FaultKind
    after: int = 0
    seconds: float | None = None
    text: str = ""
    abrupt: bool = True

    @classmethod
    def refuse(cls) -> "Fault":
        """Close the port until the double's `clear`; a closed port cannot count, so `times` says nothing here."""
        return cls(FaultKind.REFUSE)

    @classmethod
    def cut_before_headers(cls, *, abrupt: bool = True) -> "Fault":
        """Read the request, send nothing, and reset the connection (`abrupt`) or just close it."""
        return cls(FaultKind.CUT_BEFORE_HEADERS, abrupt=abrupt)

    @classmethod
    def half_open(cls) -> "Fault":
        """Read the request, then say nothing for ever and keep the connection, like a machine that lost its power."""
        return cls(FaultKind.HALF_OPEN)

    @classmethod
    def cut_mid_stream(cls, after: int = 1, *, abrupt: bool = True) -> "Fault":
        """Die after that many pieces of the answer (a plain body: after half of it), by reset or by plain close."""
        return cls(FaultKind.CUT_MID_STREAM, after=after, abrupt=abrupt)

    @classmethod
    def broken_chunk(cls, after: int = 1) -> "Fault":
        """Break HTTP's own framing after that many pieces of the answer (a plain body: after half of it)."""
        return cls(FaultKind.BROKEN_CHUNK, after=after)

    @classmethod
    def slow_first_token(cls, seconds: float) -> "Fault":
        """Wait before the first piece of the answer."""
        return cls(FaultKind.SLOW_FIRST_TOKEN, seconds=seconds)

    @classmethod
    def stall_mid_stream(cls, after: int = 1, seconds: float | None = None) -> "Fault":
        """Fall silent after that many pieces, for some seconds or (None) until the client gives up."""
        return cls(FaultKind.STALL_MID_STREAM, after=after, seconds=seconds)

    @classmethod
    def dribble(cls, size: int = 7, seconds: float = 0.0) -> "Fault":
        """Send everything, but in chunks of `size` bytes that respect neither lines nor UTF-8 characters.

        `seconds` pass between two of them.
        """
        return cls(FaultKind.DRIBBLE, after=size, seconds=seconds)

    @classmethod
    def malformed_json(cls, after: int = 1) -> "Fault":
        """Half a JSON document: as the whole body, or as the piece that follows `after` good ones in a stream."""
        return cls(FaultKind.MALFORMED_JSON, after=after)

    @classmethod
    def mangled_piece(cls, after: int = 1) -> "Fault":
        """Lose half of the piece that follows `after` good ones, and go on as if nothing had been."""
        return cls(FaultKind.MANGLED_PIECE, after=after)

    @classmethod
    def no_end_proof(cls, after: int = ALL) -> "Fault":
        """End the stream cleanly after so many pieces of the answer, without saying that it is complete."""
        return cls(FaultKind.NO_END_PROOF, after=after)

    @classmethod
    def no_last_event(cls) -> "Fault":
        """Say all of the answer and why it ended, and leave out the stream's last event."""
        return cls(FaultKind.NO_LAST_EVENT)

    @classmethod
    def error_event_mid_stream(cls, after: int = 1) -> "Fault":
        """Report an engine failure inside the open stream, as the dialect does it, and end."""
        return cls(FaultKind.ERROR_EVENT_MID_STREAM, after=after)

    @classmethod
    def wrong_model(cls, name: str) -> "Fault":
        """Let `name` answer instead of the model that was asked for."""
        return cls(FaultKind.WRONG_MODEL, text=name)

    @classmethod
    def truncated(cls) -> "Fault":
        """Stop half-way, as if the token limit had been reached."""
        return cls(FaultKind.TRUNCATED)

    @classmethod
    def empty_answer(cls) -> "Fault":
        """Succeed, with nothing in it."""
        return cls(FaultKind.EMPTY_ANSWER)

    @classmethod
    def repetition_loop(cls) -> "Fault":
        """Say the same few words until the token limit."""
        return cls(FaultKind.REPETITION_LOOP)

    @classmethod
    def silent_truncation(cls) -> "Fault":
        """Ollama: answer from what was left of the prompt; only `prompt_eval_count` (the window) gives it away."""
        return cls(FaultKind.SILENT_TRUNCATION)

    @classmethod
    def no_usage(cls) -> "Fault":
        """Do not tell how many tokens were used."""
        return cls(FaultKind.NO_USAGE)

    @classmethod
    def status_200_error_body(cls) -> "Fault":
        """An error document under HTTP 200."""
        return cls(FaultKind.STATUS_200_ERROR_BODY)

    @classmethod
    def context_overflow(cls, shape: Overflow = "default") -> "Fault":
        """The prompt is too long, in the engine's own words."""
        return cls(FaultKind.CONTEXT_OVERFLOW, text=shape)

    @classmethod
    def rate_limited(cls, retry_after: float | None = 1.0) -> "Fault":
        """429; with `retry_after` (seconds) the header is sent."""
        return cls(FaultKind.RATE_LIMITED, seconds=retry_after)

    @classmethod
    def quota_exhausted(cls) -> "Fault":
        """429 because the money is used up: no `retry-after`, and retrying is pointless."""
        return cls(FaultKind.QUOTA_EXHAUSTED)

    @classmethod
    def overloaded(cls) -> "Fault":
        """529 from Anthropic, 503 elsewhere."""
        return cls(FaultKind.OVERLOADED)

    @classmethod
    def queue_full(cls) -> "Fault":
        """Ollama's 503 when too many requests wait for a model to load."""
        return cls(FaultKind.QUEUE_FULL)

    @classmethod
    def loading(cls) -> "Fault":
        """llama-server's 503 while the model loads; strikes every path."""
        return cls(FaultKind.LOADING)

    @classmethod
    def auth_failed(cls) -> "Fault":
        """401, whatever key was sent."""
        return cls(FaultKind.AUTH_FAILED)

    @classmethod
    def invalid_request(cls, param: str) -> "Fault":
        """400: this model does not take the parameter."""
        return cls(FaultKind.INVALID_REQUEST, text=param)

    @classmethod
    def server_error(cls) -> "Fault":
        """500, before anything was said."""
        return cls(FaultKind.SERVER_ERROR)


def spoiled(answer: Answer, fault: Fault | None) -> Answer:
    """The answer with an answer fault applied; any other fault leaves it alone."""
    match fault.kind if fault else None:
        case FaultKind.TRUNCATED:
            half = answer.text[: len(answer.text) // 2]
            return replace(answer, text=half, tool_calls=(), finish="length", output_tokens=None)
        case FaultKind.EMPTY_ANSWER:
            return replace(answer, text="", tool_calls=(), reasoning=None, finish="stop", output_tokens=1)
        case FaultKind.REPETITION_LOOP:
            words = " ".join(answer.text.split()[:3]) or "and so on"
            return replace(answer, text=f"{words} " * 120, tool_calls=(), finish="length", output_tokens=None)
        case _:
            return answer


def script(reply: Reply, fault: Fault | None, label: str) -> Script:
    """The reply as steps on the wire, with a wire fault applied; any other fault leaves it alone."""
    if isinstance(reply, Plain):
        return _plain(reply, fault, label)
    opening, content, closing = list(reply.opening), list(reply.content), list(reply.closing)
    kind = fault.kind if fault else None
    after = min(fault.after, len(content)) if fault else 0
    tail: list[Step] = []
    wait = reply.delay
    match kind:
        case FaultKind.CUT_BEFORE_HEADERS:
            opening, content, closing, tail = [], [], [], [_cut(fault)]
        case FaultKind.HALF_OPEN:
            opening, content, closing, tail = [], [], [], [Pause(None)]
        case FaultKind.CUT_MID_STREAM:
            content, closing, tail = content[:after], [], [b"", _cut(fault)]
        case FaultKind.BROKEN_CHUNK:
            content, closing, tail = content[:after], [], [b"", Cut.GARBLE]
        case FaultKind.SLOW_FIRST_TOKEN:
            wait += (fault.seconds if fault else None) or 0.0
        case FaultKind.MALFORMED_JSON:
            victim = (content[after:] or closing or [b"{"])[0]
            content, closing, tail = content[:after], [], [victim[: len(victim) // 2] + b"\n\n"]
        case FaultKind.MANGLED_PIECE:
            content[after : after + 1] = [
                piece[: len(piece) // 2] + b"\n\n" for piece in content[after : after + 1]
            ]
        case FaultKind.NO_END_PROOF:
            content, closing = content[:after], []
        case FaultKind.NO_LAST_EVENT:
            closing = closing[:-1]
        case FaultKind.ERROR_EVENT_MID_STREAM:
            content, closing, tail = content[:after], [], [reply.failure]
    steps: list[Step] = [*opening]
    if wait:
        steps.append(Pause(wait))
    for index, piece in enumerate(content):
        waited = reply.waits[index] if reply.waits else reply.pace if index else 0.0
        if waited != 0:
            steps.append(Pause(waited))
        if kind is FaultKind.STALL_MID_STREAM and fault and index == after:
            steps.append(Pause(fault.seconds))
        if reply.reached:
            steps.append(partial(reply.reached, index))
        steps.append(piece)
    if kind is FaultKind.STALL_MID_STREAM and fault and after == len(content):
        steps.append(Pause(fault.seconds))
    steps += [*closing, *tail]
    if kind is FaultKind.DRIBBLE and fault:
        steps = _dribbled(b"".join(step for step in steps if isinstance(step, bytes)), fault)
        steps += [partial(reply.reached, index) for index in range(len(content)) if reply.reached]
    return Script(200, _headers(reply.content_type, reply.headers, label), tuple(steps), None, reply.instead)


def _plain(reply: Plain, fault: Fault | None, label: str) -> Script:
    body = reply.body
    length: int | None = len(body)
    half = body[: len(body) // 2]
    wait = reply.delay
    steps: list[Step] = [body]
    match fault.kind if fault else None:
        case FaultKind.CUT_BEFORE_HEADERS:
            steps = [_cut(fault)]
        case FaultKind.HALF_OPEN:
            steps = [Pause(None)]
        case FaultKind.CUT_MID_STREAM:
            steps = [half, _cut(fault)]
        case FaultKind.BROKEN_CHUNK:
            steps, length = [half, Cut.GARBLE], None
        case FaultKind.SLOW_FIRST_TOKEN:
            wait += (fault.seconds if fault else None) or 0.0
        case FaultKind.STALL_MID_STREAM:
            steps = [half, Pause(fault.seconds if fault else None), body[len(half) :]]
        case FaultKind.MALFORMED_JSON:
            steps, length = [half], len(half)
        case FaultKind.DRIBBLE if fault:
            steps, length = _dribbled(body, fault), None
    if wait:
        steps.insert(0, Pause(wait))
    headers = _headers(reply.content_type, reply.headers, label)
    return Script(reply.status, headers, tuple(steps), length, reply.instead)


def _cut(fault: Fault | None) -> Cut:
    return Cut.RESET if fault and fault.abrupt else Cut.CLOSE


def _dribbled(body: bytes, fault: Fault) -> list[Step]:
    steps: list[Step] = []
    for start in range(0, len(body), max(fault.after, 1)):
        steps += [body[start : start + max(fault.after, 1)], Pause(fault.seconds or 0.0)]
    return steps


def _headers(content_type: str, more: tuple[tuple[str, str], ...], label: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", content_type), *more, ("x-headgate-double", label))
