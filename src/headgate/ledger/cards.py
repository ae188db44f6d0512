"""Capability cards in the ledger: one row a measurement, and the newest of each model read back.

A card is measured by a command, not by the gate, so it is written by a second, short writer beside the gate's thread:
one insert, one commit, and SQLite makes the two wait for each other. It does not know how a card is measured, or whether
it still counts (`core.cards`).
"""

from pathlib import Path

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from headgate.core.cards import Card
from headgate.ledger.beside import keep_row
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import cards
from headgate.ledger.units import MICRO

_decode = msgspec.json.Decoder(Card).decode


def save_card(path: Path, card: Card) -> None:
    """Keep a card, whole or not at all; the ledger is made where there is none.

    Raises:
        LedgerError: the ledger cannot be opened or written.
    """
    keep_row(
        path,
        "cards",
        {
            "engine": card.engine,
            "id": card.id,
            "digest": card.digest,
            "measured": round(card.measured * MICRO),
            "card": msgspec.json.encode(card).decode(),
        },
        f"the card of {card.id}",
    )


def newest_cards(path: Path, before: float | None = None) -> dict[tuple[str, str], Card]:
    """The newest card of each model, by engine and id; none where there is no ledger yet.

    Args:
        path: the ledger file.
        before: Unix time; only cards measured before it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not path.exists():
        return {}
    with LedgerReader(path) as ledger, ledger.connect() as db:
        return read_cards(db, before)


def read_cards(db: Connection, before: float | None = None) -> dict[tuple[str, str], Card]:
    """The same, over a connection that is open. A card that this version cannot read counts as none."""
    query = select(cards.c.engine, cards.c.id, cards.c.card).order_by(cards.c.measured, cards.c.n)
    if before is not None:
        query = query.where(cards.c.measured < round(before * MICRO))
    try:
        found = db.execute(query).all()
    except OperationalError as error:
        if "no such table" in str(error):  # of an older Headgate; the next start of the gate adds the table
            return {}
        raise
    newest: dict[tuple[str, str], Card] = {}
    for row in found:
        try:
            newest[row.engine, row.id] = _decode(row.card)
        except msgspec.DecodeError:
            continue
    return newest
