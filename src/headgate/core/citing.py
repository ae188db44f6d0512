"""Answers from passages: what a model is shown, and how its answer has to look.

    Passage[n] … + question → prompt → "Refunds take five days [2]." → claims, each with the passages that it cites

The form is fixed here, for whoever asks (`workers`) and for whoever judges (`checks`). This module does not know where
passages come from.
"""

from collections.abc import Sequence

from msgspec import Struct

NOT_IN_DOCUMENTS = "Not in the documents."
"""What a model says when the passages do not answer the question."""

ORDERS = (
    "Answer the question from the passages only. After each sentence write the number of its passage, like [1].\n"
    f"If the passages do not answer the question, say exactly: {NOT_IN_DOCUMENTS}"
)


class Passage(Struct, frozen=True, gc=False, kw_only=True):
    """A piece of a document, as it is shown to a model."""

    text: str
    source: str
    """The file, as a person finds it."""
    line: int | None = None
    """Of its beginning, from 1; None where the file has no lines."""
    last_line: int | None = None
    page: int | None = None
    """From 1; None where the file has no pages."""
    heading: str = ""
    """The headings above it, outermost first: "Refunds › How long they take"."""


def show(passages: Sequence[Passage], question: str) -> str:
    """What is asked: the passages, numbered from 1, then the question."""
    shown = []
    for number, passage in enumerate(passages, start=1):
        head = f"[{number}] {passage.heading}\n" if passage.heading else f"[{number}] "
        shown.append(f"{head}{passage.text.strip()}")
    return "\n\n".join([*shown, f"Question: {question.strip()}"])
