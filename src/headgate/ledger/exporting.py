"""The requests of a ledger in a file: as lines that can be imported again, as CSV, or as Parquet.

A file appears whole or not at all, and is written a few thousand requests at a time, so that memory does not grow with the
ledger. Lines tell everything that reports count (`to_lines`); CSV and Parquet have one row a request with the columns of
`COLUMNS`.
"""

import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import select

from headgate.core.errors import UsageError
from headgate.ledger.audits import MILLION, opinion_told, read_rejected
from headgate.ledger.lines import LineAudit, LineOpinion
from headgate.ledger.opening import open_for_reading
from headgate.ledger.queries import Entry, Filter, LedgerReader
from headgate.ledger.schema import audits, opinions
from headgate.ledger.to_lines import line_of
from headgate.ledger.units import FINE, MICRO, NANO

CHUNK: Final = 4_096
"""Requests read at a time."""
GROUP: Final = 65_536
"""Rows in one group of a Parquet file."""

Kind = Literal["time", "text", "integer", "number", "boolean"]


class Column(NamedTuple):
    """A column of CSV and Parquet."""

    name: str
    kind: Kind
    meaning: str
    sql: str
    of: Literal["", "name", "model", "local"] = ""
    """What the number in the ledger stands for."""
    scale: int = 1


def _sum(part: str) -> str:
    return f"(SELECT sum({part}) FROM attempts WHERE request = r.n)"  # noqa: S608 - our own names


COLUMNS: Final = (
    Column("time", "time", "When the request came, UTC.", "received"),
    Column("id", "text", "As `headgate log show` takes it.", "id"),
    Column("task", "text", "Empty: no evidence.", "task", "name"),
    Column("route", "text", "The rule that matched.", "route", "name"),
    Column("status", "text", "What the caller got.", "status", "name"),
    Column("model", "text", "Who answered, by its name in the config; empty: nobody.", "model", "model"),
    Column("local", "boolean", "Whether that model runs at home.", "model", "local"),
    Column("fallback", "text", "Why a paid model answered.", "fallback", "name"),
    Column("fallback_limit", "integer", 'N of "token count > N".', "fallback_limit"),
    Column("attempts", "integer", "Calls that were made.", "(SELECT count(*) FROM attempts WHERE request = r.n)"),
    Column("tried_locally", "boolean", "A model at home was called.", "tried_locally"),
    Column("failed_locally", "boolean", "Its answer failed or was rejected.", "failed_locally"),
    Column("seconds", "number", "From receipt to the last byte.", "seconds", scale=MICRO),
    Column("first_token", "number", "From receipt to the first byte, in seconds.", "first_token", scale=MICRO),
    Column("prompt_tokens", "integer", "Of all calls, cached ones too.", _sum("input + cache_read + cache_write_5m + cache_write_1h")),
    Column("cached_tokens", "integer", "Of these, read from a cache.", _sum("cache_read")),
    Column("output_tokens", "integer", "Of all calls.", _sum("output")),
    Column("estimated", "boolean", "Some of these tokens are estimated.", "estimated"),
    Column("cost", "number", "Dollars for all calls; empty: unknown.", "cost", scale=NANO),
    Column("baseline", "text", "The model that savings are measured against.", "baseline", "model"),
    Column("baseline_cost", "number", "Dollars that it would have cost there.", "baseline_cost", scale=NANO),
    Column("alternative", "text", "The cheapest capable cloud model.", "alternative", "model"),
    Column("alternative_cost", "number", "Dollars that it would have cost there.", "alternative_cost", scale=NANO),
    Column("energy", "number", "Joules that home drew for it.", "energy", scale=MICRO),
    Column("energy_cost", "number", "Dollars for that energy.", "energy_cost", scale=NANO),
    Column("key", "text", "The caller's key, by its name.", "key", "name"),
    Column("team", "text", "The key's team.", "team", "name"),
    Column("agent", "text", "The subagent that answered.", "agent", "name"),
    Column("prices_as_of", "text", "Day of the prices.", "prices_as_of", "name"),
    Column("audit", "text", "What an audit found.", "(SELECT verdict FROM audits WHERE request = r.n)", "name"),
    Column("imported", "boolean", "It was read from a file.", "imported IS NOT NULL"),
)  # fmt: skip
"""In the order in which they stand in the file."""

Show = Callable[[int, int], None]
"""Called with how many requests are written, and how many there are."""


def export_requests(ledger: Path, file: Path, which: Filter, show: Show) -> int:
    """Write requests into a file; how many there were.

    Args:
        ledger: where they are.
        file: its name says how: .jsonl, .jsonl.gz, .csv or .parquet.
        which: those of this time.
        show: called after each chunk.

    Raises:
        UsageError: the file's name says no such format, or pyarrow is missing for Parquet.
        LedgerError: the ledger cannot be read.
        OSError: the file cannot be written.
    """
    write = _writer(file.name)
    with LedgerReader(ledger) as reader, _whole(file) as target:
        return write(reader, target, which, show)


def _writer(name: str) -> Callable[[LedgerReader, BinaryIO, Filter, Show], int]:
    for ending, write in (
        (".jsonl", _write_lines),
        (".jsonl.gz", _write_packed_lines),
        (".csv", _write_csv),
        (".parquet", _write_parquet),
    ):
        if name.endswith(ending):
            return write
    raise UsageError(
        f"{name} names no format", "name a file that ends in .jsonl, .jsonl.gz, .csv or .parquet"
    )


@contextmanager
def _whole(file: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when all is written."""
    part = file.with_name(file.name + ".part")
    try:
        with part.open("wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _write_lines(reader: LedgerReader, target: BinaryIO, which: Filter, show: Show) -> int:
    encoder = msgspec.json.Encoder()
    total, done, n = _total(reader, which), 0, 0
    while entries := reader.after(n, which, CHUNK):
        found = _audits(reader, entries)
        target.writelines(
            encoder.encode(line_of(entry.outcome, entry.models, found.get(entry.n))) + b"\n"
            for entry in entries
        )
        n = entries[-1].n
        done += len(entries)
        show(done, total)
    return done


def _write_packed_lines(reader: LedgerReader, target: BinaryIO, which: Filter, show: Show) -> int:
    with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as packed:
        return _write_lines(reader, packed, which, show)  # type: ignore[arg-type]  # it writes bytes, which is all that is asked


def _write_csv(reader: LedgerReader, target: BinaryIO, which: Filter, show: Show) -> int:
    text = TextIOWrapper(target, encoding="utf-8", newline="")
    table = csv.writer(text)
    table.writerow([column.name for column in COLUMNS])
    total, done = _total(reader, which), 0
    for rows in _rows(reader, which):
        table.writerows([map(_in_csv, row) for row in rows])
        done += len(rows)
        show(done, total)
    text.detach()
    return done


def _write_parquet(reader: LedgerReader, target: BinaryIO, which: Filter, show: Show) -> int:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  # an extra, and slow to load
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "a Parquet file takes the package pyarrow, which is not installed",
            'pip install "headgate[parquet]", or name a file that ends in .csv or .jsonl',
        ) from error
    kinds = {
        "time": pa.timestamp("us", tz="UTC"),
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
    }
    schema = pa.schema([(column.name, kinds[column.kind]) for column in COLUMNS])
    total, done = _total(reader, which), 0
    waiting: list[tuple[Any, ...]] = []

    def flush() -> None:
        arrays = [
            pa.array(values, field.type)
            for values, field in zip(zip(*waiting, strict=True), schema, strict=True)
        ]
        out.write_table(pa.table(arrays, schema=schema), GROUP)
        waiting.clear()

    with parquet.ParquetWriter(target, schema, compression="zstd") as out:
        for rows in _rows(reader, which):
            waiting += rows
            done += len(rows)
            if len(waiting) >= GROUP:
                flush()
            show(done, total)
        if waiting:
            flush()
    return done


def _total(reader: LedgerReader, which: Filter) -> int:
    return sum(reader.count_by_status(which).values())


def _audits(reader: LedgerReader, entries: Iterable[Entry]) -> dict[int, LineAudit]:
    numbers = [entry.n for entry in entries]
    first, last = numbers[0], numbers[-1]
    with reader.connect() as db:
        words, names = reader.words(db), reader.model_names(db)
        said: dict[int, list[LineOpinion]] = defaultdict(list)
        query = select(opinions).where(opinions.c.request.between(first, last)).order_by(opinions.c.given)
        for row in db.execute(query):
            told = opinion_told(row.story)
            said[row.request].append(
                LineOpinion(
                    judge=words[row.judge],
                    verdict=words[row.verdict],  # type: ignore[arg-type]  # only words of the closed list were written
                    time=_time(row.given).isoformat(),
                    score=_share(row.score, FINE),
                    by=told.by,
                    reason=told.reason,
                    cost=None if row.cost is None else row.cost / NANO,
                )
            )
        return {
            row.request: LineAudit(
                verdict=words[row.verdict],  # type: ignore[arg-type]  # as above
                judge=words[row.judge],
                time=_time(row.audited).isoformat(),
                cost=None if row.cost is None else row.cost / NANO,
                reason=row.story or "",
                probability=_share(row.probability, MILLION),
                model="" if row.model is None else names[row.model],
                score=_share(row.score, FINE),
                rejected={names[model]: score / FINE for model, score in read_rejected(row.rejected)},
                opinions=tuple(said[row.request]),
            )
            for row in db.execute(select(audits).where(audits.c.request.between(first, last)))
        }


def _share(kept: int | None, unit: int) -> float | None:
    return None if kept is None else kept / unit


def _rows(reader: LedgerReader, which: Filter) -> Iterator[list[tuple[Any, ...]]]:
    """The requests as rows of `COLUMNS`, a chunk at a time."""
    since = 0 if which.since is None else round(which.since * MICRO)
    until = 2**62 if which.until is None else round(which.until * MICRO)
    query = (
        f"SELECT n, {', '.join(column.sql for column in COLUMNS)} FROM requests r "  # noqa: S608 - our own names
        "WHERE n > ? AND +received >= ? AND +received < ? ORDER BY n LIMIT ?"
    )
    with closing(open_for_reading(reader.path)) as db:
        n = 0
        while rows := db.execute(query, (n, since, until, CHUNK)).fetchall():
            with reader.connect() as names:
                words, models = reader.words(names), reader.model_names(names)
                local = {number: model.local for number, model in reader.described(names).items()}
            told = {"": {}, "name": words, "model": models, "local": local}
            yield [_told(row[1:], told) for row in rows]
            n = rows[-1][0]


def _told(row: tuple[Any, ...], told: Mapping[str, Mapping[int, Any]]) -> tuple[Any, ...]:
    return tuple([_value(column, value, told) for column, value in zip(COLUMNS, row, strict=True)])


def _value(column: Column, value: Any, told: Mapping[str, Mapping[int, Any]]) -> Any:
    if value is None:
        return None
    if column.of:
        return told[column.of].get(value)
    if column.kind == "time":
        return _time(value)
    if column.kind == "boolean":
        return bool(value)
    return value / column.scale if column.kind == "number" else value


def _in_csv(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / MICRO, UTC)
