"""What audits found, as estimates use it: each finding with the chance with which its request was chosen.

Findings are read from the rows of the audited requests. When these go, findings that are alike are counted together and kept for ever
(`finding_rollups`), so that the estimate of a week stays what it was, as far as no errors of judges were taken out of it: what these had
said of labelled requests is gone then. So are the scores of single checks, and with them the curves. Requests that asked for a paid
model by name are audited by nobody, and left out. Nothing is estimated here.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from headgate.core.audits import REJECTED, Finding, Opinion, cause_of
from headgate.core.judges.standing import LABELS, in_force
from headgate.core.policy import BY_NAME
from headgate.core.strata import Population
from headgate.core.words import AuditKind
from headgate.ledger.audits import MILLION
from headgate.ledger.cells import QUARTER, Cell, Facet
from headgate.ledger.schema import finding_rollups
from headgate.ledger.stories import AttemptStory
from headgate.ledger.units import FINE, MICRO, NANO

NOT_BY_CHANCE: Final = -1
"""Stands in the sums for a probability that there is none of."""

Execute = Callable[[str, tuple[Any, ...]], Iterable[Any]]
"""Runs a query on a connection of whatever kind; the driver's own rows."""


class Read(Struct, frozen=True):
    """A finding as it is read."""

    received: int
    """When the audited request came, in microseconds."""
    finding: Finding


def read_findings(db: Connection, since: float, until: float) -> tuple[Finding, ...]:
    """What audits found of the requests that were received since one Unix time and before another, in no order."""

    def execute(query: str, given: tuple[Any, ...]) -> Iterable[Any]:
        return db.exec_driver_sql(query, given)

    kept = _findings(
        execute, "r.received >= ? AND r.received < ?", (round(since * MICRO), round(until * MICRO))
    )
    return (*(read.finding for read in kept), *_summed(execute, since, until))


def sum_findings(db: sqlite3.Connection, leaving: str) -> None:
    """Keep sums of what was found of requests whose rows go.

    Args:
        db: a connection in a transaction.
        leaving: the name of a table with their numbers, as `n`.
    """
    counted: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for read in _findings(db.execute, f"r.n IN (SELECT n FROM {leaving})", ()):  # noqa: S608 - our own name
        one = read.finding
        key = (
            read.received // (QUARTER * MICRO) * QUARTER,
            one.kind,
            one.verdict,
            one.judge,
            NOT_BY_CHANCE if one.probability is None else round(one.probability * MILLION),
            one.route,
            one.task or "",
            one.cause,
        )
        sums = counted[key]
        sums[0] += 1
        sums[1] += round((one.cost or 0.0) * NANO)
        sums[2] += one.cost is None
    columns = [column.name for column in finding_rollups.columns]
    keys, sums_of = columns[: -len(SUMS)], columns[-len(SUMS) :]
    db.executemany(
        f"INSERT INTO finding_rollups ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "  # noqa: S608 - our own names
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in sums_of)}",
        [(*key, *sums) for key, sums in counted.items()],
    )


SUMS: Final = ("requests", "cost", "cost_unknown")
"""The columns of `finding_rollups` that are sums."""


def populations(
    cells: Mapping[Facet, Cell], words: Mapping[int, str], is_local: Callable[[int], bool | None]
) -> tuple[Population, ...]:
    """The requests that audits are a sample of, by stratum.

    Args:
        cells: the sums over all requests.
        words: by number.
        is_local: whether a model, by its number, is one at home.
    """
    sums: defaultdict[tuple[AuditKind, str, str | None], list[int]] = defaultdict(lambda: [0, 0, 0])
    for facet, cell in cells.items():
        status, reason = words[facet.status], words[facet.fallback] if facet.fallback else None
        kind: AuditKind
        if reason is not None and reason != BY_NAME and status in ("ok", "imperfect"):
            kind, cost, unpriced = "fallback", cell.cost, cell.cost_unknown
        elif reason is None and status == "ok" and facet.model and is_local(facet.model):
            kind, cost, unpriced = "local", cell.compared_baseline, cell.requests - cell.compared
        else:
            continue
        found = sums[kind, words[facet.route], words[facet.task] if facet.task else None]
        found[0] += cell.requests
        found[1] += cost
        found[2] += unpriced
    return tuple(
        Population(
            kind=kind,
            route=route,
            task=task,  # type: ignore[arg-type]  # a closed list
            requests=requests,
            cost=cost / NANO,
            unpriced=unpriced,
        )
        for (kind, route, task), (requests, cost, unpriced) in sorted(
            sums.items(), key=lambda item: (*item[0][:2], item[0][2] or "")
        )
        if task != "embedding"
    )


# Audits are few: from them to their requests, and not the other way round.
_AUDITED: Final = """
SELECT r.n, r.received, verdict.text, judge.text, a.probability, a.score, model.name, route.text, task.text, reason.text,
       r.cost, r.baseline_cost
FROM audits a CROSS JOIN requests r ON r.n = a.request
JOIN names verdict ON verdict.id = a.verdict JOIN names judge ON judge.id = a.judge JOIN names route ON route.id = r.route
LEFT JOIN names task ON task.id = r.task LEFT JOIN names reason ON reason.id = r.fallback LEFT JOIN models model ON model.id = a.model
WHERE {which}
"""
_AT_HOME: Final = """
SELECT t.request, model.name, t.score, t.story
FROM audits a CROSS JOIN requests r ON r.n = a.request CROSS JOIN attempts t ON t.request = r.n JOIN models model ON model.id = t.model
WHERE model.local AND {which} ORDER BY t.request, t.position
"""
_OF_JUDGES: Final = """
SELECT o.request, judge.text, verdict.text
FROM audits a CROSS JOIN requests r ON r.n = a.request JOIN names label ON label.id = a.judge CROSS JOIN opinions o ON o.request = r.n
JOIN names judge ON judge.id = o.judge JOIN names verdict ON verdict.id = o.verdict
WHERE label.text IN {labels} AND judge.text NOT IN {labels} AND {which} ORDER BY o.given, o.judge
"""


def _findings(execute: Execute, which: str, given: tuple[Any, ...]) -> Iterator[Read]:
    asked: defaultdict[int, list[tuple[str, int | None, str | None]]] = defaultdict(list)
    for request, model, score, story in execute(_AT_HOME.format(which=which), given):
        asked[request].append((model, score, story))
    of_judges = said_by_judges(execute, which, given)
    verdicts = Verdicts(execute)
    rows = list(execute(_AUDITED.format(which=which), given))
    for n, received, verdict, judge, chance, score, model, route, task, reason, cost, baseline in rows:
        if reason == BY_NAME:
            continue
        at_home = asked[n]
        compared = next((one for one in at_home if one[0] == model), at_home[0] if at_home else None)
        scores = {} if compared is None else verdicts.of(compared[2])
        first = verdicts.of(at_home[0][2]) if at_home and reason == REJECTED else {}
        lowest = score if score is not None else None if compared is None else compared[1]
        paid = baseline if reason is None else cost
        said = of_judges.get(n)
        finding = Finding(
            request=n,
            kind="local" if reason is None else "fallback",
            verdict=verdict,
            judge=judge,
            judged=None if said is None else said.verdict,
            judged_by="" if said is None else said.judge,
            probability=None if chance is None else chance / MILLION,
            route=route,
            task=task,
            model=model or ("" if compared is None else compared[0]),
            cause=cause_of(reason, first),
            score=None if lowest is None else lowest / FINE,
            scores=scores,
            cost=None if paid is None else paid / NANO,
        )
        yield Read(received, finding)


def said_by_judges(execute: Execute, which: str, given: tuple[Any, ...]) -> dict[int, Opinion]:
    """What judges say of audited requests that a person or a caller has labelled, by number; those of which no judge is sure are missing.

    Args:
        execute: runs a query.
        which: of the audits `a` and their requests `r`.
        given: for its question marks.
    """
    found: defaultdict[int, list[Opinion]] = defaultdict(list)
    labels = tuple(sorted(LABELS))
    for request, judge, verdict in execute(_OF_JUDGES.format(labels=labels, which=which), given):
        if verdict != "unclear":
            found[request].append(Opinion(judge=judge, verdict=verdict))
    return {request: said for request, opinions in found.items() if (said := in_force(opinions)) is not None}


class Verdicts:
    """Reads the scores of single checks out of the stories of attempts.

    Args:
        execute: runs a query.
    """

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self._words: dict[int, str] = {}

    def of(self, story: str | None) -> dict[str, float]:
        """By check, as far as there is evidence."""
        told = 0 if story is None else msgspec.json.decode(story, type=AttemptStory).verdicts
        text = told if isinstance(told, str) else self._word(told) if told else ""
        flat = iter(msgspec.json.decode(text, type=list[int | str | None]) if text else ())
        return {
            self._word(check): score / FINE
            for check, score, _ in zip(flat, flat, flat, strict=True)
            if isinstance(check, int) and isinstance(score, int)
        }

    def _word(self, number: int) -> str:
        if number not in self._words:
            ((text,),) = self._execute("SELECT text FROM names WHERE id = ?", (number,))
            self._words[number] = text
        return self._words[number]


def _summed(execute: Execute, since: float, until: float) -> Iterator[Finding]:
    query = (
        "SELECT kind, verdict, judge, probability, route, task, cause, sum(requests), sum(cost), sum(cost_unknown) "
        "FROM finding_rollups WHERE start >= ? AND start < ? GROUP BY 1, 2, 3, 4, 5, 6, 7"
    )
    for kind, verdict, judge, chance, route, task, cause, requests, cost, unknown in execute(
        query, (int(since), int(until))
    ):
        known = requests - unknown
        for place in range(requests):
            yield Finding(
                request=0,
                kind=kind,
                verdict=verdict,
                judge=judge,
                probability=None if chance == NOT_BY_CHANCE else chance / MILLION,
                route=route,
                task=task or None,
                cause=cause,
                cost=cost / known / NANO if place < known else None,
            )
