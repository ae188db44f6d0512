"""Send the cases through a gateway, one after the other, and judge what comes back.

Between two cases a request without a fault is sent until the faulty model answers again: a gateway that leaves a failing engine
alone for a while would otherwise be judged on faults that it never met.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from secrets import token_hex
from time import perf_counter
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from headgate.testing.conformance.cases import CALM, Case
from headgate.testing.conformance.reading import post
from headgate.testing.conformance.verdicts import Finding, Verdict, judge, worst

AT_FIRST, LATER = 10.0, 180.0
"""Seconds in which the faulty model has to answer a request without a fault: before all cases, and between them."""


class NotReadyError(Exception):
    """The gateway does not pass a request without a fault on to the faulty model."""


class Target(Struct, frozen=True):
    """The gateway under test."""

    base_url: str
    """With or without `/v1`, as OpenAI's clients take it."""
    model: str
    """The name that it routes to the faulty model first and to the good one then."""
    headers: Mapping[str, str] = {}
    within: float = 20.0
    """Seconds in which a reply has to end."""

    @property
    def url(self) -> str:
        """Its chat completions."""
        base = self.base_url.rstrip("/")
        return f"{base}{'' if urlsplit(base).path else '/v1'}/chat/completions"


async def run(target: Target, cases: Iterable[Case]) -> AsyncGenerator[Finding]:
    """What comes of each case, as soon as it is known.

    Raises:
        NotReadyError: the faulty model does not answer, though nothing is wrong.
    """
    patience = AT_FIRST
    for case in cases:
        await calm(target, patience, stream=case.stream)
        patience = LATER
        yield await show(target, case)


async def calm(target: Target, patience: float, *, stream: bool) -> None:
    """Wait until the faulty model is asked, and answers.

    Raises:
        NotReadyError: it was not, for so many seconds.
    """
    begun = perf_counter()
    while True:
        finding = await ask(target, CALM[stream])
        if finding.verdict is Verdict.SURVIVED:
            return
        if perf_counter() - begun > patience:
            asked = "stream" if stream else "whole answer"
            raise NotReadyError(f"a {asked} without a fault: {finding.verdict}, {finding.detail}")
        await asyncio.sleep(0.5)


async def show(target: Target, case: Case) -> Finding:
    """One case."""
    return worst(await asyncio.gather(*[ask(target, case) for _ in range(case.at_once)]))


async def ask(target: Target, case: Case) -> Finding:
    """One request, judged."""
    request_id = token_hex(4)
    body = json.dumps(case.body(target.model, request_id)).encode()
    begun = perf_counter()
    received = await post(target.url, body, target.headers, target.within)
    finding = judge(case, request_id, received)
    return replace(finding, seconds=round(perf_counter() - begun, 3))
