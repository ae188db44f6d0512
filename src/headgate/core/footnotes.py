"""An answer from passages as people get it: what is shown by its passages, with footnotes that say where they stand.

    footnoted(findings, passages) → CitedAnswer → text

What does not hold is left out, and that something was left out is said. Where nothing holds, the answer is that it is not in the
documents, with the closest passages. It does not judge (`checks.grounds`).
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from headgate.core.checks.grounds import Finding
from headgate.core.citing import NOT_IN_DOCUMENTS, Passage

LONGEST_QUOTE = 300
"""Characters."""


class Citation(Struct, frozen=True, kw_only=True):
    """A footnote."""

    n: int
    source: str
    line: int | None
    last_line: int | None
    page: int | None
    heading: str
    quote: str
    """The sentences that show it; of a passage that is only close, its beginning."""


class CitedAnswer(Struct, frozen=True, kw_only=True):
    """What a knowledge base answers."""

    answer: str
    """With marks for `citations`; "Not in the documents." when it does not."""
    citations: tuple[Citation, ...]
    """The passages that show it; when nothing was found, the closest."""
    found: bool
    left_out: int = 0
    """Sentences that the passages do not show."""


def footnoted(findings: Sequence[Finding], passages: Sequence[Passage]) -> CitedAnswer:
    """The part of an answer that holds, its marks numbered in the order in which they come.

    Args:
        findings: its sentences, as they were held against the passages.
        passages: as they were shown: [1] is the first.
    """
    numbers: dict[int, int] = {}
    quotes: dict[int, list[str]] = {}
    lines: dict[int, list[str]] = {}
    holding = [finding for finding in findings if not finding.problem]
    if not holding:
        return not_found(passages, len(findings))
    for finding in holding:
        for number, sentence in finding.grounds:
            numbers.setdefault(number, len(numbers) + 1)
            if sentence not in quotes.setdefault(number, []):
                quotes[number].append(sentence)
        marks = "".join(f"[{n}]" for n in sorted({numbers[number] for number, _ in finding.grounds}))
        claim = finding.claim
        line = lines.setdefault(claim.line, [claim.bullet.rstrip()] if claim.bullet else [])
        line.append(marked(claim.text, marks))
    text = ""
    last = next(iter(lines))
    for number, line in lines.items():
        text += ("" if not text else "\n" if number - last <= 1 else "\n\n") + " ".join(line)
        last = number
    citations = [
        citation(n, passages[number - 1], " … ".join(quotes[number])) for number, n in numbers.items()
    ]
    return CitedAnswer(
        answer=text, citations=tuple(citations), found=True, left_out=len(findings) - len(holding)
    )


def not_found(passages: Iterable[Passage], left_out: int = 0) -> CitedAnswer:
    """The answer that there is none, with the closest passages."""
    closest = tuple(
        [citation(n, passage, " ".join(passage.text.split())) for n, passage in enumerate(passages, start=1)]
    )
    return CitedAnswer(answer=NOT_IN_DOCUMENTS, citations=closest, found=False, left_out=left_out)


def text_of(cited: CitedAnswer, place: Callable[[Citation], str] | None = None) -> str:
    """The answer with its footnotes, as a chat shows it.

    Args:
        cited: the answer.
        place: how a place is written; by default with the whole path.
    """
    written = place or place_of
    notes = [
        f"[{one.n}] {written(one)}" + (f" · {one.heading}" if one.heading else "") for one in cited.citations
    ]
    parts = [cited.answer]
    if cited.found and cited.left_out:
        what = "One sentence was" if cited.left_out == 1 else f"{cited.left_out} sentences were"
        parts.append(
            f"({what} left out: the documents do not show {'it' if cited.left_out == 1 else 'them'}.)"
        )
    if cited.left_out and not cited.found:
        parts.append("(A model answered, but the documents do not show what it said.)")
    if notes:
        parts.append("\n".join(notes if cited.found else ["The closest passages:", *notes]))
    return "\n\n".join(parts)


def place_of(one: Citation) -> str:
    """Where a citation stands: "handbook.md:12–18" or "terms.pdf, page 3"."""
    if one.page is not None:
        return f"{one.source}, page {one.page}"
    if one.line is None:
        return one.source
    last = f"–{one.last_line}" if one.last_line not in (None, one.line) else ""  # from … to
    return f"{one.source}:{one.line}{last}"


def marked(text: str, marks: str) -> str:
    """A sentence with its marks before its full stop."""
    bare = text.rstrip(".!")
    return f"{bare} {marks}{text[len(bare) :] or '.'}"


def citation(n: int, passage: Passage, quote: str) -> Citation:
    """A footnote to a passage."""
    short = quote if len(quote) <= LONGEST_QUOTE else f"{quote[:LONGEST_QUOTE].rsplit(' ', 1)[0]} …"
    return Citation(
        n=n,
        source=passage.source,
        line=passage.line,
        last_line=passage.last_line,
        page=passage.page,
        heading=passage.heading,
        quote=short,
    )
