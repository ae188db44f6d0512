"""How probable each label is, by the log-probabilities of the answer's tokens.

    label_probabilities(tokens, text, labels, field) → {"billing": 0.91, "technical": 0.07, …}

A model says "billing", and beside each token of it what it might have said instead. The label is walked token by token: an
alternative that leads to another label gives its share to that label, one that leads to none is left out, and the rest goes on
with the token that was said. Tokens may be cut anywhere, also in the middle of a letter, and may hold the quotes and spaces around
a label.

It does not matter whether an engine reports its figures before or after a grammar has ruled tokens out: what leads to no
label is left out here as well. This module does not know which engine it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import exp, isnan

import msgspec
from msgspec import Raw, Struct

MANY = 20
"""Alternatives beside each token that are asked for: as many as OpenAI and Ollama give."""

SPACES = b" \t\r\n"
WORDS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
"""What goes on with a word. A byte of 128 or more belongs to a letter as well."""

Alternatives = Mapping[bytes, float]


class Token(Struct, gc=False):
    """A token in OpenAI's form, which Ollama and llama.cpp speak too."""

    token: str = ""
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list["Token"] | None = None


decode_tokens = msgspec.json.Decoder(list[Token]).decode


class Piece(Struct, frozen=True, gc=False):
    """A token that was said, and the probabilities of all that might have been, itself among them."""

    said: bytes
    shares: Alternatives


def label_probabilities(logprobs: Raw, text: str, labels: Sequence[str], field: str) -> dict[str, float]:
    """The probability of each label; nothing where the tokens do not tell.

    Args:
        logprobs: of the answer's tokens, the array `content` of OpenAI's form.
        text: the answer.
        labels: at least two.
        field: of the JSON object that holds the label; "" where the text is the label.
    """
    try:
        tokens = decode_tokens(logprobs)
    except (msgspec.DecodeError, RecursionError):
        return {}
    pieces = [Piece(bytes_of(token), shares_of(token)) for token in tokens]
    whole = b"".join([piece.said for piece in pieces])
    begin = max(0, whole.rfind(text.encode().strip()))  # thoughts and marks may stand around it
    at = value_begins(whole, field, begin) if field else word_begins(whole, begin)
    if at is None:
        return {}
    spelled = {label: spelling(label, quoted=bool(field)) for label in labels}
    return walk(pieces, at, spelled, b'"' if field else b"")


# ── Where the label stands ───────────────────────────────────────────────────────────────────────────────────────────


def value_begins(whole: bytes, field: str, begin: int) -> int | None:
    """Where the text of a field of the outermost object begins, after its quote."""
    depth, at, key = 0, whole.find(b"{", begin), b""
    if at < 0:
        return None
    wanted = spelling(field, quoted=True)
    while at < len(whole):
        mark = whole[at : at + 1]
        if mark == b'"':
            end = string_ends(whole, at)
            if depth == 1 and key == wanted and whole[:at].rstrip(SPACES).endswith(b":"):
                return at + 1
            key = whole[at + 1 : end]
            at = end + 1
            continue
        depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
        if depth == 0:
            return None
        at += 1
    return None


def string_ends(whole: bytes, at: int) -> int:
    """Where the text that begins with the quote at `at` ends: its other quote, or the end of everything."""
    at += 1
    while at < len(whole) and whole[at : at + 1] != b'"':
        at += 2 if whole[at : at + 1] == b"\\" else 1
    return min(at, len(whole))


def word_begins(whole: bytes, begin: int) -> int | None:
    """Where the first word begins, after spaces and quotes."""
    rest = whole[begin:]
    lead = len(rest) - len(rest.lstrip(SPACES + b"\"'`*"))
    return begin + lead if lead < len(rest) else None


def spelling(label: str, *, quoted: bool) -> bytes:
    """A label as it stands in an answer, in small letters as far as these are ASCII."""
    return (msgspec.json.encode(label)[1:-1] if quoted else label.encode()).lower()


# ── The walk ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def walk(pieces: Sequence[Piece], at: int, spelled: Mapping[str, bytes], end: bytes) -> dict[str, float]:
    """Follow what was said from its byte `at` on, and share out what might have been said instead."""
    found = dict.fromkeys(spelled, 0.0)
    left, before, told = 1.0, b"", False
    for said, shares in steps(pieces, at):
        live = leading_to(before, spelled, end)
        if len(live) < 2:
            break
        going = {
            alternative: (share, live_after)
            for alternative, share in shares.items()
            if (live_after := leading_to(before + alternative, spelled, end))
            and (alternative == said or live_after != live)  # what leaves all open tells nothing
        }
        total = sum([share for share, _ in going.values()])
        if said not in going or total <= 0:
            return {}
        told = told or len(shares) > 1
        for alternative, (share, live_after) in going.items():
            if alternative != said:
                for label in live_after:
                    found[label] += left * share / total / len(live_after)
        left *= going[said][0] / total
        before += said
    live = leading_to(before, spelled, end)
    if not told or not live:
        return {}
    named = next((label for label in live if spelled[label] == before.rstrip(SPACES)), None)
    for label in (named,) if named is not None else live:
        found[label] += left / (1 if named is not None else len(live))
    return found


def leading_to(said: bytes, spelled: Mapping[str, bytes], end: bytes) -> list[str]:
    """The labels that an answer which begins like this may still name, or names."""
    return [label for label, word in spelled.items() if word.startswith(said) or is_named(said, word, end)]


def is_named(said: bytes, word: bytes, end: bytes) -> bool:
    """Whether it is the label and more, which is no part of the word: its closing quote, or a mark or a space."""
    if not said.startswith(word) or len(said) == len(word):
        return said == word
    after = said[len(word) :]
    return after.startswith(end) if end else after[0] not in WORDS and after[0] < 128


def steps(pieces: Sequence[Piece], at: int) -> Iterator[tuple[bytes, dict[bytes, float]]]:
    """Each token from the one before the byte `at` on, with its alternatives, all without what stands before that byte.

    The one before may be the quote alone, where an alternative is the quote and the beginning of a label.
    """
    begin = 0
    for piece in pieces:
        ends = begin + len(piece.said)
        if ends >= at:
            lead = piece.said[: max(0, at - begin)].lstrip(SPACES)
            shares: dict[bytes, float] = {}
            for alternative, share in piece.shares.items():
                rest = after_lead(alternative, lead) if begin <= at else alternative.lower()
                if rest is not None:
                    shares[rest] = shares.get(rest, 0.0) + share
            yield piece.said[max(0, at - begin) :].lower(), shares
        begin = ends


def after_lead(alternative: bytes, lead: bytes) -> bytes | None:
    """An alternative without the marks before the label, of which it may have fewer; None where it has others."""
    bare = alternative.lstrip(SPACES)
    if bare.startswith(lead):
        return bare[len(lead) :].lower()
    return b"" if lead.startswith(bare) else None


def shares_of(token: Token) -> Alternatives:
    """The probabilities of a token and of what might have stood in its place."""
    told = [*(token.top_logprobs or ()), token]
    return {
        bytes_of(one): exp(min(0.0, one.logprob))
        for one in told
        if one.logprob is not None and not isnan(one.logprob)
    }


def bytes_of(token: Token) -> bytes:
    """What a token spells."""
    return bytes(token.bytes) if token.bytes is not None else token.token.encode()
