"""A capability card: what one local model can do on this machine, measured and not declared.

A card says what was measured; `apply` says what follows from it for the router, and `is_stale` when it no longer counts.
How it is measured is the business of `fleet.bench`; what is asked, of `core.exam`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.engine import ListedModel, find_listed
from headgate.core.types import Model
from headgate.core.words import Capability, Task

LEAST_RATE: Final = 0.5
"""A model that calls tools, or fits a schema, more seldom than this is not asked to."""
LEAST_TRIED: Final = 4
"""Items below which a rate takes nothing away."""
LEAST_SCORED: Final = 5
"""Items of a task below which its share is no score."""


class PassRate(Struct, frozen=True):
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
    schema: PassRate | None = None
    """Answers that fit a JSON Schema."""
    tools: PassRate | None = None
    """Tool calls with the right tool and arguments that fit."""
    tasks: Mapping[Task, PassRate] = {}
    """The exam, task by task."""
    languages: Mapping[str, PassRate] = {}
    """Answers in the language of the question, by ISO 639-1 code."""
    texts_speed: float | None = None
    """Of a model that embeds: texts per second, a batch at a time."""
    dimensions: int | None = None
    """Of a model that embeds: the length of its vectors."""


Cards = Mapping[tuple[str, str], Card]
"""The newest card of each model, by engine and id."""


def apply(model: Model, card: Card | None, *, stated: bool) -> Model:
    """The model as its card shows it: with scores, and without the capabilities that it was seen not to have.

    Args:
        model: as the config describes it.
        card: of this model; None when it was not measured.
        stated: the user himself says in the config what the model can do, and is believed.
    """
    if card is None:
        return model
    lacking = {} if stated else unproven(card)
    scores: dict[Task, float] = {
        task: share.passed / share.of for task, share in card.tasks.items() if share.of >= LEAST_SCORED
    }
    return replace(model, capabilities=model.capabilities - lacking.keys(), scores=scores)


def keep_untried(card: Card, before: Card | None, *, exam: bool, loading: bool) -> Card:
    """The card with what an earlier one of the same version knows and this measurement was told to leave out.

    Args:
        card: the new one.
        before: the newest one until now.
        exam: there was to be no exam.
        loading: the model was not to be loaded anew.
    """
    if before is None or (before.digest, before.machine) != (card.digest, card.machine):
        return card
    if exam:
        card = replace(
            card, schema=before.schema, tools=before.tools, tasks=before.tasks, languages=before.languages
        )
    if loading and card.load_seconds is None:
        card = replace(card, load_seconds=before.load_seconds, first_token_cold=before.first_token_cold)
    return card


def unproven(card: Card) -> dict[Capability, str]:
    """The capabilities that a card takes away, with the reason for people."""
    lacking: dict[Capability, str] = {}
    if _fails(card.tools):
        lacking["tools"] = f"on this machine {_said(card.tools)} calls of tools were right"
    if _fails(card.schema):
        for capability in ("schema", "json"):
            lacking[capability] = f"on this machine {_said(card.schema)} answers fitted their JSON schema"
    return lacking


def is_stale(card: Card, listed: ListedModel) -> bool:
    """Whether the model has changed since it was measured. Without a digest on either side nobody can tell."""
    return bool(card.digest and listed.digest) and card.digest != listed.digest


def fresh_cards(models: Iterable[Model], cards: Cards, listed: Mapping[str, Iterable[ListedModel]]) -> Cards:
    """The cards that still count: those of models that have not changed since, as far as their engines say."""
    fresh = {}
    for model in models:
        card = cards.get((model.engine, model.id))
        found = find_listed(model.id, listed.get(model.engine, ()))
        if card is not None and not (found is not None and is_stale(card, found)):
            fresh[model.engine, model.id] = card
    return fresh


def stale_cards(
    models: Iterable[Model], cards: Cards, listed: Mapping[str, Iterable[ListedModel]]
) -> tuple[str, ...]:
    """One sentence for each model whose card is for another version of it, with the command that measures it again.

    Args:
        models: of the config.
        cards: the newest ones.
        listed: what each engine has; an engine that did not say is missing.
    """
    said = []
    for model in models:
        card = cards.get((model.engine, model.id))
        found = find_listed(model.id, listed.get(model.engine, ()))
        if card is not None and found is not None and is_stale(card, found):
            said.append(
                f"the card of {model.name} is for another version of it; headgate models bench {model.name}"
            )
    return tuple(said)


def _fails(share: PassRate | None) -> bool:
    return share is not None and share.of >= LEAST_TRIED and share.passed < LEAST_RATE * share.of


def _said(share: PassRate | None) -> str:
    return f"{share.passed} of {share.of}" if share is not None else "none"
