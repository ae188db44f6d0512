"""Opinions in the ledger: labels of persons and callers are put down and taken back, and all are read to measure judges.

Every change says anew which opinion is in force (`core.judges.standing`), in the same transaction (`audits`). It does not know who asks
for one, or what two answers look like.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, select

from headgate.core.audits import Opinion
from headgate.core.errors import LedgerError
from headgate.core.judges.agreement import Agreement, Agreements, agreements
from headgate.core.judges.standing import in_force
from headgate.core.words import AuditKind, Judge
from headgate.ledger.audits import MILLION, Judged, keep_findings, opinion_story, opinion_told
from headgate.ledger.beside import transaction
from headgate.ledger.opening import open_for_reading
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import names, opinions, requests
from headgate.ledger.stories import scaled
from headgate.ledger.units import FINE, MICRO, NANO


class Asked(Struct, frozen=True, kw_only=True):
    """A request, as far as somebody who judges its answer has to know it."""

    n: int
    """Its number in the ledger."""
    id: str
    kind: AuditKind
    """What an audit of it asks."""
    answered: bool
    """A model's answer in words went out."""
    local: bool | None
    """It came from home; None is unknown, or nobody answered."""
    key: str
    """The name of the key that its caller showed; "" is none."""


_FIND: Final = (
    "SELECT r.n, r.fallback, r.model, m.local, m.kind, k.text, s.text FROM requests r LEFT JOIN models m ON m.id = r.model "
    "LEFT JOIN names k ON k.id = r.key LEFT JOIN names s ON s.id = r.status WHERE r.id = ? ORDER BY r.n DESC LIMIT 1"
)
_OPINIONS: Final = (
    "SELECT j.text, v.text, o.score, o.cost, o.story FROM opinions o JOIN names j ON j.id = o.judge "
    "JOIN names v ON v.id = o.verdict WHERE o.request = ? ORDER BY o.given, o.judge"
)
_NUMBER: Final = "(SELECT id FROM names WHERE text = ?)"


def find_asked(path: Path, request_id: str) -> Asked | None:
    """The request of that id; None where the ledger has none.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    with closing(open_for_reading(path)) as db:
        row = db.execute(_FIND, (request_id,)).fetchone()
    if row is None:
        return None
    n, fallback, model, local, kind, key, status = row
    return Asked(
        n=n,
        id=request_id,
        kind="local" if fallback is None else "fallback",
        answered=model is not None and kind != "embedding" and status in ("ok", "imperfect", "broken"),
        local=None if local is None else bool(local),
        key=key or "",
    )


def read_opinions(path: Path, n: int) -> tuple[Opinion, ...]:
    """What was said of a request, in the order in which it was said.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    with closing(open_for_reading(path)) as db:
        return _opinions(db, n)


def give_opinion(
    path: Path,
    n: int,
    opinion: Opinion,
    now: float,
    *,
    model: str = "",
    score: float | None = None,
    rejected: tuple[tuple[str, float], ...] = (),
) -> Opinion:
    """Put down what a person or a caller says of a request; the opinion that is in force from then on.

    A later word of the same judge takes the place of his earlier one. If the request's audit waits, its chance counts from now on, and
    where a person has judged, nobody else has to.

    Args:
        path: the ledger file.
        n: the request's number.
        opinion: the label.
        now: Unix time.
        model: the model at home whose answer was looked at; "" is unknown, or in the ledger already.
        score: the lowest score of that answer's checks.
        rejected: other models at home whose answers were there, with the lowest score of each.

    Raises:
        LedgerError: the ledger cannot be written, or the request is gone.
    """
    with transaction(path, "the opinion") as db:
        others = [one for one in _opinions(db, n) if one.judge != opinion.judge]
        counts = in_force([*others, opinion]) or opinion
        judged = Judged(
            request=n,
            opinions=(opinion,),
            in_force=counts,
            at=now,
            probability=_probability(db, n),
            model=model,
            score=score,
            rejected=rejected,
        )
        if not keep_findings(db, [judged]):
            raise LedgerError(
                "the request is no longer in the ledger", "[ledger] keep says how long requests are kept"
            )
        if opinion.judge == "person":
            db.execute(
                "UPDATE audit_jobs SET state = 'judged', error = NULL WHERE request = ? AND state != 'judged'",
                (n,),
            )
    return counts


def note_opinion(path: Path, n: int, opinion: Opinion, now: float) -> None:
    """Put down what was said of a request without any word on whether a local answer is as good: nothing else changes.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    with transaction(path, "the opinion") as db:
        for word in (opinion.judge, opinion.verdict):
            db.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (word,))
        db.execute(
            f"INSERT OR REPLACE INTO opinions (request, judge, verdict, given, score, cost, story) "  # noqa: S608 - our own words
            f"VALUES (?, {_NUMBER}, {_NUMBER}, ?, ?, ?, ?)",
            (
                n,
                opinion.judge,
                opinion.verdict,
                round(now * MICRO),
                scaled(opinion.score, FINE),
                scaled(opinion.cost, NANO),
                opinion_story(opinion.by, opinion.reason),
            ),
        )


def take_back(path: Path, n: int, judge: Judge, now: float) -> bool:
    """Forget what a judge said of a request, and put in force what is left; whether he had said anything.

    Without any other opinion, the request counts as not audited, and if what its audit needs is still there, it waits again.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    with transaction(path, "the opinion") as db:
        gone = db.execute(
            f"DELETE FROM opinions WHERE request = ? AND judge = {_NUMBER}",  # noqa: S608 - our own words
            (n, judge),
        ).rowcount
        if not gone:
            return False
        counts = in_force(_opinions(db, n))
        if counts is None or (counts.judge == "caller" and counts.verdict == "unclear"):
            db.execute("DELETE FROM audits WHERE request = ?", (n,))
            db.execute(
                "UPDATE audit_jobs SET state = 'waiting', due = ? WHERE request = ? AND state = 'judged' AND material IS NOT NULL",
                (round(now * MICRO), n),
            )
        else:
            db.execute(
                f"UPDATE audits SET verdict = {_NUMBER}, judge = {_NUMBER}, audited = ?, story = ? WHERE request = ?",  # noqa: S608 - as above
                (counts.verdict, counts.judge, round(now * MICRO), counts.reason or None, n),
            )
    return True


def read_agreements(db: Connection, since: float | None = None, until: float | None = None) -> Agreements:
    """How the judges agree with the labels on requests of some time; None leaves an end open."""
    return agreements(opinions_by_request(db, since, until))


def opinions_by_request(
    db: Connection, since: float | None = None, until: float | None = None
) -> tuple[Sequence[Opinion], ...]:
    """What was said of each request of some time of which anything was; None leaves an end open."""
    judge, verdict = names.alias(), names.alias()
    query = (
        select(
            opinions.c.request,
            judge.c.text.label("judge"),
            verdict.c.text.label("verdict"),
            opinions.c.score,
            opinions.c.cost,
            opinions.c.story,
        )
        .join(judge, judge.c.id == opinions.c.judge)
        .join(verdict, verdict.c.id == opinions.c.verdict)
        .order_by(opinions.c.request, opinions.c.given)
    )
    if since is not None or until is not None:
        query = query.join(requests, requests.c.n == opinions.c.request)
    if since is not None:
        query = query.where(requests.c.received >= round(since * MICRO))
    if until is not None:
        query = query.where(requests.c.received < round(until * MICRO))
    said: dict[int, list[Opinion]] = defaultdict(list)
    for n, *row in db.execute(query):
        said[n].append(_opinion(*row))
    return tuple(said.values())


def agreement_of(path: Path, judge: Judge, by: str, since: float | None = None) -> Agreement | None:
    """How one judge agrees with the labels on requests that were received since a Unix time; None where they have not met.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    with LedgerReader(path) as reader, reader.connect() as db:
        found = read_agreements(db, since).judges
    return next((one for one in found if (one.judge, one.by) == (judge, by)), None)


def _opinions(db: sqlite3.Connection, n: int) -> tuple[Opinion, ...]:
    return tuple([_opinion(*row) for row in db.execute(_OPINIONS, (n,))])


def _opinion(judge: Judge, verdict: str, score: int | None, cost: int | None, story: str | None) -> Opinion:
    told = opinion_told(story)
    return Opinion(
        judge=judge,
        verdict=verdict,  # type: ignore[arg-type]  # only words of the closed list were written
        by=told.by,
        score=None if score is None else score / FINE,
        reason=told.reason,
        cost=None if cost is None else cost / NANO,
    )


def _probability(db: sqlite3.Connection, n: int) -> float | None:
    """With which the request was chosen, if it was."""
    row = db.execute("SELECT probability FROM audit_jobs WHERE request = ?", (n,)).fetchone()
    return None if row is None else row[0] / MILLION
