"""Goes through the judges in order, the cheapest first, until one is sure: comparisons, embeddings, a model at home, one in the cloud.

A judge that is down is a value, and the next one is asked. Nothing of a request that is for machines at home is shown to a judge
elsewhere. It does not know how a model is reached: whoever runs audits supplies that (`Panel`).
"""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from headgate.core.audits import Opinion, Pair
from headgate.core.judges import compare
from headgate.core.types import Request
from headgate.core.words import AuditKind, Judge


class Down(Struct, frozen=True, gc=False):
    """Why a judge could not be asked."""

    reason: str


class Heard(Struct, frozen=True, gc=False):
    """What a model answered."""

    text: str
    cost: float | None = 0.0
    """Dollars; None is unknown."""


Embed = Callable[[list[str]], Awaitable[list[bytes] | Down]]
"""Turns texts into vectors, little-endian float32."""
Ask = Callable[[Request], Awaitable[Heard | Down]]
"""Asks the model that the request names in `asked`; it is no traffic of the user's."""


class Embedder(Struct, frozen=True):
    """Who turns answers into vectors."""

    model: str
    embed: Embed


class ModelJudge(Struct, frozen=True):
    """A model that reads two answers."""

    model: str
    ask: Ask


class Panel(Struct, frozen=True, kw_only=True):
    """Whom there is to ask beyond the comparisons that cost nothing; None is nobody."""

    embedder: Embedder | None = None
    local: ModelJudge | None = None
    cloud: ModelJudge | None = None
    """Only where there is money for it."""


class Trouble(Struct, frozen=True, gc=False):
    """A judge that could not be asked, and why."""

    judge: Judge
    reason: str
    by: str = ""


class Judgement(Struct, frozen=True):
    """What the judges said of a pair."""

    opinions: tuple[Opinion, ...]
    """In the order in which they were asked: the last is the one that counts."""
    troubles: tuple[Trouble, ...] = ()

    @property
    def opinion(self) -> Opinion | None:
        """The one that counts; None where a judge that should have been asked is down: try again later."""
        return self.opinions[-1] if self.opinions else None


async def judge(pair: Pair, kind: AuditKind, panel: Panel) -> Judgement:  # noqa: ARG001 - the signature comes first
    """Ask the judges until one is sure."""
    opinion = compare(pair, kind)
    return Judgement((opinion,)) if opinion else Judgement(())
