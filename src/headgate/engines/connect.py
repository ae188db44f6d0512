"""From an engine's settings to the engine itself.

Nothing is sent here: an engine that is down is found out by `health`, not by this. It does not read the configuration
file and keeps nothing.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from headgate import __version__
from headgate.config.engine import EngineSettings, is_here
from headgate.core.batching import BatchEngine
from headgate.core.engine import Engine
from headgate.core.errors import EngineError
from headgate.core.types import Model
from headgate.core.words import EngineKind
from headgate.engines.anthropic import Anthropic
from headgate.engines.anthropic_batches import AnthropicBatches
from headgate.engines.llamacpp.engine import Llamacpp, LlamacppSettings
from headgate.engines.lms import Lms
from headgate.engines.lmstudio import LMStudio
from headgate.engines.ollama import Ollama
from headgate.engines.openai_batches import OpenAIBatches
from headgate.engines.openai_compatible import OpenAICompatible
from headgate.engines.profiles import ANTHROPIC_RULES, LLAMA_SERVER, OPENAI, OPENAI_COMPATIBLE, profile_for
from headgate.engines.transport import HttpTransport
from headgate.wire.upstream import Dialect
from headgate.wire.upstream.anthropic_messages import LATEST, AnthropicMessages
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.openai_profile import Profile

SPARE_CONNECTIONS = 4
"""Beyond the engine's own limit: for looks at its health while it is busy."""
MOST_RESULTS = 4 * 1024**3
"""Bytes of the results of a provider's batch, which are read line by line."""


BATCHING: tuple[EngineKind, ...] = ("openai", "anthropic")
"""Kinds of engines whose provider takes batches at half price. Some that copied OpenAI's API do too; nobody knows which."""


def connect(
    settings: EngineSettings, models: Sequence[Model] = (), *, eager: frozenset[str] | None = None
) -> Engine:
    """Build the engine.

    Args:
        settings: its table in the configuration.
        models: the models that the configuration puts on it; only the embedded engine, which has to load them, asks.
        eager: the ids of those that it loads when it starts; None is all of them.

    Raises:
        EngineError: an address, header, certificate file or profile that cannot be used.
    """
    if settings.kind == "llamacpp" and settings.url is None:
        return _embed(settings, models, eager)
    url = settings.url
    if url is None:
        raise EngineError(f"the engine {settings.name} has no url", "write its address into headgate.toml")
    if settings.kind in ("ollama", "lmstudio", "anthropic"):
        url = url.rstrip("/").removesuffix("/v1")  # people paste it, but these adapters bring the whole path
    try:
        transport = HttpTransport(
            url,
            headers=_headers(settings),
            ca_file=settings.ca_file,
            max_connections=settings.parallel + SPARE_CONNECTIONS,
        )
    except ValueError as error:
        raise EngineError(
            f"the engine {settings.name} cannot be reached so: {error}", "correct its table in headgate.toml"
        ) from None
    match settings.kind:
        case "ollama":
            return Ollama(settings, transport)
        case "lmstudio":
            return LMStudio(settings, transport, Lms() if is_here(url) else None)
        case "anthropic":
            return Anthropic(settings, transport)
        case _:
            return OpenAICompatible(settings, transport, _profile(settings, url))


def connect_batches(settings: EngineSettings) -> BatchEngine:
    """Build the way to an engine's batches; its kind is one of `BATCHING`.

    Raises:
        EngineError: an address, header or certificate file that cannot be used.
    """
    assert settings.kind in BATCHING, settings.kind
    assert settings.url is not None, "a provider has an address"
    claude = settings.kind == "anthropic"
    url = settings.url.rstrip("/").removesuffix("/v1") if claude else settings.url
    headers = [line for line in _headers(settings) if line[0] != "content-type"]  # a file goes up as a form
    try:
        transport = HttpTransport(
            url, headers=headers, ca_file=settings.ca_file, body_limit=MOST_RESULTS, keep=False
        )
    except ValueError as error:
        raise EngineError(
            f"the engine {settings.name} cannot be reached so: {error}", "correct its table in headgate.toml"
        ) from None
    if claude:
        return AnthropicBatches(settings, transport)
    return OpenAIBatches(settings, transport, _profile(settings, settings.url))


def dialect_of(settings: EngineSettings) -> Dialect:
    """What an engine whose kind is one of `BATCHING` speaks."""
    if settings.kind == "anthropic":
        return AnthropicMessages(ANTHROPIC_RULES, settings.api_version or LATEST)
    return OpenAIChat(_profile(settings, settings.url or ""))


def _embed(settings: EngineSettings, models: Sequence[Model], eager: frozenset[str] | None) -> Llamacpp:
    """The embedded engine: it finds out where its servers listen, and has them asked by an adapter of ours."""

    def ask(url: str, key: str | None) -> Engine:
        return connect(replace(settings, url=url, key=key))

    wanted = LlamacppSettings(
        models={model.id: model.id for model in models if not model.lane_of},
        eager=eager,
        context={
            model.id: model.context for model in models if model.context is not None and not model.lane_of
        },
        slots=settings.parallel,
        threads=settings.threads,
    )
    return Llamacpp(settings.name, wanted, ask)


def _headers(settings: EngineSettings) -> list[tuple[str, str]]:
    """What every request carries; a header of the user's own takes the place of ours."""
    ours = {"user-agent": f"headgate/{__version__}", "content-type": "application/json"}
    if settings.key:
        if settings.kind == "anthropic":
            ours["x-api-key"] = settings.key
        else:
            ours["authorization"] = f"Bearer {settings.key}"
    theirs = {name.lower(): value for name, value in settings.headers.items()}
    return list((ours | theirs).items())


def _profile(settings: EngineSettings, url: str) -> Profile:
    if settings.profile is not None:
        if (named := OPENAI_COMPATIBLE.get(settings.profile)) is None:
            known = ", ".join(OPENAI_COMPATIBLE)
            raise EngineError(
                f"the engine {settings.name} has an unknown profile, {settings.profile}",
                f"use one of: {known}",
            )
        return named
    if settings.kind == "openai":
        return OPENAI
    return LLAMA_SERVER if settings.kind == "llamacpp" else profile_for(url)
