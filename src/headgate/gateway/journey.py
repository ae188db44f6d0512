"""The path of one request: decide, then admit, call and judge until the cascade says deliver or give up.

    Journey(road, request, signals) → run() or stream() → outcome

`core` decides; this module does what it says and takes the time. One `Journey` is one request; it owns all that is
known of it while it is under way, and ends as one `Outcome` in the ledger, whatever happens: answered, failed, broken
off, or left by its caller.
"""

from asyncio import CancelledError
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter

from msgspec.structs import replace

from headgate.core import cascade
from headgate.core.agent_answers import named, settle
from headgate.core.agreement import agreement, anew, doubted
from headgate.core.cascade import next_step, passes_with
from headgate.core.checks import judge, may_become_call, recover, repair, score
from headgate.core.parts import WHOLE
from headgate.core.policy import decide, goes_on, smaller
from headgate.core.prices import TYPICAL_ANSWER, cost, cost_at_most, plausible, tokens_for, unpaid
from headgate.core.types import (
    Answer,
    Attempt,
    Decision,
    Deliver,
    Delta,
    Failure,
    GiveUp,
    Model,
    Reply,
    Request,
    Signals,
    Try,
    Usage,
    Verdict,
)
from headgate.core.words import Mode, Skip
from headgate.fleet.power.sampler import Drawn
from headgate.gateway.budgets import Reservation
from headgate.gateway.keys import holder
from headgate.gateway.labels import note_refusal, weighed, with_alternatives
from headgate.gateway.road import Road
from headgate.gateway.slots import Place, take
from headgate.gateway.vectors import answer

OPENING_CHECKS = frozenset({"no-refusal", "not-repeating", "language-matches", "asks-back"})
"""What can be judged on the opening of an answer; the rest needs its end."""

NOTHING_USED = Usage()

HUNG_UP = "the caller hung up"

LONG_ANSWER = 16_384
"""Tokens that an answer without any limit is taken to have at most: with money set aside for so many, none is set."""


class Journey:
    """One request under way.

    Args:
        road: what it travels on.
        request: what the caller asked; its model exists.
        signals: what was measured on it.
        received: Unix time of its first byte.
        begun: the same moment on the steady clock, `perf_counter`.
        caller: whose request it is, as far as waiting has to be fair.
    """

    __slots__ = (
        "accounts",
        "attempts",
        "begun",
        "cached",
        "caller",
        "decision",
        "drawn",
        "energy",
        "first_byte",
        "holder",
        "limited",
        "model",
        "place",
        "received",
        "replies",
        "request",
        "reserved",
        "road",
        "signals",
    )

    def __init__(
        self,
        road: Road,
        request: Request,
        signals: Signals,
        *,
        received: float,
        begun: float,
        caller: str = "",
    ) -> None:
        self.begun = begun
        self.caller = caller
        self.road = road
        self.request = request
        self.received = received
        self.holder = holder.get()
        """Whose key was shown."""
        self.accounts = road.accounts(signals.task)
        """What it is paid from."""
        view = road.view(self.accounts)
        self.decision: Decision = decide(road.policy, view, request, signals)
        if self.decision.notice and view.allowance is not None:
            road.budgets.turned_away(self.accounts, view.allowance)
        if (
            self.decision.local_only and not signals.local_only
        ):  # the route's wish is as good as the caller's own
            signals = replace(signals, local_only=True)
        self.signals = signals
        self.attempts: list[Attempt] = []
        self.replies: list[Reply | None] = []
        self.model: Model | None = None
        self.first_byte: float | None = None
        self.place: Place | None = None
        """The slot that the attempt under way has."""
        self.reserved: Reservation | None = None
        self.drawn: Drawn | None = None
        """The attempt under way on the meters at home."""
        self.energy: float | None = None
        """Joules of the attempt that has just ended."""
        self.limited: dict[str, int] = {}
        self.cached = 0
        """How many of the texts to embed had their vectors already."""

    def now(self) -> float:
        """Seconds since the request was received."""
        return perf_counter() - self.begun

    @property
    def mode(self) -> Mode:
        """How this stream is held. Structured answers are always judged whole: half a JSON object proves nothing."""
        request = self.request
        if self.decision.confirm:
            return "hold"  # a second answer has to agree before the first goes out
        if self.decision.mode == "peek" and self.signals.format != "text":
            return "hold"
        if request.agent and (request.labels or request.format.kind != "text"):
            return "hold"  # a subagent's answer is delivered right or not at all
        return self.decision.mode

    # ── Whole answers ────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> Reply | GiveUp:
        """Walk the chain until there is an answer to deliver, or none to be had."""
        with self.road.presence:
            while True:
                step = next_step(self.decision, self.attempts, self.now())
                if isinstance(step, Try):
                    if (known := await self.attempt(step)) is not None:
                        return known
                else:
                    return self.deliver(step) if isinstance(step, Deliver) else step

    async def attempt(self, step: Try) -> Reply | None:
        """One attempt, to be weighed by the next step; or the answer to texts whose vectors are all known."""
        model = self.road.policy.models[step.model]
        sought = None
        if self.request.kind == "embedding":
            sought = await self.road.vectors.look(self.request, model)
            self.cached = sought.known
            if not sought.missing:
                self.model = model
                return answer(sought)
        before = self.decision
        place = self.place = await take(self, model, step.within)
        if place is None:
            if step.confirms:  # nobody has time for it, and the first answer stands as it is
                self.decision = replace(before, confirm="")
            return None
        started = self.now()
        self.meter(model)
        result: Reply | Failure | None = None
        try:
            engine = self.road.fleet.engines[model.engine]
            if sought is None:
                request = self.affordable(model)
                if step.confirms and before.confirm == cascade.ITSELF:
                    request = anew(request)
                result = await engine.chat(request, place.model, place.left)
            else:
                result = await self.road.vectors.make(sought, engine, place.model, place.left)
        except CancelledError:
            self.conclude(model, started, place.queued, self.hung_up(), confirms=step.confirms)
            raise
        finally:
            self.leave(started, result)
        self.conclude(model, started, place.queued, result, confirms=step.confirms)
        if step.confirms:
            self.compare()
        return None

    def compare(self) -> None:
        """Let the last two attempts say whether their answers agree. Where one has none, the other stands as it is."""
        one, other = self.replies[-2], self.replies[-1]
        if one is not None and other is not None:
            found = agreement(self.request, self.signals, one, other)
            self.attempts[-2:] = [doubted(attempt, found) for attempt in self.attempts[-2:]]

    def deliver(self, step: Deliver) -> Reply | GiveUp:
        """The reply that the cascade chose; of a subagent, the best of those that have its form."""
        if self.request.agent:
            return self.deliver_settled(step.attempt)
        reply = self.replies[step.attempt]
        assert reply is not None
        self.model = self.road.policy.models[self.attempts[step.attempt].model]
        return reply

    def deliver_settled(self, chosen: int) -> Reply | GiveUp:
        """The chosen reply in the subagent's form, else the best other one that can be given it."""
        agent, why = self.road.policy.agents[self.request.agent], ""
        order = sorted(
            range(len(self.replies)),
            key=lambda i: (i == chosen, self.attempts[i].score or 0.0, i),
            reverse=True,
        )
        for index in order:
            reply = self.replies[index]
            if reply is None or self.attempts[index].confirms:
                continue
            settled = settle(agent, self.request, reply)
            if isinstance(settled, Reply):
                self.model = self.road.policy.models[self.attempts[index].model]
                return settled
            why = why or settled.reason
        return GiveUp(why)

    # ── Streams ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def stream(self) -> AsyncGenerator[Delta | Reply | Failure | GiveUp]:
        """Walk the chain, handing out deltas from the moment an answer is trusted.

        Yields deltas, then as the last item the whole `Reply`; or a `Failure`, when the answer broke after its first
        delta had gone out; or a `GiveUp`, when there never was one. Before the first delta another model can still
        take over, unseen; after it, none can.
        """
        with self.road.presence:
            while True:
                step = next_step(self.decision, self.attempts, self.now())
                if isinstance(step, GiveUp):
                    yield step
                    return
                if isinstance(step, Deliver):
                    yield self.deliver(step)
                    return
                if step.confirms:
                    await self.attempt(step)
                    continue
                async with aclosing(self.stream_attempt(step)) as items:
                    async for item in items:
                        yield item
                if self.first_byte is not None:
                    return

    async def stream_attempt(self, step: Try) -> AsyncGenerator[Delta | Reply | Failure]:
        """One streamed attempt. Yields nothing unless its answer is trusted before it ends."""
        model = self.road.policy.models[step.model]
        place = self.place = await take(self, model, step.within)
        if place is None:
            return
        queued = place.queued
        started = self.now()
        self.meter(model)
        opening: list[Delta] = []
        written = 0
        result: Reply | Failure | None = None
        committed = held = False
        parts = self.road.fleet.engines[model.engine].stream(self.affordable(model), place.model, place.left)
        try:
            async for part in parts:
                if not isinstance(part, Delta):
                    result = part
                    break
                written += len(part.text) + len(part.reasoning) + len(part.tool_arguments)
                if committed:
                    yield part
                    continue
                opening.append(part)
                if held or not self.enough(written, part):
                    continue
                committed = self.trusted(model, opening)
                held = not committed
                if committed:
                    self.commit(model)
                    for delta in opening:
                        yield delta
                    opening.clear()
        except (CancelledError, GeneratorExit):
            self.conclude(model, started, queued, self.hung_up(written), late=committed)
            raise
        finally:
            try:
                await parts.aclose()
            finally:
                self.leave(started, result)
        if result is None:
            result = Failure(reason="broken_stream", detail="the stream ended without its end mark")
        if not committed:
            self.conclude(model, started, queued, result)
            return
        self.conclude(model, started, queued, result, late=True)
        yield result

    def enough(self, written: int, part: Delta) -> bool:
        """Whether there are enough characters of an answer to decide if it may go out.

        With tools on offer thoughts alone do not say what comes of them, words or a call.
        """
        if self.mode == "peek":
            thinks = not part.text.strip() and part.tool_index is None
            return written >= self.road.peek_characters and not (thinks and self.request.tools)
        return self.mode == "pass"

    def trusted(self, model: Model, opening: list[Delta]) -> bool:
        """Whether the opening of an answer is good enough to let it out. What may be a tool call needs its end."""
        if self.mode == "pass":
            return True
        text = "".join([delta.text for delta in opening])
        if self.request.tools and (
            may_become_call(text) or any(delta.tool_index is not None for delta in opening)
        ):
            return False
        reply = Reply(text=text, usage=NOTHING_USED)
        checks = [(name, self.road.checks[name]) for name in self.decision.checks if name in OPENING_CHECKS]
        lowest = score(judge(checks, Answer(self.request, self.signals, reply, model)))
        return passes_with(lowest, self.decision.pass_at)

    def hung_up(self, written: int | None = None) -> Failure:
        """What is recorded of a call that ended because the caller went away.

        Of a stream, what had come is counted in characters; of a whole answer, nobody knows how far it had got.
        """
        usage = None
        if written is not None:
            usage = Usage(input=self.signals.tokens, output=(written + 3) // 4, estimated=WHOLE)
        return Failure(reason="broken_stream", detail=HUNG_UP, usage=usage)

    def commit(self, model: Model) -> None:
        """From here on this model's answer goes out, and no other can."""
        self.model = model
        self.first_byte = self.now()

    # ── Every attempt ────────────────────────────────────────────────────────────────────────────────────────────────

    def skip(self, model: Model, reason: Skip, detail: str) -> None:
        """Leave a model out of what is still to be tried."""
        self.decision = cascade.skip(self.decision, model.name, reason, detail)

    def reserve(self, model: Model) -> bool:
        """Set aside what the attempt can cost. False: others were quicker, and a budget's money is promised to them.

        Under a hard budget the price is known, else the model would not be a candidate.
        """
        longest = self.longest_answer(model)
        typical = self.cost_at_most(model, min(longest, TYPICAL_ANSWER))
        reserved = self.road.budgets.reserve(self.accounts, typical, self.cost_at_most(model, longest))
        if isinstance(reserved, Reservation):
            self.reserved = reserved
            return True
        detail = f"{reserved.sentence}, about ${typical:.4f} needed"
        refused = self.decision.chain if reserved.budget.when_spent == "refuse" else (model.name,)
        for name in refused:
            self.decision = cascade.skip(self.decision, name, "budget", detail)
        self.decision = replace(self.decision, notice=reserved.notice)
        return False

    def longest_answer(self, model: Model) -> int:
        """Tokens that its answer has at most, as far as anybody set a limit."""
        if self.request.kind == "embedding":
            return 0
        ours = [model.settings.get(name) for name in ("max_tokens", "max_completion_tokens")]
        told = next((limit for limit in ours if isinstance(limit, int)), None)
        return self.request.max_tokens or told or model.max_output or LONG_ANSWER

    def cost_at_most(self, model: Model, answer: int) -> float:
        """Dollars that an attempt with such an answer can cost; 0 where the price is unknown."""
        return cost_at_most(model, self.signals.tokens, answer, marked=self.marks(model)) or 0.0

    def marks(self, model: Model) -> bool:
        """Whether its prompt is marked for the provider's cache."""
        return model.engine_kind == "anthropic" and goes_on(self.request)

    def estimate_of(self, model: Model) -> float | None:
        """What an attempt with this model will probably cost; None is unknown."""
        return next((c.estimate for c in self.decision.candidates if c.model == model.name), None)

    def affordable(self, model: Model) -> Request:
        """The request, with its answer limited to what the money buys, and marked for the cache where that pays."""
        request = self.request
        if request.agent:
            request = with_alternatives(self.road, request, model)
        if model.local:
            return request
        if self.marks(model):
            request = replace(request, cache=True)
        money = cascade.money_left(self.decision, self.attempts)
        if self.reserved is not None:
            money = smaller(money, self.reserved.bound)
        if money is None:
            return request
        tokens = tokens_for(money, model, self.signals.tokens, marked=self.marks(model))
        if tokens is None or self.longest_answer(model) <= tokens:
            return request
        self.limited[model.name] = max(1, tokens)
        return replace(request, max_tokens=self.limited[model.name])

    def leave(self, started: float, result: Reply | Failure | None) -> None:
        """Give the slot and the reserved money back; only a whole answer says something about the pace."""
        self.read_meters()
        self.give_way(self.now() - started if isinstance(result, Reply) else None)
        if self.reserved is not None:
            self.road.budgets.release(self.reserved)
            self.reserved = None

    def give_way(self, pace: float | None = None) -> None:
        """Give the slot back, if there is one still: also before the call has ended, where somebody else is not to wait for that."""
        if self.place is not None:
            self.road.fleet.admission.leave(self.place.model.name, pace)
            self.place = None

    def meter(self, model: Model) -> None:
        """What an attempt draws at home is its own from now on; elsewhere it draws nothing of ours."""
        if model.local:
            self.drawn, self.energy = self.road.power.begin(model), None
        else:
            self.drawn, self.energy = None, 0.0

    def read_meters(self) -> None:
        """The attempt draws no more."""
        if self.drawn:
            self.energy = self.road.power.end(self.drawn)
            self.drawn = None

    def conclude(
        self,
        model: Model,
        started: float,
        queued: float,
        result: Reply | Failure,
        *,
        late: bool = False,
        confirms: bool = False,
    ) -> None:
        """Judge what came back, and write the attempt down."""
        self.read_meters()
        reply: Reply | None = None
        verdicts: tuple[Verdict, ...] = ()
        result = plausible(result)
        price = self.road.policy.models[model.name].price  # by now it may be another one
        if isinstance(result, Reply):
            failure = None
            self.road.recounts.note(self.request, model, result)
            reply, verdicts = self.judge(model, result, late=late)
            spent = cost(result.usage, price)
        else:
            failure = result
            if self.request.agent:
                note_refusal(self.road, model, result)
            spent = cost(result.usage, price) if result.usage is not None else unpaid(result, model)
        if not (failure is not None and self.is_callers_doing(failure)):
            self.road.fleet.note(model, failure)
        if not model.local:
            known = spent if spent is not None else self.estimate_of(model) or 0.0
            self.road.budgets.settle(self.accounts, known)
        self.replies.append(reply)
        self.attempts.append(
            Attempt(
                model=model.name,
                started=started,
                ended=self.now(),
                queued=queued,
                first_token=result.first_token,
                usage=result.usage,
                cost=spent,
                energy=self.energy,
                failure=failure,
                verdicts=verdicts,
                score=score(verdicts),
                logprob=reply.logprob if reply is not None else None,
                finish=reply.finish if reply is not None else None,
                late=late,
                confirms=confirms,
            )
        )

    def is_callers_doing(self, failure: Failure) -> bool:
        """Whether the failure says nothing about the engine: the caller left, or gave it less time than we would."""
        return failure.detail == HUNG_UP or (failure.reason == "timeout" and self.request.within is not None)

    def judge(self, model: Model, reply: Reply, *, late: bool) -> tuple[Reply, tuple[Verdict, ...]]:
        """The reply, mended where its tool calls or the asked JSON need it and it can still be, and the verdicts on it."""
        agent = self.road.policy.agents[self.request.agent] if self.request.agent else None
        if agent is not None:
            reply = weighed(self.road, self.request, model, reply)
        answer = Answer(self.request, self.signals, reply, model)
        if self.request.tools and not late:
            reply = recover(answer)
            answer = Answer(self.request, self.signals, reply, model)
        if self.signals.format != "text" and not late:
            reply = repair(answer)
            answer = Answer(self.request, self.signals, reply, model)
        if agent is not None:
            reply = replace(reply, label=named(agent, reply.text))
            answer = Answer(self.request, self.signals, reply, model)
        return reply, judge(self.road.named(self.decision.checks), answer)
