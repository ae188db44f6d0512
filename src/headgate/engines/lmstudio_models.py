"""LM Studio's models: fetch, load and unload them, and tell what is in memory.

REST goes first (`/api/v1`, 0.4 and later), the command `lms` is the other way: for older versions, and for how many
requests at a time, which REST cannot set. A model counts as loaded when the list names it with the context that was asked
for. LM Studio deletes nothing for anybody, and stops a download of its own for nobody: both are said.

Source: LM Studio's documentation of 0.4.
"""

import asyncio
from collections.abc import AsyncGenerator
from time import perf_counter
from typing import Any, TypeVar
from urllib.parse import quote

from msgspec import Struct

from headgate.core.engine import ListedModel, LoadedModel, Progress
from headgate.core.memory import Shape
from headgate.core.types import Failure
from headgate.engines import downloads
from headgate.engines.exchange import LIST, Exchange
from headgate.engines.explained import explained
from headgate.engines.lms import Lms
from headgate.engines.lmstudio_lists import (
    WireJob,
    WireLoad,
    WireModels0,
    WireModels1,
    WirePlainModels,
    WireUnload,
    instance_of,
    instance_v0,
    instances_v1,
    listed_v0,
    listed_v1,
    read,
    same_key,
)
from headgate.engines.transport import Clocks

Body = TypeVar("Body", bound=Struct)

MODELS = "/api/v1/models"
OLDER = "/api/v0/models"
PLAIN = "/v1/models"
LOOK_AGAIN = 0.5
"""Seconds between two looks at a download."""


class LMStudioModels:
    """The models of one LM Studio.

    Args:
        exchange: the way to ask it.
        name: its name in the config, for hints.
        lms: its command, if it runs on this machine.
    """

    def __init__(self, exchange: Exchange, name: str, lms: Lms | None) -> None:
        self._exchange = exchange
        self._name = name
        self._lms = lms

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it has, from the newest list that this version knows."""
        found = await self._list(MODELS, WireModels1)
        if isinstance(found, WireModels1):
            return tuple(listed_v1(model) for model in found.models)
        older = await self._list(OLDER, WireModels0)
        if isinstance(older, WireModels0):
            return tuple(listed_v0(model) for model in older.data)
        plain = await self._list(PLAIN, WirePlainModels)
        if isinstance(plain, Failure):
            return plain
        return tuple(ListedModel(id=model.id) for model in plain.data)

    async def loaded(self) -> tuple[LoadedModel, ...] | Failure:
        """What is in memory, each copy of a model by itself."""
        found = await self._list(MODELS, WireModels1)
        if isinstance(found, WireModels1):
            return tuple(copy for model in found.models for copy in instances_v1(model))
        if _is_final(found):
            return found
        older = await self._list(OLDER, WireModels0)
        if isinstance(older, WireModels0):
            return tuple(instance_v0(model) for model in older.data if model.state == "loaded")
        plain = await self._list(PLAIN, WirePlainModels)
        if self._lms is None or isinstance(
            plain, Failure
        ):  # lms would tell of another server than the one that is meant
            return older
        rows = await self._lms.loaded()
        return rows if isinstance(rows, Failure) else tuple(instance_of(row) for row in rows)

    async def shape(self, model_id: str) -> Shape | Failure:
        """LM Studio tells nobody how many layers a model has."""
        found = await self._known(model_id)
        if isinstance(found, Failure):
            return found
        return Failure(
            reason="malformed",
            detail=f"LM Studio does not say how many layers and heads {model_id} has",
            hint="what it needs stands in LM Studio's own estimate: lms load --estimate-only " + found.id,
        )

    async def load(
        self, model_id: str, context: int | None, parallel: int | None, within: float
    ) -> LoadedModel | Failure:
        """Load a model, and prove by the list that it is there with this context; other copies of it go first."""
        if self._lms is None or not self._lms.installed():
            parallel = None  # then nobody can set it, and the answer tells what it is
        known = await self._known(model_id)
        if isinstance(known, Failure):
            return known
        now = await self._copies(known.id)
        if isinstance(now, Failure):
            return now
        for copy in now:
            if _fits(copy, context, parallel):
                return copy
        failure = await self.unload(known.id) or await self._ask_to_load(known.id, context, parallel, within)
        if failure is not None:
            return explained(failure, "LM Studio", self._name, known.id)
        now = await self._copies(known.id)
        if isinstance(now, Failure):
            return now
        return _proven(now, known.id, context, parallel)

    async def unload(self, model_id: str) -> Failure | None:
        """Take every copy of a model out of memory."""
        now = await self._copies(model_id)
        if isinstance(now, Failure):
            return now
        for copy in now:
            failure = await self._unload_copy(copy.instance)
            if failure is not None:
                return failure
        left = await self._copies(model_id) if now else ()
        if isinstance(left, Failure):
            return left
        if left:
            return Failure(
                reason="malformed",
                detail=f"LM Studio says that it unloaded {model_id}, but its list still has it as loaded",
                hint="look into LM Studio's window, then try again",
            )
        return None

    async def pull(self, model_id: str) -> AsyncGenerator[Progress | Failure]:
        """Fetch a model: a name of LM Studio's catalogue or an address on Hugging Face, with `@` before a quantization."""
        name, _, quantization = model_id.partition("@")
        body = {"model": name} | ({"quantization": quantization} if quantization else {})
        job = await self._post("/download", body, WireJob)
        if isinstance(job, Failure) and not _is_final(job) and await self._is_older():
            yield Progress(step="downloading with lms")
            failure = await self._by_command(model_id)
            if failure is not None:
                yield explained(failure, "LM Studio", self._name, model_id)
            return
        watch = downloads.Watch(perf_counter())
        while True:
            if isinstance(job, Failure):
                yield explained(job, "LM Studio", self._name, model_id)
                return
            if job.status == "failed":
                yield _failed_download(model_id)
                return
            done = job.status in ("completed", "already_downloaded")
            completed = job.total_size_bytes if done else job.downloaded_bytes
            yield Progress(step=job.status, completed=completed, total=job.total_size_bytes)
            if done:
                return
            if watch.still_for(completed or 0, perf_counter()) >= downloads.STALL:
                yield downloads.stalled()
                return
            if job.job_id is None:
                yield downloads.broken_off("LM Studio")
                return
            await asyncio.sleep(LOOK_AGAIN)
            number = job.job_id
            job = await self._list(f"{MODELS}/download/status/{quote(number, safe='')}", WireJob)
            if isinstance(job, WireJob) and job.job_id is None:
                job.job_id = number

    async def remove(self, model_id: str) -> Failure | None:
        """LM Studio offers no way to delete a model: say where its file lies."""
        found = await self._known(model_id)
        if isinstance(found, Failure):
            return found
        files = await self._lms.files() if self._lms is not None else ()
        rows = () if isinstance(files, Failure) else files
        path = next((row.path for row in rows if row.path and same_key(row.model_key, found.id)), "")
        where = f"delete {path} in its models folder (~/.lmstudio/models)" if path else "delete its folder"
        return Failure(
            reason="http_error",
            detail="LM Studio lets no other program delete a model",
            hint=f"{where}, or remove it under My Models in LM Studio's window",
        )

    # ── the two ways ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _ask_to_load(
        self, key: str, context: int | None, parallel: int | None, within: float
    ) -> Failure | None:
        if parallel is not None and self._lms is not None:
            return await self._lms.load(key, context, parallel, within)
        body: dict[str, Any] = {"model": key, "echo_load_config": True}
        if context is not None:
            body["context_length"] = context
        clocks = Clocks(connect=min(5.0, within), first_byte=within, between_bytes=within, total=within)
        told = await self._post("/load", body, WireLoad, clocks)
        if isinstance(told, Failure) and not _is_final(told) and await self._is_older():
            return await self._lms.load(key, context, None, within) if self._lms is not None else _too_old()
        return told if isinstance(told, Failure) else None

    async def _unload_copy(self, instance: str) -> Failure | None:
        told = await self._post("/unload", {"instance_id": instance}, WireUnload)
        if isinstance(told, Failure) and not _is_final(told) and await self._is_older():
            return await self._lms.unload(instance) if self._lms is not None else _too_old()
        return told if isinstance(told, Failure) else None

    async def _by_command(self, model_id: str) -> Failure | None:
        return await self._lms.get(model_id) if self._lms is not None else _too_old()

    async def _is_older(self) -> bool:
        """Whether this version has no `/api/v1`: told by its list, since refusals have no status of their own."""
        return isinstance(await self._list(MODELS, WireModels1), Failure)

    async def _known(self, model_id: str) -> ListedModel | Failure:
        """The model as the list names it."""
        found = await self.list_models()
        if isinstance(found, Failure):
            return found
        for model in found:
            if same_key(model.id, model_id):
                return model
        missing = Failure(reason="http_error", detail="not found", status=404)
        return explained(missing, "LM Studio", self._name, model_id)

    async def _copies(self, model_id: str) -> tuple[LoadedModel, ...] | Failure:
        now = await self.loaded()
        if isinstance(now, Failure):
            return now
        return tuple(copy for copy in now if same_key(copy.id, model_id) or copy.instance == model_id)

    async def _list(self, path: str, shape: type[Body]) -> Body | Failure:
        found = await self._exchange.get(path, clocks=LIST)
        return found if isinstance(found, Failure) else read(found.body, shape)

    async def _post(
        self, path: str, body: dict[str, Any], shape: type[Body], clocks: Clocks = LIST
    ) -> Body | Failure:
        answer = await self._exchange.post(MODELS + path, body, clocks)
        return answer if isinstance(answer, Failure) else read(answer.body, shape)


def _is_final(failure: Failure) -> bool:
    """Whether asking in another way would end alike: nobody is there, or we may not."""
    return failure.reason in ("refused", "timeout", "broken_stream") or failure.status in (401, 403)


def _fits(copy: LoadedModel, context: int | None, parallel: int | None) -> bool:
    """Whether a copy has what was asked for, as far as LM Studio tells."""
    return (context is None or copy.context == context) and (
        parallel is None or copy.parallel in (None, parallel)
    )


def _proven(
    copies: tuple[LoadedModel, ...], key: str, context: int | None, parallel: int | None
) -> LoadedModel | Failure:
    for copy in copies:
        if _fits(copy, context, parallel) or copy.context is None:
            return copy
    if not copies:
        return Failure(
            reason="wrong_model",
            detail=f"LM Studio says that it loaded {key}, but its list has no copy of it in memory",
            hint="look into LM Studio's window: it may have been unloaded for another model",
        )
    found = copies[0]
    if context is not None and found.context != context:
        return Failure(
            reason="wrong_model",
            detail=f"{key} was loaded with a context of {found.context:,} tokens instead of {context:,}",
            hint=f"unload it in LM Studio's window, or run: lms load {key} --context-length {context}",
        )
    return Failure(
        reason="wrong_model",
        detail=f"{key} was loaded for {found.parallel} requests at a time instead of {parallel}",
        hint=f"only the command can set that: lms load {key} --parallel {parallel}",
    )


def _failed_download(model_id: str) -> Failure:
    return Failure(
        reason="http_error",
        detail=f"LM Studio says that the download of {model_id} failed, and not why",
        hint="its window says more (Downloads); is there room on the disk? pull again: it goes on where it ended",
    )


def _too_old() -> Failure:
    return Failure(
        reason="http_error",
        detail="this LM Studio is older than 0.4, and lms, the other way, is only for one on this machine",
        hint="update LM Studio, or do it in its own window",
    )
