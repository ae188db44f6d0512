"""What came of learning, as values: for people, and for the ledger, which keeps them beside the router that was made."""

from collections.abc import Mapping

from msgspec import Struct

from headgate.core.router import Bin
from headgate.core.spans import Span


class Against(Struct, frozen=True, kw_only=True):
    """The router beside the rules, on requests from which nothing was learned."""

    rows: int
    """Audited requests."""
    requests: float
    """That they stand for."""
    quality: float
    """By the rules: the share of requests answered as well as a paid model would, 0-1."""
    gained: Span
    """Quality more (or, below zero, less) with the router."""
    paid: float | None
    """Dollars by the rules, as far as they are known. None, here and below: there are such requests, and what they cost is known of none."""
    dollars: Span | None
    """Dollars more (or, below zero, fewer) with the router."""
    wasted: Span | None
    """Of these, dollars for requests whose local answer was good: what passing by has cost for nothing."""
    in_cloud: float | None
    """Dollars if all of them had been paid for."""
    unpriced: float = 0.0
    """Requests, paid for by the rules or with the router, whose cost is unknown and in no dollar."""
    in_vain: float = 0.0
    """Requests for which a model at home is passed by whose answer was good."""
    skipped: float
    """Requests for which a model at home is passed by."""
    home: float
    """Requests that are brought home."""
    seconds: float
    """Of waiting for local answers that is spared."""


class TaskLearned(Struct, frozen=True):
    """What was seen of a task."""

    audited: int
    good: float
    """The share of answers that were good, by weight."""
    known: bool
    """Whether that is enough for the router to say something."""


class ModelLearned(Struct, frozen=True, kw_only=True):
    """What was learned of a model, or why nothing was."""

    model: str
    audited: int
    hints: int = 0
    """Requests that only checks judged."""
    good: float | None = None
    words: bool = False
    """Whether it learned from what humans wrote; without, from signals alone."""
    tasks: Mapping[str, TaskLearned] = {}
    held_out: int = 0
    auc: Span | None = None
    calibrated_on: int = 0
    """Audits on which the calibration error rests: each was left out when it was foretold."""
    ece: Span | None = None
    reliability: tuple[Bin, ...] = ()
    home_at: float | None = None
    refused: str = ""
    """Why it is not in the router; "" is that it is."""
    needs: int = 0
    """Audited requests that it would take, about."""


class Lesson(Struct, frozen=True, kw_only=True):
    """What came of learning."""

    models: tuple[ModelLearned, ...]
    against: Against | None = None
    """The router beside the rules; None where there is no router."""
    gone: Mapping[str, int] = {}
    """Audits that were left out, by model: it is gone, or has another id now."""
    older: Mapping[str, int] = {}
    """Likewise: another version of it lies under its name since."""
    unanswered: int = 0
    """Likewise: no model at home has answered in them."""
    unclear: int = 0
    sealed: int = 0
    why_not: str = ""
    """Why it may not be used; "" is that it may."""
    needs: int = 0
    """Audited requests that it would take, about, where there are too few."""
