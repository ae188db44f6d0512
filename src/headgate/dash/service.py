"""The paths of the page: its files under /dash, and under /admin what its views show.

Who may look is decided by one hook, `admin`; files are open to everybody, because they say nothing of anybody. What a view
shows is read on another thread with a reader of its own, so that a long look at the ledger keeps no request waiting.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from headgate.dash.assets import GUARD, Asset, Assets, load_assets
from headgate.gateway.caller import Call
from headgate.gateway.headers import answer_fault
from headgate.wire.faults import Fault

PAGE, BARE = "/dash/", "/dash"
FILES = (
    "/dash/assets/{version}/{file}",
    "/dash/assets/{version}/{folder}/{file}",
    "/dash/assets/{version}/{folder}/{package}/{file}",
)
LOOK = ("GET", "HEAD")

FOR_GOOD = b"cache-control: public, max-age=31536000, immutable\r\n"
ASK_AGAIN = b"cache-control: no-cache\r\n"

Admin = Callable[[Call], Fault | None]
"""Why this caller may not see the page's figures; None when he may."""


class PageService:
    """Answers the page's paths.

    Args:
        admin: says who may look.
    """

    methods: Mapping[str, tuple[str, ...]] = dict.fromkeys((PAGE, BARE, *FILES), LOOK)
    open_paths = frozenset(methods)

    def __init__(self, admin: Admin) -> None:
        self.admin = admin
        self._assets: Assets | None = None

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        if path == BARE:
            call.answer(308, b"location: /dash/\r\n", b"")
        elif path == PAGE:
            assets = await self.assets()
            _send(call, assets.index, ASK_AGAIN)
        else:
            await self._file(call, names)

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
            answer_fault(call, Fault(status=404, message=f"the page has no file {name}", code="unknown_url"))
        else:
            _send(call, asset, FOR_GOOD if names["version"] == assets.version else ASK_AGAIN)

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form."""
        return {}


def _send(call: Call, asset: Asset, keep: bytes) -> None:
    lines = b"content-type: %b\r\netag: %b\r\n%b%b" % (asset.type, asset.etag, keep, GUARD)
    if call.headers.get(b"if-none-match") == asset.etag:
        call.answer(304, lines, b"")
    else:
        call.answer(200, lines, asset.body)
