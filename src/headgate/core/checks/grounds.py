"""Do the passages hold what an answer claims? Its numbers with their units, its names, its yes or no, and its words.

    verify(answer, passages) → one Finding per sentence, with what is wrong and the sentence that grounds it

A claim holds when each of its clauses is grounded in one sentence of a passage that it cites: of its names and figures all, of its
other words at least half, and hardly any that stand in another sentence. So it is seen when a figure or a name changes, when a name
moves to somebody else's deed, when a "not" comes or goes, and when the wrong passage is cited. It is not known which words mean the
same, or the contrary: "free" that becomes "paid" in a long sentence passes, and a true claim all in words of its own does not.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.checks.numbers import find_numbers, known_values
from headgate.core.checks.wordings import (
    MONTHS,
    NEGATIONS,
    PRONOUNS,
    SMALL,
    SPELLED,
    UNITS,
    alike,
    content_words,
    is_small,
)
from headgate.core.citing import Claim, claims_of, sentences_of
from headgate.core.language import detect

EQUAL = 1e-9

NEAR = 4
"""Words behind a figure among which its unit is looked for."""

LONGEST_HEADING = 100
"""Characters of a first line that can be a heading."""

OWN = 0.5
"""Share of a clause's plain words that may be the model's own, and stand nowhere in what it cites."""

MOVED = 0.25
"""Share of a clause's plain words that may stand in another sentence of what it cites: with more, it mixes up who does what."""

_TOKEN = re.compile(r"[^\W_]+(?:[-'’._@/:+][^\W_]+)*|[%€$£]")
_IDENTIFIER = re.compile(
    r"https?://[^\s<>\"\])]+|www\.[^\s<>\"\])]+|[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"
    r"|\b[A-Z]+[-_/]?\d[\w/-]*|\b[A-Za-z]+_\w+|\bv\d+(?:\.\d+)+"
)
"""A web or e-mail address, a number with letters before it ("AB-12345"), a name of a program's ("find_order"), a version."""
_CLAUSE = re.compile(r";\s+|,\s+|\s+(?:and|but|while|whereas|und|aber|sondern|sowie|et|mais|y|pero)\s+")
_BACK = re.compile(
    r"(?:it|they|this|these|those|he|she|its|their|sie|er|es|diese|dieser|dieses|dies|ihre|seine|il|elle|ils|elles)\b",
    re.IGNORECASE,
)
"""How a sentence begins that speaks on of what the one before it is about."""
_SAYS_WHO = re.compile(
    r"[,;]?\s*\b(?:[Aa]ccording to|[Aa]s stated in|[Ss]elon|[Ss]egún|[Ll]aut|[Gg]emäß) (?:(?:the|dem|der|den|le|la|el) )?"
    r"(?:[a-z]+|Handbuch|Dokument|Dokumenten|Unterlagen|Text|Abschnitt)\b,?"
)
"""Words that only say where it stands, which the mark says."""
_DATE = re.compile(r"\d\.?\s+([A-ZÄÉ][a-zäéûü]+)|\b([A-ZÄÉ][a-zäéûü]+)\.?\s+\d")
_GERMAN_LETTERS = re.compile(r"[äöüßÄÖÜ]")
_CLOSED = (".", "!", "?", ":", ",", ";")
_EVEN_SO = re.compile(
    r"\b(?:no|not) (?:later|more|less|longer|only|fewer)\b|\bnicht (?:nur|später|länger|mehr) als\b|n't only"
)
"""A "no" that denies nothing."""


class Finding(Struct, frozen=True, gc=False):
    """A sentence of an answer, and whether it holds."""

    claim: Claim
    problem: str = ""
    """What is not shown by the passages that it cites; "" when it holds."""
    grounds: tuple[tuple[int, str], ...] = ()
    """The sentences that ground it, each with the number of its passage."""


def verify(answer: str, passages: Mapping[int, str]) -> tuple[Finding, ...]:
    """Each sentence of an answer, held against the passages that it cites.

    Args:
        answer: with its marks.
        passages: by the numbers that the marks name; headings belong to them.
    """
    claims = claims_of(answer)
    cited = {number for claim in claims for number in claim.cites}
    units = {number: tuple(_units(text)) for number, text in passages.items() if number in cited}
    return tuple([_hold(claim, units) for claim in claims])


def recited(findings: Sequence[Finding], passages: Mapping[int, str]) -> tuple[Finding, ...]:
    """The findings, with those sentences made good that another passage shows than the one that they cite, if they cite any."""
    if not any(finding.problem for finding in findings):
        return tuple(findings)
    units = {number: tuple(_units(text)) for number, text in passages.items()}
    return tuple([_elsewhere(one.claim, units) or one if one.problem else one for one in findings])


def speaks_of(question: str, findings: Iterable[Finding], passages: Mapping[int, str]) -> bool:
    """Whether what holds has to do with the question: a word of it stands in a sentence, in its ground, or in the first line above that."""
    wanted = content_words(question)
    said = frozenset(
        [
            word
            for finding in findings
            if not finding.problem
            for text in (
                finding.claim.text,
                *(f"{ground} {passages[number].partition(chr(10))[0]}" for number, ground in finding.grounds),
            )
            for word in content_words(text)
        ]
    )
    return not wanted or any(_has(said, word) for word in wanted)


class Unit(Struct, frozen=True, gc=False):
    """A sentence of a passage, or a clause of one, as claims are held against it."""

    text: str
    words: frozenset[str]
    """In small letters, those of the headings too."""
    exact: str
    """All its letters, small, for identifiers."""
    values: tuple[float, ...]
    units: frozenset[tuple[float, str]]
    """Figures with what they count."""
    denies: bool
    german: bool
    """Its nouns have capital letters, so a capital letter tells no name."""


def _hold(claim: Claim, units: Mapping[int, tuple[Unit, ...]]) -> Finding:
    if claim.text.rstrip().endswith("?"):
        return Finding(claim, "it asks, and states nothing")
    if not claim.cites:
        return Finding(claim, "it cites no passage")
    missing = next((number for number in claim.cites if number not in units), None)
    if missing is not None:
        return Finding(claim, f"it cites [{missing}], and there is no such passage")
    grounds: list[tuple[int, str]] = []
    subject = _subject(claim.text)
    cited = [(number, unit) for number in claim.cites for unit in units[number]]
    everywhere = frozenset().union(*(unit.words for _, unit in cited))
    for clause in _clauses(claim.text):
        ground = next((one for one in cited if not _missing_from(clause, one[1], subject, everywhere)), None)
        if ground is None:
            nearest = max(cited, key=lambda one: _shared(clause, one[1]), default=None)
            problem = _missing_from(clause, nearest[1], subject, everywhere) if nearest else ""
            return Finding(claim, problem or "what it cites is empty")
        grounds.append((ground[0], ground[1].text))
        subject = ""
    if not grounds:
        return Finding(claim, "it says too little to be held against a passage")
    return Finding(claim, "", tuple(dict.fromkeys(grounds)))


def _elsewhere(claim: Claim, units: Mapping[int, tuple[Unit, ...]]) -> Finding | None:
    tries = (_hold(replace(claim, cites=(number,)), units) for number in units)
    return next((finding for finding in tries if not finding.problem), None)


def _missing_from(clause: str, unit: Unit, subject: str, everywhere: frozenset[str]) -> str:
    """What of a clause a sentence does not have; "" if it has enough."""
    for found in _IDENTIFIER.finditer(clause):
        if found[0].lower().rstrip(".,/") not in unit.exact:
            return f'"{found[0]}" is not in what it cites'
    plain = _IDENTIFIER.sub(" ", clause)
    for written, values in _figures(plain):
        if not any(abs(value - known) <= EQUAL * abs(value) for value in values for known in unit.values):
            return f"{written} is not in what it cites"
    for values, counts in _counted(plain):
        if not any((value, counts) in unit.units for value in values):
            return f"{values[0]:g} × {counts} is not in what it cites"
    tokens = _tokens(plain)
    words = [token for token in tokens if _is_word(token)]
    if subject and not _has(unit.words, subject):
        return f'"{subject}" is not in what it cites'
    names = [token for token in words if token[0].isupper() and token is not tokens[0]]
    for name in names:
        if not (_has if unit.german else _names)(unit.words, name.lower()):
            return f'"{name}" is not in what it cites'
    missing = [word.lower() for word in words if word not in names and not _has(unit.words, word.lower())]
    moved = [word for word in missing if _has(everywhere, word)]
    plain_words = len(words) - len(names)
    if len(missing) > OWN * plain_words or len(moved) > MOVED * plain_words:
        return "what it says is not in what it cites"
    if words and _denies(plain) != unit.denies:
        return "it says yes where the passage says no, or the other way round"
    return ""


def _units(text: str) -> Iterator[Unit]:
    """A passage as claims are held against it: sentence by sentence, and clause by clause where one denies."""
    heading, newline, body = text.partition("\n")
    is_heading = newline and len(heading) <= LONGEST_HEADING and not heading.rstrip().endswith(_CLOSED)
    above = heading if is_heading and not body.lstrip()[:1].islower() else ""
    german = _is_german(text)
    before = ""
    for sentence in sentences_of(body if above else text):
        spoken_of = f"{before} {sentence}" if before and _BACK.match(sentence) else ""
        yield _unit(sentence, above, german=german)
        if spoken_of:
            yield _unit(spoken_of, above, german=german, shown=sentence)
        for clause in _CLAUSE.split(sentence) if _denies(sentence) else ():
            yield _unit(clause, above, german=german, shown=sentence)
        before = sentence
    if above:
        yield _unit(above, "", german=german)


def _unit(text: str, above: str, *, german: bool, shown: str = "") -> Unit:
    whole = f"{above}\n{text}"
    return Unit(
        text=shown or text,
        words=frozenset(part for token in _tokens(whole) for part in _parts(token.lower())),
        exact=whole.lower(),
        values=(*known_values(whole), *(value for _, value in _months(whole))),
        units=frozenset((value, counts) for values, counts in _counted(whole) for value in values),
        denies=_denies(text),
        german=german,
    )


def _clauses(text: str) -> list[str]:
    """The parts of a sentence that say something each; small ones belong to the part before."""
    parts: list[str] = []
    for part in _CLAUSE.split(_SAYS_WHO.sub("", text)):
        if parts and not any(_is_word(token) for token in _tokens(part)) and not list(_figures(part)):
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    said = [part for part in parts if any(_is_word(token) for token in _tokens(part)) or list(_figures(part))]
    return [part for part in said if part.strip()]


def _figures(text: str) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Each figure with what it may mean: in digits, or as a word that can mean nothing else."""
    for number in find_numbers(text):
        yield number.written, tuple([value for value, _ in number.values])
    for token in _tokens(text):
        if token.lower() in SPELLED:
            yield token, (SPELLED[token.lower()],)
    for token, value in _months(text):
        yield token, (value,)


def _months(text: str) -> Iterator[tuple[str, float]]:
    """The months of dates, as their numbers: "3 October", "Okt. 2024"."""
    for found in _DATE.finditer(text):
        word = found[1] or found[2]
        if word.lower() in MONTHS:
            yield word, MONTHS[word.lower()]


def _counted(text: str) -> Iterator[tuple[tuple[float, ...], str]]:
    """Figures, with all that each may mean, and what they count, where that is a unit: (5, "day"), (20, "%")."""
    spots = [
        (number.start, number.end, tuple([value for value, _ in number.values]))
        for number in find_numbers(text)
    ]
    spots += [
        (found.start(), found.end(), (SPELLED[found[0].lower()],))
        for found in _TOKEN.finditer(text)
        if found[0].lower() in SPELLED
    ]
    for start, end, values in spots:
        if text[start:end].rstrip().endswith("%"):
            yield values, "%"
            continue
        before = _tokens(text[max(0, start - 2) : start])
        unit = UNITS.get(before[-1], "") if before else ""
        for token in [] if unit else _tokens(text[end : end + 80])[:NEAR]:
            unit = UNITS.get(token.lower(), "")
            if unit:
                break
        if unit:
            yield values, unit


def _denies(text: str) -> bool:
    return any(
        token.lower() in NEGATIONS or token.lower().endswith(("n't", "n’t"))
        for token in _tokens(_EVEN_SO.sub(" ", text))
    )


def _subject(text: str) -> str:
    """What the sentence is about, by its first word that says something; "" where it begins with you, we or it."""
    tokens = _tokens(_IDENTIFIER.sub(" ", _SAYS_WHO.sub("", text)))
    if tokens and tokens[0].lower() in PRONOUNS:
        return ""
    return next((token for token in tokens if _is_word(token)), "").lower()


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _is_word(token: str) -> bool:
    """Whether a token says something by itself: no small word, figure or unit."""
    lowered = token.lower()
    return (
        token[0].isalpha()
        and not is_small(lowered)
        and lowered not in SPELLED
        and lowered not in MONTHS
        and lowered not in UNITS
        and lowered not in NEGATIONS
        and not lowered.endswith(("n't", "n’t"))
        and lowered not in SMALL
    )


def _parts(token: str) -> Iterable[str]:
    """A token and what it is put together of."""
    return {token, *re.split(r"[-'’._@/:+]", token)} - {""}


def _shared(clause: str, unit: Unit) -> int:
    """How many words of a clause a sentence has."""
    return sum(_has(unit.words, token.lower()) for token in _tokens(clause) if _is_word(token))


def _is_german(text: str) -> bool:
    language = detect(text)[0]
    return language == "de" or (not language and _GERMAN_LETTERS.search(text) is not None)


def _names(words: frozenset[str], name: str) -> bool:
    """Whether a name is among words, as it is or in its genitive."""
    return name in words or name.removesuffix("s") in words or f"{name}s" in words


def _has(words: frozenset[str], word: str) -> bool:
    """Whether a word is among others, in whatever ending."""
    return word in words or any(alike(word, other) for other in words)
