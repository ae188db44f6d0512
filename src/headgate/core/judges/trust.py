"""May a model judge that nobody has named? Only one that was seen to tell good answers from bad ones.

    skill(agreement) → Span            Youden's J: 0 is a coin, and whoever calls everything good; 1 is never wrong
    trust(tried, labels) → Trust       whether it may judge, and why

Two rates say how good a judge is: how many of the good answers it calls good, and how many of the bad ones bad. J is their sum less one;
its ends are those of both rates, put together by the squares of their distances (MOVER, `spans`). The mere rate of agreement would let
pass whoever calls everything good, where nearly everything is.

A model earns trust on pairs whose truth is known, and loses it where a user's own labels do not bear it out. This module does not know
how a model is asked, nor where what it said is kept.

Source: Youden, "Index for rating diagnostic tests", Cancer 1950.
"""

from collections.abc import Mapping
from math import hypot
from typing import Final

from msgspec import Struct

from headgate.core.intervals import wilson
from headgate.core.judges.agreement import Agreement
from headgate.core.spans import ONE_SIDED, Span
from headgate.core.words import Judge

NEEDED: Final = 0.5
"""What the lower end of J has to reach on pairs of known truth: while there are no labels, verdicts are taken at their word."""
ENOUGH: Final = 10
"""Pairs of either kind from which on labels can take trust away, and a model can be given up as a judge."""
PAIRS: Final = 60
"""Pairs that a model is asked about before it is said how good a judge it is: each twice, and seconds each."""

WHAT_TO_DO: Final = (
    'name an abler judge under [audit] (judge = "NAME"), or judge yourself: headgate audit review'
)


class TriedJudge(Struct, frozen=True, kw_only=True):
    """What a model said of pairs whose truth is known, as the ledger keeps it."""

    judge: Judge
    engine: str
    """The engine's name in the config."""
    id: str
    """The name that the engine knows the model by."""
    digest: str
    """Of the model's files, "" where its engine says none: another one has to be tried anew."""
    pairs: str
    """Which pairs they were: a digest of all that are shipped."""
    tried: float
    """Unix time of the last answer."""
    said: Mapping[str, bool | None]
    """By pair: whether it holds the local answer to be as good; None: it cannot say."""
    agreement: Agreement
    """How often that is so."""
    done: bool
    """Whether it was asked all that it takes; else it goes on."""


class Trust(Struct, frozen=True):
    """Whether a model may judge without having been named."""

    trusted: bool
    why: str
    """A part of a sentence: "it called 28 of 30 good answers good and 29 of 30 bad ones bad"."""


def skill(one: Agreement) -> Span | None:
    """Youden's J, -1 to 1, each end 95 % sure by itself; None where it was sure of no good answer, or of no bad one."""
    good, bad = (
        (one.good - one.false_bad, one.good),
        (one.pairs - one.good - one.false_good, one.pairs - one.good),
    )
    of_good, of_bad = wilson(*good, ONE_SIDED), wilson(*bad, ONE_SIDED)
    if of_good is None or of_bad is None:
        return None
    hit, clear = good[0] / good[1], bad[0] / bad[1]
    found = hit + clear - 1
    return Span(
        found - hypot(hit - of_good[0], clear - of_bad[0]),
        found,
        found + hypot(of_good[1] - hit, of_bad[1] - clear),
    )


def trust(tried: Agreement, labels: Agreement | None = None) -> Trust:
    """Whether a model may judge without having been named.

    Args:
        tried: how it agrees with the truth of pairs that are shipped.
        labels: how it agrees with a user's own labels; None where there are none.
    """
    shown = skill(tried)
    if shown is None or shown.low < NEEDED:
        return Trust(False, f"of the pairs that are shipped {called(tried)}")
    own = None if labels is None or fewer(labels) < ENOUGH else skill(labels)
    if labels is not None and own is not None:
        return Trust(own.low > 0, f"of your own labelled requests {called(labels)}")
    return Trust(True, f"of the pairs that are shipped {called(tried)}")


def is_hopeless(tried: Agreement) -> bool:
    """Whether a model would hardly earn trust any more, so that it need not be asked on: the upper end of J is too low."""
    shown = skill(tried)
    return shown is not None and fewer(tried) >= ENOUGH and shown.high < NEEDED


def fewer(one: Agreement) -> int:
    """How many pairs there are of the rarer kind."""
    return min(one.good, one.pairs - one.good)


def called(one: Agreement) -> str:
    """What it said, in numbers."""
    if not one.pairs:
        return f"it was sure of none ({one.unclear:,} unclear)"
    bad = one.pairs - one.good
    return (
        f"it called {one.good - one.false_bad:,} of {one.good:,} good answers good and "
        f"{bad - one.false_good:,} of {bad:,} bad ones bad ({one.unclear:,} unclear)"
    )
