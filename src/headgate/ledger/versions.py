"""Versions of models in the ledger: a row each time that another digest was seen under a name, so that old evidence can be told apart.

Rows are written by an open gate, beside its writer (`gateway.versions`), and a few a year. This module does not know what follows from
a change (`core.versions`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from headgate.core.types import Model
from headgate.core.versions import Version
from headgate.ledger.beside import read_rows, transaction
from headgate.ledger.units import MICRO

_NEWEST: Final = "SELECT digest FROM model_versions WHERE engine = ? AND id = ? ORDER BY n DESC LIMIT 1"
_ALL: Final = "SELECT engine, id, digest, seen FROM model_versions ORDER BY n"


class Changed(Struct, frozen=True):
    """Another version of a model was seen."""

    engine: str
    id: str
    seen: float
    """Unix time."""


def note_versions(path: Path, found: Mapping[tuple[str, str], str], now: float) -> tuple[Changed, ...]:
    """Note which digests lie under which engines and ids; those that are others than before.

    One that is seen for the first time is noted, and is no change.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    changed = []
    with transaction(path, "the versions of models") as db:
        for (engine, id_), digest in found.items():
            before = db.execute(_NEWEST, (engine, id_)).fetchone()
            if before == (digest,):
                continue
            db.execute(
                "INSERT INTO model_versions (engine, id, digest, seen) VALUES (?, ?, ?, ?)",
                (engine, id_, digest, round(now * MICRO)),
            )
            if before is not None:
                changed.append(Changed(engine, id_, now))
    return tuple(changed)


def newest_versions(path: Path) -> dict[tuple[str, str], Version]:
    """What lies under each name now, as far as it was seen; nothing where there is no ledger yet.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found: dict[tuple[str, str], Version] = {}
    for engine, id_, digest, seen in read_rows(path, _ALL):
        found[engine, id_] = Version(digest, seen / MICRO if (engine, id_) in found else None)
    return found


def changes_of_versions(path: Path) -> tuple[Changed, ...]:
    """Every change that was seen, the oldest first.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    known: set[tuple[str, str]] = set()
    found = []
    for engine, id_, _, seen in read_rows(path, _ALL):
        if (engine, id_) in known:
            found.append(Changed(engine, id_, seen / MICRO))
        known.add((engine, id_))
    return tuple(found)


def changes_by_name(path: Path, models: Mapping[str, Model]) -> tuple[tuple[str, float], ...]:
    """The changes of these models that were seen, the oldest first: each model's name, and the Unix time.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    names = {(model.engine, model.id): name for name, model in models.items()}
    return tuple(
        [
            (names[one.engine, one.id], one.seen)
            for one in changes_of_versions(path)
            if (one.engine, one.id) in names
        ]
    )
