"""One line of a batch as a call of the gate's own doors, in this process.

It is read, routed, judged and recorded like any other; nobody sits and waits for it. What it is answered is kept instead of sent.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.batches.front.lines import decode_line
from headgate.core.runs import Run
from headgate.gateway.caller import Call
from headgate.gateway.headers import answer_fault
from headgate.gateway.paths import DOORS
from headgate.wire.faults import Fault

KEY = "key"
"""Under this word, which is no header, the name of the client's key stands beside his headers."""

STREAMED = Fault(
    status=400,
    message="a batch is not streamed",
    code="invalid_value",
    param="stream",
    hint="leave out stream",
)


class Asked(Struct, frozen=True):
    """The one field of a request that a batch cannot have."""

    stream: bool | None = None


class Answered(Struct, frozen=True):
    """The usage in an answer, in the words of Chat Completions or of Responses."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Body(Struct, frozen=True):
    """An answer, as far as it is looked at."""

    usage: Answered | None = None


class InsideCall(Call):
    """A call that comes from no connection."""

    __slots__ = ("key", "lines", "said", "status")

    def __init__(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.key = headers.get(KEY, "")
        """The name of the key of the client whose batch it is."""
        self.method, self.path, self.query = "POST", path, ""
        self.headers = {
            name.encode(): value.encode("latin-1", "replace")
            for name, value in headers.items()
            if name != KEY
        }
        self.headers[b"x-headgate-priority"] = b"batch"
        self.body, self.file = body, None
        self.begun = self.ended = self.last = False
        self.status, self.lines, self.said = 500, b"", b"null"

    @property
    def gone(self) -> bool:
        """Whether nobody waits any more: such a call is cancelled only by its batch."""
        return True

    @property
    def address(self) -> str:
        """Where it comes from."""
        return "batch"

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """Keep the answer."""
        self.begun = self.ended = True
        self.status, self.lines, self.said = status, lines, body

    def told(self, name: str) -> str:
        """A header of the answer; "" where it is not there."""
        for line in self.lines.decode("latin-1").split("\r\n"):
            key, _, value = line.partition(": ")
            if key == name:
                return value
        return ""


Door = Callable[[InsideCall], Awaitable[None]]
"""Answers a call."""


async def ask_inside(door: Door, agent: str, given: str, headers: Mapping[str, str]) -> tuple[Run, bool]:
    """Put a line to the gate: what became of it, and whether asking again could help.

    Args:
        door: the gate.
        agent: in whose name the result stands.
        given: the line, which was found sound.
        headers: what the client says of all his lines.
    """
    line = decode_line(given)
    call = InsideCall(line.url, headers, bytes(line.body))
    try:
        streamed = msgspec.json.decode(line.body, type=Asked).stream
    except msgspec.ValidationError:
        streamed = None  # the door says what is wrong
    if streamed:
        answer_fault(call, STREAMED, dialect=DOORS[line.url].dialect)
    else:
        await door(call)
    good = call.status == 200
    used = usage_of(call.said) if good else Answered()
    cost = call.told("x-headgate-cost")
    output: dict[str, Any] = {
        "status_code": call.status,
        "request_id": call.told("x-headgate-request-id"),
        "body": Raw(call.said),
    }
    run = Run(
        agent=agent,
        status="ok" if good else "failed",
        output=output,
        model=call.told("x-headgate-model") or None,
        cost=float(cost) if cost not in ("", "unknown") else None if cost else 0.0,
        tokens_in=used.prompt_tokens or used.input_tokens,
        tokens_out=used.completion_tokens or used.output_tokens,
    )
    return run, not good and call.told("x-should-retry") == "true"


def usage_of(body: bytes) -> Answered:
    """What an answer used."""
    try:
        return msgspec.json.decode(body, type=Body).usage or Answered()
    except msgspec.MsgspecError:
        return Answered()
