"""Pulls GGUF models from Hugging Face into our own folder.

    pull("hf.co/OWNER/REPO:Q4_K_M")    list the repository → choose → fetch each file → prove it

Only what was asked for is fetched, and only when asked. A server that stands in for Hugging Face is named by HF_ENDPOINT, a
token by HF_TOKEN, as with their own tools; the token goes to that server only, not to where it redirects. It never tries
again by itself: the next pull goes on where this one stopped. It does not know proxies, nor what is in a model.
"""

import asyncio
import contextlib
import errno
import os
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urljoin

import msgspec
from msgspec import Struct

from headgate.core.engine import Progress
from headgate.core.errors import EngineError
from headgate.core.types import Failure
from headgate.engines.exchange import REASONS
from headgate.engines.llamacpp.catalogue import examine
from headgate.engines.llamacpp.names import Repository, choices, choose, is_model, parts_of, repository_in
from headgate.engines.llamacpp.part import AGAIN, ON, Goal, Part, StoppedError, look_for_room
from headgate.engines.llamacpp.web import Web
from headgate.engines.transport import Clocks, ResponseHead, TransportFailure

PIECE = 1024 * 1024
"""Bytes that are written at a time."""

_PAGES = 50
"""Of a repository's list of files, a thousand each."""
_LISTING = 16 * 1024 * 1024
"""Bytes of one of them, at most."""
_DAYS = 7 * 86400.0


class Hub(Struct, frozen=True, kw_only=True):
    """Where models are pulled from, and as whom."""

    url: str = "https://huggingface.co"
    token: str | None = None
    patience: float = 30.0
    """Seconds of silence after which a download has stalled."""

    def __repr__(self) -> str:
        """Everything but the secret."""
        return f"Hub(url={self.url!r}, token={'…' if self.token else None})"


def hub_from_environment() -> Hub:
    """As the user's environment says."""
    return Hub(
        url=os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co",
        token=os.environ.get("HF_TOKEN") or None,
    )


class WireLfs(Struct):
    """Where a big file's content is named."""

    oid: str


class WireFile(Struct):
    """One entry in a repository's list."""

    path: str
    type: str = "file"
    size: int = 0
    lfs: WireLfs | None = None


async def pull(name: str, folder: Path, hub: Hub) -> AsyncGenerator[Progress | Failure]:
    """Fetch a model, going on where an earlier try ended.

    Yields `Progress`; a `Failure` is the last item, and without one the model is there, whole and checked. Closing the
    generator early stops the download.

    Args:
        name: `hf.co/OWNER/REPO[:QUANT]`.
        folder: the model's files get there, as OWNER/REPO/FILE.
        hub: where from.
    """
    clocks = Clocks(connect=10.0, first_byte=hub.patience, between_bytes=hub.patience, total=_DAYS)
    web = Web(hub.url, hub.token, clocks)
    try:
        async with contextlib.aclosing(_pull(name, folder, hub, web)) as steps:
            async for step in steps:
                yield step
    except StoppedError as stopped:
        yield stopped.failure
    except OSError as error:
        yield _disk_failure(error, folder)
    finally:
        await web.close()


async def _pull(name: str, folder: Path, hub: Hub, web: Web) -> AsyncGenerator[Progress]:
    repository = repository_in(name)
    if repository is None:
        raise StoppedError(
            "refused", f"{name} is no repository", "write hf.co/OWNER/REPO or hf.co/OWNER/REPO:Q4_K_M"
        )
    yield Progress(step="looking for the model")
    listed = await _list(repository, hub, web)
    chosen = _choose(repository, listed)
    files = parts_of(chosen)
    if missing := [file for file in files if file not in listed]:
        what = f"{repository} lacks {missing[0]}, a part of the model"
        raise StoppedError("malformed", what, "choose another repository")
    goals = [
        Goal(
            url=f"{hub.url}/{repository.path}/resolve/main/{quote(file)}",
            path=folder / repository.path / file,
            size=listed[file].size,
            sha256=lfs.oid if (lfs := listed[file].lfs) else None,
        )
        for file in files
    ]
    await asyncio.to_thread(look_for_room, goals)
    for goal in goals:
        async with contextlib.aclosing(_fetch(goal, repository, web)) as steps:
            async for step in steps:
                yield step
    await asyncio.to_thread(_prove, goals)


def _prove(goals: Sequence[Goal]) -> None:
    """Keep no file that came as it was published, and is no model all the same."""
    found = examine(str(goals[0].path))
    if isinstance(found, EngineError):
        for goal in goals:
            goal.path.unlink()
        why = "choose another repository or quantization; nothing was kept"
        raise StoppedError("malformed", found.message, why)


# ── which file ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def _list(repository: Repository, hub: Hub, web: Web) -> Mapping[str, WireFile]:
    """All files of a repository, by their path."""
    url = f"{hub.url}/api/models/{repository.path}/tree/main?recursive=true"
    files: list[WireFile] = []
    for _ in range(_PAGES):
        body = b""
        async with web.get(url) as response:
            head = response.head
            if isinstance(head, TransportFailure):
                raise StoppedError(REASONS[head.kind], head.detail, "check the connection, then run it again")
            _expect_success(head, repository)
            async for piece in response:
                body += piece
                if len(body) > _LISTING:
                    break
            if isinstance(response.end, TransportFailure):
                raise StoppedError(REASONS[response.end.kind], response.end.detail, AGAIN)
        try:
            files += msgspec.json.decode(body, type=list[WireFile])
        except (msgspec.DecodeError, UnicodeDecodeError):
            kind = head.headers.get("content-type") or "something"
            raise StoppedError(
                "malformed",
                f"{hub.url} answered with {kind.partition(';')[0]} in place of a list of files",
                f"a proxy or a login page may be in between: open {hub.url}/{repository.path} in a browser",
            ) from None
        following = re.search(r'<([^>]+)>\s*;\s*rel="next"', head.headers.get("link") or "")
        if following is None:
            break
        url = urljoin(url, following[1])
    return {file.path: file for file in files if file.type == "file" and _is_sound(file.path)}


def _is_sound(path: str) -> bool:
    """Whether a path stays below the folder that it is put into."""
    return all(
        re.fullmatch(r"[^\\:\x00-\x1f]+", part) and part.strip(". ") and not part.startswith(".")
        for part in path.split("/")
    )


def _choose(repository: Repository, listed: Mapping[str, WireFile]) -> str:
    models = [path for path, file in listed.items() if file.size and is_model(path)]
    if not models:
        raise StoppedError(
            "refused",
            f"{repository} has no GGUF file",
            "look for a repository of the same model whose name ends with GGUF",
        )
    chosen = choose(models, repository.wanted)
    if chosen is None:
        there = ", ".join(choices(models))
        raise StoppedError("refused", f"{repository} is not there", f"choose one of {there}")
    return chosen


# ── the file itself ──────────────────────────────────────────────────────────────────────────────────────────────────


async def _fetch(goal: Goal, repository: Repository, web: Web) -> AsyncGenerator[Progress]:
    file = goal.path.name
    yield Progress(step="checking what is there", file=file, total=goal.size)
    if await asyncio.to_thread(goal.is_met):
        return
    part = await asyncio.to_thread(Part, goal)
    try:
        if part.have < goal.size:
            async with contextlib.aclosing(_append(part, repository, web)) as steps:
                async for _ in steps:
                    yield Progress(step="downloading", file=file, completed=part.have, total=goal.size)
        yield Progress(step="verifying", file=file, completed=goal.size, total=goal.size)
        await asyncio.to_thread(part.finish)
    finally:
        part.close()


async def _append(part: Part, repository: Repository, web: Web) -> AsyncGenerator[None]:
    """Fetch what is missing; yields whenever there is more of it."""
    goal = part.goal
    headers = [("range", f"bytes={part.have}-")] if part.have else []
    if part.have and part.etag:
        headers.append(("if-range", part.etag))
    async with web.get(goal.url, headers) as response:
        head = response.head
        if isinstance(head, TransportFailure):
            raise StoppedError(REASONS[head.kind], head.detail, ON)
        _expect_success(head, repository)
        if part.have and not (head.headers.get("content-range") or "").startswith(f"bytes {part.have}-"):
            await asyncio.to_thread(
                part.clear
            )  # it has changed there, or ranges are not known: this is all of it
        etag = head.headers.get("etag") or ""
        await asyncio.to_thread(part.begin, etag if etag.startswith('"') else None)  # weak ones prove nothing
        yield
        pieces, waiting = [], 0
        async for piece in response:
            pieces.append(piece)
            waiting += len(piece)
            if waiting >= PIECE:
                await _write(part, pieces)
                pieces, waiting = [], 0
                yield
        if pieces:
            await _write(part, pieces)
            yield
        end = response.end
    if isinstance(end, TransportFailure):
        raise StoppedError(REASONS[end.kind], f"the download of {goal.path.name} broke off: {end.detail}", ON)
    if part.have < goal.size:
        raise StoppedError(
            "broken_stream", f"{goal.path.name} ended after {part.have} of {goal.size} bytes", ON
        )


async def _write(part: Part, pieces: Sequence[bytes]) -> None:
    data = b"".join(pieces)
    if part.have + len(data) > part.goal.size:
        await asyncio.to_thread(part.discard)
        raise StoppedError("malformed", f"{part.goal.path.name} is longer than it was said to be", AGAIN)
    await asyncio.to_thread(part.append, data)


# ── what went wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


def _expect_success(head: ResponseHead, repository: Repository) -> None:
    """Go on only if the answer is what was asked for."""
    if 200 <= head.status < 300:
        return
    code = head.headers.get("x-error-code") or ""
    match head.status, code:
        case 401 | 403, "GatedRepo":
            what = f"{repository} is gated"
            hint = f"accept its terms at https://huggingface.co/{repository.path}, then set HF_TOKEN to your token"
        case (404, _) | (401, "RepoNotFound"):
            what = f"{repository} does not exist, or is private"
            hint = "check the name; for a private one set HF_TOKEN to your token"
        case 401 | 403, _:
            what = f"{repository} is not shown to us"
            hint = "set HF_TOKEN to a token that may read it"
        case 429, _:
            what, hint = "Hugging Face wants fewer requests", "wait a few minutes, then run it again"
        case _:
            what, hint = f"Hugging Face answered {head.status} for {repository}", "run it again later"
    raise StoppedError("http_error", what, hint, head.status)


def _disk_failure(error: OSError, folder: Path) -> Failure:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, hint = (
            f"the disk of {folder} is full",
            "make room, then run it again: it goes on where it stopped",
        )
    else:
        what, hint = (
            f"{folder} cannot be written: {error.strerror}",
            "check its permissions, or set HEADGATE_DATA",
        )
    return Failure(reason="refused", detail=what, hint=hint)
