"""Learns how many of the baseline's tokens each model's tokens are, from a share of the answers, while nobody waits.

An answer that is to be counted is put aside, which costs a request a fraction of a microsecond; now and then a process of its own
counts those that there are (`engines.counting`): the vocabulary of 80 MB never comes into the gate for this. What is known at the
start comes from the ledger's newest rows. The rule is `core.recount`.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from msgspec import Struct

from headgate.core import tokens
from headgate.core.prices import cost, uncached
from headgate.core.recount import (
    FIRST,
    PRIMING,
    THEN_EVERY,
    Tally,
    answer_tokens,
    counts_o200k,
    recount,
    spared,
    thinks,
)
from headgate.core.types import Model, Price, Reply, Request, Signals, Usage
from headgate.engines.counting import CountError, count_apart

EVERY: Final = 60.0
"""Seconds between two counts, each of which takes half a second of a processor; a shorter life than this counts nothing."""
ASIDE: Final = 32
"""Answers that are put aside at most."""

log = logging.getLogger("headgate.gateway")


class Baseline(Struct, frozen=True, kw_only=True):
    """What a request would have been on the baseline model."""

    input: int | None = None
    output: int | None = None
    """None: as they were reported."""
    usage: Usage
    """These or the reported ones, without any cache."""
    cost: float | None


class Recounts:
    """The tallies of one gate; they belong to its event loop.

    Args:
        baseline: the id of the baseline model.
        price: its price.
        known: tallies of earlier runs, by the models' names.
    """

    def __init__(self, baseline: str, price: Price | None, known: Mapping[str, Tally] = {}) -> None:
        self.baseline = baseline
        self.price = price
        self.counts = counts_o200k(baseline)
        """Whether we have its tokenizer."""
        self.thinking = thinks(baseline)
        self.tallies: dict[str, Tally] = dict(known)
        self._seen: dict[str, int] = {name: FIRST for name, tally in known.items() if tally.answers >= FIRST}
        self._aside: list[tuple[Model, Request, Reply]] = []
        self._task: asyncio.Task[None] | None = None

    def on_baseline(self, request: Request, signals: Signals, model: Model, usage: Usage) -> Baseline:
        """What an answered request would have been on the baseline.

        Args:
            request: what was asked.
            signals: what was measured on it.
            model: who answered.
            usage: of the answering attempt.
        """
        if self.counts:
            found = recount(
                request, signals, model, usage, self.tallies.get(model.name), thinking=self.thinking
            )
        else:
            found = spared(request, usage, None, None)
        prompt, output = found
        there = uncached(usage)
        if prompt is not None or output is not None:
            there = Usage(
                input=there.input if prompt is None else prompt,
                output=there.output if output is None else output,
                searches=usage.searches,
                estimated=usage.estimated,
            )
        return Baseline(input=prompt, output=output, usage=there, cost=cost(there, self.price))

    def note(self, request: Request, model: Model, reply: Reply) -> None:
        """An answer came; perhaps it is counted later."""
        seen = self._seen.get(model.name, 0)
        self._seen[model.name] = seen + 1
        if (
            (seen < FIRST or not seen % THEN_EVERY)
            and len(self._aside) < ASIDE
            and self._wants(request, model, reply)
        ):
            self._aside.append((model, request, reply))

    def _wants(self, request: Request, model: Model, reply: Reply) -> bool:
        return (
            self.counts
            and request.kind == "chat"
            and reply.usage.exact
            and not request.recalled
            and not request.native
            and not counts_o200k(model.id)
            and not any(message.images for message in request.messages)
        )

    def start(self) -> None:
        """Count from time to time; belongs to a running event loop."""
        self._task = asyncio.create_task(self._go_on(), name="headgate-recounts")

    async def close(self) -> None:
        """Count no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def count(self) -> None:
        """Count what is put aside; what cannot be counted is forgotten."""
        aside, self._aside = self._aside, []
        texts: dict[str, int] = {}
        for _, request, reply in aside:
            tokens.count(request, lambda text: texts.setdefault(text, 0))
            answer_tokens(reply, lambda text: texts.setdefault(text, 0), thinking=self.thinking)
        try:
            counts = await count_apart(texts)
        except CountError as error:
            log.warning("the baseline's tokens were not counted: %s", error)
            return
        for model, request, reply in aside:
            prompt = tokens.count(request, counts.__getitem__) + PRIMING
            output = answer_tokens(reply, counts.__getitem__, thinking=self.thinking)
            self.tallies.setdefault(model.name, Tally()).add(reply.usage, prompt, output)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            if self._aside:
                await self.count()
