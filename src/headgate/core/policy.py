"""Which models may answer this request, in which order, and why not the others.

    decide(policy, fleet view, request, signals) → Decision

A `Policy` is the user's TOML page compiled: routes read top to bottom, and the first that matches wins. Its `try` list is the chain.
Every model of the chain becomes a candidate, and each that cannot serve is kept with the reason from the closed list `words.Skip`, so
that "why did this go to the cloud?" always has an answer.

This module does not know how good an answer is (`checks`), what happens after a failure (`cascade`), or how anything is called
(`engines`). A subagent's own models and checks are put in by `agents`.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.agents import for_agent
from headgate.core.agreement import is_comparable
from headgate.core.budgets import Allowance
from headgate.core.cascade import ITSELF
from headgate.core.expecting import Learning, chance_of, put_first, skip_unlikely
from headgate.core.ordering import arrange, by_expected_cost, home_first, prefer_loaded
from headgate.core.prices import estimate
from headgate.core.subagent import Agent
from headgate.core.tokens import ANSWER_ALLOWANCE, NEAR, longest
from headgate.core.types import (
    Candidate,
    Decision,
    FleetView,
    Model,
    Request,
    Signals,
)
from headgate.core.words import (
    TASKS,
    DialectName,
    EngineKind,
    FormatKind,
    Mode,
    ModelKind,
    Order,
    RouteOrder,
    Skip,
    Task,
    WhenBusy,
)

AUTO = "auto"
"""The virtual model that asks for routing."""

AGENT = "agent:"
"""Before an agent's name: the agent's prompt and form are put on the request, and it is routed."""

WISHES: Mapping[str, Order] = {"auto:cheap": "cheapest first", "auto:quality": "ablest first"}
"""The virtual models that ask for another order than the route's."""

DIALECTS: Mapping[EngineKind, DialectName] = {"ollama": "ollama", "anthropic": "anthropic"}
"""Whose words an engine understands; those that are not named here understand OpenAI's."""

FETCHED: Mapping[EngineKind, tuple[str, ...]] = {
    "openai": ("https://", "http://"),
    "openai_compatible": ("https://", "http://"),
    "anthropic": ("https://",),
}
"""How the addresses of images begin that an engine fetches by itself; those that are not named here want the bytes."""

BY_NAME = "asked for by name"

BUDGET = "budget:"
"""How the detail of a skip begins that a budget is the reason of, and no limit of the request's own."""

MAKES: Mapping[ModelKind, str] = {
    "chat": "it gives answers, not embeddings",
    "embedding": "it makes embeddings, not answers",
}

EMBEDDINGS = "embeddings"
"""The route of texts to embed that no route of the user's is for."""


class Route(Struct, frozen=True, kw_only=True):
    """A named rule: when → try. A condition of None always holds."""

    name: str
    chain: tuple[str, ...]
    kind: ModelKind = "chat"
    """Which kind of models its chain has, and so which kind of requests it is for."""
    tasks: frozenset[Task] | None = None
    tokens_over: int | None = None
    tokens_under: int | None = None
    formats: frozenset[FormatKind] | None = None
    languages: frozenset[str] | None = None
    local_only: bool = False
    """Everything on this route stays on the user's machines, whatever the caller says."""
    when_busy: WhenBusy = "next"
    queue_for: float = 3.0
    """Seconds that a request waits for a local model while there is another to go to."""
    mode: Mode = "peek"
    pass_at: float = 0.60
    order: RouteOrder = "given"
    confirm: str = ""
    """Who answers a second time before an answer from home goes out: a model at home, or "itself"; "" is nobody."""
    checks: Mapping[str, tuple[str, ...]] = {}
    """Task → names of the checks to run, with "" for requests without a task."""


class Limits(Struct, frozen=True, kw_only=True):
    """What one request may use up."""

    answer_within: float = 60.0
    attempts: int = 4
    paid_per_request: float | None = None


class Policy(Struct, frozen=True, kw_only=True):
    """All routes, models and limits, compiled. Immutable."""

    routes: tuple[Route, ...]
    models: Mapping[str, Model]
    agents: Mapping[str, Agent] = {}
    limits: Limits = Limits()
    task_confidence: float = 0.5
    """A classifier's guess below this is "no evidence"."""
    baseline: str = "gpt-4o"
    learning: Learning = Learning()
    """What a learned router may do."""
    token_limits: tuple[int, ...] = ()
    """All limits that a token count is compared with (`token_limits`), so that guesses near one are counted exactly."""

    @property
    def named(self) -> dict[str, Model]:
        """The models that the user names, without their longer lanes."""
        return {name: model for name, model in self.models.items() if not model.lane_of}


def decide(policy: Policy, fleet: FleetView, request: Request, signals: Signals) -> Decision:
    """Find the route and weigh each model of its chain.

    Raises:
        LookupError: no model has the name that the caller asked for (`find_model` says so beforehand), or none embeds
            (`find_embedder`).
    """
    by_name = not is_auto(request.asked)
    if not by_name:
        route, why = match(policy, request.kind, signals)
        chain = route.chain
    else:
        model = find_model(policy, request.asked)
        if model is None:
            raise LookupError(request.asked)
        route = policy.routes[-1]
        why = f"the caller asked for {model.name} by name"
        chain = (model.name, *model.longer)
    if request.agent:
        route, why = for_agent(policy, request, signals.task, (route, why))
        chain, by_name = route.chain, bool(request.only)
    local_only = signals.local_only or (route.local_only and not by_name)
    limits = policy.limits
    left = fleet.allowance.left if fleet.allowance is not None else None
    spend = smaller(limits.paid_per_request, left) if request.pay else 0.0
    candidates = [
        weigh(policy.models[name], fleet, request, signals, local_only=local_only, spend=spend)
        for name in chain
    ]
    notice = ""
    if fleet.allowance is not None and any([c.detail.startswith(BUDGET) for c in candidates]):  # noqa: C419  # quicker
        notice = fleet.allowance.notice
        if fleet.allowance.budget.when_spent == "refuse":
            candidates = refuse(candidates, fleet.allowance)
        elif not by_name and all(c.skip is not None for c in candidates):
            candidates += at_home(policy, fleet, request, signals, chain)
    order: Order = "route"
    if fleet.overspent is not None and not by_name and home_first(candidates, policy.models):
        order, notice = "home first", notice or fleet.overspent.notice
        why += f"; {candidates[0].model} goes first: {fleet.overspent.sentence}"
    elif len(candidates) > 1 and not by_name and (signals.keeps_to or request.asked in WISHES or fleet.cold):
        order = arrange(candidates, WISHES.get(request.asked), signals.keeps_to)
        if order == "route" and fleet.cold:
            order = prefer_loaded(candidates, policy.models, fleet.cold, signals.task)
        if order != "route":
            why += f"; {candidates[0].model} goes first: {order}"
    if signals.chances and not by_name:
        if (
            policy.learning.brings_home
            and order == "route"
            and not (request.agent or request.asked in WISHES)
        ):
            home = trusted_home(policy, fleet, request, signals, candidates)
            if home is not None:
                candidates, order = put_first(candidates, home), "trusted first"
                chance = chance_of(policy.models[home.model], signals.chances)
                why += (
                    f"; {home.model} goes first: the learned router trusts it, with a chance of {chance:.2f}"
                )
        candidates = skip_unlikely(candidates, policy.models, signals.chances, policy.learning.skip_below)
    if route.order == "expected cost" and order == "route" and not by_name and len(candidates) > 1:
        candidates, told = by_expected_cost(candidates, policy.models, signals)
        if told:
            order, why = "expected cost", f"{why}; {told}"
    decision = Decision(
        route=BY_NAME if by_name else route.name,
        why=why,
        candidates=tuple(candidates),
        checks=route.checks.get(signals.task or "", ()) if request.kind == "chat" else (),
        pass_at=route.pass_at,
        mode=route.mode,
        within=limits.answer_within if request.within is None else min(request.within, limits.answer_within),
        attempts_at_most=limits.attempts,
        spend_at_most=spend,
        by_name=by_name,
        tokens_over=None if by_name else route.tokens_over,
        order=order,
        local_only=local_only,
        queue_for=route.queue_for,
        when_busy="wait" if by_name else route.when_busy,
    )
    if route.confirm and not by_name:
        decision = replace(decision, confirm=confirming(policy, fleet, request, signals, route))
    return replace(decision, notice=notice) if notice else decision


def trusted_home(
    policy: Policy, fleet: FleetView, request: Request, signals: Signals, candidates: list[Candidate]
) -> Candidate | None:
    """The likeliest of the trusted models that can serve, where a paid one would be asked first; None where there is none."""
    first = next((c for c in candidates if c.skip is None), None)
    if first is None or policy.models[first.model].local:
        return None
    able = [
        weigh(policy.models[name], fleet, request, signals, local_only=True, spend=0.0)
        for name in signals.trusted
        if name in policy.models and policy.models[name].local
    ]
    return next((candidate for candidate in able if candidate.skip is None), None)


def refuse(candidates: Iterable[Candidate], allowance: Allowance) -> list[Candidate]:
    """The candidates without any that may answer: their budget is spent, and says that then nobody does."""
    return [replace(c, skip="budget", detail=allowance.sentence) if c.skip is None else c for c in candidates]


def at_home(
    policy: Policy, fleet: FleetView, request: Request, signals: Signals, chain: tuple[str, ...]
) -> list[Candidate]:
    """Models at home that stand in for a chain that only money could have used: those of the route for everything else."""
    return [
        weigh(policy.models[name], fleet, request, signals, local_only=True, spend=0.0)
        for name in policy.routes[-1].chain
        if name not in chain and policy.models[name].local
    ]


def confirming(policy: Policy, fleet: FleetView, request: Request, signals: Signals, route: Route) -> str:
    """Who may answer a second time; "" where answers cannot be compared, or the other model cannot serve."""
    if not is_comparable(request, signals):
        return ""
    if route.confirm == ITSELF:
        return ITSELF
    candidate = weigh(policy.models[route.confirm], fleet, request, signals, local_only=True, spend=0.0)
    return route.confirm if candidate.skip is None else ""


def is_auto(asked: str) -> bool:
    """Whether the caller leaves the choice to us: "auto", "auto:<task>", "auto:local" … or "agent:<name>"."""
    return asked == AUTO or asked.startswith(("auto:", AGENT))


def goes_on(request: Request) -> bool:
    """Whether the request belongs to a conversation that will probably go on: it has had a turn, or may call tools."""
    return bool(request.tools) or (
        len(request.messages) > 1 and any(message.role == "assistant" for message in request.messages)
    )


def asked_task(asked: str) -> Task | None:
    """The task in "auto:<task>", else None."""
    word = asked.partition(":")[2] if asked.startswith("auto:") else ""
    return word if word in TASKS else None


def find_model(policy: Policy, asked: str) -> Model | None:
    """The model of that name, or else the one that its engine knows by that name."""
    model = policy.models.get(asked)
    if model is None:
        model = next((m for m in policy.models.values() if m.id == asked), None)
    return model


def find_embedder(policy: Policy) -> Model | None:
    """The model that embeds where no route says which: the first of the config.

    And no other, because a vector says something only beside vectors of the same model.
    """
    return next((model for model in policy.models.values() if model.kind == "embedding"), None)


def match(policy: Policy, kind: ModelKind, signals: Signals) -> tuple[Route, str]:
    """The first route of that kind whose conditions all hold, and a sentence why. The last route is for everything else.

    Raises:
        LookupError: there is nothing that embeds.
    """
    for route in policy.routes[:-1]:
        if route.kind != kind:
            continue
        reasons = holds(route, signals)
        if reasons is not None:
            return route, reasons
    if kind == "embedding":
        model = find_embedder(policy)
        if model is None:
            raise LookupError(kind)
        return Route(name=EMBEDDINGS, chain=(model.name,)), f"{model.name} is the first model that embeds"
    last = policy.routes[-1]
    if signals.task is None:
        return last, "no evidence for any task, so the route for everything else"
    return last, "no other route matches"


def holds(route: Route, signals: Signals) -> str | None:
    """Why the route matches, or None when it does not."""
    why = ""
    if route.tasks is not None:
        if signals.task not in route.tasks:
            return None
        why = f"the task is {signals.task}"
    if route.tokens_over is not None:
        if signals.tokens <= route.tokens_over:
            return None
        why = join(why, f"{signals.tokens:,} tokens are over {route.tokens_over:,}")
    if route.tokens_under is not None:
        if signals.tokens >= route.tokens_under:
            return None
        why = join(why, f"{signals.tokens:,} tokens are under {route.tokens_under:,}")
    if route.formats is not None:
        if signals.format not in route.formats:
            return None
        why = join(why, f"the asked format is {signals.format}")
    if route.languages is not None:
        if signals.language not in route.languages:
            return None
        why = join(why, f"the language is {signals.language}")
    return why or "no other route matches"


def weigh(
    model: Model,
    fleet: FleetView,
    request: Request,
    signals: Signals,
    *,
    local_only: bool,
    spend: float | None,
) -> Candidate:
    """The model as a candidate: fit, or skipped for the first reason that holds, the gravest first."""
    skip, detail = (
        unfit(model, fleet, request, signals, local_only=local_only)
        or unavailable(model, fleet)
        or (None, "")
    )
    if skip is None and not (request.pay or is_at_home(model, fleet)):  # also where it would cost nothing
        skip, detail = "budget", "it is not at home, and nothing may be paid"
    if model.local:
        return Candidate(model=model.name, skip=skip, detail=detail, estimate=0.0)
    marked = model.engine_kind == "anthropic" and goes_on(request)
    cost = estimate(model, signals, request.max_tokens, marked=marked)
    if skip is None and spend is not None and (cost is None or cost > spend):
        skip = "budget"
        allowance = fleet.allowance
        bound = allowance is not None and request.pay and allowance.left <= spend
        detail = allowance.sentence if allowance is not None and bound else f"${spend:.4f} may be spent"
        detail += ", and its price is unknown" if cost is None else f", about ${cost:.4f} needed"
    return Candidate(model=model.name, skip=skip, detail=detail, estimate=cost)


def is_at_home(model: Model, fleet: FleetView) -> bool:
    """Whether it runs on the user's own machines, as far as its engine says."""
    return model.local and (model.engine, model.id) not in fleet.remote


def unfit(
    model: Model, fleet: FleetView, request: Request, signals: Signals, *, local_only: bool
) -> tuple[Skip, str] | None:
    """Why this model can never serve this request, whatever the hour."""
    if local_only and not model.local:
        return "privacy", "the request must stay on your machines"
    if local_only and not is_at_home(model, fleet):
        return "privacy", f"{model.engine} runs it on somebody else's machines"
    if model.kind != request.kind:
        return "capability", MAKES[model.kind]
    if request.kind == "embedding":
        return too_long(model, request)
    if (
        model.context is not None and signals.tokens + ANSWER_ALLOWANCE > model.context
    ):  # else there is room for all
        allowance = min(ANSWER_ALLOWANCE, model.context // 4)
        answer = min(request.max_tokens, allowance) if request.max_tokens is not None else allowance
        if signals.tokens + answer > model.context:
            return (
                "window",
                f"{signals.tokens:,} + {answer:,} tokens do not fit its window of {model.context:,}",
            )
    if signals.format != "text" and signals.format not in model.capabilities:
        return "format", f"it cannot be held to {signals.format}"
    if signals.images:
        if "images" not in model.capabilities:
            return "capability", "it cannot see images"
        fetched = FETCHED.get(model.engine_kind, ())
        if not all(image.url.startswith(("data:", *fetched)) for m in request.messages for image in m.images):
            what = "bytes or https:// addresses" if fetched else "bytes"
            return "capability", f"it takes images as {what} only, and this one is an address"
    if signals.tools and "tools" not in model.capabilities:
        return "capability", "it cannot call tools"
    if request.native and DIALECTS.get(model.engine_kind, "openai") != request.dialect:
        return "capability", f"only {request.dialect}'s own protocol can say {' and '.join(request.native)}"
    return None


def too_long(model: Model, request: Request) -> tuple[Skip, str] | None:
    """Why a text cannot be embedded whole. Of texts near the window the engine has the last word: it is told not to cut."""
    if model.context is None or (tokens := longest(request)) <= model.context * (1 + NEAR):
        return None
    return "window", f"a text of about {tokens:,} tokens does not fit its window of {model.context:,}"


def unavailable(model: Model, fleet: FleetView) -> tuple[Skip, str] | None:
    """Why its engine cannot serve it now."""
    if model.engine in fleet.down:
        return "down", fleet.down[model.engine]
    if model.name in fleet.breaker:
        return "breaker", f"{model.name} failed several times in a row and is left alone for a while"
    return None


def token_limits(routes: Iterable[Route], models: Iterable[Model]) -> tuple[int, ...]:
    """Every number of prompt tokens at which a decision changes. What is embedded is not counted exactly: it has no prompt."""
    limits = {
        limit
        for route in routes
        if route.kind == "chat"
        for limit in (route.tokens_over, route.tokens_under)
        if limit is not None
    }
    windows = {
        model.context - min(ANSWER_ALLOWANCE, model.context // 4)
        for model in models
        if model.context and model.kind == "chat"
    }
    return tuple(sorted(limits | windows))


def smaller(one: float | None, other: float | None) -> float | None:
    """The tighter of two limits, where None is no limit."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def join(first: str, second: str) -> str:
    """Two reasons as one phrase."""
    return f"{first} and {second}" if first else second
