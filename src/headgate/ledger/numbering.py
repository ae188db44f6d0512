"""The numbers of variants in rows: given to those that an older Headgate wrote, and looked at by `headgate ledger verify`.

New rows come with theirs (`encode`). Here a row's variant is what its own columns say, in SQL.
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

from headgate.ledger.cells import CallVariant, Facet, Variant, size_of
from headgate.ledger.dimensions import Dimensions
from headgate.ledger.rows import call_variants_by_number, variants_by_number

Told = tuple[int, ...]

_SAID: Final = {
    "fallback_limit": "coalesce(fallback_limit, -1)",
    "size": "CASE WHEN fallback_limit IS NULL THEN 0 ELSE size_of(tokens) END",
    "cost_unknown": "cost IS NULL",
    "compared": "cost IS NOT NULL AND (baseline_cost IS NOT NULL OR model IS NULL)",
    "energy_cost_unknown": "energy_cost IS NULL",
    "alternative_unknown": "alternative_cost IS NULL",
    "timed": "first_token IS NOT NULL",
    "imported": "imported IS NOT NULL",
}
"""What of a variant is not the column of its name, or 0 where that is NULL."""


def _told(*fields: str) -> str:
    return ", ".join(_SAID.get(field, f"coalesce({field}, 0)") for field in fields)


_OF_ITS_REQUEST: Final = "(SELECT coalesce(task, 0) FROM requests WHERE n = request)"
_TABLES: Final = {
    "requests": _told(*Facet._fields, *Variant._fields[1:]),
    "attempts": f"{_OF_ITS_REQUEST}, {_told(*CallVariant._fields[1:])}",
}
"""What the rows say of their variants, by table."""
_LACKING: Final = {
    "requests": "coalesce(variant, 0) NOT IN (SELECT id FROM variants)",
    "attempts": "coalesce(variant, 0) NOT IN (SELECT id FROM call_variants)",
}
"""Rows without one, by table."""


def number_rows(db: sqlite3.Connection) -> None:
    """Give the rows that have none the numbers of their variants, in the transaction that is open."""
    numbers = Dimensions(db)
    db.create_function("size_of", 1, size_of, deterministic=True)
    for (table, told), known in zip(_TABLES.items(), (numbers.variants, numbers.call_variants), strict=True):
        rows = db.execute(f"SELECT DISTINCT {told} FROM {table} WHERE {_LACKING[table]}").fetchall()  # noqa: S608 - our own names
        _let_sql_ask(db, {row: known[row] for row in rows})
        db.execute(f"UPDATE {table} SET variant = variant_of({told}) WHERE {_LACKING[table]}")  # noqa: S608 - as above


def misnumbered(db: sqlite3.Connection) -> dict[str, int]:
    """Rows whose variant is not what they say, by table."""
    requests: dict[Told, int] = {
        (*facet, *own[1:]): number for number, (facet, own) in variants_by_number(db).items()
    }
    calls: dict[Told, int] = {tuple(own): number for number, own in call_variants_by_number(db).items()}
    db.create_function("size_of", 1, size_of, deterministic=True)
    found = {}
    for (table, told), known in zip(_TABLES.items(), (requests, calls), strict=True):
        _let_sql_ask(db, known)
        query = f"SELECT count(*) FROM {table} WHERE variant IS NOT variant_of({told})"  # noqa: S608 - as above
        (found[table],) = db.execute(query).fetchone()
    return found


def _let_sql_ask(db: sqlite3.Connection, numbers: Mapping[Told, int]) -> None:
    """Define `variant_of` in SQL; it is NULL where the number is not known."""
    db.create_function("variant_of", -1, lambda *told: numbers.get(told), deterministic=True)
