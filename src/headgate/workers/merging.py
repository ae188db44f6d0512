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

from headgate.core.checks.schemas import compiled, misfit
from headgate.core.cutting import Span
from headgate.core.mapreduce import group, join, merge_prompt, one_by_one, put, vote
from headgate.core.runs import Step
from headgate.core.tokens import Counter
from headgate.core.types import TEXT, Agent, Format, GiveUp, Message, Outcome, Reply, Request
from headgate.workers.asking import Ask
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
    reason: str = ""


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
        self, ask: Ask, agent: Agent, whole: Request, *, room: int, at_once: int, caller: str, count: Counter
    ) -> None:
        self.ask = ask
        self.agent = agent
        self.whole = whole
        self.room = room - count(merge_prompt(("", "")))
        self.at_once = asyncio.Semaphore(at_once)
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
        found = vote([(reply.text.strip(), reply.probabilities) for reply in replies])
        reply = replace(replies[found.surest], text=found.label, probabilities=found.probabilities)
        return Merged(
            reply, steps=(Step(kind="merge", what="the parts vote", result=found.tally),), reason=found.tally
        )

    # ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def merge_values(self, replies: Sequence[Reply]) -> Merged:
        """One JSON value out of several, held to the schema that each of them was held to."""
        values = [msgspec.json.decode(reply.text) for reply in replies]
        base, reasons, lead = replies[0], [], None
        label = self.agent.label
        ballots = [(str(value.get(label)), reply.probabilities) for value, reply in zip(values, replies, strict=True)
                   if isinstance(value, dict) and value.get(label) is not None]  # fmt: skip
        if label and len(ballots) == len(values):
            found = vote(ballots)
            base, lead = replace(replies[found.surest], probabilities=found.probabilities), found.surest
            reasons.append(found.tally)
        joined = join(values, lead)
        reasons += joined.conflicts
        value = joined.value
        for prose in joined.prose:
            text = await self.merge_prose(prose.texts)
            if isinstance(text, GiveUp):
                reasons.append(
                    f"{'.'.join(map(str, prose.path))}: its texts stand one after the other: {text.reason}"
                )
            else:
                value = put(value, prose.path, text)
        if lead is not None and self.agent.confidence in value:
            value[self.agent.confidence] = round(found.probabilities[found.label], 4)
        text = msgspec.json.encode(value).decode()
        self.steps.append(
            Step(kind="merge", what=f"{len(values)} answers joined field by field", result=text)
        )
        problem = unfit(self.whole.format, value)
        if problem is not None:
            return await self.remake(replies, problem, reasons)
        return self.merged(replace(base, text=text), reason="; ".join(reasons))

    async def remake(self, replies: Sequence[Reply], problem: str, reasons: list[str]) -> Merged:
        """An answer that fits the schema, by a model that is shown the answers: joined by structure they do not fit it."""
        prompt = merge_prompt([reply.text for reply in replies])
        result = await self.put_together(framed(self.whole, prompt), len(replies))
        reasons.append(
            f"the answers were put together by a model, for joined they do not fit the schema: {problem}"
        )
        if isinstance(result, GiveUp):
            return self.merged(
                GiveUp(
                    f"the answers for the parts do not fit the schema together: {problem}; {result.reason}"
                )
            )
        return self.merged(result, reason="; ".join(reasons))

    async def merge_prose(self, texts: Sequence[str]) -> str | GiveUp:
        """The texts of one field as one text."""
        request = replace(
            self.whole,
            messages=(Message("system", PROSE_ORDERS), Message("user", merge_prompt(texts))),
            format=TEXT,
            labels=(),
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
                *(self.merge_group([replies[index] for index in one]) for one in groups)
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

    async def merge_group(self, replies: Sequence[Reply]) -> Reply | GiveUp:
        """One answer for some of the parts."""
        if len(replies) == 1:
            return replies[0]
        prompt = merge_prompt([reply.text for reply in replies])
        return await self.put_together(framed(self.whole, prompt), len(replies))

    # ── All ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def put_together(self, request: Request, number: int) -> Reply | GiveUp:
        """Ask a model to put so many answers together."""
        async with self.at_once:
            result, outcome = await self.ask(request, caller=self.caller)
        self.outcomes.append(outcome)
        said = f"not done: {result.reason}" if isinstance(result, GiveUp) else result.text
        self.steps.append(
            Step(kind="merge", what=f"{number} answers put together", result=said, request=outcome.id)
        )
        return result

    def merged(self, result: Reply | GiveUp, *, incomplete: str = "", reason: str = "") -> Merged:
        """The end, with all that it took."""
        return Merged(result, tuple(self.outcomes), tuple(self.steps), incomplete, reason)


def unfit(wanted: Format, value: Any) -> str | None:
    """Why a value does not fit the asked form, or None."""
    if wanted.kind == "text" or wanted.schema is None:
        return None
    validator = compiled(bytes(wanted.schema))
    return None if isinstance(validator, str) else misfit(validator, value)


def unusable(request: Request, agent: Agent, reply: Reply) -> str | None:
    """Why an answer for a part cannot be put together with others, or None: no model gave one that passed its checks."""
    if request.format.kind != "text":
        try:
            problem = unfit(request.format, msgspec.json.decode(reply.text))
        except msgspec.DecodeError as error:
            return f"the answer is no JSON: {error}"
        return problem and f"the answer does not fit the schema: {problem}"
    if agent.labels and reply.text.strip() not in agent.labels:
        return f"the answer is none of the labels: {reply.text.strip()[:60]!r}"
    return None
