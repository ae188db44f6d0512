"""A subagent with tools: asked, its calls done, asked again, until it answers or has used up what it may.

    ToolLoop(road, ask, tools) is a Worker: takes(request), work(request)

Each step is a request with its own row in the ledger. It ends with an answer, or at a bound: steps, time, money, or the same call
three times in a row. At a bound the model is asked once more, without tools, for what it has, as far as time and money allow, and
the answer is said to be incomplete. If the subagent's answers have a form, the last one is held to it. Tools that the caller
sends himself are his: their calls are handed to him. How a tool is called is `tools`'.
"""

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from headgate.core.agent_answers import settle
from headgate.core.agents import give
from headgate.core.errors import HeadgateError
from headgate.core.policy import decide
from headgate.core.runs import Step
from headgate.core.subagent import Agent
from headgate.core.types import (
    TEXT,
    GiveUp,
    Message,
    Outcome,
    Reply,
    Request,
    ToolCall,
)
from headgate.gateway.road import Road
from headgate.gateway.services import Worked
from headgate.workers.asking import Ask, Settle, agent_of, anew
from headgate.workers.tools import Callable, Tools, answer_call, longest_result

TOOL_WITHIN = 30.0
"""Seconds of one call."""

KEPT_BACK = 0.2
"""Share of a run's time that is kept for the last answer."""

LEAST_TIME = 0.5
"""Seconds below which another request is not worth starting."""

IN_A_ROW = 3
"""So many times the same call, and it is stopped."""

NO_MORE = "error: not done, because {why}"

LAST = "Answer now with what you have: {why}. No tool can be called any more."

IN_FORM = "Give that answer again, in the form that was asked for and with nothing else."

NONE = Raw(b'"none"')


class ToolLoop:
    """The worker for subagents with tools.

    Args:
        road: what requests travel on.
        ask: one request through the gate.
        settle: writes a request down that nobody was asked.
        tools: of each subagent that has some, by its name.
    """

    def __init__(self, road: Road, ask: Ask, settle: Settle, tools: Mapping[str, Tools]) -> None:
        self.road = road
        self.ask = ask
        self.settle = settle
        self.tools = tools

    def takes(self, request: Request) -> bool:
        """Whether it is a subagent's with tools."""
        agent = agent_of(self.road.policy, request)
        return agent is not None and agent.name in self.tools

    async def work(self, request: Request, *, caller: str) -> Worked:
        """Ask until there is an answer."""
        agent = agent_of(self.road.policy, request)
        assert agent is not None, "asked only for what it takes"
        return await Course(self, agent, give(agent, request), caller).run()

    async def close(self) -> None:
        """End the servers of all tools."""
        for tools in self.tools.values():
            await tools.close()


class Course:
    """One run: what was said so far, and what it has used up."""

    def __init__(self, loop: ToolLoop, agent: Agent, request: Request, caller: str) -> None:
        self.loop = loop
        self.agent = agent
        self.request = request
        self.caller = caller
        self.begun = perf_counter()
        self.messages = list(request.messages)
        self.outcomes: list[Outcome] = []
        self.steps: list[Step] = []
        self.own: dict[str, Callable] = {}
        self.last_call: tuple[str, str] | None = None
        self.repeated = 0

    async def run(self) -> Worked:
        """Its whole way."""
        tools = self.loop.tools[self.agent.name]
        try:
            async with asyncio.timeout(self.time_left()):
                found = await tools.offered(at_home=await self.stays_home())
        except HeadgateError as error:
            return await self.without_tools(f"{error.message}; {error.hint}" if error.hint else error.message)
        except TimeoutError:
            within = self.agent.bounds.within
            return await self.without_tools(
                f"its MCP servers did not say within its {within:.3g} s what they have"
            )
        callers = {tool.name for tool in self.request.tools}
        self.own = {name: tool for name, tool in found.items() if name not in callers}
        offered = self.offered()
        why = ""
        while not why:
            reply = await self.step(replace(self.request, **offered, **self.unformed()))
            if isinstance(reply, GiveUp):
                why = self.bound(steps=False) if len(self.outcomes) > 1 else ""
                if not why:
                    return self.done(reply)
                break
            if not reply.tool_calls:
                return await self.in_form(reply)
            theirs = tuple(call for call in reply.tool_calls if call.name in callers)
            if theirs:
                return self.done(replace(reply, tool_calls=theirs))
            # what the caller chose was for the first step
            self.request = replace(self.request, tool_choice=None)
            self.messages.append(Message("assistant", reply.text, tool_calls=reply.tool_calls))
            why = self.bound()
            for call in reply.tool_calls:
                why = why or self.bound(steps=False) or self.seen_again(call)
                self.messages.append(await self.do(call, why))
            why = why or self.bound(steps=False)
        return await self.last_answer(why)

    async def stays_home(self) -> bool:
        """Whether the subagent, the caller or the route keeps it on the user's machines."""
        road = self.loop.road
        signals = await road.tokenizer.measure(self.request, road.policy, 0)
        view = road.view(road.accounts(signals.task))
        return decide(road.policy, view, self.request, signals).local_only

    # ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def offered(self) -> dict[str, Any]:
        """The caller's tools and the subagent's, also where the caller's are kept in Anthropic's own words."""
        own = [tool.spec for tool in self.own.values()]
        raw = self.request.raw_tools
        if raw is not None:
            told = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in own
            ]
            raw = Raw(msgspec.json.encode([*msgspec.json.decode(raw, type=list[Raw]), *told]))
        return {"tools": (*self.request.tools, *own), "raw_tools": raw}

    def without_offer(self) -> Request:
        """The request without any tools."""
        return replace(self.request, tools=(), raw_tools=None, tool_choice=None)

    def unformed(self) -> dict[str, Any]:
        """What a request with tools is not held to: the form of the answer, which is not the form of a call."""
        return {"format": TEXT, "labels": (), "threshold": None} if self.formed else {}

    @property
    def formed(self) -> bool:
        """Whether the answer is JSON. A label is a text: a model that may call tools can be held to it all the same."""
        return self.request.format.kind != "text"

    async def step(self, request: Request, *, last: bool = False) -> Reply | GiveUp:
        """One request, with all that was said so far."""
        left = self.time_left() if last else self.time_left() - self.agent.bounds.within * KEPT_BACK
        within = left if request.within is None else min(left, request.within)
        asked = anew(replace(request, messages=tuple(self.messages), within=max(LEAST_TIME, within)))
        result, outcome = await self.loop.ask(asked, self.caller, spend=self.money_left())
        self.outcomes.append(outcome)
        if isinstance(result, GiveUp):
            said = f"no answer: {result.reason}"
        else:
            said = result.text or ", ".join(shown(call) for call in result.tool_calls)
        self.steps.append(
            Step(kind="model", what=f"asked {outcome.model or 'a model'}", result=said, request=outcome.id)
        )
        return result

    async def in_form(self, reply: Reply) -> Worked:
        """The end of a run that its model ended: its answer, asked for again where it has not the form that it must have."""
        if not self.formed:
            return self.done(reply)
        settled = settle(self.agent, self.request, reply)
        if isinstance(settled, Reply):
            return self.done(settled)
        why = self.bound(steps=False)
        if why:
            return self.done(GiveUp(f"{settled.reason}, and {why}"), incomplete=why)
        self.messages += [Message("assistant", reply.text), Message("user", IN_FORM)]
        return self.done(await self.step(self.without_offer(), last=True))

    async def last_answer(self, why: str) -> Worked:
        """The end of a run at a bound: what the model has, if there is time and money to ask for it."""
        incomplete = f"stopped: {why}"
        if self.time_left() < LEAST_TIME or self.money_left() == 0:
            return self.done(GiveUp(incomplete), incomplete=incomplete)
        self.messages.append(Message("user", LAST.format(why=why)))
        asked = self.without_offer()
        if not self.formed:  # engines want to see the tools that were called
            asked = replace(self.request, tool_choice=NONE, **self.offered())
        reply = await self.step(asked, last=True)
        if isinstance(reply, GiveUp):
            return self.done(GiveUp(f"{incomplete}; {reply.reason}"), incomplete=incomplete)
        return self.done(replace(reply, tool_calls=(), finish="length"), incomplete=incomplete)

    async def without_tools(self, problem: str) -> Worked:
        """The end of a run whose tools are not there. It is in the ledger as a request that nobody answered."""
        outcome = await self.loop.settle(anew(self.request), "failed", problem)
        return Worked(GiveUp(problem), outcome)

    def done(self, result: Reply | GiveUp, *, incomplete: str = "") -> Worked:
        """The end, with all that it took."""
        steps = tuple(self.steps) if len(self.steps) > 1 else ()
        return Worked(result, self.outcomes[-1], tuple(self.outcomes[:-1]), steps, incomplete)

    # ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def do(self, call: ToolCall, why_not: str) -> Message:
        """Do one call, or say why it is not done; the message that tells the model."""
        if why_not:
            result = NO_MORE.format(why=why_not)
        else:
            within = min(TOOL_WITHIN, self.time_left() - self.agent.bounds.within * KEPT_BACK)
            result = await answer_call(
                self.own.get(call.name), call, within=max(0.0, within), longest=longest_result(self.window())
            )
        self.steps.append(Step(kind="tool", what=shown(call), result=result))
        return Message("tool", result, tool_call_id=call.id, name=call.name)

    def window(self) -> int | None:
        """The window of the model that answered last."""
        name = self.outcomes[-1].model
        model = self.loop.road.policy.models.get(name) if name is not None else None
        return model.context if model is not None else None

    def seen_again(self, call: ToolCall) -> str:
        """Why a call is not done: it is the same as the last ones."""
        same = (call.name, canonical(call.arguments))
        self.repeated = self.repeated + 1 if same == self.last_call else 1
        self.last_call = same
        if self.repeated < IN_A_ROW:
            return ""
        return f"{shown(call)} was called {IN_A_ROW} times in a row"

    # ── Bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def bound(self, *, steps: bool = True) -> str:
        """Which bound is reached, or ""."""
        bounds = self.agent.bounds
        if steps and len(self.outcomes) >= bounds.steps:
            return f"its {bounds.steps} steps are used up"
        if self.time_left() - bounds.within * KEPT_BACK < LEAST_TIME:
            return f"its {bounds.within:.3g} s are used up"
        if bounds.spend is not None and self.money_left() == 0:
            if any(outcome.cost is None for outcome in self.outcomes):
                return f"it may spend ${bounds.spend:.4g}, and what it spent is unknown"
            return f"its ${bounds.spend:.4g} are used up"
        return ""

    def seconds(self) -> float:
        """Since it began."""
        return perf_counter() - self.begun

    def time_left(self) -> float:
        """Seconds."""
        return self.agent.bounds.within - self.seconds()

    def money_left(self) -> float | None:
        """Dollars; None is no limit. A cost that nobody knows may be any, so nothing is left then."""
        spend = self.agent.bounds.spend
        if spend is None:
            return None
        left = spend
        for outcome in self.outcomes:
            if outcome.cost is None:
                return 0.0
            left -= outcome.cost
        return max(0.0, left)


def canonical(arguments: str) -> str:
    """Arguments in one form, so that two that say the same are the same."""
    try:
        return msgspec.json.encode(msgspec.json.decode(arguments or "{}"), order="sorted").decode()
    except (msgspec.DecodeError, RecursionError):
        return arguments


def shown(call: ToolCall) -> str:
    """A call as people read it: find_order(number="AB-12345")."""
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        return f"{call.name}({call.arguments})"
    given = ", ".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in arguments.items())
    return f"{call.name}({given})"
