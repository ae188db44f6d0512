"""Whether a model may judge that the page does not name: it is tried on the pairs that are shipped, once for each version of it.

What it says of each pair is written into the ledger as it comes, so that a trial which has to make way for somebody, or ends with the
gate, goes on where it was. What follows from it is not known here (`core.judges.trust`), nor whom there is to ask (`panel`).
"""

import asyncio
from functools import partial
from pathlib import Path
from time import time

from headgate.core.engine import find_listed
from headgate.core.judges.agreement import Agreement, agreement_in
from headgate.core.judges.trust import PAIRS, TriedJudge, Trust, is_hopeless, trust
from headgate.core.types import Model
from headgate.core.words import Judge
from headgate.fleet.fleet import Fleet
from headgate.lab.judges import Down, ModelJudge, ask_model
from headgate.lab.pairs import digest_of_pairs
from headgate.lab.trying_judges import Memory, Saying, told_of, try_model
from headgate.ledger.tried_judges import find_tried, keep_tried
from headgate.ledger.who_judges import labels_of


class Trusting:
    """Who knows how good models are as judges.

    Args:
        path: the ledger file.
        fleet: knows which version of a model its engine has.
    """

    def __init__(self, path: Path, fleet: Fleet) -> None:
        self._path = path
        self._fleet = fleet

    async def trust(self, model: Model, judge: ModelJudge) -> Trust | Down:
        """Whether a model at home may judge. Where nobody knows yet, it is tried: a minute or more of its time.

        Raises:
            CancelledError: somebody came.
            LedgerError: the ledger cannot be read or written.
        """
        tried = await self.tried(model, judge)
        if isinstance(tried, Down):
            return tried
        labels = await asyncio.to_thread(labels_of, self._path, "local model", model)
        return trust(tried, labels)

    async def tried(self, model: Model, judge: ModelJudge) -> Agreement | Down:
        """How it does on the pairs that are shipped."""
        digest = digest_at_engine(self._fleet, model)
        known = await self._known(model, digest)
        if known is not None and known.done:
            return known.agreement
        said, trouble = await try_model(
            lambda pair, kind: ask_model(pair, kind, "local model", judge),
            PAIRS,
            self._memory(model, "local model", digest, known),
            enough=lambda said: is_hopeless(counted(said, "local model", model.name)),
        )
        if trouble is not None:
            return Down(trouble.reason)
        await self._keep(model, "local model", digest, said, done=True)
        return counted(said, "local model", model.name)

    async def memory(self, model: Model, judge: Judge) -> Memory:
        """What this version of a model has said before, and who remembers what it says now."""
        digest = digest_at_engine(self._fleet, model)
        return self._memory(model, judge, digest, await self._known(model, digest))

    async def _known(self, model: Model, digest: str) -> TriedJudge | None:
        """What is known of a version of a model, about the pairs that are shipped today."""
        found = await asyncio.to_thread(find_tried, self._path, model.engine, model.id, digest)
        return found if found is not None and found.pairs == digest_of_pairs() else None

    def _memory(self, model: Model, judge: Judge, digest: str, known: TriedJudge | None) -> Memory:
        done = known is not None and known.done
        return Memory(
            {} if known is None else known.said, partial(self._keep, model, judge, digest, done=done)
        )

    async def _keep(self, model: Model, judge: Judge, digest: str, said: Saying, *, done: bool) -> None:
        """Keep it under the digest with which the trial began: a version that comes meanwhile is tried from the beginning."""
        tried = TriedJudge(
            judge=judge,
            engine=model.engine,
            id=model.id,
            digest=digest,
            pairs=digest_of_pairs(),
            tried=time(),
            said=said,
            agreement=counted(said, judge, model.name),
            done=done or len(said) >= PAIRS,
        )
        await asyncio.to_thread(keep_tried, self._path, tried)


def counted(said: Saying, judge: Judge, by: str) -> Agreement:
    """How what a model said agrees with the truth."""
    return agreement_in(told_of(said, judge, by), judge, by)


def digest_at_engine(fleet: Fleet, model: Model) -> str:
    """Of a model's files, as its engine says it; "" where it does not."""
    listed = find_listed(model.id, fleet.listed.get(model.engine, ()))
    return "" if listed is None else listed.digest
