"""Reading a kept conversation: a request's turn and all those before it.

Each request keeps only what it added, with the id of the one before it, so that a long conversation is not written
again with every turn, and two requests may go on from the same one. It does not know who asks, or what for.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Row, literal, select

from headgate.core.types import Message
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import requests, turns


class Conversation(Struct, frozen=True):
    """What was said up to a request and its answer, the oldest first."""

    messages: tuple[Message, ...]
    local_only: bool
    """Some of it may not leave the user's machines."""


_decode: Final = msgspec.json.Decoder(tuple[Message, ...]).decode


def read_conversation(ledger: LedgerReader, request_id: str) -> Conversation | None:
    """The conversation that the request's answer ends; None when it, or a turn before it, was not kept."""
    turn = select(turns.c.previous, turns.c.messages, requests.c.local_only).join_from(turns, requests)
    newest = turn.add_columns(literal(0).label("back")).where(requests.c.id == request_id).cte(recursive=True)
    before = turn.add_columns(newest.c.back + 1).join(newest, requests.c.id == newest.c.previous)
    line = newest.union_all(before)
    with ledger.connect() as db:
        found = db.execute(select(line).order_by(line.c.back.desc())).all()
    return _conversation(found)


def _conversation(found: Sequence[Row[Any]]) -> Conversation | None:
    if not found or found[0][0] is not None:
        return None
    said = [_decode(messages) for _, messages, _, _ in found]
    return Conversation(tuple(chain.from_iterable(said)), any(local for _, _, local, _ in found))
