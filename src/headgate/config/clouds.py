"""The paid services that a key in the environment opens, as data: what the page says of each. It knows no key's value."""

from collections.abc import Collection

from msgspec import Struct

from headgate.core.words import EngineKind


class Cloud(Struct, frozen=True, kw_only=True):
    """A paid service and the model of it that a new page names."""

    variable: str
    """The environment's variable that holds its key."""
    engine: str
    kind: EngineKind
    url: str | None = None
    name: str
    """The model's name in the page."""
    id: str
    extra: tuple[str, ...] = ()
    """More lines of the model's table."""


CLOUDS = (
    Cloud(
        variable="ANTHROPIC_API_KEY",
        engine="anthropic",
        kind="anthropic",
        name="claude",
        id="claude-sonnet-5-5",
        extra=('settings = { effort = "low" }     # its thinking is charged as output',),
    ),
    Cloud(variable="OPENAI_API_KEY", engine="openai", kind="openai", name="gpt", id="gpt-6.1-terra"),
    Cloud(
        variable="GEMINI_API_KEY",
        engine="gemini",
        kind="openai_compatible",
        url="https://generativelanguage.googleapis.com/v1beta/openai",
        name="gemini",
        id="gemini-3.8-flash",
    ),
    Cloud(
        variable="MISTRAL_API_KEY",
        engine="mistral",
        kind="openai_compatible",
        url="https://api.mistral.ai/v1",
        name="mistral-medium",
        id="mistral-medium-latest",
    ),
    Cloud(
        variable="DEEPSEEK_API_KEY",
        engine="deepseek",
        kind="openai_compatible",
        url="https://api.deepseek.com/v1",
        name="deepseek",
        id="deepseek-chat",
    ),
    Cloud(
        variable="GROQ_API_KEY",
        engine="groq",
        kind="openai_compatible",
        url="https://api.groq.com/openai/v1",
        name="groq",
        id="openai/gpt-oss-120b",
    ),
    Cloud(
        variable="OPENROUTER_API_KEY",
        engine="openrouter",
        kind="openai_compatible",
        url="https://openrouter.ai/api/v1",
        name="openrouter",
        id="anthropic/claude-sonnet-5.5",
    ),
)
"""The first one that has a key ends the chains."""


def opened_by(variables: Collection[str]) -> tuple[Cloud, ...]:
    """The services that these variables have keys for."""
    return tuple(cloud for cloud in CLOUDS if cloud.variable in variables)
