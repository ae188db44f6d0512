"""Changes of the config that were applied: marked in the ledger, watched, and what became of them.

A row is written by the command that applies a change, beside the gate's own writer, and noted again by whoever watches it. Whether a
change was right is said by `core.watching`.
"""

from pathlib import Path

import msgspec
from msgspec.structs import replace

from headgate.core.watching import AppliedChange
from headgate.ledger.beside import change as write
from headgate.ledger.beside import keep_row, read_rows
from headgate.ledger.units import MICRO

_decode = msgspec.json.Decoder(AppliedChange).decode


def mark_change(path: Path, change: AppliedChange) -> None:
    """Mark a change that was applied.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    row = {
        "applied": round(change.applied * MICRO),
        "state": change.state,
        "proposal": msgspec.json.encode(change).decode(),
    }
    keep_row(path, "changes", row, "the change")


def note_change(path: Path, change: AppliedChange) -> bool:
    """Note what became of a change; False where another gate has decided it already.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    decided = None if change.decided is None else round(change.decided * MICRO)
    statement = "UPDATE changes SET state = ?, decided = ?, proposal = ? WHERE n = ? AND state = 'watched'"
    values = (change.state, decided, msgspec.json.encode(change).decode(), change.n)
    return write(path, statement, values, "what became of the change") == 1


def all_changes(path: Path) -> tuple[AppliedChange, ...]:
    """All changes, oldest first; none where there is no ledger. One that this version cannot read counts as none.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found = []
    for n, proposal in read_rows(path, "SELECT n, proposal FROM changes ORDER BY n"):
        try:
            found.append(replace(_decode(proposal), n=n))
        except msgspec.DecodeError:
            continue
    return tuple(found)
