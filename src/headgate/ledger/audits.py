"""Audits in the ledger: what was found of requests, written down, and counted for a report.

An audit belongs to a request, and is counted in the time when that was received. When the request's row is removed, its audit
is summed by quarters of an hour and goes with it (`retention`). Nothing is judged here.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Table, and_, func, select

from headgate.core.audits import Opinion
from headgate.core.words import JUDGES, AuditVerdict
from headgate.ledger.schema import audit_payments, audit_rollups, audits, requests
from headgate.ledger.stories import scaled, text_of
from headgate.ledger.units import FINE, MICRO, NANO
from headgate.reports.facts import AuditFacts

MILLION: Final = 1_000_000
"""Probabilities are kept in millionths."""
WEIGHTS: Final = {"caller": 1, "person": 2}
"""Of words that count as labels; all other judges have none."""
OURS: Final = tuple([judge for judge in JUDGES if judge not in WEIGHTS])
"""Judges that compare answers, and may quote them."""


class Judged(Struct, frozen=True, kw_only=True):
    """What was found of one request, to be written down."""

    request: int
    """Its number in the ledger."""
    opinions: tuple[Opinion, ...]
    """The new ones. A judge's later word takes the place of his earlier one."""
    in_force: Opinion
    """What counts from now on: one of them, or one from before."""
    at: float
    """Unix time."""
    cost: float | None = 0.0
    """Dollars for answers that were asked for anew, beside what the opinions cost; None is unknown."""
    probability: float | None = None
    """With which the request was chosen; None where nobody chose by chance, or it stands in the ledger already."""
    model: str = ""
    """The model at home whose answer was compared; "" is unknown, or stands in the ledger already."""
    score: float | None = None
    """The lowest score of that answer's checks."""
    rejected: tuple[tuple[str, float], ...] = ()
    """Other models at home whose answers were there and would not have gone out, with the lowest score of each, in order."""


class OpinionStory(Struct, frozen=True, omit_defaults=True):
    """What no column of an opinion says."""

    by: str = ""
    """The model that judged, or the person or key."""
    reason: str = ""


_decode_story: Final = msgspec.json.Decoder(OpinionStory).decode
_decode_rejected: Final = msgspec.json.Decoder(list[tuple[int, int]]).decode


def keep_findings(db: sqlite3.Connection, found: Iterable[Judged]) -> int:
    """Write down what was found of requests; of how many.

    A request whose row is gone is left out. A person's word stays in force whatever others say later, and so does a caller's against
    all but a person's. What an audit has cost adds up over its opinions; its probability, model, score and rejected answers stay what they
    were where they are not given anew.

    Args:
        db: a connection in a transaction of its caller's.
        found: the findings.

    Raises:
        sqlite3.Error: they cannot be written; the caller rolls back.
    """
    return sum([_keep(db, judged) for judged in found])


def _keep(db: sqlite3.Connection, judged: Judged) -> bool:
    if db.execute("SELECT 1 FROM requests WHERE n = ?", (judged.request,)).fetchone() is None:
        return False
    at = round(judged.at * MICRO)
    costs = [judged.cost, *(opinion.cost for opinion in judged.opinions)]
    db.executemany(
        "INSERT OR REPLACE INTO opinions (request, judge, verdict, given, score, cost, story) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                judged.request,
                _number(db, opinion.judge),
                _number(db, opinion.verdict),
                at,
                scaled(opinion.score, FINE),
                scaled(opinion.cost, NANO),
                opinion_story(opinion.by, opinion.reason),
            )
            for opinion in judged.opinions
        ],
    )
    force = judged.in_force
    query = "SELECT text FROM audits JOIN names ON id = judge WHERE request = ?"
    before = db.execute(query, (judged.request,)).fetchone()
    word = (_number(db, force.verdict), _number(db, force.judge), at, force.reason or None)
    model = _model(db, judged.model) if judged.model else None
    rejected = [(_model(db, name), scaled(score, FINE)) for name, score in judged.rejected]
    db.execute(
        "INSERT INTO audits (request, verdict, judge, audited, story, cost, probability, model, score, rejected) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request) DO UPDATE SET cost = cost + excluded.cost, "
        "probability = coalesce(excluded.probability, probability), model = coalesce(excluded.model, model), "
        "score = coalesce(excluded.score, score), rejected = coalesce(excluded.rejected, rejected)",
        (
            judged.request,
            *word,
            None if None in costs else round(sum(cost for cost in costs if cost is not None) * NANO),
            scaled(judged.probability, MILLION),
            model,
            scaled(judged.score, FINE),
            text_of(rejected) if rejected else None,
        ),
    )
    speaks_anew = before is not None and any(opinion.judge == before[0] for opinion in judged.opinions)
    if before is not None and (speaks_anew or WEIGHTS.get(before[0], 0) <= WEIGHTS.get(force.judge, 0)):
        db.execute(
            "UPDATE audits SET verdict = ?, judge = ?, audited = ?, story = ? WHERE request = ?",
            (*word, judged.request),
        )
    return True


def without_reasons(judged: Judged) -> Judged:
    """What was found without a word on why: reasons of judges may quote what is kept for a time only."""
    return replace(
        judged,
        opinions=tuple([replace(opinion, reason="") for opinion in judged.opinions]),
        in_force=replace(judged.in_force, reason=""),
    )


def reason_to_keep(judge: str, reason: str) -> str:
    """What stays of a reason as long as its request does: people's, callers' and strangers' own words, and none of our judges'."""
    return "" if judge in OURS else reason


def read_rejected(kept: str | None) -> list[tuple[int, int]]:
    """The models, by number, and scores of an audit's `rejected`."""
    return [] if kept is None else _decode_rejected(kept)


def forget_reasons(db: sqlite3.Connection) -> None:
    """Remove why judges said what they said from where versions before 10 kept it: as long as a request, and never sealed.

    Args:
        db: a connection in a transaction of its caller's.

    Raises:
        sqlite3.Error: they cannot be removed; the caller rolls back.
    """
    ours = f"judge IN (SELECT id FROM names WHERE text IN {OURS})"  # noqa: S608 - our own words
    db.execute(
        f"UPDATE opinions SET story = nullif(json_remove(story, '$.reason'), '{{}}') WHERE json_valid(story) AND {ours}"  # noqa: S608 - as above
    )
    db.execute(f"UPDATE audits SET story = NULL WHERE story IS NOT NULL AND {ours}")  # noqa: S608 - as above


def opinion_story(by: str, reason: str) -> str | None:
    """What no column says of an opinion, as JSON; None where there is nothing."""
    return text_of(OpinionStory(by, reason)) if by or reason else None


def opinion_told(story: str | None) -> OpinionStory:
    """The other direction."""
    return OpinionStory() if story is None else _decode_story(story)


def _model(db: sqlite3.Connection, name: str) -> int:
    """The newest description of a model at home; no more than its name where it has answered nobody yet."""
    found = db.execute("SELECT max(id) FROM models WHERE name = ?", (name,)).fetchone()[0]
    if found is None:
        found = db.execute("INSERT INTO models (name, local) VALUES (?, 1)", (name,)).lastrowid
    return int(found)


def _number(db: sqlite3.Connection, word: str) -> int:
    db.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (word,))
    return int(db.execute("SELECT id FROM names WHERE text = ?", (word,)).fetchone()[0])


def read_audits(
    db: Connection, since: float, until: float, words: Mapping[int, str]
) -> tuple[AuditFacts, ...]:
    """How many requests of some time were audited, by verdict and judge, the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    kept = (
        select(audits.c.verdict, audits.c.judge, func.count())
        .where(_within(audits, since, until))
        .group_by(audits.c.verdict, audits.c.judge)
    )
    summed = (
        select(audit_rollups.c.verdict, audit_rollups.c.judge, func.sum(audit_rollups.c.requests))
        .where(audit_rollups.c.start >= since, audit_rollups.c.start < until)
        .group_by(audit_rollups.c.verdict, audit_rollups.c.judge)
    )
    for query in (kept, summed):
        for verdict, judge, number in db.execute(query):
            found[words[verdict], words[judge]] += number
    in_order = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return tuple(AuditFacts(_verdict(verdict), judge, number) for (verdict, judge), number in in_order)


def read_judging(db: Connection, since: float, until: float) -> int:
    """What the audits of requests of some time cost, in nano-dollars: those too that came to no verdict, or have none yet."""
    known = func.coalesce(audits.c.cost, 0)
    kept = select(func.coalesce(func.sum(func.max(known, func.coalesce(_PAID, 0))), 0))
    kept = kept.where(_within(audits, since, until))
    open_ended = select(func.coalesce(func.sum(audit_payments.c.cost), 0)).where(
        _within(audit_payments, since, until),
        audit_payments.c.request.notin_(select(audits.c.request)),
    )
    summed = select(func.coalesce(func.sum(audit_rollups.c.cost), 0))
    summed = summed.where(audit_rollups.c.start >= since, audit_rollups.c.start < until)
    return sum(int(db.execute(query).scalar_one()) for query in (kept, open_ended, summed))


def _within(table: Table, since: float, until: float) -> ColumnElement[bool]:
    """Whether the request of a row was received in some time.

    Audits are few: asked like this, SQLite looks at each of them, and not at all the requests of the time.
    """
    received = select(requests.c.received).where(requests.c.n == table.c.request).correlate(table)
    moment = received.scalar_subquery()
    return and_(moment >= round(since * MICRO), moment < round(until * MICRO))


_PAID: Final = (
    select(func.sum(audit_payments.c.cost))
    .where(audit_payments.c.request == audits.c.request)
    .correlate(audits)
    .scalar_subquery()
)


def _verdict(word: str) -> AuditVerdict:
    return word  # type: ignore[return-value]  # only words of the closed list were written
