"""The recorded requests of some time, those that are alike as one: read once, in one pass over the rows.

A month of a hundred thousand requests takes about a second. What a row holds in columns is compared as it stands, by number; of its
story only what a decision depends on is read. One request of each kind is then read whole. This module decides nothing (`core.replay`).
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field
from sqlalchemy import Connection

from headgate.core.past import LONG, SHORT, Cuts, Found, Past, without_second_answers
from headgate.core.types import Model
from headgate.ledger.dimensions import NANO
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import CONFIDENCE, FINE, MICRO

PIECE = 10_000
"""Requests read at a time."""

Progress = Callable[[int, int], None]
"""Told how many requests have been read, of how many."""


class Recorded(Struct, frozen=True):
    """What was read."""

    past: tuple[Past, ...]
    models: Mapping[str, Model]
    """The models as they were described when they were last asked."""


class Told(Struct, frozen=True, gc=False):
    """The parts of a request's story on which a decision depends (`ledger.stories`)."""

    asked: int | str = field(default=0, name="a")
    plan: int | str = field(default=0, name="p")
    candidates: int | str = field(default=0, name="c")
    spend_at_most: int | None = field(default=None, name="s")
    kept: tuple[str, int] | None = field(default=None, name="k")
    expected: tuple[tuple[int, int, bool], ...] = field(default=(), name="l")


class Audits:
    """Audits that found the same, while they are counted."""

    __slots__ = ("audits", "score", "speaks_for", "squares")

    def __init__(self, score: int | None) -> None:
        self.score = score
        self.audits = 0
        self.speaks_for = self.squares = 0.0

    def add(self, probability: int | None) -> None:
        """One more, of a request that was chosen with this probability, in millionths."""
        others = 0.0 if probability is None else MICRO / probability - 1
        self.audits += 1
        self.speaks_for += others
        self.squares += others * others


class Group:
    """Requests that are alike, while they are counted."""

    __slots__ = ("audits", "costs", "longest", "n", "output", "prompt", "requests")

    def __init__(self, n: int, attempts: int) -> None:
        self.n = n
        self.audits: dict[tuple[int, str, int | None], Audits] = {}
        self.requests = self.prompt = self.output = self.longest = 0
        self.costs = [0] * attempts


REQUESTS = (
    "SELECT n, task, task_confidence, task_by, tokens, tokens_exact, format, tools, images, language, local_only, route, "
    "status, model, answered, story FROM requests WHERE n > ? AND n <= ? AND received >= ? AND received < ? ORDER BY n"
)
ATTEMPTS = (
    "SELECT request, model, failure, score, late, cost, input, cache_read, cache_write_5m, cache_write_1h, output, story "
    "FROM attempts WHERE request > ? AND request <= ? ORDER BY request, position"
)
AUDITS = "SELECT request, verdict, probability, model, score FROM audits WHERE request > ? AND request <= ?"
GOOD: Mapping[str, bool | None] = {
    "good": True,
    "unnecessary": True,
    "missed": False,
    "necessary": False,
    "unclear": None,
}
"""Whether an audit's verdict says that the answer from home is as good as the paid one."""
CONFIRMS = '"c":true'
"""In the story of an attempt that was made to confirm another (`ledger.stories`)."""
ENDLESS = 2**62


def read_past(
    reader: LedgerReader,
    cuts: Cuts,
    *,
    since: float | None = None,
    until: float | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Recorded:
    """Read the requests that were received since one Unix time and before another.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    groups: dict[tuple[Any, ...], Group] = {}
    start = 0 if since is None else round(since * MICRO)
    end = ENDLESS if until is None else round(until * MICRO)
    key = Keys(cuts)
    with reader.connect() as db:
        first, last, many = db.exec_driver_sql(
            "SELECT min(n), max(n), count(*) FROM requests WHERE received >= ? AND received < ?", (start, end)
        ).one()
        words, described, names = reader.words(db), reader.described(db), reader.model_names(db)
        done = 0
        for below in range((first or 1) - 1, last or 0, PIECE):
            to = min(below + PIECE, last)
            tried, audited = attempts_of(db, below, to), audits_of(db, below, to)
            for row in rows(db, REQUESTS, (below, to, start, end)):
                made = tried.get(row[0], ())
                group = add(groups, key.of(row, made), row, made)
                if row[0] in audited:
                    add_audit(group, audited[row[0]], compared(audited[row[0]], made, described), words, key)
                done += 1
            progress(done, many)
    entries = {entry.n: entry for entry in reader.numbered([group.n for group in groups.values()])}
    models: dict[str, Model] = {}
    for entry in sorted(entries.values(), key=lambda entry: entry.n):
        models |= entry.models
    past = [
        Past(
            example=without_second_answers(entries[group.n].outcome),
            requests=group.requests,
            longest=group.longest,
            costs=tuple(
                [cost / NANO if cost is not None else None for cost in known_costs(group, entries[group.n])]
            ),
            prompt=group.prompt if entries[group.n].outcome.usage is not None else None,
            output=group.output if entries[group.n].outcome.usage is not None else None,
            found=found_by(group, names),
        )
        for group in groups.values()
    ]
    return Recorded(tuple(past), models)


def rows(db: Connection, query: str, given: tuple[int, ...]) -> list[Any]:
    """The driver's own rows: a hundred thousand of them as SQLAlchemy's would take as long as all the rest."""
    cursor = db.exec_driver_sql(query, given).cursor
    assert cursor is not None, "a query has rows"
    return list(cursor.fetchall())


def attempts_of(db: Connection, after: int, to: int) -> dict[int, list[tuple[Any, ...]]]:
    """The attempts of some requests, by the requests' numbers."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows(db, ATTEMPTS, (after, to)):
        found.setdefault(row[0], []).append(row)
    return found


def audits_of(db: Connection, after: int, to: int) -> dict[int, tuple[Any, ...]]:
    """The audits of some requests, by the requests' numbers."""
    return {row[0]: row for row in rows(db, AUDITS, (after, to))}


def compared(
    audit: tuple[Any, ...], made: Sequence[tuple[Any, ...]], described: Mapping[int, Model]
) -> int | None:
    """The model whose answer was compared; where the audit does not say, the last one at home that was asked."""
    if audit[3] is not None:
        return int(audit[3])
    at_home = [attempt[1] for attempt in made if attempt[1] in described and described[attempt[1]].local]
    return at_home[-1] if at_home else None


def add_audit(
    group: Group, audit: tuple[Any, ...], model: int | None, words: Mapping[int, str], key: "Keys"
) -> None:
    """Count an audit with those of its kind that found the same; of one whose model nobody knows nothing is learned."""
    _, verdict, probability, _, score = audit
    if model is None:
        return
    bin_ = None if score is None else bisect_right(key.scores, score)
    group.audits.setdefault((model, words[verdict], bin_), Audits(score)).add(probability)


def found_by(group: Group, names: Mapping[int, str]) -> tuple[Found, ...]:
    """What the audits of a group found."""
    return tuple(
        [
            Found(
                model=names[model],
                good=GOOD[verdict],
                score=None if told.score is None else told.score / FINE,
                audits=told.audits,
                speaks_for=told.speaks_for,
                squares=told.squares,
            )
            for (model, verdict, _), told in group.audits.items()
        ]
    )


class Keys:
    """What two requests have in common that are alike.

    Args:
        cuts: the figures at which decisions change.
    """

    def __init__(self, cuts: Cuts) -> None:
        self.tokens = sorted({edge for cut in cuts.tokens for edge in (cut, cut + 1)})
        self.scores = [round(score * FINE) for score in cuts.scores]
        self.confidences = [round(share * CONFIDENCE) for share in cuts.confidences]
        self.chances = [round(chance * FINE) for chance in cuts.chances]
        self.languages, self.verdicts = cuts.languages, cuts.verdicts
        self._decode = msgspec.json.Decoder(Told).decode

    def of(self, row: tuple[Any, ...], made: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """The key of a request and its attempts."""
        (
            _,
            task,
            confidence,
            by,
            tokens,
            exact,
            form,
            tools,
            images,
            language,
            local,
            route,
            status,
            model,
            answered,
            story,
        ) = row
        told = self._decode(story)
        spend = told.spend_at_most
        usage = made[answered] if answered is not None else None
        prompt = 0 if usage is None or usage[6] is None else usage[6] + usage[7] + usage[8] + usage[9]
        scores = [score for _, _, _, score, *_ in made]
        several = len(made) > 1
        return (
            task,
            bisect_right(self.confidences, confidence),
            confidence > 0,
            by,
            bisect_right(self.tokens, tokens),
            None
            if exact
            else (bisect_right(self.tokens, tokens * SHORT), bisect_right(self.tokens, tokens * LONG)),
            form,
            tools > 0,
            images > 0,
            language if self.languages else None,
            local,
            route,
            status,
            model,
            answered,
            told.asked,
            told.plan,
            told.candidates,
            spend and 1,
            told.kept and told.kept[0],
            *[
                (model, bisect_right(self.chances, chance), trusted)
                for model, chance, trusted in told.expected
            ],
            usage is not None and usage[6] is not None,
            bisect_right(self.tokens, prompt),
            *[
                (
                    attempt[1],
                    attempt[2],
                    None if attempt[3] is None else bisect_right(self.scores, attempt[3]),
                    attempt[4],
                    attempt[5] is None,
                    attempt[11] if self.verdicts else CONFIRMS in (attempt[11] or ""),
                )
                for attempt in made
            ],
            tuple(sorted(range(len(scores)), key=lambda i: (scores[i] or 0, i))) if several else None,
        )


def add(
    groups: dict[tuple[Any, ...], Group],
    key: tuple[Any, ...],
    row: tuple[Any, ...],
    made: Sequence[tuple[Any, ...]],
) -> Group:
    """Count a request with those that are alike."""
    group = groups.get(key)
    if group is None:
        group = groups[key] = Group(row[0], len(made))
    group.requests += 1
    group.longest = max(group.longest, row[4])
    for index, attempt in enumerate(made):
        group.costs[index] += attempt[5] or 0
    answered = row[14]
    if answered is not None and made[answered][6] is not None:
        usage = made[answered]
        group.prompt += usage[6] + usage[7] + usage[8] + usage[9]
        group.output += usage[10]
    return group


def known_costs(group: Group, entry: Any) -> list[int | None]:
    """Nano-dollars of each attempt of a group; None where they are unknown. Second answers come from home and cost none."""
    attempts = entry.outcome.attempts
    return [
        cost if attempt.cost is not None else None
        for cost, attempt in zip(group.costs, attempts, strict=True)
        if not attempt.confirms
    ]
