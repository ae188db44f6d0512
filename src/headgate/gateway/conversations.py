"""Conversations that go on from earlier answers: what was said before is fetched, what is said now is kept.

A caller names a whole conversation by its last answer: that is kept only where the ledger keeps prompts and answers
(`keep_bodies`). Or he names the answers in what he sends: the recent ones are in memory, all others in such a ledger. A turn
is written with its request, by the ledger's own thread, and read on another: the event loop waits for neither. It does not
know in which words a caller names an answer (`wire.doors`), nor how turns are stored (`ledger.conversations`).
"""

import asyncio
from collections.abc import Iterable

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from headgate.core.errors import LedgerError
from headgate.core.types import Message, Reply, Request, Turn
from headgate.gateway.recent import RecentAnswers
from headgate.ledger.conversations import Conversation, read_conversation
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter
from headgate.wire.doors import Referring
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
        self.recent = RecentAnswers()

    def note(self, request: Request, reply: Reply, *, local_only: bool) -> Turn | UnsetType:
        """Remember an answer for a while. Given back is the turn to write down, if it is to be kept longer."""
        turn = turn_of(request, reply)
        self.recent.note(request.id, turn.messages[-1], local_only=local_only)
        return turn if request.store else UNSET

    async def resolve(self, referring: Referring) -> Request | Fault:
        """The request with the answers that it names, as far as there are any; the door says which it misses."""
        known: dict[str, Message] = {}
        local_only = False
        for name in referring.answers:
            remembered = self.recent.find(name)
            if remembered is not None:
                known[name] = remembered.answer
                local_only |= remembered.local_only
        missing = referring.answers - known.keys()
        if missing and self.kept:
            found = await asyncio.to_thread(self.find_all, missing)
            if isinstance(found, Fault):
                return found
            known |= {name: conversation.messages[-1] for name, conversation in found.items()}
            local_only |= any(conversation.local_only for conversation in found.values())
        request = referring.read(known)
        if isinstance(request, Fault):
            return request
        return replace(request, recalled=True, local_only=local_only)

    async def recall(self, request: Request) -> Request | Fault:
        """The request with all that was said before it, or why there is nothing to go on from."""
        if not self.kept:
            return not_kept() if request.previous else replace(request, store=False)
        if not request.previous:
            return request
        found = await asyncio.to_thread(self.find_all, [request.previous])
        if isinstance(found, Fault):
            return found
        before = found.get(request.previous)
        if before is None:
            return not_found(request)
        instructions, said = parted(request)
        return replace(
            request,
            messages=(*instructions, *before.messages, *said),
            local_only=request.local_only or before.local_only,
            recalled=True,
        )

    def find_all(self, names: Iterable[str]) -> dict[str, Conversation] | Fault:
        """The kept conversations that end in these answers; the newest may still have to be written. Blocks."""
        try:
            with LedgerReader(self.writer.path) as ledger:
                found = {name: read_conversation(ledger, name) for name in names}
                missing = [name for name, conversation in found.items() if conversation is None]
                if missing:
                    if not self.writer.flush(PATIENCE):
                        return behind()
                    found |= {name: read_conversation(ledger, name) for name in missing}
        except LedgerError:
            return behind()
        return {name: conversation for name, conversation in found.items() if conversation is not None}


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
        hint="headgate doctor says what is wrong with the ledger",
        retry=True,
        retry_after=5.0,
    )
