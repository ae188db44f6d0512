"""The answers for the parts of one text, put together as far as that needs no model; and what a model is asked for the rest.

    answers → join()  → one value of the same shape, with the prose that a model has to merge, and the conflicts
    labels  → vote()  → one label, with a tally
    texts   → group() → what fits one request, round by round

Lists are joined and what stands in them twice is left out. Of single values the one that most parts give is kept, the earlier of
equals, and the others are named. It does not know who answers (`workers.long`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from headgate.core.tokens import Counter

PROSE = 12
"""A text of more words is prose: two of them are merged by a model. Names, numbers, dates and categories are shorter."""

SHOWN = 60
"""Characters of a value in a sentence about a conflict."""

Path = tuple[str | int, ...]


class Prose(Struct, frozen=True):
    """Texts for one place of the answer that only a model can put together."""

    path: Path
    texts: tuple[str, ...]


class Joined(Struct, frozen=True):
    """The answers of all parts as one."""

    value: Any
    """Where prose has to be merged, it holds the texts one after the other."""
    prose: tuple[Prose, ...] = ()
    conflicts: tuple[str, ...] = ()
    """One sentence each: what the parts disagree about, and what was kept."""


class Vote(Struct, frozen=True):
    """The label that the parts chose together."""

    label: str
    probabilities: Mapping[str, float]
    tally: str
    """"billing 2.71, technical 0.29 of 3"."""
    surest: int
    """The part that gave the label with the greatest probability."""


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def join(values: Sequence[Any], lead: int | None = None) -> Joined:
    """One value out of several of the same shape.

    Args:
        values: the answers, in the order of their parts.
        lead: the answer whose single values win where there is a reason for that: the one that is surest of the label that won.
    """
    prose: list[Prose] = []
    conflicts: list[str] = []
    value = _join(values, lead, (), prose, conflicts)
    return Joined(value, tuple(prose), tuple(conflicts))


def _join(
    values: Sequence[Any], lead: int | None, path: Path, prose: list[Prose], conflicts: list[str]
) -> Any:
    known = [value for value in values if not is_nothing(value)]
    if not known:
        return values[0] if values else None
    if all(isinstance(value, list) for value in known):
        return union(known)
    if all(isinstance(value, dict) for value in known):
        names = dict.fromkeys(name for value in known for name in value)
        return {
            name: _join(
                [value.get(name) if isinstance(value, dict) else None for value in values],
                lead,
                (*path, name),
                prose,
                conflicts,
            )
            for name in names
        }
    distinct = merge_same(known)
    if len(distinct) == 1:
        return distinct[0]
    if lead is not None and not is_nothing(values[lead]):
        return values[lead]
    if all(isinstance(value, str) for value in distinct) and any(is_prose(value) for value in distinct):
        prose.append(Prose(path, tuple(distinct)))
        return "\n".join(distinct)
    return keep_one(known, distinct, path, conflicts)


def keep_one(known: Sequence[Any], distinct: Sequence[Any], path: Path, conflicts: list[str]) -> Any:
    """The value that most parts give, the earlier of equals; what else there was is written down."""
    counts = [sum(same(value, other) for other in known) for value in distinct]
    kept = distinct[counts.index(max(counts))]
    place = ".".join(map(str, path)) or "the answer"
    said = ", ".join(f"{shown(value)} ({count})" for value, count in zip(distinct, counts, strict=True))
    conflicts.append(f"{place}: the parts say {said}; {shown(kept)} is kept")
    return kept


def union(lists: Sequence[list[Any]]) -> list[Any]:
    """All items, in order, each once."""
    return merge_same([item for one in lists for item in one])


def merge_same(items: Sequence[Any]) -> list[Any]:
    """The items without those that say what another says; of two objects that complete each other, both together."""
    found: list[Any] = []
    for item in items:
        for index, other in enumerate(found):
            if same(item, other):
                if isinstance(item, dict):
                    found[index] = completed(other, item)
                break
        else:
            found.append(item)
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two values say the same: letters of another size and a full stop make no difference, nor does what one leaves open."""
    if isinstance(one, str) and isinstance(other, str):
        return plain(one) == plain(other)
    if isinstance(one, dict) and isinstance(other, dict):
        told = [
            (one[name], other[name])
            for name in one
            if name in other and not is_nothing(one[name]) and not is_nothing(other[name])
        ]
        return bool(told) and all(same(a, b) for a, b in told) if one != other else True
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def completed(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """An object with what it leaves open taken from another."""
    filled = {name: other.get(name) if is_nothing(value) else value for name, value in one.items()}
    return {**other, **filled}


def put(value: Any, path: Path, text: str) -> Any:
    """The value with a text in that place."""
    if not path:
        return text
    return {**value, path[0]: put(value[path[0]], path[1:], text)}


def is_nothing(value: Any) -> bool:
    """Whether a value leaves its place open."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_prose(text: str) -> bool:
    """Whether a text is too long to be a name, a date or a category."""
    return len(text.split()) > PROSE


def plain(text: str) -> str:
    """A text as far as it matters for comparing: no capitals, single spaces, no full stop."""
    return " ".join(text.split()).casefold().rstrip(".!;, ")


def shown(value: Any) -> str:
    """A value in a sentence."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


# ── Labels ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def vote(ballots: Sequence[tuple[str, Mapping[str, float]]]) -> Vote:
    """The label with the greatest sum of probabilities over the parts, the earlier of equals.

    A part whose model gave no probabilities counts as sure of its label.
    """
    sums: dict[str, float] = {}
    for label, probabilities in ballots:
        for name, share in (probabilities or {label: 1.0}).items():
            sums[name] = sums.get(name, 0.0) + share
    total = sum(sums.values()) or 1.0
    ranked = sorted(sums, key=lambda name: -sums[name])
    winner = ranked[0]
    tally = ", ".join(f"{name} {sums[name]:.2f}" for name in ranked if sums[name] >= 0.005)
    surest = max(
        range(len(ballots)),
        key=lambda part: (ballots[part][0] == winner, ballots[part][1].get(winner, 1.0), -part),
    )
    return Vote(
        label=winner,
        probabilities={name: sums[name] / total for name in ranked},
        tally=f"{tally} of {len(ballots)}",
        surest=surest,
    )


# ── Texts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def group(texts: Sequence[str], room: int, counter: Counter) -> list[list[int]]:
    """Neighbours that fit one request together, by their places; one that fits with no other stands alone.

    Args:
        texts: the answers, in order.
        room: tokens for all answers of a request.
        counter: counts a text's tokens.
    """
    groups: list[list[int]] = []
    used = 0
    for index, text in enumerate(texts):
        size = counter(text) + PER_ANSWER
        if groups and used + size <= room:
            groups[-1].append(index)
            used += size
        else:
            groups.append([index])
            used = size
    return groups


PER_ANSWER = 8
"""Tokens of the line above each answer."""


def merge_prompt(answers: Sequence[str]) -> str:
    """What a model is asked that has to put the answers for the parts together."""
    parts = "\n\n".join(f"Part {number}:\n{text.strip()}" for number, text in enumerate(answers, start=1))
    return (
        f"These are the answers for the parts 1–{len(answers)} of one text, in order. Make them one answer for the whole text: "
        "keep what matters, say nothing twice, add nothing, and do not mention the parts.\n\n" + parts
    )


def one_by_one(answers: Sequence[tuple[str, str]]) -> str:
    """The answers one after the other, each below the place that it is for: where no model could put them together."""
    return "\n\n".join(f"[{place}]\n{text.strip()}" for place, text in answers)
