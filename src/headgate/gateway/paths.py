"""Which path leads to which door, as data, and what a wrong path was probably meant to be.

Nothing here acts; `serve` does.
"""

from collections.abc import Mapping
from difflib import get_close_matches

from headgate.core.words import DialectName
from headgate.wire.doors import Counter, Door, StreamingDoor
from headgate.wire.doors.anthropic_messages import Messages, TokenCount
from headgate.wire.doors.ollama_chat import OllamaChat
from headgate.wire.doors.ollama_embeddings import OllamaEmbed, OllamaEmbeddings
from headgate.wire.doors.ollama_generate import OllamaGenerate
from headgate.wire.doors.openai_chat import ChatCompletions
from headgate.wire.doors.openai_completions import Completions
from headgate.wire.doors.openai_embeddings import OpenAIEmbeddings
from headgate.wire.doors.openai_responses import InputTokens, Responses
from headgate.wire.faults import Fault

STREAMING: Mapping[str, StreamingDoor] = {
    "/v1/chat/completions": ChatCompletions(),
    "/v1/responses": Responses(),
    "/v1/completions": Completions(),
    "/v1/messages": Messages(),
    "/api/chat": OllamaChat(),
    "/api/generate": OllamaGenerate(),
}
"""POST: requests that a model answers, at once or as a stream."""

DOORS: Mapping[str, Door] = {
    **STREAMING,
    "/v1/embeddings": OpenAIEmbeddings(),
    "/api/embed": OllamaEmbed(),
    "/api/embeddings": OllamaEmbeddings(),
}
"""POST: all requests that take a model."""

COUNTERS: Mapping[str, Counter] = {
    "/v1/responses/input_tokens": InputTokens(),
    "/v1/messages/count_tokens": TokenCount(),
}
"""POST: how many tokens a prompt has."""

LOOKS: tuple[str, ...] = (
    "/healthz",
    "/admin/fleet",
    "/metrics",
    "/openapi.json",
    "/v1/models",
    "/",
    "/api/version",
    "/api/tags",
    "/api/ps",
)
"""GET or HEAD: what the gate shows."""

OPEN = frozenset({"/", "/healthz"})
"""What anybody may look at, without a key too: whether the gate is there."""

LOGIN = b"/dash/login"
"""Where a browser logs in."""

ONE_MODEL = "/v1/models/"
"""GET or HEAD, with a model's name after it."""

SHOW = "/api/show"
"""POST: Ollama's way to look at one model."""

METHODS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*DOORS, *COUNTERS), ("POST",)),
    **dict.fromkeys(LOOKS, ("GET", "HEAD")),
    SHOW: ("POST",),
}


def dialect_of(path: str, headers: Mapping[bytes, bytes]) -> DialectName:
    """Whose words a caller uses, who did not come through a door: for lists and errors."""
    if path.startswith("/api/"):
        return "ollama"
    if path.startswith("/v1/messages") or b"anthropic-version" in headers:
        return "anthropic"
    return "openai"


def no_such_path(path: str) -> Fault:
    """Nothing is served there; most often the base URL has a `/v1` too few or too many."""
    if f"/v1{path}" in METHODS:
        hint = "the base URL of this client ends in /v1: http://…:4141/v1"
    elif path.startswith(("/v1/v1/", "/v1/api/")):
        hint = "the base URL of this client does without /v1: http://…:4141"
    else:
        kin = [
            known for known in METHODS if known.split("/")[1] == path.split("/")[1]
        ]  # /v1/chat is no /api/chat
        close = get_close_matches(path[:100], kin or METHODS, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(METHODS)}"
    return Fault(status=404, message=f"there is no {path[:200]} here", code="unknown_url", hint=hint)


def wrong_method(path: str, method: str, takes: str) -> Fault:
    """The path is right, the method is not."""
    return Fault(status=405, message=f"{path} takes {takes}, not {method}", hint=f"send a {takes}")
