"""Capability cards as people read them: one in full, and all of them as a section of the report.

It shows what was measured. It does not judge, and knows neither whether a card is stale nor what the router makes of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from headgate.core.cards import Card, PassRate
from headgate.core.hardware import memory_words
from headgate.core.words import Task
from headgate.reports.shown import UNKNOWN, count, milliseconds, per_second

HEADER = ("Model", "First token", "Read", "Written", "Together", "Schema", "Tools", "Measured")
"""Of the table in the report."""
SIDES = "<>>>>>>>"


def card_lines(card: Card) -> Iterator[tuple[str, str]]:
    """One card in full, as pairs of what and how much."""
    yield "measured", f"{day_of(card)} on {card.machine}" if card.machine else day_of(card)
    yield "loading", milliseconds(card.load_seconds)
    yield "memory", _memory(card)
    if card.dimensions is not None:
        yield "embedding", f"{per_second(card.texts_speed, 'text')}, {count(card.dimensions, 'dimension')}"
        return
    yield (
        "first token",
        f"{milliseconds(card.first_token_warm)} warm, {milliseconds(card.first_token_cold)} cold",
    )
    yield "reading", per_second(card.prompt_speed, "token")
    yield "writing", f"{per_second(card.speed, 'token')}{_together(card)}"
    longest = UNKNOWN if card.fast_context is None else f"up to {count(card.fast_context, 'token')} of prompt"
    yield "stays fast", longest + (f", of a window of {card.context:,}" if card.context else "")
    yield "schema", _said(card.schema, "answer", "fits", "fit")
    yield "tools", _said(card.tools, "call", "is right", "are right")
    yield "exam", shares_of(card.tasks) or UNKNOWN
    yield "languages", shares_of(card.languages) or UNKNOWN


def table_rows(cards: Sequence[Card]) -> list[tuple[str, ...]]:
    """The models that answer, one a row, under `HEADER`."""
    return [
        (
            name_of(card),
            milliseconds(card.first_token_warm),
            per_second(card.prompt_speed),
            per_second(card.speed),
            f"{per_second(card.speed_parallel)} ({card.parallel})",
            share_of(card.schema),
            share_of(card.tools),
            day_of(card),
        )
        for card in cards
        if card.dimensions is None
    ]


def exam_lines(cards: Sequence[Card]) -> Iterator[str]:
    """One line a model: the exam, or what it embeds."""
    for card in cards:
        if card.dimensions is not None:
            figures = f"{per_second(card.texts_speed, 'text')}, {count(card.dimensions, 'dimension')}"
            yield f"{name_of(card)}: {figures}, measured {day_of(card)}"
        elif card.tasks:
            yield f"{name_of(card)}, exam: {shares_of(card.tasks)}"


def name_of(card: Card) -> str:
    """The model and the engine that it was measured on."""
    return f"{card.id} ({card.engine})"


def day_of(card: Card) -> str:
    """The day of the measurement, in UTC."""
    return datetime.fromtimestamp(card.measured, UTC).date().isoformat()


def share_of(share: PassRate | None) -> str:
    """A share in short: "5/6"."""
    return UNKNOWN if share is None else f"{share.passed}/{share.of}"


def shares_of(shares: Mapping[Task, PassRate] | Mapping[str, PassRate]) -> str:
    """Shares in short: "classification 8/8, code 0/7"."""
    return ", ".join(f"{name} {share_of(share)}" for name, share in shares.items())


def _said(share: PassRate | None, noun: str, one: str, many: str) -> str:
    if share is None:
        return UNKNOWN
    return f"{share.passed} of {count(share.of, noun)} {one if share.passed == 1 else many}"


def _together(card: Card) -> str:
    return "" if card.parallel == 1 else f", {per_second(card.speed_parallel)} {card.parallel} at a time"


def _memory(card: Card) -> str:
    return memory_words(card.memory) + (
        "" if card.on_gpu is None else f", {card.on_gpu:.0%} of it on the GPU"
    )
