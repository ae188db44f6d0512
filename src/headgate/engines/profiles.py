"""What servers and their models take, as data: the habits of each kind of engine, and the matrix of model parameters.

Nothing here acts. The dialects in `wire.upstream` read it, and `adjustments` asks them what of a request they would
change. It does not know addresses beyond the host names by which a hosted service is recognised.

Source: each provider's API reference as of November 2026; rows marked "seen" were observed on a running server.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from headgate.core.types import Model, Request
from headgate.core.words import EngineKind
from headgate.wire.upstream import Dialect, EmbeddingDialect
from headgate.wire.upstream.anthropic_messages import AnthropicMessages
from headgate.wire.upstream.anthropic_messages import ModelRule as AnthropicRule
from headgate.wire.upstream.embeddings import OllamaEmbed, OpenAIEmbeddings
from headgate.wire.upstream.ollama_native import OllamaNative
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.openai_profile import ModelRule, Profile
from headgate.wire.upstream.tool_ids import ToolIds

# ── OpenAI's models ──────────────────────────────────────────────────────────────────────────────────────────────────

SAMPLING = frozenset({"temperature", "top_p", "logprobs", "top_logprobs"})
PENALTIES = frozenset({"presence_penalty", "frequency_penalty", "logit_bias"})
REASONING = frozenset({"reasoning_effort", "verbosity"})

OPENAI_RULES = (
    ModelRule(prefixes=("gpt-6-astra", "gpt-6.1-sol"), rejects=SAMPLING | PENALTIES, least_effort="low"),
    ModelRule(prefixes=("gpt-5-chat",), rejects=REASONING),
    ModelRule(prefixes=("gpt-5.", "gpt-6", "gpt-7", "gpt-8", "gpt-9"), rejects_thinking=SAMPLING | PENALTIES),
    ModelRule(prefixes=("gpt-5",), rejects=SAMPLING | PENALTIES, least_effort="minimal"),
    ModelRule(
        prefixes=("o1", "o3", "o4", "o5"), rejects=SAMPLING | PENALTIES | {"verbosity"}, least_effort="low"
    ),
    ModelRule(prefixes=("gpt-3", "gpt-4", "chatgpt"), rejects=REASONING),
)
OPENAI_TOOL_IDS = ToolIds(pattern=r".{1,40}")
OPENAI_FIELDS = frozenset(
    {
        *(
            "model",
            "messages",
            "stream",
            "stream_options",
            "max_completion_tokens",
            "max_tokens",
            "temperature",
        ),
        *("top_p", "stop", "seed", "logprobs", "top_logprobs", "logit_bias", "presence_penalty"),
        *("frequency_penalty", "response_format", "tools", "tool_choice", "parallel_tool_calls"),
        *("reasoning_effort", "verbosity", "service_tier", "prompt_cache_key", "prompt_cache_options"),
        *("prompt_cache_retention", "safety_identifier", "user", "metadata", "store", "prediction"),
        *("modalities", "audio", "web_search_options"),
    }
)

# ── Mistral's models ─────────────────────────────────────────────────────────────────────────────────────────────────

NINE_LETTERS = ToolIds(pattern=r"[A-Za-z0-9]{9}", prefix="", digits=9)
"""Mistral's service takes no other ids, and the chat templates of its models raise on them on any server."""
MISTRAL_RULES = (
    ModelRule(
        prefixes=("mistral", "ministral", "mixtral", "magistral", "devstral", "codestral", "pixtral"),
        tool_ids=NINE_LETTERS,
    ),
)

# ── Servers that speak OpenAI's dialect ──────────────────────────────────────────────────────────────────────────────

OPENAI = Profile(
    name="openai",
    max_tokens="max_completion_tokens",
    strict_schemas="when_fit",
    json_word=True,
    reasoning=False,
    developer_role=True,
    identity="dated",
    base64_vectors=True,
    accepts=OPENAI_FIELDS,
    decides=frozenset({"gpt-6-luna"}),
    tool_ids=OPENAI_TOOL_IDS,
    rules=OPENAI_RULES,
)
LMSTUDIO = Profile(
    name="lmstudio",
    logprobs=False,
    json_object="schema",
    strict_schemas="always",
    identity="loose",
    empty_is_failure=True,
    cuts_texts=True,
    rules=MISTRAL_RULES,
)
LLAMA_SERVER = Profile(
    name="llama-server", tells_progress=True, base64_vectors=True, rules=MISTRAL_RULES
)  # seen: it ignores `model` and answers with its own alias
GENERIC = Profile(name="openai_compatible", rules=MISTRAL_RULES)
OPENAI_COMPATIBLE: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        GENERIC,
        OPENAI,
        LMSTUDIO,
        LLAMA_SERVER,
        Profile(name="deepseek", json_word=True, identity="dated"),
        Profile(name="gemini", logprobs=False, identity="dated"),
        Profile(
            name="groq", max_tokens="max_completion_tokens", logprobs=False, json_word=True, identity="dated"
        ),
        Profile(name="mistral", logprobs=False, identity="dated", tool_ids=NINE_LETTERS),
        Profile(name="openrouter", says_cost=True, tool_ids=OPENAI_TOOL_IDS, rules=MISTRAL_RULES),
        Profile(name="vllm", developer_role=True, rules=MISTRAL_RULES),
    )
}
HOSTS: Mapping[str, str] = {
    "api.openai.com": "openai",
    "api.deepseek.com": "deepseek",
    "generativelanguage.googleapis.com": "gemini",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "openrouter.ai": "openrouter",
}


def profile_for(url: str) -> Profile:
    """The habits of the server at an address: those of a service that we know by its host, or the plain ones."""
    return OPENAI_COMPATIBLE[HOSTS.get(urlsplit(url).hostname or "", GENERIC.name)]


# ── Anthropic's models ───────────────────────────────────────────────────────────────────────────────────────────────

ANTHROPIC_RULES = (
    AnthropicRule(
        prefixes=("claude-sonnet-5-5",),
        sampling=False,
        thinking_off="between_tools",
        thinking_budget=False,
        prefill=False,
        forced_tool=False,
    ),
    AnthropicRule(prefixes=("claude-3", "claude-sonnet-4-2", "claude-opus-4-2"), schema=False, effort=False),
    AnthropicRule(
        prefixes=("claude-haiku-4-", "claude-sonnet-4-5", "claude-opus-4-1"),
        sampling_pair=False,
        effort=False,
    ),
    AnthropicRule(
        prefixes=(
            "claude-sonnet-4-",
            "claude-opus-4-",
            "claude-haiku-5-",
            "claude-opus-5-",
        ),
        sampling_pair=False,
    ),
)

# ── What would change ────────────────────────────────────────────────────────────────────────────────────────────────

DIALECTS: Mapping[EngineKind, Dialect] = {
    "ollama": OllamaNative(),
    "lmstudio": OpenAIChat(LMSTUDIO),
    "llamacpp": OpenAIChat(LLAMA_SERVER),
    "openai_compatible": OpenAIChat(GENERIC),
    "openai": OpenAIChat(OPENAI),
    "anthropic": AnthropicMessages(ANTHROPIC_RULES),
}


EMBEDDERS: Mapping[EngineKind, EmbeddingDialect] = {
    "ollama": OllamaEmbed(),
    "lmstudio": OpenAIEmbeddings(LMSTUDIO),
    "llamacpp": OpenAIEmbeddings(LLAMA_SERVER),
    "openai_compatible": OpenAIEmbeddings(GENERIC),
    "openai": OpenAIEmbeddings(OPENAI),
}
"""Anthropic has no embeddings."""


def adjustments(request: Request, model: Model) -> tuple[str, ...]:
    """What of a request is dropped or said otherwise for a model, one sentence each; empty if it is sent as it came.

    An engine of the kind "openai_compatible" is judged by the plain profile here; its adapter knows its own.
    """
    dialects = DIALECTS if request.kind == "chat" else EMBEDDERS
    return dialects[model.engine_kind].adjustments(request, model)
