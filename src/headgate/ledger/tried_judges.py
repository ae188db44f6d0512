"""Models that were tried as judges, in the ledger: what each said of pairs whose truth is known, one row for each version of a model.

It is written beside the gate's thread, answer by answer (`beside`), so that a model which has to make way for somebody goes on where it
was. This module does not know how a model is tried, nor what follows from it (`core.judges.trust`).
"""

from pathlib import Path

import msgspec

from headgate.core.judges.trust import TriedJudge
from headgate.ledger.beside import change, read_rows
from headgate.ledger.units import MICRO

_decode = msgspec.json.Decoder(TriedJudge).decode


def keep_tried(path: Path, judge: TriedJudge) -> None:
    """Keep what a model has said, in the place of what is known of the same version of it.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    statement = (
        "INSERT INTO tried_judges (engine, id, digest, tried, judge) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (engine, id, digest) DO UPDATE SET tried = excluded.tried, judge = excluded.judge"
    )
    text = msgspec.json.encode(judge).decode()
    values = (judge.engine, judge.id, judge.digest, round(judge.tried * MICRO), text)
    change(path, statement, values, f"what {judge.id} says as a judge")


def find_tried(path: Path, engine: str, id_: str, digest: str) -> TriedJudge | None:
    """What is known of one version of a model; None where it was not tried, or by another version of Headgate.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    query = "SELECT judge FROM tried_judges WHERE engine = ? AND id = ? AND digest = ?"
    found = read_rows(path, query, (engine, id_, digest))
    return _read(found[0][0]) if found else None


def _read(text: str) -> TriedJudge | None:
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return None
