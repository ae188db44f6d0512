"""The paths of the page: its files under /dash, and under /admin what its views show.

The files are open to everybody, because they say nothing of anybody; the figures are for admins, which the gate sees to before
a call comes here. What a view shows is read on another thread with a reader of its own, so that a long look at the ledger
keeps no request waiting.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from time import time
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct

from headgate.config.compile import Config
from headgate.core.errors import HeadgateError, UsageError
from headgate.dash.assets import GUARD, Asset, Assets, load_assets
from headgate.dash.audited import audited_view
from headgate.dash.live import Feed, missed_since
from headgate.dash.overview import overview
from headgate.dash.periods import PeriodQuery
from headgate.dash.requests import RowsQuery, UnknownRequestError, list_requests, tell_request
from headgate.dash.weeks import Archive, ReportQuery, UnknownWeekError, face_of
from headgate.gateway import refusals
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault
from headgate.gateway.keys import Keys
from headgate.gateway.queries import read_query
from headgate.wire.doors.reading import read
from headgate.wire.faults import Fault

PAGE, BARE, LOGIN, LOGOUT = "/dash/", "/dash", "/dash/login", "/dash/logout"
FILES = (
    "/dash/assets/{version}/{file}",
    "/dash/assets/{version}/{folder}/{file}",
    "/dash/assets/{version}/{folder}/{package}/{file}",
)
OVERVIEW, LIVE, WEEKS, WEEK = "/admin/overview", "/admin/live", "/admin/reports", "/admin/reports/{week}"
REQUESTS, REQUEST = "/admin/requests", "/admin/requests/{id}"
AUDITED = "/admin/audits/estimates"
LOOK = ("GET", "HEAD")

FOR_GOOD = b"cache-control: public, max-age=31536000, immutable\r\n"
ASK_AGAIN = b"cache-control: no-cache\r\n"
FRESH = b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
"""Of figures, which are true for a moment only."""
ALONE = (
    b"content-security-policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'\r\n"
    b"referrer-policy: no-referrer\r\n"
)
"""Of a report, which has its styles inside and no scripts."""


class NoQuery(Struct, frozen=True):
    """Nothing is asked for."""


class LiveQuery(Struct, frozen=True):
    """From where on requests are told."""

    after: Annotated[str, Meta(description="the id of the last request that is known already")] = ""


class WireLogin(Struct, forbid_unknown_fields=True):
    """The body of a login."""

    key: str


LOGGED_IN = msgspec.json.Decoder(WireLogin)


class PageService:
    """Answers the page's paths.

    Args:
        config: whose gate this is.
        feed: tells of requests as they pass.
        keys: begin and end the sessions of browsers.
    """

    methods: Mapping[str, tuple[str, ...]] = {
        **dict.fromkeys((PAGE, BARE, *FILES, OVERVIEW, AUDITED, REQUESTS, REQUEST, WEEKS, WEEK), LOOK),
        LIVE: ("GET",),
        LOGIN: ("POST", "GET", "HEAD"),
        LOGOUT: ("POST",),
    }
    admin = True
    open_paths = frozenset((PAGE, BARE, *FILES, LOGIN, LOGOUT))

    def __init__(self, config: Config, feed: Feed, keys: Keys) -> None:
        self.config = config
        self.feed = feed
        self.keys = keys
        self.archive = Archive(config)
        self._assets: Assets | None = None
        self._shows: Mapping[str, tuple[type[Struct], Callable[[Any, Mapping[str, str]], bytes]]] = {
            OVERVIEW: (PeriodQuery, lambda query, _: overview(config, query, time())),
            AUDITED: (PeriodQuery, lambda query, _: audited_view(config, query, time())),
            REQUESTS: (RowsQuery, lambda query, _: list_requests(config, query, time())),
            REQUEST: (NoQuery, lambda _, names: tell_request(config, names["id"])),
            WEEKS: (NoQuery, lambda _, __: self.archive.list_weeks(time())),
        }

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        if path in FILES:
            await self._file(call, names)
        elif path == PAGE:
            _send(call, (await self.assets()).index, ASK_AGAIN)
        elif path == BARE or (path == LOGIN and call.method != "POST"):
            call.answer(303, b"location: /dash/\r\n", b"")
        elif path == LOGIN:
            await self._log_in(call)
        elif path == LOGOUT:
            call.answer(204, self.keys.end_session(call.headers), b"")
        elif path == LIVE:
            await self._watch(call)
        elif path == WEEK:
            await self._report(call, names["week"])
        else:
            await self._show(call, path, names)

    # ── The files ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def assets(self) -> Assets:
        """The page's files, read when the first one is asked for."""
        if self._assets is None:
            self._assets = await asyncio.to_thread(load_assets)
        return self._assets

    async def _file(self, call: Call, names: Mapping[str, str]) -> None:
        assets = await self.assets()
        name = "/".join(names[part] for part in ("folder", "package", "file") if part in names)
        asset = assets.files.get(name)
        if asset is None:
            hint = "load the page again, at /dash/"
            unknown = Fault(status=404, message=f"the page has no file {name}", code="unknown_url", hint=hint)
            answer_fault(call, unknown)
        else:
            _send(call, asset, FOR_GOOD if names["version"] == assets.version else ASK_AGAIN)

    # ── The figures ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _show(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        form, show = self._shows[path]
        query = read_query(form, call.query)
        if isinstance(query, Fault):
            answer_fault(call, query)
            return
        try:
            body = await asyncio.to_thread(show, query, names)
        except HeadgateError as error:
            answer_fault(call, fault_of(error))
        else:
            call.answer(200, JSON + FRESH, body)

    async def _report(self, call: Call, week: str) -> None:
        query = read_query(ReportQuery, call.query)
        if isinstance(query, Fault):
            answer_fault(call, query)
            return
        try:
            face = await asyncio.to_thread(face_of, self.config, week, query.format)
        except HeadgateError as error:
            answer_fault(call, fault_of(error))
            return
        how = "inline" if query.download is UNSET else "attachment"
        lines = f'content-type: {face.type}\r\ncontent-disposition: {how}; filename="{face.name}"\r\n'
        call.answer(200, lines.encode() + FRESH + ALONE, face.body)

    async def _watch(self, call: Call) -> None:
        if self.feed.full:
            answer_fault(call, TOO_MANY)
            return
        query = read_query(LiveQuery, call.query)
        if isinstance(query, Fault):
            answer_fault(call, query)
            return
        last = call.headers.get(b"last-event-id", b"").decode("latin-1") or query.after
        missed = partial(asyncio.to_thread, missed_since, self.config.ledger.path, last) if last else None
        await self.feed.watch(call, missed)

    # ── The key ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _log_in(self, call: Call) -> None:
        if call.body is None:
            answer_fault(call, refusals.too_large(self.config.body_limit))
            return
        asked = read(LOGGED_IN, call.body)
        if isinstance(asked, Fault):
            answer_fault(call, asked)
            return
        secure = call.headers.get(b"x-forwarded-proto") == b"https"
        line = await self.keys.begin_session(asked.key.strip(), secure=secure)
        if line is None:
            answer_fault(call, WRONG_KEY)
        else:
            call.answer(204, line, b"")

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form."""
        from headgate.dash.described import described  # noqa: PLC0415  # only if somebody asks

        return described()


WRONG_KEY = Fault(
    status=401,
    message="this gate does not know this key",
    code="invalid_api_key",
    hint="headgate keys create NAME --admin makes one",
)
TOO_MANY = Fault(
    status=429,
    message="too many pages watch this gate at the moment",
    code="too_many_watchers",
    hint="close one of them; headgate log -f shows the same",
)


def fault_of(error: HeadgateError) -> Fault:
    """What went wrong, for the page."""
    status, code = 503, "ledger_unusable"
    if isinstance(error, UnknownRequestError):
        status, code = 404, "request_not_found"
    elif isinstance(error, UnknownWeekError):
        status, code = 404, "week_not_found"
    elif isinstance(error, UsageError):
        status, code = 400, "unsupported_value"
    return Fault(status=status, message=error.message, code=code, hint=error.hint)


def _send(call: Call, asset: Asset, keep: bytes) -> None:
    lines = b"content-type: %b\r\netag: %b\r\n%b%b" % (asset.type, asset.etag, keep, GUARD)
    if call.headers.get(b"if-none-match") == asset.etag:
        call.answer(304, lines, b"")
    else:
        call.answer(200, lines, asset.body)
