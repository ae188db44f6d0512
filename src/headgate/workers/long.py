"""Inputs that are longer than any window at home: answered part by part, and the answers put together.

    LongInputs(road, ask) is a Worker: takes(request), work(request)

Each part is a request of the same subagent, with its own row in the ledger; several are asked at a time, as many as the model
has slots. A part that turns out too long is cut again. Answers with a schema are put together by their structure, labels by a
vote, texts by a model (`core.mapreduce`). A part that nobody answers makes the whole incomplete, by name; nothing is left out
in silence. It does not know how long a part may be (`rooms`), nor where it is cut (`core.cutting`).
"""

import asyncio
from time import perf_counter

from msgspec import Struct
from msgspec.structs import replace

from headgate.core import tokens
from headgate.core.agents import give
from headgate.core.cutting import Span, cut, cut_all, name_spans, span_of
from headgate.core.runs import Step
from headgate.core.types import Agent, GiveUp, Reply, Request
from headgate.gateway.road import Road
from headgate.gateway.services import Worked
from headgate.workers.asking import Ask, agent_of, all_together
from headgate.workers.merging import Merging, Part, unusable
from headgate.workers.rooms import LEAST, Room, find_room, learn_density, overflowed, with_text

UNKNOWN_WINDOW = 1024
"""Tokens of a model whose window nobody knows: from so many on, it is looked into."""

FIRST = 1.5
"""How much denser a model's own tokens are taken to be for the first part that it is given; then it is known."""

SPARE = 1.03
"""On top of what was learned: another part may be denser."""


class Job(Struct, frozen=True):
    """A long input on its way."""

    agent: Agent
    request: Request
    """Without the agent's prompt yet."""
    text: str
    room: Room
    caller: str
    count: tokens.Counter


class LongInputs:
    """The worker for long inputs.

    Args:
        road: what requests travel on.
        ask: one request through the gate.
    """

    def __init__(self, road: Road, ask: Ask) -> None:
        self.road = road
        self.ask = ask
        self.densities: dict[str, float] = {}
        """Tokens that each model has made of one of o200k, at most."""

    def takes(self, request: Request) -> bool:
        """Whether it is a subagent's, and so long that it may not fit a model at home. Its own cheap guess; `work` counts."""
        agent = agent_of(self.road.policy, request)
        if agent is None or agent.tools or agent.long == "refuse" or not request.messages:
            return False
        last = request.messages[-1]
        if last.role != "user" or not isinstance(last.content, str):
            return False
        models = self.road.policy.models
        windows = [
            model.context or UNKNOWN_WINDOW
            for model in ([models[name] for name in agent.chain] or models.values())
            if model.local and model.kind == "chat"
        ]
        guessed = tokens.guess(request) + tokens.length(agent.system) // tokens.BYTES_PER_TOKEN
        return bool(windows) and guessed > min(windows) * (1 - tokens.NEAR)

    async def work(self, request: Request, *, caller: str) -> Worked:
        """Answer it whole if it fits, else in parts."""
        begun = perf_counter()
        agent = agent_of(self.road.policy, request)
        assert agent is not None, "asked only for what it takes"
        whole, text = give(agent, request), request.messages[-1].text
        room = await find_room(self.road, whole, give(agent, with_text(request, "")), self.densities)
        if room is None:
            result, outcome = await self.ask(whole, caller=caller)
            return Worked(result, outcome, (outcome,))
        count = self.road.tokenizer.counter
        assert count is not None, "finding room has counted"
        job = Job(agent, request, text, room, caller, count)
        parts = await self.answer_parts(job)
        places = name_spans([part.span for part in parts])
        parts = [replace(part, place=place) for part, place in zip(parts, places, strict=True)]
        steps = tuple(step_of(part) for part in parts)
        asked = tuple(part.outcome for part in parts)
        missing = [part for part in parts if part.reply is None]
        why = "; ".join(f"{part.place} was not answered: {part.why}" for part in missing)
        if len(missing) == len(parts):
            outcome = all_together(asked, perf_counter() - begun)
            return Worked(GiveUp(f"no part of the text was answered: {why}"), outcome, asked, steps, why)
        merging = Merging(
            self.ask,
            agent,
            whole,
            room=self.text_room(room),
            at_once=room.at_once,
            caller=caller,
            count=count,
        )
        merged = await merging.merge([part for part in parts if part.reply is not None])
        asked += merged.outcomes
        outcome = all_together(asked, perf_counter() - begun)
        incomplete = "; ".join(filter(None, (why, merged.incomplete)))
        if isinstance(merged.result, GiveUp):
            return Worked(
                merged.result, replace(outcome, status="failed"), asked, steps + merged.steps, incomplete
            )
        reply = replace(merged.result, usage=outcome.usage, seconds=outcome.seconds)
        if incomplete:
            reply = replace(reply, finish="length")
            outcome = replace(outcome, status="imperfect", error=incomplete)
        return Worked(reply, outcome, asked, steps + merged.steps, incomplete, merged.reason)

    # ── Parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def text_room(self, room: Room) -> int:
        """Tokens of text that one request takes, by what is known of the model's own tokens by now."""
        return max(LEAST, room.tokens(self.densities.get(room.model.name, FIRST) * SPARE))

    async def answer_parts(self, job: Job) -> list[Part]:
        """Every part answered, or the reason why it is not, in the order of the text.

        The first part goes ahead alone where nothing is known of the model's tokens: it tells how long the others may be.
        """
        first: list[Part] = []
        start = 0
        if job.room.model.name not in self.densities:
            start = await asyncio.to_thread(cut, job.text, 0, self.text_room(job.room), job.count)
            span = span_of(job.text, 0, start, 1, job.count)
            first = await self.answer_span(job, span, asyncio.Semaphore(1))
        most = self.text_room(job.room)
        spans = await asyncio.to_thread(cut_all, job.text, start, len(job.text), most, job.count)
        at_once = asyncio.Semaphore(job.room.at_once)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.answer_span(job, span, at_once)) for span in spans]
        return [*first, *(part for task in tasks for part in task.result())]

    async def answer_span(self, job: Job, span: Span, at_once: asyncio.Semaphore) -> list[Part]:
        """The answer for one part; for several, if it had to be cut again."""
        asked = give(job.agent, with_text(job.request, job.text[span.start : span.end]))
        async with at_once:
            result, outcome = await self.ask(asked, caller=job.caller)
        learn_density(self.densities, outcome, job.room.overhead + span.tokens)
        if isinstance(result, Reply):
            problem = unusable(asked, job.agent, result)
            return [Part(span, outcome, None if problem else result, problem or "")]
        if not overflowed(outcome) or span.tokens < 2 * LEAST:
            return [Part(span, outcome, None, result.reason)]
        halves = cut_all(job.text, span.start, span.end, (span.tokens + 1) // 2, job.count)
        return [part for half in halves for part in await self.answer_span(job, half, at_once)]


def step_of(part: Part) -> Step:
    """A part as people are shown it."""
    result = part.reply.text if part.reply is not None else f"not answered: {part.why}"
    return Step(kind="chunk", what=part.place, result=result, request=part.outcome.id)
