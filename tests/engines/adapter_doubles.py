"""Every kind of engine beside its double, for the tests of the adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from headgate.config.engine import EngineSettings
from headgate.core.engine import Engine
from headgate.core.types import Delta, Failure, Message, Model, Reply, Request
from headgate.core.words import EngineKind
from headgate.engines.connect import connect
from headgate.testing.anthropic import AnthropicDouble
from headgate.testing.double import Double
from headgate.testing.lmstudio import LMStudioDouble
from headgate.testing.ollama import OllamaDouble
from headgate.testing.openai import OpenAIDouble


class LlamaServerDouble(OpenAIDouble):
    """As strict as OpenAI, and it takes what llama-server is asked beside that."""

    takes = frozenset({"return_progress"})


DOUBLES: dict[EngineKind, type[Double]] = {
    "ollama": OllamaDouble,
    "lmstudio": LMStudioDouble,
    "openai": OpenAIDouble,
    "openai_compatible": OpenAIDouble,
    "llamacpp": LlamaServerDouble,
    "anthropic": AnthropicDouble,
}
MODELS: dict[EngineKind, str] = {
    "ollama": "llama3.1:8b",
    "lmstudio": "phi-3-mini-128k-instruct",
    "openai": "gpt-4o",
    "openai_compatible": "gpt-4o",
    "llamacpp": "gpt-4o",
    "anthropic": "claude-sonnet-5-5",
}
KEY = "sk-secret-0123456789"
PATIENCE = 10.0


def settings_for(kind: EngineKind, url: str, **more: Any) -> EngineSettings:
    if kind in ("openai", "openai_compatible", "llamacpp"):
        url += "/v1"
    return EngineSettings(**{"name": f"my-{kind}", "kind": kind, "url": url, "key": KEY} | more)


def model_for(kind: EngineKind, /, **more: Any) -> Model:
    return Model(
        **{"name": "m", "engine": f"my-{kind}", "engine_kind": kind, "id": MODELS[kind], "local": True} | more
    )


def a_request(*texts: str, **fields: Any) -> Request:
    messages = tuple(Message("user", text) for text in texts or ("Is 7 a prime number?",))
    return Request(**{"id": "r1", "asked": "auto", "messages": messages} | fields)


@asynccontextmanager
async def engine_and_double(
    kind: EngineKind, answer: Any = None, double: Double | None = None, **more: Any
) -> AsyncIterator[tuple[Engine, Any]]:
    async with double or DOUBLES[kind](answer=answer) as behind:
        engine = connect(settings_for(kind, behind.url, **more))
        try:
            yield engine, behind
        finally:
            await engine.close()


async def ask(
    engine: Engine, request: Request, model: Model, *, stream: bool, within: float = PATIENCE
) -> tuple[list[Delta], Reply | Failure]:
    """Deltas and the one result, whichever way it is asked."""
    if not stream:
        return [], await engine.chat(request, model, within)
    items = [item async for item in engine.stream(request, model, within)]
    *deltas, result = items
    assert all(isinstance(delta, Delta) for delta in deltas)
    assert isinstance(result, Reply | Failure)
    return deltas, result  # type: ignore[return-value]  # the line above says so
