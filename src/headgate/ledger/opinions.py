"""Opinions in the ledger: what each judge said of a request, and which of them is in force."""

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import Connection

from headgate.core.audits import Opinion


class Audited(Struct, frozen=True, kw_only=True):
    """What is known of an audited request besides its opinions."""

    request: int
    """Its number in the ledger."""
    probability: float | None = None
    """With which it was chosen; None where nobody chose by chance."""
    model: int | None = None
    """The number of the model at home whose answer was compared."""
    score: float | None = None
    """The lowest score of that answer's checks."""


def keep_opinions(db: Connection, audited: Audited, opinions: Iterable[Opinion], now: float) -> None:
    """Write what judges said, and put the one that counts in force (`audits`), in the connection's transaction."""
    raise NotImplementedError
