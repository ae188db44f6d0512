"""Conversations that go on from an earlier answer: what was said before is fetched, what is said now is kept.

Only where the ledger keeps prompts and answers (`keep_bodies`). A turn is written with its request, by the ledger's own
thread, and read on another: the event loop waits for neither. It does not know in which words a caller names an answer
(`wire.doors`), nor how turns are stored (`ledger.conversations`).
"""

import asyncio

from msgspec.structs import replace

from headgate.core.errors import LedgerError
from headgate.core.types import Message, Reply, Request, Turn
from headgate.ledger.conversations import Conversation, read_conversation
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter
from headgate.wire.faults import Fault

PATIENCE = 2.0
"""Seconds that the ledger gets to write what waits, when a caller goes on from what it does not have."""


class Conversations:
    """What callers may go on from.

    Args:
        writer: of the ledger that keeps them.
        kept: whether it does.
    """

    def __init__(self, writer: LedgerWriter, *, kept: bool) -> None:
        self.writer = writer
        self.kept = kept

    async def recall(self, request: Request) -> Request | Fault:
        """The request with all that was said before it, or why there is nothing to go on from."""
        if not self.kept:
            return not_kept() if request.previous else replace(request, store=False)
        if not request.previous:
            return request
        found = await asyncio.to_thread(self.find, request)
        if isinstance(found, Fault):
            return found
        instructions, said = parted(request)
        return replace(
            request,
            messages=(*instructions, *found.messages, *said),
            local_only=request.local_only or found.local_only,
        )

    def find(self, request: Request) -> Conversation | Fault:
        """The conversation that goes on; its newest turn may still have to be written. Blocks."""
        try:
            with LedgerReader(self.writer.path) as ledger:
                found = read_conversation(ledger, request.previous)
                if found is None and not self.writer.flush(PATIENCE):
                    return behind()
                return found or read_conversation(ledger, request.previous) or not_found(request)
        except LedgerError:
            return behind()


def turn_of(request: Request, reply: Reply) -> Turn:
    """What a request and its answer add to their conversation."""
    answer = Message("assistant", reply.text, reply.tool_calls, reasoning=reply.reasoning)
    _, said = parted(request)
    return Turn(request.previous, (*said, answer))


def parted(request: Request) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The messages before what the caller says now, and that."""
    now = len(request.messages) - request.said
    return request.messages[:now], request.messages[now:]


def not_kept() -> Fault:
    """Nothing is kept that a request could go on from."""
    return Fault(
        status=400,
        message="earlier answers are not kept here, so there is nothing to go on from",
        param="previous_response_id",
        code="unsupported_value",
        hint="set keep_bodies = true under [ledger] in headgate.toml, or send the whole conversation as input",
    )


def not_found(request: Request) -> Fault:
    """There is no such answer, or it was not to be kept."""
    return Fault(
        status=404,
        message=f"Previous response with id 'resp_{request.previous[:100]}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
        hint="it was sent with store: false, or before keep_bodies was turned on; send the whole conversation as input",
    )


def behind() -> Fault:
    """The ledger cannot be written, so the answer to go on from may be among what waits."""
    return Fault(
        status=503,
        message="the ledger cannot be written at the moment, and the earlier answer may be waiting for that",
        kind="api_error",
        code="ledger_behind",
        hint="headgate status says what is wrong with the ledger",
        retry=True,
        retry_after=5.0,
    )
