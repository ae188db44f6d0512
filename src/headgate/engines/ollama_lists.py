"""What Ollama says of its models: the bodies of `/api/tags`, `/api/ps` and `/api/show`, and how they are read.

A body must have the shape that it has had since the first versions; a server that answers everything with 200 is none of
Ollama's. Facts that came with later versions may be missing.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from headgate.core.engine import ListedModel, LoadedModel
from headgate.core.types import Failure
from headgate.wire.upstream import UNREADABLE

Body = TypeVar("Body", bound=Struct)


class WireVersion(Struct):
    """The answer of `/api/version`."""

    version: str


class WireDetails(Struct):
    """Facts from the model's file."""

    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""
    context_length: int | None = None


class WireModel(Struct):
    """A model in `/api/tags`; windows and capabilities are there since about 0.30."""

    name: str
    size: int | None = None
    digest: str = ""
    details: WireDetails | None = None
    capabilities: list[str] | None = None
    remote_host: str | None = None


class WireModels(Struct):
    """The answer of `/api/tags`."""

    models: list[WireModel] | None


class WireRunning(Struct):
    """A model in `/api/ps`."""

    name: str
    size: int | None = None
    size_vram: int | None = None
    context_length: int | None = None
    expires_at: str = ""


class WireRunningModels(Struct):
    """The answer of `/api/ps`."""

    models: list[WireRunning] | None


class WireShown(Struct):
    """The answer of `/api/show`."""

    details: WireDetails | None = None
    model_info: dict[str, Any] | None = None
    capabilities: list[str] | None = None
    remote_host: str | None = None


class WireDone(Struct):
    """The answer of `/api/generate` to an empty prompt."""

    done: bool
    done_reason: str = ""


class WireEmbedded(Struct):
    """The answer of `/api/embed` to no text at all."""

    embeddings: list[Any] | None


class WirePull(Struct):
    """A line of `/api/pull`."""

    status: str = ""
    digest: str = ""
    total: int | None = None
    completed: int | None = None
    error: Any = None


def read_shown(body: bytes) -> WireShown | Failure:
    """A body of `/api/show`: of what it has always had, either part may be missing, but not both."""
    shown = read(body, WireShown, "/api/show")
    if isinstance(shown, WireShown) and shown.details is None and shown.model_info is None:
        return Failure(reason="malformed", detail="/api/show has another shape than Ollama's")
    return shown


def read(body: bytes, shape: type[Body], path: str) -> Body | Failure:
    """A body of this shape, or the failure of one that has another."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        return Failure(reason="malformed", detail=f"{path} has another shape than Ollama's: {error}")


def full_name(model_id: str) -> str:
    """A model's name with its tag; none means `latest`."""
    return model_id if ":" in model_id.rpartition("/")[2] else f"{model_id}:latest"


def same_name(one: str, other: str) -> bool:
    """Whether two names mean the same model: Ollama does not care about case, and adds the tag."""
    return full_name(one).lower() == full_name(other).lower()


def embeds(capabilities: list[str] | None, details: WireDetails | None) -> bool:
    """Whether a model turns text into vectors; older versions list no capabilities."""
    if capabilities:
        return "embedding" in capabilities
    return details is not None and "bert" in details.family


def window_of(shown: WireShown) -> int | None:
    """The tokens that a model was trained for."""
    facts = shown.model_info or {}
    window = facts.get(f"{facts.get('general.architecture')}.context_length")
    return window if isinstance(window, int) else None


def lacks_lists(shown: WireShown) -> bool:
    """Whether a fact about the cache is a list, one number for each layer: Ollama tells those only when asked twice."""
    return any(value is None for key, value in (shown.model_info or {}).items() if ".attention." in key)


def listed(model: WireModel, shown: WireShown | None, loaded: set[str] | None) -> ListedModel:
    """A model of the list, with what `/api/show` knows where the list does not say it."""
    details = model.details or WireDetails()
    context, capabilities = details.context_length, model.capabilities
    if shown is not None:
        context, capabilities = window_of(shown), shown.capabilities
    return ListedModel(
        id=model.name,
        kind="embedding" if embeds(capabilities, details) else "chat",
        context=context,
        size=model.size,
        quantization=details.quantization_level,
        parameters=details.parameter_size,
        loaded=None if loaded is None else model.name in loaded,
        remote=bool(model.remote_host) or model.name.endswith((":cloud", "-cloud")),
        digest=model.digest,
    )


def running(model: WireRunning) -> LoadedModel:
    """A model in memory. How many requests it takes at a time, Ollama does not say."""
    return LoadedModel(
        id=model.name,
        context=model.context_length,
        memory=model.size,
        vram=model.size_vram,
        until=_unix(model.expires_at),
    )


def _unix(stamp: str) -> float | None:
    try:
        return datetime.fromisoformat(stamp).timestamp() if stamp else None
    except ValueError:
        return None
