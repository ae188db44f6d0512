"""How servers and models differ in their Chat Completions, as data.

Nothing here acts; the values themselves are in `engines.profiles`.
"""

from typing import Literal

from msgspec import Struct

from headgate.wire.upstream.identity import Identity
from headgate.wire.upstream.tool_ids import ANY_ID, ToolIds


class ModelRule(Struct, frozen=True, kw_only=True):
    """What the models whose ids begin with one of `prefixes` take otherwise than the rest."""

    prefixes: tuple[str, ...]
    rejects: frozenset[str] = frozenset()
    """Fields that are refused always."""
    rejects_thinking: frozenset[str] = frozenset()
    """Fields that are refused unless `reasoning_effort` is "none"."""
    least_effort: str | None = None
    """What `reasoning_effort` "none" is sent as, where the model has no "none"."""
    tool_ids: ToolIds | None = None
    """The ids of tool calls that the model's own template takes, whoever serves it."""


class Profile(Struct, frozen=True, kw_only=True):
    """How one kind of server speaks the dialect."""

    name: str
    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_usage: bool = True
    """It takes `stream_options`; if not, usage in streams is estimated."""
    tells_progress: bool = False
    """Asked to, it tells in a stream how much of the prompt it has read, and so notices before the first token that nobody reads any more."""
    says_cost: bool = False
    """Its usage says what it charged, in dollars."""
    logprobs: bool = True
    json_object: Literal["native", "schema", "none"] = "native"
    """How "any JSON object" is asked for: as such, as the schema {"type": "object"}, or not at all."""
    json_word: bool = False
    """It gives JSON objects only to conversations that speak of JSON."""
    strict_schemas: Literal["when_fit", "always", "never"] = "never"
    """When a schema is marked strict: OpenAI refuses the mark on schemas that leave anything open."""
    reasoning: bool = True
    """Messages may carry what the model thought before (`reasoning_content`)."""
    developer_role: bool = False
    """False: developer messages are sent as system messages."""
    identity: Identity = "off"
    empty_is_failure: bool = False
    """An answer with nothing in it is how this server hides an overflow."""
    base64_vectors: bool = False
    """It gives vectors as base64, which is a third of their length as decimals."""
    cuts_texts: bool = False
    """It cuts texts to embed that are longer than the window, and says so in its log only."""
    accepts: frozenset[str] | None = None
    """The fields it knows, where it refuses all others; None takes anything."""
    decides: frozenset[str] = frozenset()
    """The models that answer at `/decisions`, by their ids."""
    tool_ids: ToolIds = ANY_ID
    rules: tuple[ModelRule, ...] = ()

    def rule_for(self, model_id: str) -> ModelRule | None:
        """The first rule that covers the model."""
        bare = model_id.rpartition("/")[2].lower()
        for rule in self.rules:
            if bare.startswith(rule.prefixes):
                return rule
        return None
