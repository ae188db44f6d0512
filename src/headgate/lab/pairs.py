"""Pairs of answers whose truth is known: written by hand for Headgate, and in no benchmark.

They show how far a judge can be trusted before anybody has labelled an answer of this gate, and give each embedding model its
threshold. Every other one is for that threshold, and the rest says how good it is: a figure of merit from the same pairs that it was
fitted to would flatter. Bad answers are mostly traps: another figure, a name, a denial, who does what, an order to the judge.
"""

from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.audits import Pair, Said
from headgate.core.types import TEXT, Format, Message, Request
from headgate.core.words import Task


class LabelledPair(Struct, frozen=True):
    """Two answers, and whether the local one is as good."""

    pair: Pair
    as_good: bool
    trap: str = ""
    """What is wrong with a bad one, in a word; also a good one may look different."""
    fits: bool = False
    """It is for finding a threshold; the others are for judging it."""


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the file."""

    task: Task
    ask: str
    paid: str
    local: str
    good: bool
    trap: str = ""
    schema: dict[str, Any] | None = None
    form: str = ""


_decode = msgspec.json.Decoder(Line).decode


@cache
def labelled_pairs() -> tuple[LabelledPair, ...]:
    """All of them, in their order."""
    return tuple([_pair(_decode(line), at) for at, line in enumerate(_file().splitlines())])


@cache
def digest_of_pairs() -> str:
    """Of all of them: what a model said of others is not said of these."""
    return sha256(_file()).hexdigest()[:16]


def _file() -> bytes:
    return resources.files("headgate.lab").joinpath("pairs.jsonl").read_bytes()


def _pair(line: Line, at: int) -> LabelledPair:
    asked = TEXT
    if line.schema is not None:
        asked = Format("schema", Raw(msgspec.json.encode(line.schema)))
    elif line.form == "json":
        asked = Format("json")
    request = Request(
        id=f"pair-{at + 1}", asked="auto", messages=(Message("user", line.ask),), format=asked, task=line.task
    )
    pair = Pair(
        request,
        line.task,
        Said(model="local", local=True, text=line.local),
        Said(model="paid", local=False, text=line.paid),
    )
    # good and bad alternate in the file: so two of each go either way
    return LabelledPair(pair, line.good, line.trap, at // 2 % 2 == 0)
