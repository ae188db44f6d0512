"""Ollama's models: fetch, load, unload and remove them, and tell what is in memory.

Nothing is believed because Ollama answered 200: a model counts as loaded when `/api/ps` names it with the window that was
asked for, as removed when the list has it no more, as fetched when the report ends with `success`. It does not know how
many requests a loaded model takes at a time: that is `OLLAMA_NUM_PARALLEL`, one number for the whole server, and no
request can set it or read it.

Source: Ollama 0.33.0-rc2, source and observation.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter
from typing import Any

import msgspec
from msgspec.structs import replace

from headgate.core.engine import ListedModel, LoadedModel, Progress
from headgate.core.memory import Shape, shape_from
from headgate.core.types import Failure
from headgate.engines import downloads
from headgate.engines.exchange import LIST, Exchange
from headgate.engines.explained import explained
from headgate.engines.ollama_lists import (
    WireDone,
    WireEmbedded,
    WireModel,
    WireModels,
    WirePull,
    WireRunningModels,
    WireShown,
    embeds,
    lacks_lists,
    listed,
    read,
    read_shown,
    running,
    same_name,
    window_of,
)
from headgate.engines.transport import Clocks
from headgate.wire.upstream import UNREADABLE
from headgate.wire.upstream.trouble import read_trouble

STAYS = -1
"""The `keep_alive` of a model that was loaded on purpose: until it is unloaded, or its memory is needed."""
LETTING_GO = 15.0
"""Seconds in which an idle model leaves the memory. Ollama itself waits five until the card gives it back."""
LOOK_AGAIN = 0.1


class OllamaModels:
    """The models of one Ollama.

    Args:
        exchange: the way to ask it.
        name: its name in the config, for hints.
    """

    def __init__(self, exchange: Exchange, name: str) -> None:
        self._exchange = exchange
        self._name = name

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it has; which of it is loaded, and which runs on Ollama's machines."""
        found = await self._on_disk()
        if isinstance(found, Failure):
            return found
        here = await self.loaded()
        loaded = None if isinstance(here, Failure) else {model.id for model in here}
        return tuple([listed(model, await self._missing_facts(model), loaded) for model in found])

    async def loaded(self) -> tuple[LoadedModel, ...] | Failure:
        """What is in memory."""
        found = await self._exchange.get("/api/ps", clocks=LIST)
        if isinstance(found, Failure):
            return found
        body = read(found.body, WireRunningModels, "/api/ps")
        return body if isinstance(body, Failure) else tuple(running(model) for model in body.models or ())

    async def shape(self, model_id: str) -> Shape | Failure:
        """The facts of the model's file, as `/api/show` gives them, and its size from the list."""
        shown = await self._show(model_id)
        if not isinstance(shown, Failure) and lacks_lists(shown):
            shown = await self._show(model_id, verbose=True)
        if isinstance(shown, Failure):
            return shown
        found = await self._on_disk()
        if isinstance(found, Failure):
            return found
        size = next((model.size for model in found if same_name(model.name, model_id)), None)
        shape = None if size is None else shape_from(shown.model_info or {}, size)
        if shape is None:
            return Failure(
                reason="malformed",
                detail=f"{model_id} does not say how many layers and heads it has",
                hint="what it needs can only be measured: load it and look at headgate models ps",
            )
        return shape

    async def load(self, model_id: str, context: int | None, within: float) -> LoadedModel | Failure:
        """Load a model with this window, and prove by `/api/ps` that it has it."""
        shown = await self._show(model_id)
        if isinstance(shown, Failure):
            return shown
        if shown.remote_host:
            return Failure(
                reason="http_error",
                detail=f"{model_id} runs on {shown.remote_host}: there is nothing to load here",
                hint="take a model without :cloud in its name",
            )
        trained = window_of(shown)
        if context is not None and trained is not None and context > trained:
            return Failure(
                reason="context_overflow",
                detail=f"{model_id} was trained for {trained:,} tokens, not for {context:,}",
                hint=f"load it with a context of {trained} or less",
            )
        failure = await self._ask_to_load(model_id, shown, context, within)
        if failure is not None:
            return failure
        now = await self.loaded()
        if isinstance(now, Failure):
            return now
        found = next((model for model in now if same_name(model.id, model_id)), None)
        if found is None:
            there = ", ".join(model.id for model in now) or "nothing"
            return Failure(
                reason="wrong_model",
                detail=f"Ollama says that it loaded {model_id}, but in its memory there is {there}",
                hint="something else may have taken its place: headgate models ps",
            )
        if context is not None and found.context not in (None, context):
            return Failure(
                reason="wrong_model",
                detail=f"{model_id} was loaded with a context of {found.context:,} tokens instead of {context:,}",
                hint="another program uses it with a context of its own: give both the same",
            )
        return found

    async def unload(self, model_id: str) -> Failure | None:
        """Take a model out of memory, and wait until it is gone."""
        by = perf_counter() + LETTING_GO
        asked = False
        while True:
            now = await self.loaded()
            if isinstance(now, Failure):
                return now
            if not any(same_name(model.id, model_id) for model in now):
                return None
            if not asked:
                body = {"model": model_id, "prompt": "", "stream": False, "keep_alive": 0}
                answer = await self._exchange.post("/api/generate", body, clocks=LIST)
                done = answer if isinstance(answer, Failure) else read(answer.body, WireDone, "/api/generate")
                if isinstance(done, Failure):
                    return self._explained(done, model_id)
                asked = True
            elif perf_counter() > by:
                return Failure(
                    reason="timeout",
                    detail=f"{model_id} is still in memory after {LETTING_GO:g} s: it is answering somebody",
                    hint="Ollama unloads it when the answer is done; look with headgate models ps",
                )
            else:
                await asyncio.sleep(LOOK_AGAIN)

    async def pull(self, model_id: str) -> AsyncGenerator[Progress | Failure]:
        """Fetch a model. Ollama goes on where an earlier try ended, and checks what has arrived."""
        body = {"model": model_id, "stream": True}
        report = Report()
        watch = downloads.Watch(perf_counter())
        async with aclosing(self._exchange.lines("/api/pull", body, downloads.WHOLE)) as lines:
            while not report.succeeded:
                try:
                    async with asyncio.timeout(downloads.STALL if report.fetching else downloads.CHECKING):
                        line = await anext(lines, b"")
                except TimeoutError:
                    yield downloads.stalled()
                    return
                told = line if isinstance(line, Failure) else report.read(line)
                if isinstance(told, Failure):
                    yield self._explained(told, model_id)
                    return
                yield told
                still = watch.still_for(told.completed, perf_counter())
                if report.fetching and still >= downloads.STALL:
                    yield downloads.stalled()
                    return

    async def remove(self, model_id: str) -> Failure | None:
        """Delete a model, and prove by the list that it is gone."""
        answer = await self._exchange.delete("/api/delete", {"model": model_id}, clocks=LIST)
        if isinstance(answer, Failure):
            return self._explained(answer, model_id)
        left = await self._on_disk()
        if isinstance(left, Failure):
            return left
        if any(same_name(model.name, model_id) for model in left):
            return Failure(
                reason="malformed",
                detail=f"Ollama says that it deleted {model_id}, but its list still has it",
                hint="look into Ollama's log, then try again",
            )
        return None

    async def _on_disk(self) -> list[WireModel] | Failure:
        found = await self._exchange.get("/api/tags", clocks=LIST)
        if isinstance(found, Failure):
            return found
        body = read(found.body, WireModels, "/api/tags")
        return body if isinstance(body, Failure) else body.models or []

    async def _show(self, model_id: str, *, verbose: bool = False) -> WireShown | Failure:
        body: dict[str, Any] = {"model": model_id} | ({"verbose": True} if verbose else {})
        found = await self._exchange.post("/api/show", body, clocks=LIST)
        if isinstance(found, Failure):
            return self._explained(found, model_id)
        return read_shown(found.body)

    async def _missing_facts(self, model: WireModel) -> WireShown | None:
        """What an Ollama that lists no windows says of a model when it is asked."""
        if model.remote_host or (model.details is not None and model.details.context_length is not None):
            return None
        shown = await self._show(model.name)
        return None if isinstance(shown, Failure) else shown

    async def _ask_to_load(
        self, model_id: str, shown: WireShown, context: int | None, within: float
    ) -> Failure | None:
        body: dict[str, Any] = {"model": model_id, "keep_alive": STAYS}
        if context is not None:
            body["options"] = {"num_ctx": context}
        clocks = Clocks(connect=min(5.0, within), first_byte=within, between_bytes=within, total=within)
        path, nothing, shape = (
            ("/api/embed", {"input": []}, WireEmbedded)
            if embeds(shown.capabilities, shown.details)
            else ("/api/generate", {"prompt": "", "stream": False}, WireDone)
        )
        answer = await self._exchange.post(path, body | nothing, clocks)
        if not isinstance(answer, Failure):
            told = read(answer.body, shape, path)
            return told if isinstance(told, Failure) else None
        if answer.reason == "timeout":
            hint = f"give it longer, or look into Ollama's log: is {model_id} larger than the memory?"
            return replace(answer, hint=hint)
        return self._explained(answer, model_id)

    def _explained(self, failure: Failure, model_id: str) -> Failure:
        return explained(failure, "Ollama", self._name, model_id)


class Report:
    """What the lines of `/api/pull` come to. The layers of a model are reported one after the other; here they are one."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[int, int]] = {}
        self.succeeded = False
        self.fetching = True
        """Bytes should be coming, or the manifest; not so while Ollama checks and moves what it has."""

    def read(self, line: bytes) -> Progress | Failure:
        """How far the download is after this line; an empty one is the end of the report."""
        if not line:
            return downloads.broken_off("Ollama")
        try:
            told = msgspec.json.decode(line, type=WirePull)
        except UNREADABLE as error:
            return Failure(reason="malformed", detail=f"/api/pull has another shape than Ollama's: {error}")
        if told.error is not None:
            return Failure(reason="http_error", detail=read_trouble(line).message, status=200)
        if not told.status:
            return Failure(reason="malformed", detail="/api/pull has another shape than Ollama's")
        self.succeeded = told.status == "success"
        if told.digest and told.total is not None:
            self._layers[told.digest] = (told.completed or 0, told.total)
        completed = sum(done for done, _ in self._layers.values()) if self._layers else None
        total = sum(size for _, size in self._layers.values()) if self._layers else None
        self.fetching = bool(told.digest) or told.status.startswith("pulling")
        step = "downloading" if told.digest else told.status
        return Progress(step=step, completed=completed, total=total)
