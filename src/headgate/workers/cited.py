"""Questions to knowledge bases: search, show a model what was found, and deliver only what the passages show.

    agent:kb:NAME    question → passages → a model of the route for questions → the sentences that hold, with footnotes

A model of the chain whose answer does not hold is followed by the next, as with any failed check. It does not know how
passages are found (`knowledge`), nor how claims are held against them (`core.checks.grounds`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePath
from time import time
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from headgate.core.checks.grounds import Finding, recited, speaks_of, verify
from headgate.core.checks.wordings import alike, content_words
from headgate.core.citing import CHECKS, ORDERS, Passage, show
from headgate.core.engine import find_listed
from headgate.core.errors import HeadgateError
from headgate.core.footnotes import Citation, CitedAnswer, footnoted, not_found, place_of, text_of
from headgate.core.policy import AGENT, decide
from headgate.core.runs import Embedder, Step
from headgate.core.tokens import BYTES_PER_TOKEN, length
from headgate.core.types import TEXT, GiveUp, Message, Outcome, Reply, Request, Usage
from headgate.core.words import Status
from headgate.gateway.road import Road
from headgate.gateway.serve import new_id
from headgate.gateway.services import Worked
from headgate.knowledge import places
from headgate.knowledge.search import Shelf
from headgate.knowledge.store import Base
from headgate.workers.rooms import overflowed

KB = f"{AGENT}kb:"
"""Before a base's name: the model that answers from it."""

PASSAGES = 8
"""That are looked at, unless somebody says otherwise."""

CLOSEST = 3
"""Passages that are named when there is no answer."""

PLENTY = 8192
"""Tokens of a window that nobody knows."""

ANSWER = 512
"""Tokens kept free for an answer, or a quarter of a small window."""

SHARE = 0.7
"""Of what is left that passages may take: they are counted by their bytes, and small models cut words smaller."""


class Gate(Protocol):
    """What is needed of an open gate."""

    @property
    def road(self) -> Road:
        """The policy and the fleet."""
        ...

    @property
    def embedder(self) -> Embedder | None:
        """Makes the vectors of questions."""
        ...

    async def ask(
        self, request: Request, caller: str = "", checks: tuple[str, ...] | None = None
    ) -> tuple[Reply | GiveUp, Outcome]:
        """One request through the gate, its answer held against these checks."""
        ...

    async def settle(self, request: Request, status: Status, error: str = "") -> Outcome:
        """Write down a request for which no model was asked."""
        ...


class Answered(NamedTuple):
    """What became of a question."""

    cited: CitedAnswer | None
    """None when no model answered."""
    worked: Worked


class CitedAnswers:
    """The worker for all bases of this machine.

    Args:
        gate: asks the models.
        shelf: the bases.
    """

    def __init__(self, gate: Gate, shelf: Shelf) -> None:
        self.gate = gate
        self.shelf = shelf

    def takes(self, request: Request) -> bool:
        """Whether a knowledge base is asked."""
        return request.asked.startswith(KB) and not request.agent

    async def work(self, request: Request, *, caller: str) -> Worked:
        """Answer the last question of a conversation."""
        return (await self.answer(request, caller=caller)).worked

    async def answer(self, request: Request, *, caller: str = "", k: int = PASSAGES) -> Answered:
        """Answer the last question of a conversation.

        Tools and forms that the caller offers or wants have no place here: the answer is a text of sentences with marks.

        Args:
            request: it asks for "agent:kb:NAME".
            caller: whose it is, as far as waiting has to be fair.
            k: passages that are looked at.
        """
        name, question = request.asked.removeprefix(KB), question_of(request)
        try:
            folders, stays = await asyncio.to_thread(facts_of, name)
            request = replace(request, local_only=request.local_only or stays)
            found = await self.shelf.search(name, question, k=k, embedder=self.embedder_for(request))
        except HeadgateError as error:
            outcome = await self.gate.settle(request, "failed", error.message)
            return Answered(None, Worked(GiveUp(error.message), outcome))
        passages = [hit.passage for hit in found.hits]
        count = f"{len(passages)} passages by {found.how}" + (f"; {found.note}" if found.note else "")
        steps = (Step(kind="search", what=f"{name}: {question}", result=count),)
        if not await asyncio.to_thread(concerns, question, passages):
            outcome = await self.gate.settle(request, "ok")
            return told(not_found(passages[:CLOSEST]), outcome, folders, steps=steps)
        asked = replace(
            request,
            messages=(Message("system", ORDERS),),
            task="qa",
            stream=False,
            temperature=0.0 if request.temperature is None else request.temperature,
            format=TEXT,
            tools=(),
            tool_choice=None,
            logprobs=False,
            top_logprobs=None,
            raw_messages=None,
            raw_system=None,
            raw_tools=None,
            extra={},
            store=False,
            previous="",
            remember=False,
        )
        room, longest = await self.room(asked, question)
        asked = replace(asked, max_tokens=longest)
        shown = fitting(passages, room)
        before: list[Outcome] = []
        while True:
            messages = (*asked.messages, Message("user", show(shown, question)))
            result, outcome = await self.gate.ask(replace(asked, messages=messages), caller, CHECKS)
            if len(shown) == 1 or not overflowed(outcome):
                break
            before.append(outcome)  # its model counts more tokens than its passages have bytes for
            shown = shown[: len(shown) // 2]
            asked = replace(asked, id=new_id(time()))
        if isinstance(result, GiveUp):
            return Answered(None, Worked(result, outcome, tuple(before), steps))
        texts = {
            n: f"{one.heading}\n{one.text}" if one.heading else one.text
            for n, one in enumerate(shown, start=1)
        }
        findings = await asyncio.to_thread(held, result.text, texts, question)
        cited = footnoted(findings, shown)
        if not cited.found:
            cited = not_found(shown[:CLOSEST], cited.left_out)
        answered = told(cited, outcome, folders, result, steps)
        return answered._replace(worked=answered.worked._replace(before=tuple(before)))

    def embedder_for(self, request: Request) -> Embedder | None:
        """Who embeds its question. One that must stay here is searched by its words where only somebody else's model could."""
        embedder = self.gate.embedder
        if embedder is None or not request.local_only or self.gate.road.policy.models[embedder.model].local:
            return embedder
        return None

    async def room(self, request: Request, question: str) -> tuple[int, int]:
        """Tokens that passages and the answer may have, so that the smallest window at home of all models that may be asked takes them."""
        road = self.gate.road
        probe = replace(request, messages=(*request.messages, Message("user", question)))
        signals = await road.tokenizer.measure(probe, road.policy, 0)
        decision = decide(road.policy, road.view(road.accounts(signals.task)), probe, signals)
        windows = []
        for name in decision.chain:
            model = road.policy.models[name]
            listed = find_listed(model.id, road.fleet.listed.get(model.engine, ()))
            window = model.context or (listed.context if listed is not None else None)
            if model.local and window:
                windows.append(window)
        window = min(windows, default=PLENTY)
        answer = request.max_tokens or min(ANSWER, window // 4)
        return int((window - answer - signals.tokens) * SHARE), answer


def told(
    cited: CitedAnswer,
    outcome: Outcome,
    folders: Sequence[str],
    reply: Reply | None = None,
    steps: tuple[Step, ...] = (),
) -> Answered:
    """The answer as a reply, with its footnotes in the text."""
    text = text_of(cited, partial(short_place, folders))
    whole = replace(
        reply or Reply(text="", usage=Usage()), text=text, logprob=None, logprobs=None, blocks=None
    )
    return Answered(cited, Worked(whole, outcome, steps=steps, output=plain(cited)))


def short_place(folders: Sequence[str], one: Citation) -> str:
    """Where a citation stands, within the folder that was added: "handbook.md:12", or "docs/handbook.md:12" if there are several."""
    path = PurePath(one.source)
    inside = next((folder for folder in map(PurePath, folders) if path.is_relative_to(folder)), None)
    if inside is None:
        return place_of(one)
    above = inside.parent if len(folders) > 1 or path == inside else inside
    return place_of(replace(one, source=path.relative_to(above).as_posix()))


def facts_of(name: str) -> tuple[list[str], bool]:
    """The folders and files that a base is made of, and whether all of it stays here. Blocks."""
    with Base(places.find(name)) as base:
        return base.folders, base.local_only


def question_of(request: Request) -> str:
    """What is asked: the last message of the user's, with the one before it, which a follow-up is about."""
    said = [
        message.text.strip()
        for message in request.messages
        if message.role == "user" and message.text.strip()
    ]
    return " ".join(said[-2:])


def concerns(question: str, passages: Sequence[Passage]) -> bool:
    """Whether passages can have to do with a question at all: one word of it that says something stands in one of them."""
    wanted = content_words(question)
    there = content_words(" ".join([f"{passage.heading} {passage.text}" for passage in passages]))
    return not wanted.isdisjoint(there) or any(alike(word, other) for word in wanted for other in there)


def held(answer: str, passages: Mapping[int, str], question: str) -> tuple[Finding, ...]:
    """The sentences of an answer, held against the passages; where none has to do with the question, none holds. Takes a while."""
    findings = recited(verify(answer, passages), passages)
    if speaks_of(question, findings, passages):
        return findings
    return tuple([replace(one, problem=one.problem or "it is about something else") for one in findings])


def fitting(passages: Sequence[Passage], room: int) -> list[Passage]:
    """The first of the passages that fit; one at least."""
    chosen: list[Passage] = []
    for passage in passages:
        room -= (length(passage.text) + length(passage.heading)) // BYTES_PER_TOKEN + 8
        if chosen and room < 0:
            break
        chosen.append(passage)
    return chosen


def plain(cited: CitedAnswer) -> dict[str, Any]:
    """The answer as JSON values: the output of a run."""
    value: dict[str, Any] = msgspec.to_builtins(cited)
    return value


def base_agents() -> list[str]:
    """The agents that bases are, as they stand behind "agent:"."""
    return [f"kb:{name}" for name in places.names()]
