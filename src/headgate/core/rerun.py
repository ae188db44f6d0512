"""One kind of recorded requests under another policy: where they would go, whom they would meet there, and how it may end.

    rerun(past, policy, …) → Rerun | Unknown        the route and the models that would be asked, in order
    ends(rerun, pass_rate) → (End, …)               how it may end, with the chance and the cost of each

What is recorded is kept: a model that was asked answers as it did, for what it cost; one that was down or busy then still is. A
model that was not asked is an estimate: its price for the recorded tokens, and a chance to pass. No model is called, and nothing is
known here of how sure a chance is (`past.Rates`) or what many requests add up to (`replay`).
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.agreement import AGREEMENT
from headgate.core.cascade import best_answer, passes
from headgate.core.checks.confidence import CONFIDENCE
from headgate.core.parts import WHOLE
from headgate.core.past import (
    MUCH_LONGER,
    Asked,
    Longest,
    Past,
    broke_off,
    least_now,
    scores_of,
    would_pass,
)
from headgate.core.policy import AGENT, Policy, decide
from headgate.core.prices import LOCAL, cost_of_tokens, rates_for
from headgate.core.types import (
    Attempt,
    Candidate,
    Decision,
    FleetView,
    Model,
    Outcome,
    Request,
    Signals,
    Usage,
)
from headgate.core.words import Skip

OF_THE_MOMENT: frozenset[Skip] = frozenset({"down", "busy", "breaker", "budget"})
"""Why a candidate was not tried that has nothing to do with how its model is described."""


class Step(Struct, frozen=True):
    """A model that would be asked."""

    model: str
    recorded: Attempt | None
    """What it answered; None where it was not asked then."""
    cost: float | None
    """Dollars for all requests of this kind; None is unknown."""
    passes: bool | Asked
    """Whether its answer would go out, or whose rate says how likely that is."""


class Rerun(Struct, frozen=True):
    """One kind of requests under another policy."""

    route: str
    steps: tuple[Step, ...]
    stays: bool = False
    """The same models are asked, with the same success: it ends as it is recorded."""


class Unknown(Struct, frozen=True):
    """Why nobody can say where these requests would go."""

    why: str


NOT_TOLD = Unknown("they were imported from lines that do not say what was decided")


class End(Struct, frozen=True):
    """One way in which it may end."""

    chance: float
    model: str | None
    """Who answers; None is nobody."""
    cost: float | None
    """Dollars for all requests of this kind; None is unknown."""
    passed: bool | None = None
    """Whether the answer that goes out has passed; None where it is the last that is asked, and goes out well or not."""


def rerun(
    past: Past, policy: Policy, today: Policy, longest: Longest, tokens: int | None = None
) -> Rerun | Unknown:
    """Decide anew.

    Args:
        past: the recorded requests.
        policy: the settings to replay.
        today: the settings that are in force: where a route is as it was, its candidates stand as they were recorded.
        longest: what each model was asked before.
        tokens: what the prompts have, if it is not what was recorded.
    """
    outcome = past.example
    if not outcome.decision.is_known:
        return NOT_TOLD
    if not outcome.decision.candidates:
        return Rerun(outcome.decision.route, (), stays=True)
    signals = signals_under(policy, outcome.signals)
    if isinstance(signals, Unknown):
        return signals
    if tokens is not None:
        signals = replace(signals, tokens=tokens)
    try:
        decision = decide(policy, view_of(outcome, today), request_of(outcome, policy), signals)
    except LookupError:
        return Unknown(f"{outcome.asked} is not in the config any more")
    others = frozenset(
        [
            candidate.model
            for candidate in decision.candidates
            if can_otherwise(candidate.model, policy, today)
        ]
    )
    unchanged = (
        not others and policy.learning == today.learning and has_same_chain(decision.route, policy, today)
    )
    decision = as_it_was(decision, outcome.decision, others, unchanged=unchanged)
    tasks = signals.task, outcome.signals.task
    steps = steps_of(past, decision, policy, longest, lambda name: least_now(name, tasks, policy, today))
    return Rerun(decision.route, steps, stays=is_as_recorded(outcome, decision, steps))


def is_as_recorded(outcome: Outcome, decision: Decision, steps: tuple[Step, ...]) -> bool:
    """Whether these steps are what was done, and come to the same."""
    if not outcome.attempts:
        return decision.chain == outcome.decision.chain  # nobody had to be asked, or there was no time for it
    if tuple([step.recorded for step in steps]) != outcome.attempts:
        return False
    return steps[-1].passes is went_out(outcome, len(steps) - 1)


def went_out(outcome: Outcome, index: int) -> bool:
    """Whether an attempt ended the cascade: its answer passed, was on its way already, or the caller had gone."""
    attempt = outcome.attempts[index]
    left = broke_off(outcome) and index == len(outcome.attempts) - 1
    return left or attempt.late or passes(attempt, outcome.decision.pass_at)


def ends(found: Rerun, pass_rate: Callable[[Asked], float]) -> tuple[End, ...]:
    """How it may end. The chances add up to one."""
    result: list[End] = []
    chance, spent = 1.0, 0.0
    priced = True
    for index, step in enumerate(found.steps):
        priced = priced and step.cost is not None
        spent += step.cost or 0.0
        last = index == len(found.steps) - 1
        share = (
            float(step.passes) if isinstance(step.passes, bool) else 1.0 if last else pass_rate(step.passes)
        )
        if share > 0.0:
            passed = None if last and not isinstance(step.passes, bool) else True
            result.append(End(chance * share, step.model, spent if priced else None, passed))
        chance *= 1.0 - share
        if chance <= 0.0:
            return tuple(result)
    result.append(End(chance, best_of(found.steps), spent if priced else None, passed=False))
    return tuple(result)


def best_of(steps: tuple[Step, ...]) -> str | None:
    """Whose answer goes out where none passes: the last that nobody has seen, else the best of the recorded ones."""
    for step in reversed(steps):
        if step.recorded is None:
            return step.model
    recorded = [step.recorded for step in steps if step.recorded is not None]
    best = best_answer(recorded)
    return None if best is None else recorded[best].model


def rates_needed(found: Rerun) -> tuple[Asked, ...]:
    """The rates on which its end depends. The last model answers, well or not."""
    return tuple([step.passes for step in found.steps[:-1] if not isinstance(step.passes, bool)])


# ── As it was then ───────────────────────────────────────────────────────────────────────────────────────────────────


def signals_under(policy: Policy, signals: Signals) -> Signals | Unknown:
    """The signals as this policy reads them: a guess below its confidence is no evidence."""
    if signals.task_by == "rules" and signals.task_confidence < policy.task_confidence:
        return replace(signals, task=None, task_by="none")
    if signals.task_by == "none" and 0 < policy.task_confidence <= signals.task_confidence:
        return Unknown("which task was guessed is not recorded where the guess was too unsure")
    return signals


def request_of(outcome: Outcome, policy: Policy) -> Request:
    """The request, in as far as a decision depends on it and the ledger knows it."""
    decision, signals = outcome.decision, outcome.signals
    name = outcome.asked.removeprefix(AGENT)
    agent = name if outcome.asked.startswith(AGENT) and name in policy.agents else ""
    return Request(
        id=outcome.id,
        asked=outcome.asked,
        messages=(),
        kind="embedding" if signals.task == "embedding" else "chat",
        agent=agent,
        only=decision.candidates[0].model if agent and decision.by_name else "",
        pay=decision.spend_at_most != 0.0,
        local_only=signals.local_only,
    )


def view_of(outcome: Outcome, today: Policy) -> FleetView:
    """The fleet at that moment, in as far as the recorded skips tell."""
    down: dict[str, str] = {}
    breaker: set[str] = set()
    for candidate in outcome.decision.candidates:
        model = today.models.get(candidate.model)
        if candidate.skip == "down" and model is not None:
            down[model.engine] = candidate.detail
        elif candidate.skip == "breaker":
            breaker.add(candidate.model)
    return FleetView(down=down, breaker=frozenset(breaker))


def can_otherwise(model: str, policy: Policy, today: Policy) -> bool:
    """Whether a model is described otherwise than in the settings in force, so that other requests are fit for it."""
    now, then = policy.models[model], today.models.get(model)
    if now is then or then is None:
        return False
    return (now.context, now.capabilities, now.kind, now.local) != (
        then.context,
        then.capabilities,
        then.kind,
        then.local,
    )


def as_it_was(decision: Decision, recorded: Decision, others: frozenset[str], *, unchanged: bool) -> Decision:
    """The decision with what was known of each candidate at that moment; in the recorded order where the chain is the same.

    Of models that are described otherwise now (`others`), only what was the matter at that moment is known.
    """
    then = {
        candidate.model: candidate
        for candidate in recorded.candidates
        if candidate.model not in others or candidate.skip in OF_THE_MOMENT
    }
    names = [candidate.model for candidate in decision.candidates]
    if unchanged and sorted(names) == sorted(then) and recorded.local_only == decision.local_only:
        return replace(decision, candidates=recorded.candidates)
    candidates = tuple(
        [remembered(candidate, then.get(candidate.model)) for candidate in decision.candidates]
    )
    return replace(decision, candidates=candidates)


def remembered(candidate: Candidate, then: Candidate | None) -> Candidate:
    """A candidate as it stood then; what may not leave the machine now, may not.

    What the learned router expected then is in the signals, so whether that is too little is decided now.
    """
    if then is None or candidate.skip == "privacy":
        return candidate
    if "unlikely" in (candidate.skip, then.skip):
        return candidate if then.skip in (None, "unlikely") else then
    return then


def has_same_chain(route: str, policy: Policy, today: Policy) -> bool:
    """Whether the route tries what it tried, in that order. What is no route (a name, an agent's chain) does."""
    chains = [
        {one.name: (one.chain, one.order) for one in which.routes}.get(route) for which in (policy, today)
    ]
    return chains[0] == chains[1]


# ── Whom it would meet ───────────────────────────────────────────────────────────────────────────────────────────────


def steps_of(
    past: Past,
    decision: Decision,
    policy: Policy,
    longest: Longest,
    least_of: Callable[[str], float | None],
) -> tuple[Step, ...]:
    """The models that would be asked, until one certainly answers; `least_of` finds the `Asked.least` of each."""
    outcome, task = past.example, past.example.signals.task
    told = {attempt.model: index for index, attempt in enumerate(outcome.attempts)}
    same_checks = decision.checks == outcome.decision.checks
    steps: list[Step] = []
    for name in decision.chain[: decision.attempts_at_most]:
        after = any(step.recorded is None or step.recorded.failure is None for step in steps)
        longer = past.longest > MUCH_LONGER * longest.get((name, task), past.longest)
        least = least_of(name) if CONFIDENCE in decision.checks else None
        asked = Asked(name, task, decision.pass_at, after, longer, least)
        index = told.get(name)
        if index is None and name == outcome.decision.confirm and was_doubted(steps):
            continue  # it has answered already, and otherwise
        if index is None:
            steps.append(Step(name, None, price_of(policy.models[name], past), asked))
            continue
        attempt = outcome.attempts[index]
        verdict: bool | Asked
        if attempt.late or (broke_off(outcome) and index == len(outcome.attempts) - 1):
            verdict = True
        elif same_checks:
            verdict = would_pass(attempt, asked)
        else:
            verdict = passes_under(attempt, decision, outcome.decision, asked)
        steps.append(Step(name, attempt, past.costs[index], verdict))
        if verdict is True or (verdict is False and had_to_stop(outcome, steps)):
            break
    return tuple(steps)


def was_doubted(steps: list[Step]) -> bool:
    """Whether an answer was compared with a second one."""
    recorded = [step.recorded for step in steps if step.recorded is not None]
    return any(verdict.check == AGREEMENT for attempt in recorded for verdict in attempt.verdicts)


def had_to_stop(outcome: Outcome, steps: list[Step]) -> bool:
    """Whether all that was done has been done again, and there was no time or money for more."""
    done = tuple([step.recorded for step in steps]) == outcome.attempts
    untried = len(outcome.decision.chain) > len(outcome.attempts)
    return done and untried and not went_out(outcome, len(steps) - 1)


def passes_under(attempt: Attempt, decision: Decision, recorded: Decision, asked: Asked) -> bool | Asked:
    """Whether an answer would pass other checks than it met: by its own verdicts, as far as these checks are among them."""
    if attempt.failure is not None:
        return False
    scores = [score for check, score in scores_of(attempt, asked.least).items() if check in decision.checks]
    if min(scores, default=1.0) < decision.pass_at:
        return False
    return True if set(decision.checks) <= set(recorded.checks) else asked


def price_of(model: Model, past: Past) -> float | None:
    """Dollars that a model which was not asked would have cost: its list price for the recorded tokens, without any cache."""
    if model.price is None:
        return None
    if model.price.source == LOCAL:
        return 0.0
    if past.prompt is None or past.output is None:
        return None
    rates = rates_for(model.price, past.prompt // past.requests)
    tokens = cost_of_tokens(Usage(input=past.prompt, output=past.output, estimated=WHOLE), rates)
    return None if tokens is None else tokens + model.price.request * past.requests
