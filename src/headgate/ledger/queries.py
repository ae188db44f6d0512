"""Reading the ledger: one request, the newest ones, and the ones that came since.

A reader never blocks the writer, and writes nothing but the tables and columns that an older ledger lacks. It remembers the dictionaries (`names`, `models`) and reads what was
added to them when it meets a number it does not know. It does not know reports; `facts` counts for them.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, and_, case, create_engine, func, or_, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from headgate.core.errors import LedgerError
from headgate.core.recount import Tally
from headgate.core.types import Model, Outcome
from headgate.core.words import FallbackReason, Status, Task
from headgate.ledger.decode import Row, decode, decode_model
from headgate.ledger.opening import bring_up_to_date, open_for_reading, unreadable
from headgate.ledger.schema import attempts, bodies, models, names, prices, requests
from headgate.ledger.units import MICRO
from headgate.reports.shown import full_name

CHUNK: Final = 500
"""Requests read at a time."""


class Filter(Struct, frozen=True, kw_only=True):
    """Which requests to show; what is None does not matter."""

    since: float | None = None
    """Received at this Unix time or later."""
    until: float | None = None
    """Received before this Unix time."""
    model: str | None = None
    """Answered by this model, named as in the config."""
    shown: str | None = None
    """Answered by this model, named as in reports."""
    local: bool | None = None
    """Answered at home; or else, by a paid model."""
    answered: bool | None = None
    failed_locally: bool | None = None
    """A local model's answer failed or was rejected."""
    tried_locally: bool | None = None
    task: Task | Literal["none"] | None = None
    """"none" is "no evidence"."""
    route: str | None = None
    status: Status | None = None
    fallback: FallbackReason | None = None
    key: str | None = None
    """Of the caller who showed the key of this name."""
    team: str | None = None
    agent: str | None = None
    unpriced: bool = False
    """Only those whose cost is unknown."""
    text: str | None = None
    """Found in the prompt or the answer, where these were kept."""


EVERYTHING: Final = Filter()


class Entry(Struct, frozen=True):
    """A request in the ledger."""

    n: int
    """Its number; later entries have higher ones."""
    outcome: Outcome
    models: Mapping[str, Model]
    """The models that it names, as they were described when it was written; those that were not are missing."""


class LedgerReader:
    """Reads a ledger file. Use it in a `with` block, or close it.

    Args:
        path: the ledger file.

    Raises:
        LedgerError: there is none, it is empty, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        bring_up_to_date(path)  # what is wrong with the file is said at once
        self.path = path
        self._engine = create_engine(
            "sqlite+pysqlite://", creator=lambda: open_for_reading(path), poolclass=StaticPool
        )
        self._names: dict[int, str] = {}
        self._models: dict[int, str] = {}
        self._described: dict[int, Model] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def newest(self, which: Filter = EVERYTHING, limit: int = 20, before: int | None = None) -> list[Entry]:
        """The newest requests that fit, newest first; only those written before number `before`, if it is given."""
        with self.connect() as db:
            query = self._matching(db, which).order_by(requests.c.n.desc()).limit(limit)
            if before is not None:
                query = query.where(requests.c.n < before)
            return self._entries(db, db.execute(query).all())

    def count(self, which: Filter = EVERYTHING, at_most: int = 1_000_000) -> int:
        """How many requests fit; more than `at_most` are not counted."""
        with self.connect() as db:
            some = self._matching(db, which).with_only_columns(requests.c.n).limit(at_most).subquery()
            return int(db.execute(select(func.count()).select_from(some)).scalar_one())

    def first_received(self) -> float | None:
        """When the first request was received, in Unix time; None in an empty ledger."""
        with self.connect() as db:
            first = db.execute(select(func.min(requests.c.received))).scalar_one()
            return None if first is None else first / MICRO

    def after(self, n: int, which: Filter = EVERYTHING, limit: int = CHUNK) -> list[Entry]:
        """The requests that fit and were written after number `n`, oldest first; at most `limit`."""
        with self.connect() as db:
            query = self._matching(db, which).where(requests.c.n > n).order_by(requests.c.n).limit(limit)
            return self._entries(db, db.execute(query).all())

    def all(self, which: Filter = EVERYTHING) -> Iterator[Entry]:
        """All requests that fit, oldest first, read a piece at a time."""
        n = 0
        while entries := self.after(n, which):
            yield from entries
            n = entries[-1].n

    def last_number(self) -> int:
        """The number of the newest request; 0 in an empty ledger."""
        with self.connect() as db:
            return int(db.execute(select(func.coalesce(func.max(requests.c.n), 0))).scalar_one())

    def one(self, word: str) -> Entry:
        """The request with this id, or the only one whose id begins so, or the "last" one.

        Raises:
            LedgerError: there is none, or there are several.
        """
        with self.connect() as db:
            if word == "last":
                query = select(requests).order_by(requests.c.n.desc()).limit(1)
            else:
                beginning = and_(requests.c.id >= word, requests.c.id < word + "\U0010ffff")
                query = select(requests).where(beginning).order_by(requests.c.id).limit(3)
            found = db.execute(query).all()
            if len(found) > 1 and found[0].id == word:
                found = [row for row in found if row.id == word][-1:]
            if not word or not found:
                raise LedgerError(f"the ledger has no request {word!r}", "headgate log lists the newest")
            if len(found) > 1:
                several = ", ".join(row.id for row in found)
                raise LedgerError(f"several requests begin with {word!r}: {several}", "give more of the id")
            return self._entries(db, found)[0]

    def numbered(self, numbers: Sequence[int]) -> list[Entry]:
        """The requests with these numbers, in the ledger's order; those that are not there are missing."""
        with self.connect() as db:
            found: list[Row] = []
            for piece in _pieces(sorted(numbers)):
                found += db.execute(
                    select(requests).where(requests.c.n.in_(piece)).order_by(requests.c.n)
                ).all()
            return self._entries(db, found)

    def count_by_task(self, which: Filter = EVERYTHING) -> dict[str | None, int]:
        """How many requests of each task; None is "no evidence"."""
        return self._count_by(requests.c.task, which)

    def count_by_status(self, which: Filter = EVERYTHING) -> dict[str | None, int]:
        """How many requests of each status."""
        return self._count_by(requests.c.status, which)

    def count_by_fallback(self, which: Filter = EVERYTHING) -> dict[str | None, int]:
        """How many requests of each fallback reason; None is "no fallback"."""
        return self._count_by(requests.c.fallback, which)

    def answered_since(self, since: float) -> dict[str, int]:
        """How many requests each model has answered since this Unix time, by its name in the config then."""
        query = (
            select(models.c.name, func.count())
            .join_from(requests, models, requests.c.model == models.c.id)
            .where(requests.c.received >= _micros(since))
            .group_by(models.c.name)
        )
        with self.connect() as db:
            return dict(db.execute(query).tuples().all())

    def passing(self, newest: int, since: Mapping[str, float]) -> dict[tuple[str, str], tuple[int, int]]:
        """How many answers of each model to each task passed, of how many, in so many of the newest requests.

        Args:
            newest: so many requests.
            since: by model, the Unix time before which its answers do not count.
        """
        r, a = requests.c, attempts.c
        last = select(func.coalesce(func.max(r.n), 0)).scalar_subquery()
        failed = or_(a.rejected, a.failure.is_not(None))
        query = (
            select(models.c.name, r.task, func.count(), func.sum(case((failed, 0), else_=1)))
            .join_from(requests, attempts, a.request == r.n)
            .join(models, models.c.id == a.model)
            .where(r.n > last - newest, r.task.is_not(None))
            .where(*[or_(models.c.name != name, r.received >= at * MICRO) for name, at in since.items()])
            .group_by(models.c.name, r.task)
        )
        with self.connect() as db:
            words = self.words(db)
            return {
                (name, words[task]): (int(passed), tried) for name, task, tried, passed in db.execute(query)
            }

    def recounted(self, newest: int) -> dict[str, Tally]:
        """How the prompts and answers of each model were re-counted for the baseline, in so many of the newest requests."""
        r, a = requests.c, attempts.c
        prompt = a.input + a.cache_read + a.cache_write_5m + a.cache_write_1h
        last = select(func.coalesce(func.max(r.n), 0)).scalar_subquery()
        query = (
            select(
                models.c.name,
                func.count(),
                func.sum(prompt),
                func.sum(r.baseline_input),
                func.sum(a.output),
                func.sum(r.baseline_output),
            )
            .join_from(requests, attempts, and_(a.request == r.n, a.position == r.answered))
            .join(models, models.c.id == a.model)
            .where(
                r.n > last - newest, r.agent.is_(None), a.exact, r.baseline_input > 0, r.baseline_output > 0
            )
            .group_by(models.c.name)
        )
        with self.connect() as db:
            return {name: Tally(*sums) for name, *sums in db.execute(query)}

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for queries of one's own; what goes wrong with the file is a `LedgerError`."""
        try:
            with self._engine.connect() as db:
                yield db
        except DatabaseError as error:
            if isinstance(error.orig, sqlite3.Error):
                raise unreadable(self.path, error.orig) from error
            raise
        except sqlite3.Error as error:  # of queries on the driver's own connection
            raise unreadable(self.path, error) from error

    def words(self, db: Connection) -> Mapping[int, str]:
        """The words by number, as of now."""
        newest = max(self._names, default=0)
        self._names.update((row.id, row.text) for row in db.execute(select(names).where(names.c.id > newest)))
        return self._names

    def model_names(self, db: Connection) -> Mapping[int, str]:
        """The models' names by number, as of now."""
        newest = max(self._models, default=0)
        found = db.execute(select(models).where(models.c.id > newest)).all()
        if found:
            known = {row.id: row for row in db.execute(select(prices))}
            for row in found:
                self._models[row.id] = row.name
                described = decode_model(row, known.get(row.price))
                if described is not None:
                    self._described[row.id] = described
        return self._models

    def described(self, db: Connection) -> Mapping[int, Model]:
        """The models by number, as they were described; those that were not are missing."""
        self.model_names(db)
        return self._described

    def _entries(self, db: Connection, found: Sequence[Row]) -> list[Entry]:
        if not found:
            return []
        numbers = [row.n for row in found]
        tried: dict[int, list[Row]] = {n: [] for n in numbers}
        for piece in _pieces(numbers):
            query = (
                select(attempts)
                .where(attempts.c.request.in_(piece))
                .order_by(attempts.c.request, attempts.c.position)
            )
            for row in db.execute(query):
                tried[row.request].append(row)
        kept: dict[int, Row] = {}
        for piece in _pieces(numbers):
            kept.update(
                (row.request, row) for row in db.execute(select(bodies).where(bodies.c.request.in_(piece)))
            )
        words, by_number, described = self.words(db), self.model_names(db), self.described(db)
        entries = []
        for row in found:
            outcome = decode(row, tried[row.n], kept.get(row.n), words, by_number)
            numbered = {
                row.model,
                row.baseline,
                row.alternative,
                *(attempt.model for attempt in tried[row.n]),
            }
            shown = {by_number[m]: described[m] for m in numbered if m in described}
            entries.append(Entry(row.n, outcome, shown))
        return entries

    def _count_by(self, column: ColumnElement[Any], which: Filter) -> dict[str | None, int]:
        with self.connect() as db:
            matching = self._matching(db, which).with_only_columns(column, func.count()).group_by(column)
            counted = db.execute(matching).all()
            words = self.words(db)
            return {None if number is None else words[number]: count for number, count in counted}

    def _matching(self, db: Connection, which: Filter) -> Select[Any]:
        r = requests.c
        query = select(requests)
        if which.since is not None:
            query = query.where(r.received >= _micros(which.since))
        if which.until is not None:
            query = query.where(r.received < _micros(which.until))
        if which.model is not None or which.shown is not None or which.local is not None:
            query = query.where(r.model.in_(self._models_of(db, which)))
        for column, known in (
            (r.model.is_not(None), which.answered),
            (r.failed_locally, which.failed_locally),
            (r.tried_locally, which.tried_locally),
        ):
            if known is not None:
                query = query.where(column if known else ~column)
        if which.task == "none":
            query = query.where(r.task.is_(None))
        for column, word in (
            (r.task, None if which.task == "none" else which.task),
            (r.route, which.route),
            (r.status, which.status),
            (r.fallback, which.fallback),
            (r.key, which.key),
            (r.team, which.team),
            (r.agent, which.agent),
        ):
            if word is not None:
                query = query.where(column.in_(select(names.c.id).where(names.c.text == word)))
        if which.unpriced:
            query = query.where(r.cost.is_(None))
        if which.text is not None:
            found = or_(
                bodies.c.prompt.contains(which.text, autoescape=True),
                bodies.c.answer.contains(which.text, autoescape=True),
            )
            query = query.where(r.n.in_(select(bodies.c.request).where(found)))
        return query

    def _models_of(self, db: Connection, which: Filter) -> list[int]:
        """The numbers of the models that fit; one that nobody described is neither at home nor paid."""
        by_number, described = self.model_names(db), self.described(db)
        return [
            number
            for number, name in by_number.items()
            if which.model in (None, name)
            and which.shown in (None, full_name(described.get(number), name))
            and (which.local is None or (number in described and described[number].local == which.local))
        ]


def _micros(at: float) -> int:
    return round(at * MICRO)


def _pieces(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), CHUNK):
        yield numbers[start : start + CHUNK]
