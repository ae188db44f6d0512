"""Goes through the judges in order, the cheapest first, until one is sure: comparisons, embeddings, a model at home, one elsewhere.

    judgement = await judge(pair, kind, panel)

Whom there is to ask is found out only where nothing could be said without asking: a model may have to be tried as a judge for that. A
judge that is down is a value, and the next one is asked. What is compared here is compared on another thread: answers may be long, and
requests of people are on the event loop. Nothing of a request that has to stay at home is shown to a judge
elsewhere. It does not know how a model is reached: whoever runs audits supplies that (`Panel`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.audits import Opinion, Pair
from headgate.core.checks.material import said
from headgate.core.decisions import Decided, Questions
from headgate.core.judges import blind, compare, deciding, similarity
from headgate.core.judges.found import Ruling, opinion_from
from headgate.core.types import Request
from headgate.core.words import AuditKind, Judge
from headgate.lab.pairs import LabelledPair, labelled_pairs
from headgate.wire.vectors import unpack

ModelJudgeKind = Literal["local model", "cloud model"]

NOBODY = "no comparison was sure, and there is no model to ask"
NOT_TRUSTED = "no comparison was sure, and {model} is not trusted as a judge: {why}"


class Down(Struct, frozen=True, gc=False):
    """Why a judge could not be asked."""

    reason: str


class Heard(Struct, frozen=True, gc=False):
    """What a model answered."""

    text: str
    cost: float | None = 0.0
    """Dollars; None is unknown."""


class HeardDecision(Struct, frozen=True, gc=False):
    """What the Decisions API answered."""

    decided: Decided
    cost: float | None
    """Dollars; None is unknown."""


Embed = Callable[[list[str]], Awaitable[list[bytes] | Down]]
"""Texts → vectors, little-endian float32, one for each."""
Ask = Callable[[Request], Awaitable[Heard | Down]]
"""Asks the model that the request names in `asked`, and gives the request an id. It is no traffic of the user's."""
Decide = Callable[[Questions], Awaitable[HeardDecision | Down]]


class Embedder(Struct, frozen=True):
    """Who turns answers into vectors; see `measured`."""

    model: str
    embed: Embed
    threshold: float | None = None
    """The least cosine that says "the same"; None: it cannot tell, and is not asked."""


class ModelJudge(Struct, frozen=True):
    """A model that reads two answers."""

    model: str
    ask: Ask


class Decider(Struct, frozen=True):
    """A model of OpenAI's Decisions API."""

    model: str
    decide: Decide


class Panel(Struct, frozen=True, kw_only=True):
    """Whom there is to ask beyond the comparisons that cost nothing; None is nobody."""

    embedder: Embedder | None = None
    local: ModelJudge | None = None
    decider: Decider | None = None
    """Only where there is money for it, like `cloud`."""
    cloud: ModelJudge | None = None
    nobody: str = NOBODY
    """Why nobody could say, where none of them is there to be asked."""


class Trouble(Struct, frozen=True, gc=False):
    """A judge that could not be asked, and why."""

    judge: Judge
    by: str
    reason: str
    cost: float | None = 0.0
    """Dollars that it cost all the same; None is unknown."""


class Judgement(Struct, frozen=True):
    """What the judges said of a pair."""

    opinions: tuple[Opinion, ...]
    """In the order in which they were asked: the last is the one that counts. All but the last are unclear."""
    troubles: tuple[Trouble, ...] = ()

    @property
    def opinion(self) -> Opinion | None:
        """The one that counts; None where all that could be asked are down."""
        return self.opinions[-1] if self.opinions else None

    @property
    def settled(self) -> bool:
        """Whether asking again later can bring nothing new: a judge was sure, or none of them was down."""
        sure = self.opinion is not None and self.opinion.verdict != "unclear"
        return sure or not self.troubles

    @property
    def cost(self) -> float | None:
        """Dollars for all of it; None is unknown."""
        return total(*[one.cost for one in self.opinions], *[one.cost for one in self.troubles])


async def judge(pair: Pair, kind: AuditKind, whom: Callable[[], Awaitable[Panel]]) -> Judgement:
    """Ask the judges until one is sure.

    Where none is, the last one's "unclear" counts; where there was none to ask, that of the comparisons.

    Args:
        pair: two answers.
        kind: what is audited.
        whom: says whom there is to ask, if somebody has to be asked.
    """
    if (opinion := await asyncio.to_thread(without_asking, pair, kind)) is not None:
        return Judgement((opinion,))
    opinions: list[Opinion] = []
    troubles: list[Trouble] = []
    panel = await whom()
    for ask in judges_of(panel, at_home=pair.request.local_only):
        said_so = await ask(pair, kind)
        if isinstance(said_so, Trouble):
            troubles.append(said_so)
        elif said_so is not None:
            opinions.append(said_so)
            if said_so.verdict != "unclear":
                break
    if not opinions and not troubles:
        opinions.append(opinion_from(Ruling(None, panel.nobody), kind, "facts"))
    return Judgement(tuple(opinions), tuple(troubles))


def without_asking(pair: Pair, kind: AuditKind) -> Opinion | None:
    """What can be said of a pair without asking anybody; None where somebody has to be asked."""
    if (opinion := compare(pair, kind)) is not None:
        return opinion
    found = blind.suspicious(pair)
    return None if found is None else opinion_from(found, kind, "facts")


Asking = Callable[[Pair, AuditKind], Awaitable[Opinion | Trouble | None]]


def judges_of(panel: Panel, *, at_home: bool) -> list[Asking]:
    """The judges of a panel that are asked something, the cheapest first; elsewhere nobody who may not see the request."""
    asked: list[Asking] = []
    embedder, local, decider, cloud = panel.embedder, panel.local, panel.decider, panel.cloud
    if embedder is not None:
        asked.append(lambda pair, kind: ask_embedder(pair, kind, embedder))
    if local is not None:
        asked.append(lambda pair, kind: ask_model(pair, kind, "local model", local))
    if decider is not None and not at_home:
        asked.append(lambda pair, kind: ask_decider(pair, kind, decider))
    if cloud is not None and not at_home:
        asked.append(lambda pair, kind: ask_model(pair, kind, "cloud model", cloud))
    return asked


async def ask_embedder(pair: Pair, kind: AuditKind, embedder: Embedder) -> Opinion | Trouble | None:
    """What the angle between both answers says; None where it is not sure."""
    if embedder.threshold is None or not await asyncio.to_thread(similarity.comparable, pair):
        return None
    cosine = await cosine_of(pair, embedder.embed)
    if isinstance(cosine, Down):
        return Trouble("similarity", embedder.model, cosine.reason)
    return similarity.similarity(pair, kind, cosine, embedder.threshold, embedder.model)


async def ask_model(
    pair: Pair, kind: AuditKind, judge: ModelJudgeKind, model: ModelJudge
) -> Opinion | Trouble:
    """What a model says in both orders."""
    verdicts: list[blind.Verdict | None] = []
    costs: list[float | None] = []
    for question in blind.questions(pair, model.model):
        heard = await model.ask(question)
        if isinstance(heard, Down):
            return Trouble(judge, model.model, heard.reason, total(*costs))
        verdicts.append(blind.read(heard.text))
        costs.append(heard.cost)
    found = blind.together(verdicts[0], verdicts[1], pair)
    return opinion_from(found, kind, judge, by=model.model, cost=total(*costs))


async def ask_decider(pair: Pair, kind: AuditKind, decider: Decider) -> Opinion | Trouble:
    """What the Decisions API says in both orders."""
    answers: list[Decided] = []
    costs: list[float | None] = []
    for question in deciding.questions(pair):
        weighed = await decider.decide(question)
        if isinstance(weighed, Down):
            return Trouble("decisions", decider.model, weighed.reason, total(*costs))
        answers.append(weighed.decided)
        costs.append(weighed.cost)
    found = deciding.together(answers[0], answers[1])
    return opinion_from(found, kind, "decisions", by=decider.model, cost=total(*costs))


async def measured(embedder: Embedder) -> Embedder | Down:
    """The embedder with its threshold, found on the pairs that are shipped: some hundred short texts are embedded."""
    fitting = [one for one in labelled_pairs() if one.fits and similarity.comparable(one.pair)]
    seen = await seen_by(embedder.embed, fitting)
    return seen if isinstance(seen, Down) else replace(embedder, threshold=similarity.threshold_from(seen))


async def seen_by(embed: Embed, pairs: list[LabelledPair]) -> list[similarity.Measured] | Down:
    """How alike an embedding model finds the answers of each pair."""
    texts = [text for one in pairs for text in texts_of(one.pair)]
    vectors = await embed(texts)
    if isinstance(vectors, Down):
        return vectors
    if len(vectors) != len(texts):
        return Down(f"{len(vectors)} vectors came for {len(texts)} texts")
    numbers = [unpack(vector) for vector in vectors]
    return [
        similarity.Measured(similarity.cosine_of(numbers[2 * at], numbers[2 * at + 1]), one.as_good)
        for at, one in enumerate(pairs)
    ]


async def cosine_of(pair: Pair, embed: Embed) -> float | Down:
    """How alike an embedding model finds two answers."""
    vectors = await embed(list(texts_of(pair)))
    if isinstance(vectors, Down):
        return vectors
    if len(vectors) != 2:
        return Down(f"{len(vectors)} vectors came for 2 texts")
    return similarity.cosine_of(*map(unpack, vectors))


def texts_of(pair: Pair) -> tuple[str, str]:
    """What is embedded of a pair."""
    return said(pair.local.text).strip(), said(pair.paid.text).strip()


def total(*costs: float | None) -> float | None:
    """The sum of costs; None where one is unknown."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
