"""Rows of the ledger for the page: a filtered list, page by page, and one request's whole story."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import Struct

from headgate.config.compile import Config
from headgate.config.zones import zone_of
from headgate.core.errors import LedgerError, UsageError
from headgate.core.types import Model, Outcome
from headgate.core.words import FALLBACKS, STATUSES, TASKS
from headgate.dash.periods import period_of
from headgate.ledger.queries import Entry, Filter, LedgerReader
from headgate.reports.shown import full_name
from headgate.reports.story import LogLine, line, plain_story

PAGE, MOST = 50, 500
"""Rows of one answer."""
COUNTED = 100_000
"""Rows that are counted; of more, the page says "more than 100,000"."""

CLOSED: Mapping[str, tuple[str, ...]] = {
    "task": (*TASKS, "none"),
    "status": STATUSES,
    "fallback": FALLBACKS,
}
YES_OR_NO: Mapping[str, bool] = {"yes": True, "no": False}
SWITCHES = ("local", "answered", "failed_locally", "tried_locally", "unpriced")
FREE = ("model", "shown", "route", "key", "team", "agent", "text")


class UnknownRequestError(UsageError):
    """The ledger has no request of this id, or several begin so."""


class Row(Struct, frozen=True, kw_only=True):
    """One request in the list."""

    line: LogLine
    local: bool | None
    """Answered at home; None when nobody answered, or the model was never described."""
    shown: str | None
    """The model as reports name it."""


class Page(Struct, frozen=True, kw_only=True):
    """A piece of the list, newest first."""

    requests: tuple[Row, ...]
    next: int | None
    """The cursor of the next piece; None where this is the last."""
    count: int | None
    """Rows that fit, at most `COUNTED` + 1; only with the first piece."""
    period: tuple[float, float] | None
    """Unix times, where the query names a period."""


def row_of(outcome: Outcome, models: Mapping[str, Model]) -> Row:
    """A request as a row."""
    model = None if outcome.model is None else models.get(outcome.model)
    return Row(
        line=line(outcome, models),
        local=None if model is None else model.local,
        shown=None if outcome.model is None else full_name(model, outcome.model),
    )


def list_requests(config: Config, query: Mapping[str, str], now: float) -> bytes:
    """A piece of the list as JSON. Blocks.

    Raises:
        UsageError: a filter has a word that the ledger cannot hold.
        LedgerError: the ledger cannot be read.
    """
    zone = zone_of(config.timezone)
    which, span = filter_of(query, now, zone, config.week_starts)
    limit = min(_number(query, "limit") or PAGE, MOST)
    cursor = _number(query, "cursor")
    with LedgerReader(config.ledger.path) as ledger:
        entries = ledger.newest(which, limit + 1, before=cursor)
        count = None if cursor is not None else ledger.count(which, COUNTED + 1)
    shown = entries[:limit]
    return msgspec.json.encode(
        Page(
            requests=tuple(_row(entry) for entry in shown),
            next=shown[-1].n if len(entries) > limit else None,
            count=count,
            period=span,
        )
    )


def tell_request(config: Config, request_id: str) -> bytes:
    """One request's whole story as JSON. Blocks.

    Raises:
        UnknownRequestError: there is none with this id.
        LedgerError: the ledger cannot be read.
    """
    with LedgerReader(config.ledger.path) as ledger:
        try:
            entry = ledger.one(request_id)
        except LedgerError as error:
            raise UnknownRequestError(error.message, error.hint) from error
    return msgspec.json.encode(plain_story(entry.outcome, entry.models))


def filter_of(
    query: Mapping[str, str], now: float, zone: tzinfo, week_starts: int = 0
) -> tuple[Filter, tuple[float, float] | None]:
    """Which requests a query asks for, and the period that it names.

    Raises:
        UsageError: with the word that was probably meant.
    """
    wanted: dict[str, Any] = {}
    for name, known in CLOSED.items():
        word = query.get(name)
        if word:
            if word not in known:
                raise _unknown(name, word, known)
            wanted[name] = word
    for name in SWITCHES:
        word = query.get(name)
        if word:
            if word not in YES_OR_NO:
                raise _unknown(name, word, tuple(YES_OR_NO))
            wanted[name] = YES_OR_NO[word]
    wanted |= {name: query[name] for name in FREE if query.get(name)}
    span = _span(query, now, zone, week_starts)
    if span is not None:
        wanted["since"], wanted["until"] = span
    return Filter(**wanted), span


def _span(query: Mapping[str, str], now: float, zone: tzinfo, week_starts: int) -> tuple[float, float] | None:
    if query.get("since") or query.get("until"):
        return _moment(query, "since", 0.0), _moment(query, "until", now + 86_400)
    if query.get("period") or query.get("from") or query.get("to"):
        period = period_of(query, now, zone, week_starts)
        return period.since, period.until
    return None


def _moment(query: Mapping[str, str], name: str, otherwise: float) -> float:
    word = query.get(name)
    if not word:
        return otherwise
    try:
        at = float(word)
        datetime.fromtimestamp(at).astimezone()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"{name} {word[:40]!r} is no time", "write it as Unix seconds") from error
    return at


def _number(query: Mapping[str, str], name: str) -> int | None:
    word = query.get(name)
    if not word:
        return None
    if not (word.isascii() and word.isdigit()) or len(word) > 18 or not int(word):
        raise UsageError(f"{name} {word[:40]!r} is no number", "leave it out for the newest requests")
    return int(word)


def _unknown(name: str, word: str, known: tuple[str, ...]) -> UsageError:
    close = get_close_matches(word[:40], known, n=1)
    hint = f'did you mean "{close[0]}"?' if close else f"one of: {', '.join(known)}"
    return UsageError(f'there is no {name} "{word[:40]}"', hint)


def _row(entry: Entry) -> Row:
    return row_of(entry.outcome, entry.models)
