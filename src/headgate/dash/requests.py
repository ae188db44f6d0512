"""Rows of the ledger for the page: a filtered list, page by page, and one request's whole story."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from headgate.config.compile import Config
from headgate.config.zones import zone_of
from headgate.core.errors import LedgerError, UsageError
from headgate.core.types import Model, Outcome
from headgate.core.words import FallbackReason, Status, Task
from headgate.dash.periods import PeriodQuery, period_of
from headgate.gateway.queries import Moment
from headgate.ledger.opinions import read_opinions
from headgate.ledger.queries import Entry, Filter, LedgerReader
from headgate.reports.shown import full_name
from headgate.reports.story import LogLine, line, plain_story

PAGE, MOST = 50, 500
"""Rows of one answer."""
COUNTED = 100_000
"""Rows that are counted; of more, the page says "more than 100,000"."""

Word = Literal["yes", "no"] | UnsetType


class RowsQuery(PeriodQuery, frozen=True, kw_only=True):
    """Which rows are asked for. A word that is "" does not matter."""

    since: Annotated[Moment | UnsetType, Meta(description="Unix seconds; in place of `period`")] = UNSET
    until: Annotated[Moment | UnsetType, Meta(description="Unix seconds; the first moment after")] = UNSET
    task: Annotated[
        Literal[Task, "none"] | UnsetType, Meta(description="only this task; none is no evidence of any")
    ] = UNSET
    status: Annotated[Status | UnsetType, Meta(description="only those that ended so")] = UNSET
    fallback: Annotated[
        FallbackReason | UnsetType, Meta(description="only those that a paid model answered for this reason")
    ] = UNSET
    local: Annotated[Word, Meta(description="answered at home; or else, by a paid model")] = UNSET
    answered: Annotated[Word, Meta(description="answered at all")] = UNSET
    failed_locally: Annotated[Word, Meta(description="a local answer failed or was rejected")] = UNSET
    tried_locally: Annotated[Word, Meta(description="a local model was asked")] = UNSET
    unpriced: Annotated[Word, Meta(description="those whose cost is unknown")] = UNSET
    model: Annotated[str, Meta(description="only this model, as in the config")] = ""
    shown: Annotated[str, Meta(description="only this model, as in reports")] = ""
    route: Annotated[str, Meta(description="only this route")] = ""
    key: Annotated[str, Meta(description="only the callers with this key")] = ""
    team: Annotated[str, Meta(description="only this team")] = ""
    agent: Annotated[str, Meta(description="only this subagent")] = ""
    text: Annotated[str, Meta(description="only with this in the prompt or the answer")] = ""
    cursor: Annotated[
        Annotated[int, Meta(ge=1, le=10**18)] | UnsetType, Meta(description="`next` of the piece before")
    ] = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST, description="rows of one piece")] = PAGE


WORDS = ("task", "status", "fallback", "model", "shown", "route", "key", "team", "agent", "text")
SWITCHES = ("local", "answered", "failed_locally", "tried_locally", "unpriced")
"""The words of a query that are fields of a `Filter`: as they are, and as yes or no."""


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


def list_requests(config: Config, query: RowsQuery, now: float) -> bytes:
    """A piece of the list as JSON. Blocks.

    Raises:
        UsageError: it is no period that can be shown.
        LedgerError: the ledger cannot be read.
    """
    zone = zone_of(config.timezone)
    which, span = filter_of(query, now, zone, config.week_starts)
    limit = query.limit
    cursor = None if query.cursor is UNSET else query.cursor
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
    said = read_opinions(config.ledger.path, entry.n)
    return msgspec.json.encode(plain_story(entry.outcome, entry.models, said))


def filter_of(
    query: RowsQuery, now: float, zone: tzinfo, week_starts: int = 0
) -> tuple[Filter, tuple[float, float] | None]:
    """Which requests a query asks for, and the period that it names.

    Raises:
        UsageError: it is no period that can be shown.
    """
    wanted: dict[str, Any] = {}
    for name in (*WORDS, *SWITCHES):
        word = getattr(query, name)
        if word not in ("", UNSET):
            wanted[name] = word == "yes" if name in SWITCHES else word
    span = _span(query, now, zone, week_starts)
    if span is not None:
        wanted["since"], wanted["until"] = span
    return Filter(**wanted), span


def _span(query: RowsQuery, now: float, zone: tzinfo, week_starts: int) -> tuple[float, float] | None:
    if query.since is not UNSET or query.until is not UNSET:
        return (
            0.0 if query.since is UNSET else query.since,
            now + 86_400 if query.until is UNSET else query.until,
        )
    if UNSET is query.period is query.first is query.last:
        return None
    period = period_of(query, now, zone, week_starts)
    return period.since, period.until


def _row(entry: Entry) -> Row:
    return row_of(entry.outcome, entry.models)
