"""The embedded engine: models that llama.cpp runs in a child process of ours.

Its servers speak OpenAI's dialect, so the asking is done by that adapter; this module finds out whom it must ask. It
does not know requests, and it never retries: while the child is being restarted, all its models are "refused". A
`llama-server` that the user runs needs none of this: `engines.connect` gives it that adapter straight away.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from headgate.core.engine import Engine, Health, ListedModel
from headgate.core.errors import EngineError
from headgate.core.types import Delta, Failure, Model, Reply, Request
from headgate.core.words import EngineKind
from headgate.engines.llamacpp import catalogue, readiness
from headgate.engines.llamacpp.catalogue import File
from headgate.engines.llamacpp.supervisor import Broken, Loaded, Order, Status, Supervisor

Connect = Callable[[str, str], Engine]
"""Makes the adapter that speaks to a server, from its url and key."""

_CACHE_MIB = 512
"""Memory for old prompts of a model that is not small. A small one reads a prompt again in no time."""


class LlamacppSettings(Struct, frozen=True, kw_only=True):
    """What the user may say of this engine. None leaves it to us."""

    models: Mapping[str, str] = {}
    """The models to load: the id that requests name, and a shipped model's name or a path to a GGUF file."""
    context: Mapping[str, int] = {}
    """Tokens that one request may take, by model id."""
    slots: int = 1
    """Answers at a time, for each model."""
    threads: int | None = None
    """Threads for each model."""
    log_to: Path | None = None
    """A file for llama.cpp's log."""


class Llamacpp:
    """llama.cpp in a child process, behind the `Engine` protocol.

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
        self._adapters: dict[str, Engine] = {}
        self._files: dict[str, File] = {}
        self._unusable: dict[str, EngineError] = {}
        self._why_not = EngineError("the embedded engine has not been started")
        self._version = ""

    async def start(self) -> EngineError | None:
        """Start the child and load the models. Needed once, before anything else.

        Returns:
            Why no model serves; None when at least one does. `health` tells of the others.
        """
        if self._supervisor:
            return None
        error = await asyncio.to_thread(self._prepare)
        if error:
            self._why_not = error
            return error
        orders = tuple(self._order(model, file) for model, file in self._files.items())
        self._supervisor = Supervisor(orders, log_to=self._settings.log_to)
        status = await self._supervisor.start()
        if any(isinstance(found, Loaded) for found in status.models.values()):
            return None
        return EngineError(_describe(status), "see its log, or try another GGUF file")

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
        if self._files:
            return None
        return next(
            iter(self._unusable.values()),
            EngineError(f"engine {self.name} has no models", "name one in the config"),
        )

    def _order(self, model: str, file: File) -> Order:
        return Order(
            model=model,
            path=str(file.path),
            size=file.size,
            context=self._settings.context.get(model) or file.context,
            slots=self._settings.slots,
            threads=self._settings.threads or file.threads(readiness.physical_cores()),
            embeds=file.header.embeds,
            cache_mib=0 if file.small else _CACHE_MIB,
        )

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def chat(self, request: Request, model: Model, within: float) -> Reply | Failure:
        """Ask once, without streaming."""
        adapter = await self._adapter_of(model.id)
        return adapter if isinstance(adapter, Failure) else await adapter.chat(request, model, within)

    async def stream(
        self, request: Request, model: Model, within: float
    ) -> AsyncGenerator[Delta | Reply | Failure]:
        """Ask once, streaming; closing the generator hangs up."""
        adapter = await self._adapter_of(model.id)
        if isinstance(adapter, Failure):
            yield adapter
            return
        async with contextlib.aclosing(adapter.stream(request, model, within)) as items:
            async for item in items:
                yield item

    async def embed(self, request: Request, model: Model, within: float) -> Reply | Failure:
        """Turn each text into a vector."""
        adapter = await self._adapter_of(model.id)
        return adapter if isinstance(adapter, Failure) else await adapter.embed(request, model, within)

    async def _adapter_of(self, model: str) -> Engine | Failure:
        """Find who serves a model at this moment: after each restart, its server has another port."""
        if error := self._unusable.get(model):
            return Failure(reason="refused", detail=str(error))
        if self._supervisor is None:
            return Failure(reason="refused", detail=str(self._why_not))
        if model not in self._files:
            return Failure(reason="refused", detail=f"engine {self.name} was not told to load {model}")
        status = self._supervisor.status
        match status.models.get(model):
            case Loaded(url):
                await self._forget_all_but(
                    {found.url for found in status.models.values() if isinstance(found, Loaded)}
                )
                return self._adapters.get(url) or self._adapters.setdefault(
                    url, self._connect(url, self._supervisor.key)
                )
            case Broken(why):
                return Failure(reason="refused", detail=f"{model} could not be loaded: {why}")
            case _:
                return Failure(reason="refused", detail=_describe(status))

    async def _forget_all_but(self, urls: set[str]) -> None:
        gone = self._adapters.keys() - urls
        for adapter in [self._adapters.pop(url) for url in gone]:
            await adapter.close()

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
        adapter = await self._adapter_of(serving) if serving else None
        if adapter is None or isinstance(adapter, Failure):
            why = [] if status.state == "up" else [_describe(status)]
            return Health(up=False, version=self._version, detail="; ".join([*why, *broken]))
        seen = await adapter.health()
        detail = "; ".join([seen.detail, *broken] if seen.detail else broken)
        return Health(up=seen.up, version=self._version, detail=detail)

    async def list_models(self) -> tuple[ListedModel, ...] | Failure:
        """What it was told to load, with the facts from the files."""
        if self._supervisor is None:
            return Failure(reason="refused", detail=str(self._why_not))
        models = self._supervisor.status.models
        return tuple(
            ListedModel(
                id=model,
                kind="embedding" if file.header.embeds else "chat",
                context=self._settings.context.get(model) or file.context,
                size=file.size,
                quantization=file.header.quantization,
                parameters=file.header.parameters,
                loaded=isinstance(models.get(model), Loaded),
            )
            for model, file in self._files.items()
        )

    async def close(self) -> None:
        """Close connections and stop the child."""
        await self._forget_all_but(set())
        if self._supervisor:
            await self._supervisor.stop()


def _describe(status: Status) -> str:
    """Say in one clause why there is nobody to ask."""
    broken = [
        f"{name} could not be loaded: {found.why}"
        for name, found in status.models.items()
        if isinstance(found, Broken)
    ]
    match status.state:
        case "starting" | "new":
            before = f"{status.last_exit} and is loading again" if status.last_exit else "is still loading"
            return f"the embedded engine {before}"
        case "waiting":
            return f"the embedded engine {status.last_exit} and starts again"
        case "failed":
            return f"the embedded engine cannot run: {status.last_exit}"
        case "stopped":
            return "the embedded engine was stopped"
        case _:
            return "; ".join(broken) or "the embedded engine has no model"


def _in_full(error: EngineError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
