"""Answers from passages: what a model is shown, and how its answer has to look.

    Passage[n] … + question → prompt → "Refunds take five days [2]." → claims, each with the passages that it cites

The form is fixed here, for whoever asks (`workers`) and for whoever judges (`checks`). This module does not know where
passages come from, nor whether they hold what is claimed (`grounds`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

NOT_IN_DOCUMENTS = "Not in the documents."
"""What a model says when the passages do not answer the question."""

ORDERS = (
    "Answer the question from the passages only. After each sentence write the number of its passage, like [1].\n"
    f"If the passages do not answer the question, say exactly: {NOT_IN_DOCUMENTS}"
)

CHECKS = ("not-empty", "not-cut-off", "not-repeating", "cited")
"""That look at such an answer, by their names."""


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


_MARK = r"\[\s*\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\s*\]"
_MARKS = re.compile(rf"\s*({_MARK})")
_END = re.compile(rf"[.!?…]+[\"”’»)*_]*(?:\s*{_MARK})*(?=\s|$)|(?:\s*{_MARK})+(?=\s*$)")
"""The end of a sentence, with the marks behind it: "… five days [1]." or "… five days. [1]"."""
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+|^\s*#+\s+")
_SHORT = re.compile(
    r"(?:^|[\s(])(?:dr|mr|mrs|ms|prof|st|no|nr|vs|ca|approx|inc|ltd|co|art|abs|bzw|usw|etc|evtl|ggf|inkl|zzgl|tel|str|"
    r"[a-z]|[a-z]\.\s?[a-z])\.$",
    re.IGNORECASE,
)
"""What ends in a full stop that ends no sentence."""
LONGEST_SHORT = 16
"""Characters at the end of a sentence among which such a word is looked for; they are more than any has."""
_ORDINAL = re.compile(r"(?:^|\s)\d{1,2}\.$")
_BLOCK = re.compile(r"(?:^|\n\n)\[(\d{1,3})\] ")
_QUESTION = "\n\nQuestion: "


class Claim(Struct, frozen=True, gc=False):
    """A sentence of an answer, with the numbers of the passages that it cites."""

    text: str
    """Without its marks."""
    cites: tuple[int, ...]
    line: int = 0
    """Of the answer, from 0."""
    bullet: str = ""
    """What begins its line, if it is the first there: "- ", "1. "."""


def is_not_found(answer: str) -> bool:
    """Whether an answer says that the passages do not answer the question, and nothing else."""
    return answer.strip().strip("\"'*").rstrip(".!").lower() == NOT_IN_DOCUMENTS.rstrip(".").lower()


def claims_of(answer: str) -> tuple[Claim, ...]:
    """The sentences of an answer. What only says that there is no answer is none."""
    found = []
    for number, line in enumerate(answer.splitlines()):
        bullet = opening[0] if (opening := _BULLET.match(line)) else ""
        for sentence in _sentences(line[len(bullet) :]):
            text = _MARKS.sub("", sentence).strip()
            if any(letter.isalnum() for letter in text) and not is_not_found(text):
                found.append(Claim(text, tuple(_cited(sentence)), number, bullet))
    return tuple(found)


def sentences_of(text: str) -> Iterator[str]:
    """The sentences of a text; a line that breaks off is one too."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*•|]|\d{1,2}[.)]\s))", text):
        yield from _sentences(" ".join(block.split()))


def question_in(asked: str) -> str:
    """The question that `show` has written behind its passages."""
    return asked.rpartition(_QUESTION)[2]


def shown_in(asked: str) -> Mapping[int, str]:
    """The passages that a question came with, by their numbers, with their headings: what `show` has written."""
    body, found, _ = asked.rpartition(_QUESTION)
    if not found:
        return {}
    starts: list[tuple[int, int]] = []
    for mark in _BLOCK.finditer(body):
        if int(mark[1]) == len(starts) + 1:
            starts.append((mark.start(), mark.end()))
    ends = [start for start, _ in starts[1:]] + [len(body)]
    return {
        number: body[begin:end].strip()
        for number, ((_, begin), end) in enumerate(zip(starts, ends, strict=True), start=1)
    }


def _sentences(line: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(line):
        last, rest = line[max(start, end.end() - LONGEST_SHORT) : end.end()], line[end.end() :].lstrip()
        if rest and (
            _SHORT.search(last) or rest[:1].islower() or (_ORDINAL.search(last) and rest[:1].isupper())
        ):
            continue
        said = line[start : end.end()].strip()
        if said:
            yield said
        start = end.end()
    if line[start:].strip():
        yield line[start:].strip()


def _cited(sentence: str) -> Iterator[int]:
    seen = set()
    for mark in _MARKS.finditer(sentence):
        for part in re.split(r"[,;]", mark[1].strip("[] ")):
            first, _, last = (piece.strip() for piece in re.sub("–", "-", part).partition("-"))
            for number in range(int(first), int(last or first) + 1):
                if number not in seen:
                    seen.add(number)
                    yield number
