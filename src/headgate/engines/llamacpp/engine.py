"""The embedded engine: models that llama.cpp runs in a child process of ours.

Its servers speak OpenAI's dialect, so the asking is done by that adapter; this module finds out whom it must ask, and has
models fetched, loaded and unloaded. It does not know requests, and it never retries: while the child is being restarted, all
its models are "refused". It does not know when a model should go either: `fleet` does. A `llama-server` that the user runs
needs none of this: `engines.connect` gives it that adapter straight away.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from headgate.config.model_folders import own_folder
from headgate.core.engine import Engine, Health, ListedModel, LoadedModel, Progress
from headgate.core.errors import EngineError
from headgate.core.memory import Shape
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import EngineKind
from headgate.engines.llamacpp import catalogue, hugging_face, readiness
from headgate.engines.llamacpp.catalogue import File
from headgate.engines.llamacpp.orders import Broken, Loaded, Order, Status
from headgate.engines.llamacpp.props import Granted, ask_props
from headgate.engines.llamacpp.room import free_memory, least_needed
from headgate.engines.llamacpp.supervisor import Supervisor

Connect = Callable[[str, str], Engine]
"""Makes the adapter that speaks to a server, from its url and key."""

_CACHE_MIB = 512
"""Memory for old prompts of a model that is not small. A small one reads a prompt again in no time."""


class LlamacppSettings(Struct, frozen=True, kw_only=True):
    """What the user may say of this engine. None leaves it to us."""

    models: Mapping[str, str] = {}
    """The models: the id that requests name, and what `catalogue.resolve` finds: a name or a path."""
    eager: frozenset[str] | None = None
    """Ids to load at the start; None is all of them. The others are loaded when somebody says so."""
    context: Mapping[str, int] = {}
    """Tokens that one request may take, by model id."""
    slots: int = 1
    """Answers at a time, for each model."""
    threads: int | None = None
    """Threads for each model."""
    log_to: Path | None = None
    """A file for llama.cpp's log."""


class Llamacpp:
    """llama.cpp in a child process, behind the protocol `ManagedEngine`.

    Args:
        name: the name in the config.
        settings: what to load.
        connect: makes the adapter that does the asking.
    """

    kind: EngineKind = "llamacpp"

    def __init__(self, name: str, settings: LlamacppSettings, connect: Connect) -> None:
        self.name = name
        self._settings = settings
        self._connect = connect
        self._supervisor: Supervisor | None = None
        self._adapters: dict[str, Engine] = {}  # by url
        self._granted: dict[str, Granted] = {}  # by url
        self._hanging_up: set[asyncio.Task[None]] = set()
        self._files: dict[str, File] = {}
        self._unusable: dict[str, EngineError] = {}
        self._why_not = EngineError("the embedded engine has not been started")
        self._version = ""

    async def start(self) -> EngineError | None:
        """Start the child and load the models that are wanted at once. Needed once, before anything else.

        Returns:
            Why no model serves, though one should; None when at least one does. `health` tells of the others.
        """
        if self._supervisor:
            return None
        eager = self._settings.eager
        if error := await asyncio.to_thread(self._prepare):
            self._why_not = error
            return error
        orders = [
            self._order(model, file, None, None)
            for model, file in self._files.items()
            if eager is None or model in eager
        ]
        status = await self._supervise(orders).start()
        if status.state == "up" and not orders:
            return None
        if any(isinstance(found, Loaded) for found in status.models.values()):
            return None
        return EngineError(status.describe(), "see its log, or try another GGUF file")

    def _prepare(self) -> EngineError | None:
        """Look at the machine and the files. Blocks."""
        if error := readiness.check():
            return error
        with contextlib.suppress(metadata.PackageNotFoundError):  # a build of the user's own
            self._version = f"xllamacpp {metadata.version('xllamacpp')}"
        for model, source in self._settings.models.items():
            match catalogue.examine(source):
                case EngineError() as error:
                    self._unusable[model] = error
                case file:
                    self._files[model] = file
        if self._files or self._settings.eager is not None:
            return None
        return next(
            iter(self._unusable.values()),
            EngineError(f"engine {self.name} has no models", "name one in the config"),
        )

    def _supervise(self, orders: list[Order]) -> Supervisor:
        self._supervisor = Supervisor(orders, log_to=self._settings.log_to, on_gone=self._hang_up)
        return self._supervisor

    def _order(self, model: str, file: File, context: int | None, slots: int | None) -> Order:
        return Order(
            model=model,
            path=str(file.path),
            size=file.size,
            context=context or self._context_of(model, file),
            slots=slots or self._settings.slots,
            threads=self._settings.threads or file.threads(readiness.physical_cores()),
            embeds=file.header.embeds,
            cache_mib=0 if file.small else _CACHE_MIB,
        )

    def _context_of(self, model: str, file: File) -> int:
        return self._settings.context.get(model) or file.context

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def chat(self, request: Request, model: Model, within: float) -> Reply | Failure:
        """Ask once, without streaming."""
        adapter = self._adapter_of(model.id)
        return adapter if isinstance(adapter, Failure) else await adapter.chat(request, model, within)

    async def stream(
        self, request: Request, model: Model, within: float
    ) -> AsyncGenerator[Delta | Reply | Failure]:
        """Ask once, streaming; closing the generator hangs up."""
        adapter = self._adapter_of(model.id)
        if isinstance(adapter, Failure):
            yield adapter
            return
        async with contextlib.aclosing(adapter.stream(request, model, within)) as items:
            async for item in items:
                yield item

    async def embed(self, request: Request, model: Model, within: float) -> Reply | Failure:
        """Turn each text into a vector."""
        adapter = self._adapter_of(model.id)
        return adapter if isinstance(adapter, Failure) else await adapter.embed(request, model, within)

    def _adapter_of(self, model: str) -> Engine | Failure:
        """Find who serves a model at this moment: whenever it is loaded anew, its server has another port."""
        if self._supervisor is None:
            return _unasked(self._unusable.get(model) or self._why_not)
        match self._supervisor.find(model):
            case Loaded(url):
                return self._adapters.get(url) or self._adapters.setdefault(
                    url, self._connect(url, self._supervisor.key)
                )
            case Broken(why):
                return Failure(reason="http_error", detail=f"{model} could not be loaded: {why}")
        # What is wrong with one model says nothing of the others: only an engine that is down refuses.
        if error := self._unusable.get(model):
            return Failure(reason="http_error", detail=_in_full(error))
        status = self._supervisor.status
        if model not in self._files:
            return Failure(reason="http_error", detail=f"engine {self.name} was not told to load {model}")
        if status.state != "up":
            return Failure(reason="refused", detail=status.describe())
        return Failure(reason="http_error", detail=f"{model} is not loaded")

    def _hang_up(self, url: str) -> None:
        """A server is about to go: let nobody wait for it."""
        self._granted.pop(url, None)
        if adapter := self._adapters.pop(url, None):
            task = asyncio.create_task(adapter.close())
            self._hanging_up.add(task)
            task.add_done_callback(self._hanging_up.discard)

    # ── managing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def load(
        self, model_id: str, context: int | None, *, parallel: int | None, within: float
    ) -> LoadedModel | Failure:
        """Load a model, or load it anew with another context, and prove that it took effect.

        A model of that name that is loaded goes first, and is back if this one fails. The others are not disturbed.
        """
        try:
            async with asyncio.timeout(within):
                return await self._load(model_id, context, parallel)
        except TimeoutError:
            return Failure(reason="timeout", detail=f"{model_id} was not loaded within {within:g} s")

    async def _load(self, model: str, context: int | None, slots: int | None) -> LoadedModel | Failure:
        supervisor = await self._running()
        if isinstance(supervisor, Failure):
            return supervisor
        file = await self._examine(model)
        if isinstance(file, Failure):
            return file
        trained = file.header.context
        if context and trained and context > trained:
            why = f"{model} was trained for {trained} tokens and cannot take {context}"
            return Failure(reason="refused", detail=why)
        now = supervisor.find(model)
        if isinstance(now, Loaded):
            context, slots = context or now.order.context, slots or now.order.slots
        order = self._order(model, file, context, slots)
        if isinstance(now, Loaded) and now.order == order:
            return await self._describe(now)
        if supervisor.on_gpu is False and (why := await asyncio.to_thread(_too_big, file, order, now)):
            return Failure(reason="refused", detail=f"{model} could not be loaded: {why}")
        found = await supervisor.load(order)
        if isinstance(found, Broken):
            return Failure(reason="refused", detail=f"{model} could not be loaded: {found.why}")
        described = await self._describe(found)
        if context and isinstance(described, LoadedModel) and (described.context or 0) < context:
            await self.unload(model)
            why = f"{model} was loaded with {described.context} tokens in place of {context}"
            return Failure(reason="refused", detail=why)
        return described

    async def _running(self) -> Supervisor | Failure:
        """The child's supervisor, started with nothing in it if need be."""
        if self._supervisor is None:
            if error := await asyncio.to_thread(readiness.check):
                return _refused(error)
            await (self._supervisor or self._supervise([])).start()
        assert self._supervisor is not None
        return self._supervisor

    async def _examine(self, model: str) -> File | Failure:
        """Look at a model's file as it is now."""
        found = await asyncio.to_thread(catalogue.examine, self._settings.models.get(model, model))
        if isinstance(found, EngineError):
            return _refused(found)
        self._unusable.pop(model, None)
        self._files[model] = found
        return found

    async def unload(self, model_id: str) -> Failure | None:
        """Take a model out of memory. One that is not loaded is no failure; what it is saying breaks off."""
        if self._supervisor:
            await self._supervisor.unload(model_id)
        return None

    async def loaded(self) -> tuple[LoadedModel, ...] | Failure:
        """What is in memory now, with the memory that it was measured to take when it was loaded."""
        if self._supervisor is None:
            return _refused(self._why_not)
        status = self._supervisor.status
        if status.state == "failed":
            return Failure(reason="refused", detail=status.describe())
        serving = [found for found in status.models.values() if isinstance(found, Loaded)]
        described = await asyncio.gather(*map(self._describe, serving))
        return tuple(one for one in described if isinstance(one, LoadedModel))

    async def _describe(self, found: Loaded) -> LoadedModel | Failure:
        """A loaded model, with what its server says that it grants."""
        assert self._supervisor is not None
        granted: Granted | str | None = self._granted.get(found.url)
        if granted is None:
            granted = await ask_props(found.url, self._supervisor.key)
        if isinstance(granted, str):
            return Failure(reason="refused", detail=f"{found.order.model} went as it came: {granted}")
        if found == self._supervisor.find(found.order.model):
            self._granted[found.url] = granted
        return LoadedModel(
            id=found.order.model,
            context=granted.context,
            parallel=granted.slots,
            memory=found.memory,
            vram=0 if self._supervisor.on_gpu is False else None,
        )

    async def shape(self, model_id: str) -> Shape | Failure:
        """The facts that decide how much memory a model takes, from the head of its file."""
        file = await asyncio.to_thread(catalogue.examine, self._settings.models.get(model_id, model_id))
        if isinstance(file, EngineError):
            return _refused(file)
        why = f"{model_id} does not say in its file what its memory depends on"
        return file.shape or Failure(reason="malformed", detail=why)

    def pull(self, model_id: str) -> AsyncGenerator[Progress | Failure]:
        """Fetch a model from Hugging Face into our own folder, going on where an earlier try ended."""
        source = self._settings.models.get(model_id, model_id)
        return hugging_face.pull(source, own_folder(), hugging_face.hub_from_environment())

    async def remove(self, model_id: str) -> Failure | None:
        """Delete a model from our own folder. One that lies elsewhere is left alone, and the failure says where."""
        source = self._settings.models.get(model_id, model_id)
        if isinstance(self._supervisor and self._supervisor.find(model_id), Loaded):
            await self.unload(model_id)
        error = await asyncio.to_thread(catalogue.remove, source)
        return _refused(error) if error else None

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def status(self) -> Status | None:
        """The child as it is now; None when there is none."""
        return self._supervisor.status if self._supervisor else None

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of llama.cpp's log."""
        return self._supervisor.log if self._supervisor else ()

    async def wait_until(self, is_so: Callable[[Status], bool]) -> Status:
        """Wait for a status of the child, which must have been started; callers put a time limit around it."""
        assert self._supervisor is not None
        return await self._supervisor.wait_until(is_so)

    async def health(self) -> Health:
        """Look whether it answers, and which models it could not load."""
        if self._supervisor is None:
            return Health(up=False, version=self._version, detail=_in_full(self._why_not))
        status = self._supervisor.status
        broken = [_in_full(error) for error in self._unusable.values()]
        broken += [
            f"{name}: {found.why}" for name, found in status.models.items() if isinstance(found, Broken)
        ]
        serving = next((name for name, found in status.models.items() if isinstance(found, Loaded)), None)
        adapter = self._adapter_of(serving) if serving else None
        if adapter is None or isinstance(adapter, Failure):
            able = any(not isinstance(status.models.get(model), Broken) for model in self._files)
            up = status.state == "up" and (
                able or not broken
            )  # with nothing loaded, it can still be told to load
            why = [] if status.state == "up" else [status.describe()]
            return Health(up=up, version=self._version, detail="; ".join([*why, *broken]))
        seen = await adapter.health()
        detail = "; ".join([seen.detail, *broken] if seen.detail else broken)
        return Health(up=seen.up, version=self._version, detail=detail)

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it was told to load, with the facts from the files."""
        if self._supervisor is None:
            return _refused(self._why_not)
        models = self._supervisor.status.models
        return tuple(
            file.listed(
                model, context=self._context_of(model, file), loaded=isinstance(models.get(model), Loaded)
            )
            for model, file in self._files.items()
        )

    async def library(self) -> tuple[ListedModel, ...]:
        """What it could be told to load: shipped models, and GGUF files in our folder, Ollama's and LM Studio's."""
        return await asyncio.to_thread(catalogue.survey)

    async def close(self) -> None:
        """Close connections and stop the child."""
        if self._supervisor:
            await self._supervisor.stop()
        if self._hanging_up:
            await asyncio.wait(self._hanging_up)


def _too_big(file: File, order: Order, now: Loaded | Broken | None) -> str:
    """Say that a model cannot fit into what is free, or into that and what its present self has; "" when it may."""
    free, shape = free_memory(), file.shape
    if free is None or shape is None:
        return ""
    there = (now.memory or 0) if isinstance(now, Loaded) else 0
    needed = least_needed(shape, order.context, order.slots)
    if needed <= free + there:
        return ""
    return f"it needs {needed / 1e9:.1f} GB of memory at least, and {(free + there) / 1e9:.1f} GB are free"


def _refused(error: EngineError) -> Failure:
    return Failure(reason="refused", detail=error.message, hint=error.hint)


def _unasked(error: EngineError) -> Failure:
    """A request that nobody took. Its story has one line for why, so that says what to do as well."""
    return Failure(reason="refused", detail=_in_full(error))


def _in_full(error: EngineError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
