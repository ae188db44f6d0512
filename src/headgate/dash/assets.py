"""The page's files: read once, each with its type and its mark, under a path that changes when any of them does.

`/dash/` is small, asked for anew each time, and names everything else by `/dash/assets/VERSION/…`, which a browser may keep for
good. The rules in `GUARD` hold the page to itself: no script, style, picture or connection from elsewhere, no frame around it.
"""

from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from msgspec import Struct

GUARD = (
    b"content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"font-src 'self'; manifest-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'\r\n"
    b"referrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\ncross-origin-opener-policy: same-origin\r\n"
)
"""Header lines of every answer that is part of the page."""

INDEX = "index.html"
MARK = b"@VERSION@"
"""Stands in the index for the version of all files."""

TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".woff2": b"font/woff2",
}
"""Files of other kinds (licences, notes) are not served."""


class Asset(Struct, frozen=True):
    """One file of the page."""

    type: bytes
    etag: bytes
    body: bytes


class Assets(Struct, frozen=True):
    """All files of the page."""

    version: str
    """Changes with any of them."""
    index: Asset
    files: dict[str, Asset]
    """By their path below the version, "views/live.js"."""


def load_assets() -> Assets:
    """Read them; takes some milliseconds and blocks."""
    found = _below(files("headgate.dash") / "assets", "")
    # the charts of the weekly report and those of the page come from the same file
    found |= _below(files("headgate.reports") / "vendor" / "echarts", "vendor/echarts/")
    digest = sha256()
    for name in sorted(found):
        digest.update(name.encode() + b"\0" + found[name] + b"\0")
    version = digest.hexdigest()[:12]
    index = found.pop(INDEX).replace(MARK, version.encode())
    return Assets(
        version=version,
        index=_asset(INDEX, index),
        files={name: _asset(name, content) for name, content in found.items()},
    )


def _below(folder: Traversable, prefix: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= _below(entry, f"{prefix}{entry.name}/")
        elif _suffix(entry.name) in TYPES:
            found[prefix + entry.name] = entry.read_bytes()
    return found


def _asset(name: str, content: bytes) -> Asset:
    return Asset(TYPES[_suffix(name)], b'"%b"' % sha256(content).hexdigest()[:20].encode(), content)


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
