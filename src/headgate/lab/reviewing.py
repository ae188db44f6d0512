"""Audits as a person looks at them: two answers side by side, and not a word on whose they are until he has chosen.

    for review in reviews(path, seal, …): …         pairs that can be looked at, verdicts in turns
    kept = choose(path, review, "1", by, now)       his choice as an opinion, in force from now on

Which answer stands first depends on the request's id alone, so that page and terminal show the same, and it is as good as chance. This
module does not know how answers are shown.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from headgate.core.alternating import alternating
from headgate.core.audits import Material, Opinion, Pair, Said
from headgate.core.errors import LedgerError, UsageError
from headgate.core.judges.found import says_as_good, verdict_for
from headgate.core.material import material_from
from headgate.core.words import AuditKind, AuditVerdict
from headgate.lab.auditing.pairs import with_best
from headgate.ledger.opening import open_for_reading
from headgate.ledger.opinions import find_asked, give_opinion, take_back
from headgate.ledger.sealing import Seal, opened
from headgate.ledger.units import MICRO

Choice = Literal["1", "2", "="]
"""The first answer is better, the second is, or both are as good."""

WORDS: Final[dict[AuditKind, tuple[AuditVerdict, AuditVerdict]]] = {
    "fallback": ("unnecessary", "necessary"),
    "local": ("good", "missed"),
}
"""What can be said of either kind."""


SAID: Final[dict[Choice, str]] = {
    "1": "the first of both answers, seen without names, is better",
    "2": "the second of both answers, seen without names, is better",
    "=": "both answers, seen without names, are as good",
}


class Review(Struct, frozen=True, kw_only=True):
    """A request whose two answers can be looked at."""

    n: int
    """Its number in the ledger."""
    id: str
    kind: AuditKind
    received: float
    """Unix time."""
    route: str
    pair: Pair
    cause: str
    """Of a fallback: what led to it."""
    verdict: AuditVerdict | None
    """The one in force; None where the audit waits."""
    judge: str
    """Whose it is; "" is nobody's yet."""
    reason: str
    """Why, in the judge's words; "" where it gave none."""

    @property
    def answers(self) -> tuple[Said, Said]:
        """Both answers, in the order in which they are shown."""
        local, paid = self.pair.local, self.pair.paid
        return (local, paid) if local_first(self.id) else (paid, local)


class Reviews(Struct, frozen=True):
    """What there is to look at."""

    pairs: tuple[Review, ...]
    locked: int = 0
    """Requests whose answers are sealed with a key that is not here."""


_QUERY: Final = (
    "SELECT j.request, r.id, j.kind, r.received, n.text, j.n, v.text, w.text, a.story FROM audit_jobs j "
    "JOIN requests r ON r.n = j.request JOIN names n ON n.id = r.route LEFT JOIN audits a ON a.request = j.request "
    "LEFT JOIN names v ON v.id = a.verdict LEFT JOIN names w ON w.id = a.judge "
    "WHERE j.material IS NOT NULL AND (? IS NULL OR j.kind = ?) AND (? IS NULL OR r.id = ?) AND (? OR w.text IS NULL OR w.text != 'person') "
    "ORDER BY r.received DESC"
)


def reviews(
    path: Path,
    seal: Seal | None,
    *,
    kind: AuditKind | None = None,
    limit: int | None = None,
    request_id: str | None = None,
    judged_too: bool = False,
) -> Reviews:
    """Pairs of answers that a person can look at: verdicts take turns, and chance chooses among those of one; those that wait come last.

    Args:
        path: the ledger file.
        seal: opens what is sealed.
        kind: only those.
        limit: so many at most; None is all.
        request_id: only this request.
        judged_too: those that a person has judged already as well.

    Raises:
        LedgerError: there is no ledger, or it cannot be read.
    """
    found: list[Review] = []
    locked = 0
    with closing(open_for_reading(path)) as db:
        for row in _rows(db, kind, request_id, judged_too=judged_too):
            n, id_, its_kind, received, route, job, verdict, judge, reason = row
            (kept,) = db.execute("SELECT material FROM audit_jobs WHERE n = ?", (job,)).fetchone()
            try:
                material = material_from(opened(kept, seal))
            except LedgerError:
                locked += 1
                continue
            except msgspec.MsgspecError:
                continue  # of another version, and nobody's to look at
            pair = pair_of(material)
            if pair is None:
                continue  # its other answer has yet to be asked for
            found.append(
                Review(
                    n=n,
                    id=id_,
                    kind=its_kind,
                    received=received / MICRO,
                    route=route,
                    pair=pair,
                    cause=material.cause,
                    verdict=verdict,
                    judge=judge or "",
                    reason=reason or material.reasons.get(judge or "", ""),
                )
            )
            if limit is not None and len(found) >= limit:
                break
    return Reviews(tuple(found), locked)


def _rows(
    db: sqlite3.Connection, kind: AuditKind | None, request_id: str | None, *, judged_too: bool
) -> Iterator[tuple[Any, ...]]:
    by_verdict: defaultdict[AuditVerdict, list[tuple[Any, ...]]] = defaultdict(list)
    waiting: list[tuple[Any, ...]] = []
    for row in db.execute(_QUERY, (kind, kind, request_id, request_id, judged_too)):
        verdict = row[6]
        (waiting if verdict is None else by_verdict[verdict]).append(row)
    for alike in by_verdict.values():
        alike.sort(key=lambda row: drawn(row[1]))
    yield from alternating(by_verdict)
    yield from waiting


def drawn(request_id: str) -> bytes:
    """Orders requests as good as by chance, and always in the same way."""
    return sha256(request_id.encode()).digest()[1:]


def pair_of(material: Material) -> Pair | None:
    """The two answers that an audit of the request compares; None while there is only one."""
    paid = next((said for said in reversed(material.said) if not said.local), None)
    known = [said for said in material.said if said.local]
    if paid is None or not known:
        return None
    if material.kind == "fallback":
        return with_best(material, known, paid)
    return Pair(material.request, material.task, known[-1], paid)


def local_first(request_id: str) -> bool:
    """Whether the local answer is shown first."""
    return sha256(request_id.encode()).digest()[0] % 2 == 0


def meant(review: Review, choice: Choice) -> AuditVerdict:
    """What a choice says."""
    as_good = choice == "=" or (choice == "1") == (review.answers[0] is review.pair.local)
    return verdict_for(review.kind, as_good=as_good)


def choose(path: Path, review: Review, choice: Choice, by: str, now: float) -> Opinion:
    """Keep a person's choice.

    Raises:
        LedgerError: it cannot be kept, or the request is gone.
    """
    opinion = Opinion(verdict=meant(review, choice), judge="person", by=by, reason=SAID[choice])
    pair = review.pair
    return give_opinion(
        path, review.n, opinion, now, model=pair.local.model, score=pair.local.score, rejected=pair.rejected
    )


def overrule(
    path: Path, request_id: str, verdict: AuditVerdict, now: float, *, by: str = "", reason: str = ""
) -> Opinion:
    """Put a person's verdict in force, whatever judges said; also of a request that nobody has chosen.

    Raises:
        UsageError: there is no such request, or the verdict does not fit it.
        LedgerError: it cannot be kept.
    """
    asked = find_asked(path, request_id)
    if asked is None:
        raise UsageError(
            f"there is no request {request_id} in the ledger", "headgate log lists them, with their ids"
        )
    if not asked.answered:
        raise UsageError(
            f"the request {request_id} got no answer", "only what a model answered can be judged"
        )
    if verdict not in WORDS[asked.kind]:
        what = "a paid model answered it" if asked.kind == "fallback" else "a model at home answered it"
        raise UsageError(f"{request_id} cannot be {verdict}: {what}", f"say {' or '.join(WORDS[asked.kind])}")
    return give_opinion(path, asked.n, Opinion(verdict=verdict, judge="person", by=by, reason=reason), now)


def withdraw(path: Path, request_id: str, now: float) -> bool:
    """Take a person's verdict back; whether there was one.

    Raises:
        UsageError: there is no such request.
        LedgerError: it cannot be taken back.
    """
    asked = find_asked(path, request_id)
    if asked is None:
        raise UsageError(
            f"there is no request {request_id} in the ledger", "headgate log lists them, with their ids"
        )
    return take_back(path, asked.n, "person", now)


def word_for(verdict: AuditVerdict | None) -> str:
    """A verdict in the words of either kind, for people."""
    if verdict is None:
        return "waits"
    as_good = says_as_good(verdict)
    told = {True: "the local answer is as good", False: "the paid answer was needed", None: "nobody was sure"}
    return f"{verdict}: {told[as_good]}"
