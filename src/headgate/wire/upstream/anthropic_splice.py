"""The caller's own bytes in a request to Anthropic, where he speaks Anthropic's protocol himself.

Sent unchanged, a long conversation need not be written again, its marks for the prompt cache stay where they are, the seals
on thinking hold, and what only Anthropic has gets there. Where something must be added, it is put before or after the bytes.
It does not know which model takes what; the caller of these functions says so.
"""

from typing import Any

import msgspec
from msgspec import Raw

from headgate.core.types import Message, Request

CONTINUE = "Continue."
TURN = b'{"role":"user","content":"' + CONTINUE.encode() + b'"}'
MARK = b'"cache_control"'

decode_blocks = msgspec.json.Decoder(list[Raw]).decode
decode_text = msgspec.json.Decoder(str).decode


def is_own(request: Request) -> bool:
    """Whether the caller speaks Anthropic's protocol."""
    return request.dialect == "anthropic"


def can_splice(request: Request, *, matched: bool) -> bool:
    """Whether the conversation may be sent in the caller's bytes.

    What only they can say must be; else they must not hold what Anthropic refuses and we can mend: calls and results that
    are not `matched`, or white space at the end of a prefill.
    """
    if not is_own(request) or request.raw_messages is None:
        return False
    if request.native:
        return True
    last = request.messages[-1]
    return matched and not (last.role == "assistant" and last.text != last.text.rstrip())


def frame(raw: Raw, spoken: list[Message], *, prefill: bool) -> tuple[Raw, bool, bool]:
    """The conversation's bytes, begun and ended by the user, and whether that took a turn before and one after.

    Args:
        raw: the array of the turns.
        spoken: the same turns without the system's.
        prefill: whether the last may be the assistant's.
    """
    before = not spoken or spoken[0].role == "assistant"
    after = bool(spoken) and spoken[-1].role == "assistant" and not prefill
    if before:
        raw = Raw(b"[" + TURN + b"," + bytes(raw).lstrip()[1:])
    if after:
        raw = Raw(bytes(raw).rstrip()[:-1] + b"," + TURN + b"]")
    return raw, before, after


def system_with(raw: Raw | None, orders: list[str]) -> Any:
    """The caller's system prompt with orders of ours after it; None if there is neither."""
    if not orders:
        return raw
    more = "\n\n".join(orders)
    if raw is None:
        return more
    if bytes(raw).startswith(b'"'):
        return f"{decode_text(raw)}\n\n{more}"
    return [*decode_blocks(raw), {"type": "text", "text": more}]


def has_marks(request: Request, *, spliced: bool) -> bool:
    """Whether marks that the caller made himself, for what is to be cached, get there: only in his own bytes."""
    if not is_own(request):
        return False
    parts = (request.raw_messages, request.raw_system, request.raw_tools) if spliced else (request.raw_tools,)
    return "cache_control" in request.extra or any(part is not None and MARK in bytes(part) for part in parts)
