"""Which clients there are, what each of them can do, and through which door it comes."""

from dataclasses import dataclass

COLUMNS = {
    "plain": "plain",
    "streaming": "streamed",
    "tools": "tools",
    "tools_streamed": "tools, streamed",
    "schema": "JSON schema",
    "images": "images",
    "embeddings": "embeddings",
    "errors": "errors",
    "broken_stream": "broken stream",
    "abort": "hang-up",
    "models": "models",
    "count_tokens": "count tokens",
}
"""Feature → its column in docs/clients.md."""

TALK = frozenset(COLUMNS) - {"embeddings", "models", "count_tokens"}
TEXT_ONLY = frozenset({"plain", "streaming", "errors", "broken_stream", "abort"})


@dataclass(frozen=True)
class Client:
    """One client through one door: a row of the table.

    `script` lies in the folder of its environment; `package` is its name in its registry.
    """

    name: str
    script: str
    environment: str
    package: str
    door: str
    features: frozenset[str]


def clients(
    script: str, environment: str, package: str, *rows: tuple[str, str, frozenset[str]]
) -> tuple[Client, ...]:
    """The clients of one script, each with its door and features."""
    return tuple(Client(name, script, environment, package, door, features) for name, door, features in rows)


CHAT, RESPONSES, COMPLETIONS = "/v1/chat/completions", "/v1/responses", "/v1/completions"
MESSAGES, OLLAMA = "/v1/messages", "/api/chat"
EMBEDDINGS, MODELS, COUNT = frozenset({"embeddings"}), frozenset({"models"}), frozenset({"count_tokens"})

CLIENTS = (
    *clients(
        "openai_clients.py",
        "current",
        "openai",
        ("openai-python, chat", CHAT, TALK | EMBEDDINGS | MODELS),
        ("openai-python, responses", RESPONSES, TALK),
        ("openai-python, completions", COMPLETIONS, TEXT_ONLY),
    ),
    *clients(
        "openai_clients.mjs",
        "node",
        "openai",
        ("openai-node, chat", CHAT, TALK | EMBEDDINGS | MODELS),
        ("openai-node, responses", RESPONSES, TALK),
    ),
    *clients(
        "anthropic_clients.py",
        "current",
        "anthropic",
        ("anthropic-python", MESSAGES, TALK | COUNT | MODELS),
    ),
    *clients(
        "anthropic_clients.mjs",
        "node",
        "@anthropic-ai/sdk",
        ("anthropic-node", MESSAGES, TALK | COUNT | MODELS),
    ),
    *clients("ollama_clients.py", "current", "ollama", ("ollama-python", OLLAMA, TALK | EMBEDDINGS | MODELS)),
    *clients("ollama_clients.mjs", "node", "ollama", ("ollama-js", OLLAMA, TALK | EMBEDDINGS | MODELS)),
    *clients(
        "langchain_clients.py",
        "current",
        "langchain-openai",
        ("langchain-openai", CHAT, TALK | EMBEDDINGS),
        ("langchain-openai, responses", RESPONSES, TALK),
    ),
    *clients(
        "langchain_clients.py", "current", "langchain-anthropic", ("langchain-anthropic", MESSAGES, TALK)
    ),
    *clients(
        "langchain_clients.py",
        "current",
        "langchain-ollama",
        ("langchain-ollama", OLLAMA, TALK | EMBEDDINGS),
    ),
    *clients(
        "llama_index_clients.py",
        "openai2",
        "llama-index-llms-openai-like",
        ("llama-index, OpenAI-like", CHAT, TALK | EMBEDDINGS),
    ),
    *clients(
        "llama_index_clients.py",
        "openai2",
        "llama-index-llms-ollama",
        ("llama-index, Ollama", OLLAMA, TALK | EMBEDDINGS),
    ),
    *clients(
        "pydantic_ai_clients.py",
        "current",
        "pydantic-ai-slim",
        ("pydantic-ai, OpenAI chat", CHAT, TALK),
        ("pydantic-ai, OpenAI responses", RESPONSES, TALK),
        ("pydantic-ai, Anthropic", MESSAGES, TALK),
    ),
    *clients(
        "litellm_clients.py",
        "openai2",
        "litellm",
        ("litellm, openai/", CHAT, TALK | EMBEDDINGS),
        ("litellm, anthropic/", MESSAGES, TALK),
        ("litellm, ollama_chat/", OLLAMA, TALK | EMBEDDINGS),
    ),
    *clients(
        "llm_clients.py", "current", "llm", ("llm, chat", CHAT, TALK), ("llm, responses", RESPONSES, TALK)
    ),
    *clients(
        "ai_sdk_clients.mjs",
        "node",
        "@ai-sdk/openai",
        ("ai-sdk, openai", RESPONSES, TALK | EMBEDDINGS),
        ("ai-sdk, openai.chat", CHAT, TALK),
    ),
    *clients(
        "ai_sdk_clients.mjs",
        "node",
        "@ai-sdk/openai-compatible",
        ("ai-sdk, openai-compatible", CHAT, TALK | EMBEDDINGS),
    ),
    *clients("ai_sdk_clients.mjs", "node", "@ai-sdk/anthropic", ("ai-sdk, anthropic", MESSAGES, TALK)),
)
