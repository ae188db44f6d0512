"""A capability card: what one local model can do on this machine, measured and not declared."""

from collections.abc import Mapping

from msgspec import Struct

from headgate.core.words import Task


class Share(Struct, frozen=True):
    """How many of how many."""

    passed: int
    of: int

    @property
    def rate(self) -> float | None:
        """0–1; None when nothing was asked."""
        return self.passed / self.of if self.of else None


class Card(Struct, frozen=True, kw_only=True):
    """One model on one engine of one machine. Seconds, tokens per second, bytes; None is not measured."""

    engine: str
    """The engine's name in the config."""
    id: str
    """The name that the engine knows the model by."""
    digest: str
    """Of the model's files: another one makes the card stale."""
    machine: str
    """What it was measured on, for people: "RTX 4090, 24 GB"."""
    measured: float
    """Unix time."""
    context: int | None = None
    """Tokens of the context class that it was measured with."""
    parallel: int = 1
    """Answers at a time in the parallel figures."""
    load_seconds: float | None = None
    first_token_cold: float | None = None
    """Seconds to the first token, loading included."""
    first_token_warm: float | None = None
    prompt_speed: float | None = None
    """Prompt tokens per second, one request at a time."""
    speed: float | None = None
    """Tokens written per second, one request at a time."""
    speed_parallel: float | None = None
    """Tokens written per second, `parallel` requests together."""
    fast_context: int | None = None
    """The longest measured prompt, in tokens, at which it still writes at half its speed or more."""
    memory: int | None = None
    """Bytes that it took when loaded, wherever they were."""
    on_gpu: float | None = None
    """The share of them that was on a GPU, 0–1."""
    schema: Share | None = None
    """Answers that fit a JSON Schema."""
    tools: Share | None = None
    """Tool calls with the right tool and arguments that fit."""
    tasks: Mapping[Task, Share] = {}
    """The exam, task by task."""
    languages: Mapping[str, Share] = {}
    """Answers in the language of the question, by ISO 639-1 code."""
