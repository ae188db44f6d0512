"""Requests from a file of lines into a ledger: a thousand at a time, each once, whatever happens.

A request that is there already is left out, so a file may be read again after it was stopped, or when it has grown. A line
that is wrong is named and left out; the others go on. What lines say is known to `lines`, what they mean to `from_lines`.
"""

import gzip
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.errors import LedgerError
from headgate.core.types import Model
from headgate.ledger.audits import MILLION, opinion_story, reason_to_keep
from headgate.ledger.dimensions import Dimensions
from headgate.ledger.encode import Rows, encode
from headgate.ledger.from_lines import models_of, outcome_of
from headgate.ledger.lines import Line, LineAudit, LineError, moment, read_line
from headgate.ledger.opening import bring_up_to_date, make_tables, open_for_reading, open_for_writing
from headgate.ledger.rollups import roll
from headgate.ledger.schema import attempts, audits, bodies, insert_sql, opinions, requests
from headgate.ledger.store import complaint
from headgate.ledger.stories import scaled, text_of
from headgate.ledger.units import FINE, MICRO, NANO

BATCH: Final = 1_000
"""Requests in one transaction."""
LONGEST: Final = 16 * 1024 * 1024
"""Bytes of the longest line."""
_MARK: Final = b"\xef\xbb\xbf"
_INSERTS: Final = tuple(insert_sql(table) for table in (requests, attempts, bodies))


class Trouble(Struct, frozen=True):
    """A line that was left out."""

    line: int
    problem: str


class Imported(Struct, frozen=True, kw_only=True):
    """What came of a file, or has so far."""

    lines: int = 0
    """That were read, without the empty ones."""
    added: int = 0
    known: int = 0
    """Requests that the ledger had already."""
    wrong: int = 0


def import_lines(
    file: Path,
    ledger: Path,
    tell: Callable[[Trouble], None],
    show: Callable[[Imported, float], None],
    *,
    dry: bool = False,
) -> Imported:
    """Read a file into a ledger.

    Args:
        file: one JSON object a line, perhaps compressed with gzip.
        ledger: the ledger; it is made where there is none.
        tell: called with each line that is wrong.
        show: called after each batch with what was done so far, and the share of the file that was read.
        dry: only look, and leave the ledger as it is.

    Raises:
        LedgerError: the file cannot be read, or the ledger cannot be written. What was added so far stays.
    """
    with closing(_Import(ledger, tell, dry=dry)) as work, _open(file) as raw:
        size = max(1, file.stat().st_size)
        for number, text in _lines(file, raw, tell):
            if work.take(number, text):
                show(work.done, raw.tell() / size)
        work.finish()
        return work.done


class _Import:
    """One file on its way into one ledger."""

    def __init__(self, path: Path, tell: Callable[[Trouble], None], *, dry: bool) -> None:
        self.done = Imported()
        self._path = path
        self._tell = tell
        self._dry = dry
        self._there: sqlite3.Connection | None = None
        """Where requests may be known already."""
        if dry:
            self._db = sqlite3.connect(":memory:", isolation_level=None)
            make_tables(self._db)
            if path.exists():
                bring_up_to_date(path)
                self._there = open_for_reading(path)
        else:
            self._db = self._there = open_for_writing(path)
        self._db.execute("CREATE TEMP TABLE met (id TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")
        self._numbers = Dimensions(self._db)
        self._described: dict[str, Model] = {}
        self._rows = Rows([], [], [], [])
        self._audits: list[tuple[int, LineAudit, float]] = []
        (self._pruned,) = (self._there or self._db).execute("SELECT pruned FROM rolled").fetchone()
        self._begin()

    def take(self, number: int, text: bytes) -> bool:
        """Take a line; whether a batch was written."""
        self.done = replace(self.done, lines=self.done.lines + 1)
        try:
            self._add(read_line(text), text)
        except LineError as error:
            self.done = replace(self.done, wrong=self.done.wrong + 1)
            self._tell(Trouble(number, str(error)))
        if self.done.lines % BATCH:
            return False
        self._commit()
        self._begin()
        return True

    def finish(self) -> None:
        """Write what is left, and bring the rollups up to date."""
        self._commit()
        if not self._dry:
            while roll(self._db):
                pass

    def close(self) -> None:
        """Close the ledger; what was not committed is not there."""
        self._db.close()
        if self._there is not None:
            self._there.close()

    def _begin(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            query = "SELECT max((SELECT coalesce(max(n), 0) FROM requests), n) + 1 FROM rolled"
            (self._next,) = self._db.execute(query).fetchone()
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _add(self, line: Line, text: bytes) -> None:
        if moment(line.time) * MICRO < self._pruned:
            raise LineError(
                "it is older than the rows that this ledger still has, so nobody can say whether it was imported before; "
                "name another ledger with --ledger"
            )
        met = line.id or f"imp_{blake2b(text.strip(), digest_size=10).hexdigest()}"
        (times,) = self._db.execute(
            "INSERT INTO met VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET times = times + 1 RETURNING times",
            (met,),
        ).fetchone()
        request_id = met if line.id or times == 1 else f"{met}-{times}"
        outcome = outcome_of(line, request_id)
        if (line.id and times > 1) or self._is_known(request_id):
            self.done = replace(self.done, known=self.done.known + 1)
            return
        changed = [model for model in models_of(line) if self._described.get(model.name) != model]
        if changed:
            self._described.update({model.name: model for model in changed})
            self._numbers.describe(changed)
        for kept, new in zip(
            self._rows, encode((outcome,), self._next, self._numbers, imported=True), strict=True
        ):
            kept.extend(new)
        if line.audit is not None:
            self._audits.append((self._next, line.audit, outcome.received))
        self._next += 1
        self.done = replace(self.done, added=self.done.added + 1)

    def _is_known(self, request_id: str) -> bool:
        if self._there is None:
            return False
        return (
            self._there.execute("SELECT 1 FROM requests WHERE id = ?", (request_id,)).fetchone() is not None
        )

    def _commit(self) -> None:
        try:
            if not self._dry:
                self._store()
            self._db.execute("COMMIT")
            self._numbers.keep()
        except sqlite3.Error as error:
            raise self._unwritable(error) from error
        self._rows = Rows([], [], [], [])
        self._audits = []

    def _store(self) -> None:
        for insert, rows in zip(_INSERTS, self._rows, strict=False):
            self._db.executemany(insert, rows)
        names, models = self._numbers.names, self._numbers.models
        findings, said = [], []
        for n, audit, received in self._audits:
            audited = received if audit.time is None else moment(audit.time)
            rejected = [(models[model], scaled(score, FINE)) for model, score in audit.rejected.items()]
            findings.append(
                (
                    n,
                    names[audit.verdict],
                    names[audit.judge],
                    round(audited * MICRO),
                    scaled(audit.cost, NANO),
                    reason_to_keep(audit.judge, audit.reason) or None,
                    scaled(audit.probability, MILLION),
                    models[audit.model] if audit.model else None,
                    scaled(audit.score, FINE),
                    text_of(rejected) if rejected else None,
                )
            )
            for opinion in audit.opinions:
                given = audited if opinion.time is None else moment(opinion.time)
                said.append(
                    (
                        n,
                        names[opinion.judge],
                        names[opinion.verdict],
                        round(given * MICRO),
                        scaled(opinion.score, FINE),
                        scaled(opinion.cost, NANO),
                        opinion_story(opinion.by, reason_to_keep(opinion.judge, opinion.reason)),
                    )
                )
        self._db.executemany(insert_sql(audits), findings)
        self._db.executemany(insert_sql(opinions), said)

    def _unwritable(self, error: sqlite3.Error) -> LedgerError:
        return LedgerError(
            f"the ledger {self._path} cannot be written: {complaint(error)}; "
            f"{self.done.added:,} requests were read in, of which all but the last {BATCH:,} are safe",
            "free some space or close the other program, and import the file again: nothing is added twice",
        )


def _open(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise LedgerError(
            f"{file} cannot be read: {error.strerror}", "name a file of lines, .jsonl or .jsonl.gz"
        ) from error


def _lines(file: Path, raw: BinaryIO, tell: Callable[[Trouble], None]) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers, without the empty ones."""
    packed = raw.peek(2)[:2] == b"\x1f\x8b" if hasattr(raw, "peek") else False
    number = 0
    try:
        stream = gzip.GzipFile(fileobj=raw) if packed else raw
        while text := stream.readline(LONGEST):
            number += 1
            if len(text) == LONGEST and not text.endswith(b"\n"):
                tell(Trouble(number, f"it is longer than {LONGEST // 1024 // 1024} MB"))
                while text and not text.endswith(b"\n"):
                    text = stream.readline(LONGEST)
                continue
            text = text.removeprefix(_MARK) if number == 1 else text
            if text.strip():
                yield number, text
    except (EOFError, OSError) as error:
        raise LedgerError(
            f"{file} cannot be read after line {number:,}: {error}",
            "get the whole file and import it again: nothing is added twice",
        ) from error
