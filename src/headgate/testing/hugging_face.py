"""A double of Hugging Face, as far as models are fetched from it: lists of files, and files behind a redirect.

The hub redirects to a second host, `files`, on another port, as the real one does, so that a client that shows its token
there is found out: look at `hub.files.calls`. Change `repositories` while it runs, and the entity tag changes. Faults go to
either: `hub.inject(...)` strikes lists and redirects, `hub.files.inject(...)` the content. It knows neither other kinds of
repositories nor revisions, pages of lists or accounts.
"""

import hashlib
import re
from typing import ClassVar, Self
from urllib.parse import quote, unquote

from headgate.testing.answers import ServedModel
from headgate.testing.calls import ReceivedCall
from headgate.testing.double import Double
from headgate.testing.faults import Fault, FaultKind
from headgate.testing.replies import Plain, Reply, encode

Repositories = dict[str, dict[str, bytes]]
"""OWNER/REPO → path → content."""


class _Everywhere(frozenset[str]):
    """All paths."""

    def __contains__(self, _: object) -> bool:
        return True


class FilesDouble(Double):
    """The host that has the content of `repositories`."""

    name = "hugging face files"
    work_paths: ClassVar[frozenset[str]] = _Everywhere()
    refusals: ClassVar[frozenset[FaultKind]] = frozenset({FaultKind.SERVER_ERROR})

    def __init__(self, repositories: Repositories, *, host: str = "127.0.0.1") -> None:
        super().__init__({}, host=host)
        self.repositories = repositories

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        """The content; or the rest of it from where it was asked for, if it is still the same."""
        if fault is not None and fault.kind is FaultKind.SERVER_ERROR:
            return Plain(b"try later", 503, content_type="text/plain")
        owner, repository, path = unquote(call.path).strip("/").split("/", 2)
        content = self.repositories[f"{owner}/{repository}"][path]
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        kind, headers = "application/octet-stream", (("ETag", etag), ("Accept-Ranges", "bytes"))
        asked = re.fullmatch(r"bytes=(\d+)-", call.headers.get("range", ""))
        if asked is None or call.headers.get("if-range", etag) != etag:
            return Plain(content, content_type=kind, headers=headers)
        start = int(asked[1])
        place = ("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        return Plain(content[start:], 206, content_type=kind, headers=(*headers, place))


class HuggingFaceDouble(Double):
    """The hub.

    Args:
        repositories: what it has; may be changed at any time.
        gated: repositories that are shown to nobody without a token.
        wrong_checksums: paths for which the lists give another content's checksum.
        host: where it and its files listen.
    """

    name = "hugging face"
    work_paths: ClassVar[frozenset[str]] = _Everywhere()
    refusals: ClassVar[frozenset[FaultKind]] = frozenset({FaultKind.SERVER_ERROR, FaultKind.RATE_LIMITED})

    def __init__(
        self,
        repositories: Repositories,
        *,
        gated: frozenset[str] = frozenset(),
        wrong_checksums: frozenset[str] = frozenset(),
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__({}, host=host)
        self.repositories = repositories
        self.gated = gated
        self.wrong_checksums = wrong_checksums
        self.files = FilesDouble(repositories, host=host)

    async def start(self) -> Self:
        """Open both ports."""
        await self.files.start()
        return await super().start()

    async def stop(self) -> None:
        """Close both."""
        await super().stop()
        await self.files.stop()

    @classmethod
    def default_models(cls) -> dict[str, ServedModel]:
        """None: it runs no models."""
        return {}

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        """A list of files, or the way to one of them."""
        if fault is not None and fault.kind is FaultKind.SERVER_ERROR:
            return Plain(b"<html>Something went wrong</html>", 500, content_type="text/html")
        if fault is not None and fault.kind is FaultKind.RATE_LIMITED:
            return _error(429, "", "We had to rate limit your IP")
        path = unquote(call.path)
        if listed := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/main", path):
            return self._list(listed[1])
        if wanted := re.fullmatch(r"/([^/]+/[^/]+)/resolve/main/(.+)", path):
            return self._lead(wanted[1], wanted[2], call)
        return _error(404, "", "Sorry, we can't find the page you are looking for.")

    def _list(self, repository: str) -> Reply:
        if (files := self.repositories.get(repository)) is None:
            return _error(401, "RepoNotFound", "Repository not found")  # as the real one says to strangers
        entries = [
            {
                "type": "file",
                "oid": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
                "size": len(content),
                "lfs": {"oid": self._checksum(path, content), "size": len(content), "pointerSize": 135},
                "path": path,
            }
            for path, content in files.items()
        ]
        return Plain(encode(entries))

    def _checksum(self, path: str, content: bytes) -> str:
        return hashlib.sha256(b"other" if path in self.wrong_checksums else content).hexdigest()

    def _lead(self, repository: str, path: str, call: ReceivedCall) -> Reply:
        if repository in self.gated and "authorization" not in call.headers:
            return _error(401, "GatedRepo", f"Access to model {repository} is restricted.")
        if path not in self.repositories.get(repository, {}):
            return _error(404, "EntryNotFound", "Entry not found")
        target = f"{self.files.url}/{repository}/{quote(path)}?X-Amz-Signature=abc%2Fdef&Expires=1"
        return Plain(b"", 302, content_type="text/plain", headers=(("Location", target),))


def _error(status: int, code: str, message: str) -> Plain:
    named = (("X-Error-Code", code),) if code else ()
    return Plain(encode({"error": message}), status, headers=(*named, ("X-Error-Message", message)))
