"""The answers for the parts of a long input made one: by structure, by a vote, or by the subagent's own models.

What needs no model is worked out in `core.mapreduce`; here the models are asked for the rest. What no model could put together
is handed out part by part, and the answer is said to be incomplete.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headgate.core.agent_answers import Unsettled, settle
from headgate.core.cutting import Span
from headgate.core.mapreduce import group, join, merge_prompt, one_by_one, put, vote
from headgate.core.prices import MOST_TOKENS
from headgate.core.runs import Step
from headgate.core.subagent import Agent
from headgate.core.tokens import Counter
from headgate.core.types import (
    TEXT,
    GiveUp,
    Message,
    Outcome,
    Reply,
    Request,
)
from headgate.workers.asking import Ask, anew
from headgate.workers.rooms import framed

PROSE_ORDERS = "You put texts together into one. Answer with that text only."


class Part(Struct, frozen=True):
    """A part of a long input, and what became of it."""

    span: Span
    outcome: Outcome
    reply: Reply | None
    why: str = ""
    """Why it was not answered."""
    place: str = ""
    """Where it stands, for people."""


class Merged(Struct, frozen=True):
    """The answers as one."""

    result: Reply | GiveUp
    outcomes: tuple[Outcome, ...] = ()
    """Of the requests that it took."""
    steps: tuple[Step, ...] = ()
    incomplete: str = ""
    note: str = ""


class Merging:
    """Puts the answers for parts together.

    Args:
        ask: one request through the gate.
        agent: whose answers they are.
        whole: the request for the whole text, with the agent's prompt.
        room: tokens of text that one request takes.
        at_once: requests at a time.
        caller: whose it is.
        count: counts a text's tokens.
    """

    def __init__(
        self,
        ask: Ask,
        agent: Agent,
        whole: Request,
        *,
        room: int,
        at_once: asyncio.Semaphore,
        caller: str,
        count: Counter,
    ) -> None:
        self.ask = ask
        self.agent = agent
        self.whole = whole
        self.room = room - count(merge_prompt(("", "")))
        self.at_once = at_once
        self.caller = caller
        self.count = count
        self.outcomes: list[Outcome] = []
        self.steps: list[Step] = []

    async def merge(self, parts: Sequence[Part]) -> Merged:
        """One answer out of those that there are."""
        replies = [part.reply for part in parts if part.reply is not None]
        if len(replies) == 1:
            return Merged(replies[0])
        if self.whole.format.kind != "text":
            return await self.merge_values(replies)
        if self.agent.labels:
            return self.merge_labels(replies)
        return await self.merge_texts(parts)

    # ── Labels ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def merge_labels(self, replies: Sequence[Reply]) -> Merged:
        """The label that the parts vote for."""
        found = vote([(reply.label, reply.probabilities) for reply in replies])
        self.steps.append(Step(kind="merge", what="the parts vote", result=found.tally))
        reply = replace(
            replies[found.surest], text=found.label, label=found.label, probabilities=found.probabilities
        )
        return self.merged(reply, note=found.tally)

    # ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def merge_values(self, replies: Sequence[Reply]) -> Merged:
        """One JSON value out of several, held to the schema that each of them was held to."""
        values = [without(msgspec.json.decode(reply.text), self.agent.confidence) for reply in replies]
        base, notes, lead = replies[0], [], None
        if self.agent.label and all(reply.label for reply in replies):
            found = vote([(reply.label, reply.probabilities) for reply in replies])
            base, lead = replies[found.surest], found.surest
            base = replace(base, probabilities=found.probabilities)
            notes.append(found.tally)
        joined = join(values, lead)
        value = joined.value
        notes += joined.conflicts
        for prose in joined.prose:
            text = await self.merge_prose(prose.texts)
            if isinstance(text, GiveUp):
                place = ".".join(map(str, prose.path))
                notes.append(
                    f"{place}: the texts of all parts, for no model put them together: {text.reason}"
                )
            else:
                value = put(value, prose.path, text)
        text = msgspec.json.encode(value).decode()
        what = f"{len(values)} answers joined, field by field"
        self.steps.append(Step(kind="merge", what=what, result="; ".join([text, *notes])))
        settled = settle(self.agent, self.whole, replace(base, text=text))
        if isinstance(settled, Unsettled):
            return await self.remake(replies, settled.reason, notes)
        return self.merged(settled, note="; ".join(notes))

    async def remake(self, replies: Sequence[Reply], problem: str, notes: list[str]) -> Merged:
        """An answer that fits the schema, by a model that is shown the answers: joined field by field they do not fit it."""
        prompt = merge_prompt([reply.text for reply in replies])
        result = await self.put_together(framed(self.whole, prompt), len(replies))
        if isinstance(result, GiveUp):
            return self.merged(
                GiveUp(f"the answers for the parts, joined: {problem}; by a model: {result.reason}")
            )
        notes.append(f"put together by a model, for joined field by field {problem}")
        return self.merged(result, note="; ".join(notes))

    async def merge_prose(self, texts: Sequence[str]) -> str | GiveUp:
        """The texts of one field as one text."""
        request = replace(
            self.whole,
            messages=(Message("system", PROSE_ORDERS), Message("user", merge_prompt(texts))),
            format=TEXT,
            labels=(),
            threshold=None,
            task="summarization",
        )
        result = await self.put_together(request, len(texts))
        return result if isinstance(result, GiveUp) else result.text.strip()

    # ── Texts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def merge_texts(self, parts: Sequence[Part]) -> Merged:
        """One text out of several, in as many rounds as it takes."""
        replies = [part.reply for part in parts if part.reply is not None]
        places = [part.place for part in parts]
        while len(replies) > 1:
            groups = group([reply.text for reply in replies], self.room, self.count)
            if len(groups) == len(replies):
                problem = "the answers for the parts are too long to be put together"
                break
            made = await asyncio.gather(
                *(
                    self.merge_group([replies[index] for index in one], draft=len(groups) > 1)
                    for one in groups
                )
            )
            failed = next((one for one in made if isinstance(one, GiveUp)), None)
            if failed is not None:
                problem = f"the answers for the parts could not be put together: {failed.reason}"
                break
            places = [" and ".join(places[index] for index in one) for one in groups]
            replies = [one for one in made if isinstance(one, Reply)]
        else:
            return self.merged(replies[0])
        text = one_by_one([(place, reply.text) for place, reply in zip(places, replies, strict=True)])
        return self.merged(replace(replies[0], text=text), incomplete=problem)

    async def merge_group(self, replies: Sequence[Reply], *, draft: bool) -> Reply | GiveUp:
        """One answer for some of the parts."""
        if len(replies) == 1:
            return replies[0]
        prompt = merge_prompt([reply.text for reply in replies])
        return await self.put_together(framed(self.whole, prompt), len(replies), draft=draft)

    # ── All ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def put_together(self, request: Request, number: int, *, draft: bool = False) -> Reply | GiveUp:
        """Ask a model to put so many answers together. The baseline, which reads the whole at once, would have had none to read."""
        request = replace(request, repeated=MOST_TOKENS, draft=draft)
        async with self.at_once:
            result, outcome = await self.ask(anew(request), self.caller)
        self.outcomes.append(outcome)
        said = f"not done: {result.reason}" if isinstance(result, GiveUp) else result.text
        self.steps.append(
            Step(kind="merge", what=f"{number} answers put together", result=said, request=outcome.id)
        )
        return result

    def merged(self, result: Reply | GiveUp, *, incomplete: str = "", note: str = "") -> Merged:
        """The end, with all that it took."""
        return Merged(result, tuple(self.outcomes), tuple(self.steps), incomplete, note)


def without(value: Any, field: str) -> Any:
    """The value without the field that the gate fills in by itself."""
    if not field or not isinstance(value, dict):
        return value
    return {name: inner for name, inner in value.items() if name != field}
