"""How rows are counted: told to those that an older Headgate wrote, and looked at by `headgate ledger verify`.

New rows come with it (`encode`). Here a row's variant is what its own columns say, in SQL, and its bins are those of its times.
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

from headgate.ledger.cells import CallVariant, Facet, Variant, size_of
from headgate.ledger.dimensions import Dimensions
from headgate.ledger.rows import call_variants_by_number, variants_by_number
from headgate.ledger.sketches import bins_of

Told = tuple[int, ...]

_SAID: Final = {
    "fallback_limit": "coalesce(fallback_limit, -1)",
    "size": "CASE WHEN fallback_limit IS NULL THEN 0 ELSE size_of(tokens) END",
    "cost_unknown": "cost IS NULL",
    "compared": "cost IS NOT NULL AND (baseline_cost IS NOT NULL OR model IS NULL)",
    "energy_unknown": "energy IS NULL",
    "energy_cost_unknown": "energy_cost IS NULL",
    "alternative_unknown": "alternative_cost IS NULL",
    "timed": "first_token IS NOT NULL",
    "imported": "imported IS NOT NULL",
}
"""What of a variant is not the column of its name, or 0 where that is NULL."""


def _told(*fields: str) -> str:
    return ", ".join(_SAID.get(field, f"coalesce({field}, 0)") for field in fields)


def _request(call: str) -> str:
    """What a row of `requests` says of its variant."""
    return f"{_told(*Facet._fields)}, {call}, {_told(*Variant._fields[2:])}"


_TASK: Final = "(SELECT coalesce(task, 0) FROM requests WHERE n = request)"
_CALL: Final = f"{_TASK}, {_told(*CallVariant._fields[1:])}"
"""What a row of `attempts` says of its variant."""
_ITS_CALL: Final = "coalesce((SELECT call FROM variants WHERE id = variant), 0)"
"""Of a row of `requests`: how its call is counted, where it is counted with it."""
_OF_ITS_REQUEST: Final = f"(SELECT {_ITS_CALL} FROM requests WHERE n = attempts.request)"  # noqa: S608 - our own names
_AS_ITS_REQUEST: Final = """
(SELECT call FROM requests r JOIN variants v ON v.id = r.variant AND v.call WHERE r.n = attempts.request AND r.cost IS attempts.cost
 AND r.call_input IS input + cache_read + cache_write_5m + cache_write_1h AND r.call_output IS output)
"""
"""Of a row of `attempts`: the same, if the request says the figures of this call."""


_LACKING: Final = {
    "requests": "bins IS NULL OR coalesce(variant, 0) NOT IN "
    "(SELECT id FROM variants WHERE call = 0 OR call IN (SELECT id FROM call_variants))",
    "attempts": f"coalesce(variant, 0) NOT IN (SELECT id FROM call_variants) AND NOT {_OF_ITS_REQUEST}",  # noqa: S608 - our own names
}
"""Rows that do not say how they are counted, by table."""


def all_numbered(db: sqlite3.Connection) -> bool:
    """Whether each row says how it is counted; read without a lock."""
    return not any(
        db.execute(f"SELECT 1 FROM {table} WHERE {lacking} LIMIT 1").fetchone()  # noqa: S608 - as above
        for table, lacking in _LACKING.items()
    )


def number_rows(db: sqlite3.Connection) -> None:
    """Let rows say how they are counted, those that do not, in the transaction that is open; calls by themselves.

    Bins that are there stay: rollups may hold them.
    """
    numbers = Dimensions(db)
    db.create_function("size_of", 1, size_of, deterministic=True)
    db.create_function("bins_of", 2, _bins_of_before, deterministic=True)
    told, lacking = _request(call="0"), _LACKING["requests"]
    rows = db.execute(f"SELECT DISTINCT {told} FROM requests WHERE {lacking}").fetchall()  # noqa: S608 - as above
    _let_sql_ask(db, {row: numbers.variants[row] for row in rows})
    said = (
        f"variant = variant_of({told}), bins = coalesce(bins, bins_of(seconds, first_token)), "
        "call_input = NULL, call_output = NULL"
    )
    db.execute(f"UPDATE requests SET {said} WHERE {lacking}")  # noqa: S608 - as above
    lacking = _LACKING["attempts"]
    rows = db.execute(f"SELECT DISTINCT {_CALL} FROM attempts WHERE {lacking}").fetchall()  # noqa: S608 - as above
    _let_sql_ask(db, {row: numbers.call_variants[row] for row in rows})
    db.execute(f"UPDATE attempts SET variant = variant_of({_CALL}) WHERE {lacking}")  # noqa: S608 - as above


def misnumbered(db: sqlite3.Connection) -> dict[str, int]:
    """Rows that are counted as something else than they say, by table."""
    db.create_function("size_of", 1, size_of, deterministic=True)
    db.create_function("are_bins_of", 3, _are_bins_of, deterministic=True)
    not_one = "(SELECT count(*) FROM attempts WHERE request = n) <> 1"
    own, its_request = (
        f"variant IS NOT variant_of({_CALL})",
        f"{_AS_ITS_REQUEST} IS NOT coalesce(variant_of({_CALL}), 0)",
    )
    wrong = {
        "requests": f"variant IS NOT variant_of({_request(_ITS_CALL)}) OR NOT are_bins_of(bins, seconds, first_token) "
        f"OR {_ITS_CALL} AND {not_one}",
        "attempts": f"CASE WHEN variant IS NULL THEN {its_request} ELSE {own} OR {_OF_ITS_REQUEST} END",
    }
    requests: dict[Told, int] = {
        (*facet, *own[1:]): number for number, (facet, own) in variants_by_number(db).items()
    }
    calls: dict[Told, int] = {tuple(own): number for number, own in call_variants_by_number(db).items()}
    found = {}
    for (table, where), known in zip(wrong.items(), (requests, calls), strict=True):
        _let_sql_ask(db, known)
        (found[table],) = db.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()  # noqa: S608 - as above
    return found


def _let_sql_ask(db: sqlite3.Connection, numbers: Mapping[Told, int]) -> None:
    """Define `variant_of` in SQL; it is NULL where the number is not known."""
    db.create_function("variant_of", -1, lambda *told: numbers.get(told), deterministic=True)


def _bins_of_before(seconds: int, first_token: int | None) -> str:
    """The bins in which version 11 counted a request's times: of rounded ones. Rollups hold these."""
    return bins_of(_rounded(seconds), None if first_token is None else _rounded(first_token))


def _rounded(duration: int) -> int:
    step = 1_000 if duration >= 1_000_000 else 100 if duration >= 100_000 else 1
    return (duration + step // 2) // step * step


def _are_bins_of(bins: str | None, seconds: int, first_token: int | None) -> bool:
    return bins == bins_of(seconds, first_token) or bins == _bins_of_before(seconds, first_token)
