"""Inputs that are longer than any window at home: answered part by part, and the answers put together.

    LongInputs(road, ask) is a Worker: takes(request), work(request)

Each part is a request of the same subagent, with its own row in the ledger; several are asked at a time, as many as the model
has slots. A part that turns out too long is cut again. Answers with a schema are put together by their structure, labels by a
vote, texts by a model (`core.mapreduce`). A part that nobody answers makes the whole incomplete, by name; nothing is left out
in silence. It does not know how long a part may be (`rooms`), nor where it is cut (`core.cutting`).
"""

import asyncio

from msgspec import Struct
from msgspec.structs import replace

from headgate.core import tokens
from headgate.core.agents import give
from headgate.core.cutting import Span, cut, name_spans
from headgate.core.runs import Step
from headgate.core.subagent import Agent
from headgate.core.types import GiveUp, Outcome, Reply, Request
from headgate.gateway.road import Road
from headgate.gateway.services import Worked
from headgate.workers.asking import Ask, agent_of, anew
from headgate.workers.merging import Merging, Part
from headgate.workers.rooms import LEAST, Room, find_room, learn_density, overflowed
from headgate.workers.texts import LongText, long_text

UNKNOWN_WINDOW = 1024
"""Tokens of a model whose window nobody knows: from so many on, it is looked into."""

FIRST = 1.5
"""How much denser a model's own tokens are taken to be as long as it has answered no part; then it is known."""

SPARE = 1.03
"""On top of what was learned: another part may be denser."""


class Job(Struct, frozen=True):
    """A long input on its way."""

    agent: Agent
    whole: Request
    """With the agent's prompt."""
    long: LongText
    room: Room
    caller: str
    count: tokens.Counter
    at_once: asyncio.Semaphore


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
        """Whether it is a subagent's, and so long that it may not fit a model at home. A cheap guess; `work` counts."""
        agent = agent_of(self.road.policy, request)
        if agent is None or agent.tools or agent.long == "refuse" or not request.messages:
            return False
        last = request.messages[-1]
        if last.role != "user" or last.images:
            return False
        models = self.road.policy.models
        able = [models[name] for name in agent.chain] or [m for m in models.values() if m.kind == "chat"]
        windows = [model.context or UNKNOWN_WINDOW for model in able if model.local or model.context]
        guessed = tokens.guess(request) + tokens.length(agent.system) // tokens.BYTES_PER_TOKEN
        return bool(windows) and guessed > min(windows) * (1 - tokens.NEAR)

    async def work(self, request: Request, *, caller: str) -> Worked:
        """Answer it whole if it fits, else in parts."""
        agent = agent_of(self.road.policy, request)
        assert agent is not None, "asked only for what it takes"
        whole, long = give(agent, request), long_text(agent, request)
        bare = give(agent, long.with_part(""))
        asked: tuple[Outcome, ...] = ()
        room = await find_room(self.road, whole, bare, self.densities)
        if room is None:
            result, outcome = await self.ask(whole, caller)
            if overflowed(outcome):  # it seemed to fit, and its model counts more tokens
                denser = {
                    name: max(FIRST, self.densities.get(name, FIRST)) for name in self.road.policy.models
                }
                room = await find_room(self.road, whole, bare, denser)
            if room is None:
                return Worked(result, outcome)
            asked = (outcome,)
        count = self.road.tokenizer.counter
        assert count is not None, "finding room has counted"
        job = Job(agent, whole, long, room, caller, count, asyncio.Semaphore(room.at_once))
        return await self.in_parts(job, asked)

    async def in_parts(self, job: Job, asked: tuple[Outcome, ...]) -> Worked:
        """Answer all parts, and put the answers together."""
        parts = await self.answer_parts(job)
        places = name_spans([part.span for part in parts])
        parts = [replace(part, place=place) for part, place in zip(parts, places, strict=True)]
        steps = tuple(step_of(part) for part in parts)
        asked += tuple(part.outcome for part in parts)
        answered = [part for part in parts if part.reply is not None]
        missing = [f"{part.place} was not answered: {part.why}" for part in parts if part.reply is None]
        if not answered:
            why = "; ".join(missing)
            return Worked(GiveUp(why), asked[-1], asked[:-1], steps, why)
        merging = Merging(
            self.ask,
            job.agent,
            job.whole,
            room=self.text_room(job.room),
            at_once=job.at_once,
            caller=job.caller,
            count=job.count,
        )
        merged = await merging.merge(answered)
        asked += merged.outcomes
        incomplete = "; ".join(filter(None, (*missing, merged.incomplete)))
        result = merged.result
        if incomplete and isinstance(result, Reply):
            result = replace(result, finish="length")
        return Worked(result, asked[-1], asked[:-1], steps + merged.steps, incomplete, merged.note)

    # ── Parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def text_room(self, room: Room) -> int:
        """Tokens of text that one request takes, by what is known of the model's own tokens by now."""
        return max(LEAST, room.tokens(self.densities.get(room.model.name, FIRST) * SPARE))

    async def answer_parts(self, job: Job) -> list[Part]:
        """Every part answered, or the reason why it is not, in the order of the text."""
        spans = await asyncio.to_thread(cut, job.long.text, self.text_room(job.room), job.count)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.answer_part(job, span, first=not index, alone=len(spans) == 1))
                for index, span in enumerate(spans)
            ]
        return [part for task in tasks for part in task.result()]

    async def answer_part(self, job: Job, span: Span, *, first: bool, alone: bool) -> list[Part]:
        """The answer for one part; for several, if it had to be cut again."""
        asked = as_part(job, anew(give(job.agent, job.long.with_part(span.text))), first=first, alone=alone)
        async with job.at_once:
            result, outcome = await self.ask(asked, job.caller)
        learn_density(self.densities, outcome, job.room.overhead + span.tokens)
        if isinstance(result, Reply):
            return [Part(span, outcome, result)]
        if overflowed(outcome) and span.tokens >= 2 * LEAST:
            most = (span.tokens + 1) // 2
            halves = await asyncio.to_thread(cut, span.text, most, job.count, first_line=span.line)
            if len(halves) > 1:
                return [
                    part
                    for index, half in enumerate(halves)
                    for part in await self.answer_part(job, half, first=first and not index, alone=False)
                ]
        return [Part(span, outcome, None, result.reason)]


def as_part(job: Job, request: Request, *, first: bool, alone: bool) -> Request:
    """The request for one part, with what the baseline, which reads the whole at once, would not have read or written of it.

    The prompt around the text it would have read once; and of answers that a model puts together it would have written none, of
    labels that are put to the vote one.
    """
    joined = job.whole.format.kind != "text" or alone
    draft = not joined and not (job.agent.labels and first)
    return replace(request, repeated=0 if first else job.room.overhead, draft=draft)


def step_of(part: Part) -> Step:
    """A part as people are shown it."""
    result = part.reply.text if part.reply is not None else f"not answered: {part.why}"
    return Step(kind="chunk", what=part.place, result=result, request=part.outcome.id)
