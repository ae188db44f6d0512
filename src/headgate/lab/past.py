"""The recorded requests of some time, those that are alike as one: read once, in one pass over the rows.

A million requests take some seconds: the ledger's own engine groups them, piece by piece (`alike`, `pieces`), and what comes of the pieces
is put together here. One request of each kind is then read whole. This module decides nothing (`core.replay`).

Where another version of a model lies under its name since, requests before that are read apart: what became of them stays as it is
recorded, but what was found of that model's answers, or foretold, tells nothing of the one that is there now, and is left out.
"""

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace
from sqlalchemy import Connection

from headgate.core.audits import Opinion
from headgate.core.judges.found import says_as_good
from headgate.core.judges.standing import LABELS
from headgate.core.past import Cuts, Found, Past, Unused, without_second_answers
from headgate.core.rerun import price_of
from headgate.core.types import Model, Outcome
from headgate.core.versions import Versions, since_when
from headgate.lab.alike import ASKED, RANGE, SUMS, Alike
from headgate.lab.pieces import PIECE, read_pieces
from headgate.ledger.audits import read_rejected
from headgate.ledger.findings import said_by_judges
from headgate.ledger.queries import LedgerReader
from headgate.ledger.units import FINE, MICRO, NANO
from headgate.ledger.versions import newest_versions

Progress = Callable[[int, int], None]
"""Told how many requests have been read, of how many."""


class Recorded(Struct, frozen=True):
    """What was read."""

    past: tuple[Past, ...]
    models: Mapping[str, Model]
    """The models as they were described when they were last asked."""
    unused: Mapping[Unused, int] = {}
    """How many audits do not say how good the answers to other requests are, and why."""


class Told(Struct, frozen=True, gc=False):
    """The parts of a request's story on which a decision depends (`ledger.stories`)."""

    asked: int | str = field(default=0, name="a")
    plan: int | str = field(default=0, name="p")
    candidates: int | str = field(default=0, name="c")
    spend_at_most: int | None = field(default=None, name="s")
    kept: tuple[str, int] | None = field(default=None, name="k")
    expected: tuple[tuple[int, int, bool], ...] = field(default=(), name="l")


class Same(Struct, frozen=True, gc=False):
    """What audits that found the same have in common."""

    model: int
    verdict: str
    judge: str
    """"" where no judge was sure."""
    judged: str
    """The judge's own verdict."""
    scores: int | None
    """Between which two of the cuts their scores lie."""
    rejected: tuple[tuple[int, int], ...]
    """Other models that answered, likewise."""
    by_chance: bool
    """Whether their requests were chosen so."""


class Audits:
    """Audits that found the same, while they are counted."""

    __slots__ = ("audits", "rejected", "score", "speaks_for", "squares")

    def __init__(self, score: int | None, rejected: Sequence[tuple[int, int]]) -> None:
        self.score, self.rejected = score, rejected
        self.audits = 0
        self.speaks_for = self.squares = 0.0

    def add(self, probability: int | None) -> None:
        """One more, of a request that was chosen with this probability, in millionths."""
        others = 0.0 if probability is None else MICRO / probability - 1
        self.audits += 1
        self.speaks_for += others
        self.squares += others * others

    def found(self, same: Same, names: Mapping[int, str]) -> Found:
        """What they found of a model's answers."""
        return Found(
            model=names[same.model],
            good=says_as_good(same.verdict),  # type: ignore[arg-type]  # a closed list
            judge=same.judge,
            judged=says_as_good(same.judged) if same.judge else None,  # type: ignore[arg-type]  # as above
            score=None if self.score is None else self.score / FINE,
            rejected=tuple([(names[model], score / FINE) for model, score in self.rejected]),
            audits=self.audits,
            by_chance=same.by_chance,
            speaks_for=self.speaks_for,
            squares=self.squares,
        )


class Group:
    """Requests that are alike, while they are counted."""

    __slots__ = ("audits", "chances", "costs", "longest", "n", "output", "prompt", "requests")

    def __init__(self, n: int, attempts: int) -> None:
        self.n = n
        self.audits: dict[Same, Audits] = {}
        self.chances: dict[int, int] = {}
        self.requests = self.prompt = self.output = self.longest = 0
        self.costs = [0] * attempts

    def add(self, sums: Sequence[int | None], costs: Sequence[int | None]) -> None:
        """More of them: how many, the longest prompt, tokens of prompts and of answers; and what each attempt cost."""
        requests, longest, prompt, output = sums
        self.requests += requests or 0
        self.longest = max(self.longest, longest or 0)
        self.prompt += prompt or 0
        self.output += output or 0
        self.costs = [before + (cost or 0) for before, cost in zip(self.costs, costs, strict=True)]


EXPECTED = '"l":'
"""In the story of a request of which the learned router said something (`ledger.stories`)."""
ENDLESS = 2**62


def read_past(
    reader: LedgerReader,
    cuts: Cuts,
    *,
    since: float | None = None,
    until: float | None = None,
    models: Mapping[str, Model] = {},
    progress: Progress = lambda _done, _all: None,
) -> Recorded:
    """Read the requests that were received since one Unix time and before another.

    Args:
        reader: the ledger.
        cuts: the figures at which decisions change.
        since: Unix time; None is from the beginning.
        until: Unix time; None is to the end.
        models: as they are today: what a model cost that had no price then is counted at the one that it has now.
        progress: told how many requests have been read, of how many.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    start = 0 if since is None else round(since * MICRO)
    end = ENDLESS if until is None else round(until * MICRO)
    done = 0
    found: list[tuple[Group, frozenset[str]]] = []
    unused: Counter[Unused] = Counter()
    with reader.connect() as db:
        words, names, described = reader.words(db), reader.model_names(db), reader.described(db)
        changed = changes_of(described.values(), newest_versions(reader.path))
        many = db.exec_driver_sql(
            "SELECT count(*) FROM requests WHERE received >= ? AND received < ?", (start, end)
        ).scalar_one()
        for begin, stop in pairwise(
            [start, *sorted({at for at in changed.values() if start < at < end}), end]
        ):
            first, last = db.exec_driver_sql(
                "SELECT min(n), max(n) FROM requests WHERE received >= ? AND received < ?", (begin, stop)
            ).one()
            most = db.exec_driver_sql(
                "SELECT ifnull(max(position) + 1, 0) FROM attempts WHERE request BETWEEN ? AND ?",
                (first, last),
            ).scalar_one()
            groups = Groups(cuts, most, words, described)
            pieces = [
                (below, min(below + PIECE, last), begin, stop)
                for below in range((first or 1) - 1, last or 0, PIECE)
            ]
            stories = words if cuts.logprobs else {}
            read = read_pieces(reader.path, driver_of(db), groups.queries, pieces, stories)
            with closing(read):
                for piece, (alike, audited) in zip(pieces, read, strict=True):
                    groups.take(alike, audited, said_by_judges(partial(rows, db), RANGE, piece))
                    progress(done + groups.requests, many)
            done += groups.requests
            unused["no answer"] += groups.unanswered
            older = frozenset([name for name, at in changed.items() if begin < at])
            found += [(group, older) for group in groups.found.values()]
    entries = {entry.n: entry for entry in reader.numbered([group.n for group, _ in found])}
    then: dict[str, Model] = {}
    for entry in sorted(entries.values(), key=lambda entry: entry.n):
        then |= entry.models
    past = []
    for group, older in found:
        entry = entries[group.n]
        one = at_a_price(past_of(group, entry.outcome, names), entry.models, models)
        for told in one.found:
            if why := "another version" if told.model in older else told.unused:
                unused[why] += told.audits
        past.append(without_evidence(one, older))
    return Recorded(tuple(past), then, +unused)


def at_a_price(past: Past, then: Mapping[str, Model], today: Mapping[str, Model]) -> Past:
    """The requests with what their answers cost at the price of today, where their model had none then."""
    outcome = past.example
    last = len(past.costs) - 1
    if last < 0 or past.costs[last] is not None:
        return past
    attempt = outcome.attempts[last]
    was, now = then.get(attempt.model), today.get(attempt.model)
    if was is None or was.price is not None or now is None or attempt.model != outcome.model:
        return past
    if attempt.usage is None or attempt.usage.service:
        return past
    return replace(past, costs=(*past.costs[:last], price_of(now, past)))


def changes_of(described: Iterable[Model], versions: Versions) -> dict[str, int]:
    """By name, when another version of a model was seen, in microseconds; those of which none was are missing."""
    models = {model.name: model for model in described}
    return {name: round(at * MICRO) for name, at in since_when(models, versions).items()}


def without_evidence(past: Past, older: frozenset[str]) -> Past:
    """The requests without what tells of models of which another version lay under the name then."""
    if not older:
        return past
    return replace(
        past,
        found=tuple(
            [
                replace(found, rejected=tuple([one for one in found.rejected if one[0] not in older]))
                for found in past.found
                if found.model not in older
            ]
        ),
        chances={model: chance for model, chance in past.chances.items() if model not in older},
        older=older,
    )


def past_of(group: Group, outcome: Outcome, names: Mapping[int, str]) -> Past:
    """A group as a replay takes it; `outcome` is its example. Second answers come from home and cost nothing."""
    counted = outcome.usage is not None
    return Past(
        example=without_second_answers(outcome),
        requests=group.requests,
        longest=group.longest,
        costs=tuple(
            [
                cost / NANO if attempt.cost is not None else None
                for cost, attempt in zip(group.costs, outcome.attempts, strict=False)
                if not attempt.confirms
            ]
        ),
        prompt=group.prompt if counted else None,
        output=group.output if counted else None,
        found=tuple([told.found(same, names) for same, told in group.audits.items()]),
        chances={names[model]: sum_ / FINE / group.requests for model, sum_ in group.chances.items()},
    )


def driver_of(db: Connection) -> sqlite3.Connection:
    """The driver's own connection."""
    driver = db.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection), "a connection is open"
    return driver


def rows(db: Connection, query: str, given: tuple[Any, ...]) -> list[Any]:
    """The driver's own rows: as SQLAlchemy's they would take twice as long."""
    cursor = db.exec_driver_sql(query, given).cursor
    assert cursor is not None, "a query has rows"
    return list(cursor.fetchall())


class Groups:
    """Requests that are alike, while they are read piece by piece.

    Args:
        cuts: the figures at which decisions change.
        attempts: the most that any request had.
        words: the ledger's words by number.
        described: its models by number.
    """

    def __init__(
        self, cuts: Cuts, attempts: int, words: Mapping[int, str], described: Mapping[int, Model]
    ) -> None:
        self.found: dict[tuple[Any, ...], Group] = {}
        self.requests = 0
        self.unanswered = 0
        """Audits in which no model at home has answered."""
        alike = Alike(cuts, attempts)
        self.queries = alike.grouped, alike.audits
        self._attempts = attempts
        self._words, self._described = words, described
        self._scores = [round(score * FINE) for score in cuts.scores]
        self._chances = [round(chance * FINE) for chance in cuts.chances]
        self._told: dict[str, tuple[Any, ...]] = {}
        self._decode = msgspec.json.Decoder(Told).decode

    def take(
        self,
        alike: Iterable[tuple[Any, ...]],
        audited: Iterable[tuple[Any, ...]],
        judged: Mapping[int, Opinion],
    ) -> None:
        """What was found in one piece.

        Args:
            alike: the rows of the first query.
            audited: those of the second.
            judged: what judges say of requests that somebody has labelled.
        """
        most = self._attempts
        for row in alike:
            group = self._group(row[SUMS + most :], row[0])
            group.add(row[1:SUMS], row[SUMS : SUMS + most])
            for model, chance, _ in self._decode(row[-1]).expected if EXPECTED in row[-1] else ():
                group.chances[model] = group.chances.get(model, 0) + row[1] * chance
            self.requests += row[1]
        for row in audited:
            self._add_audit(row, judged.get(row[0]))

    def _add_audit(self, row: tuple[Any, ...], judged: Opinion | None) -> None:
        """One audit, and what a judge had said where a person or a caller has labelled it."""
        _, verdict, judge, probability, model, score, kept = row[:ASKED]
        most = self._attempts
        compared = model if model is not None else self._last_at_home(row[ASKED : ASKED + most])
        if compared is None:
            self.unanswered += 1
            return
        in_force, who = self._words[verdict], self._words[judge]
        if who in LABELS:
            if who == "caller":  # he comes unasked, chosen or not
                probability = None
            who, said = ("", "") if judged is None else (judged.judge, judged.verdict)
        else:
            said = in_force
        scores = None if score is None else bisect_right(self._scores, score)
        rejected = read_rejected(kept)
        others = tuple([(model, bisect_right(self._scores, score)) for model, score in rejected])
        same = Same(compared, in_force, who, said, scores, others, probability is not None)
        self._group(row[ASKED + most :]).audits.setdefault(same, Audits(score, rejected)).add(probability)

    def _group(self, common: tuple[Any, ...], n: int = 0) -> Group:
        """The group of those that have this in common; `n` is one of them."""
        key = (*common[:-1], self._tell(common[-1]))
        group = self.found.get(key)
        if group is None:
            group = self.found[key] = Group(n, self._attempts)
        return group

    def _last_at_home(self, asked: Sequence[int]) -> int | None:
        """The last model at home that was asked: whose answer an audit compared that does not say so itself."""
        told = [model for model in reversed(asked) if model in self._described]
        return next((model for model in told if self._described[model].local), None)

    def _tell(self, story: str) -> tuple[Any, ...]:
        """What of a request's story a decision depends on."""
        found = self._told.get(story)
        if found is None:
            told = self._decode(story)
            kept = told.kept and told.kept[0]
            expected = [
                (model, bisect_right(self._chances, chance), trusted)
                for model, chance, trusted in told.expected
            ]
            found = told.asked, told.plan, told.candidates, told.spend_at_most and 1, kept, *expected
            if not expected:  # these differ from request to request
                self._told[story] = found
        return found
