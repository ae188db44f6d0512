"""Whom an audit can ask for an opinion: the models of the gate, asked aside from the traffic.

The embedding model and a judge at home are asked as any model at home; a judge elsewhere only where the page names one, within the
money of audits, and never about what must stay at home. A model that the page does not name judges only if it is trusted (`trusting`);
the user's own word is obeyed. What they are asked, and what is made of their words, is not known here
(`lab.judges`).
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec.structs import replace

from headgate.core.audits import Material
from headgate.core.chosen_judge import AUTO, chosen_judge
from headgate.core.decisions import Questions
from headgate.core.types import Message, Model, Reply, Request
from headgate.lab.auditing.aside import Aside, aside
from headgate.lab.auditing.deciding import decide, decides
from headgate.lab.auditing.trusting import Trusting
from headgate.lab.judges import (
    NOT_TRUSTED,
    Decider,
    Down,
    Embedder,
    Heard,
    HeardDecision,
    ModelJudge,
    Panel,
    measured,
)

PIECE: Final = 8
"""Texts of one call: an engine cannot break one off, so none is to be long for whoever comes meanwhile."""

log = logging.getLogger("headgate.audits")


class Judges:
    """The models that judge for a gate's audits.

    Args:
        ask: asks models.
        word: the page's word for the model that judges.
    """

    def __init__(self, ask: Aside, word: str) -> None:
        self.word = word
        self.trusting = Trusting(ask.purse.path, ask.road.fleet)
        self._ask = ask
        self._thresholds: dict[str, float | None] = {}
        """Of embedding models, as they were measured here."""

    async def panel(self, job: int, material: Material, money: float) -> Panel:
        """Those that may see what is kept of a request, and may judge it. A model may have to be tried as a judge for that.

        The arguments are those of `all_of_them`.
        """
        found = await self.all_of_them(job, material, money)
        if self.word != AUTO or found.local is None:
            return found
        model = self._ask.road.policy.models[found.local.model]
        trusted = await self.trusting.trust(model, found.local)
        if isinstance(trusted, Down):
            return replace(found, local=ModelJudge(model.name, _down(trusted)))
        if trusted.trusted:
            return found
        return replace(found, local=None, nobody=NOT_TRUSTED.format(model=model.name, why=trusted.why))

    async def all_of_them(self, job: int, material: Material, money: float) -> Panel:
        """Those that may see what is kept of a request, trusted or not.

        Args:
            job: the number of the request.
            material: what is kept of it.
            money: dollars that are left; without any, nobody elsewhere is asked.
        """
        chosen = chosen_judge(self._ask.road.policy, self.word)
        asked, decider = None, None
        if chosen is not None and (chosen.local or (money > 0 and not material.request.local_only)):
            if decides(self._ask.road, chosen) is not None:
                decider = Decider(chosen.name, _deciding(job, self._ask, chosen))
            else:
                asked = ModelJudge(chosen.name, _asking(job, self._ask, chosen))
        outside = chosen is not None and not chosen.local
        return Panel(
            embedder=await self._embedder(job),
            local=None if outside else asked,
            decider=decider,
            cloud=asked if outside else None,
        )

    async def _embedder(self, job: int) -> Embedder | None:
        """The embedding model at home with its threshold, which is measured when it is needed for the first time."""
        models = self._ask.road.policy.models.values()
        model = next((one for one in models if one.kind == "embedding" and one.local), None)
        if model is None:
            return None
        embedder = Embedder(model.name, _embedding(job, self._ask, model))
        if model.name not in self._thresholds:
            found = await measured(embedder)
            if isinstance(found, Down):
                log.info("%s does not judge similarity for now: %s", model.name, found.reason)
                return None
            self._thresholds[model.name] = found.threshold
        return replace(embedder, threshold=self._thresholds[model.name])


def _asking(job: int, ask: Aside, model: Model) -> Callable[[Request], Awaitable[Heard | Down]]:
    async def heard(request: Request) -> Heard | Down:
        money = 0.0 if model.local else await ask.purse.left()
        request = aside(request, at_home=model.local)
        walked = await ask.walk(request, (model.name,), audited=job, money=money)
        costs = [attempt.cost for attempt in walked.attempts]
        if not isinstance(walked.result, Reply):
            return Down(walked.result.reason)
        known = [cost for cost in costs if cost is not None]
        return Heard(walked.result.text, sum(known) if len(known) == len(costs) else None)

    return heard


def _down(why: Down) -> Callable[[Request], Awaitable[Heard | Down]]:
    async def heard(_request: Request) -> Heard | Down:
        return why

    return heard


def _deciding(job: int, ask: Aside, model: Model) -> Callable[[Questions], Awaitable[HeardDecision | Down]]:
    async def weighed(asked: Questions) -> HeardDecision | Down:
        money = await ask.purse.left()
        return await decide(ask.road, ask.purse, asked, model, audited=job, money=money)

    return weighed


def _embedding(
    job: int, ask: Aside, model: Model
) -> Callable[[Sequence[str]], Awaitable[list[bytes] | Down]]:
    async def embedded(texts: Sequence[str]) -> list[bytes] | Down:
        vectors: list[bytes] = []
        for at in range(0, len(texts), PIECE):
            messages = tuple([Message("user", text) for text in texts[at : at + PIECE]])
            request = aside(Request(id="", asked="auto", kind="embedding", messages=messages), at_home=True)
            walked = await ask.walk(request, (model.name,), audited=job)
            if not isinstance(walked.result, Reply):
                return Down(walked.result.reason)
            vectors += walked.result.vectors
        return vectors

    return embedded
