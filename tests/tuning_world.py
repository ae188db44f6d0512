"""A made-up agency whose truth is known: every request has a local answer with a score, good or not, whether anybody saw it or not."""

from random import Random

from msgspec.structs import replace

from headgate.core.cascade import fallback_reason
from headgate.core.checks.confidence import believed
from headgate.core.effects import Record
from headgate.core.past import Found, Past
from headgate.core.policy import Policy, Route, decide, token_limits
from headgate.core.prices import FREE
from headgate.core.types import Attempt, FleetView, Model, Outcome, Price, Request, Signals, Usage, Verdict

MODELS = {
    "small": Model(name="small", engine="home", engine_kind="ollama", id="s", local=True, price=FREE),
    "paid": Model(
        name="paid",
        engine="cloud",
        engine_kind="openai",
        id="p",
        local=False,
        price=Price(input=1.0, output=10.0),
    ),
}
TASKS = ("chat", "qa", "summarization", "code")


def policy(over=4000, pass_at=0.6, code=("small", "paid"), rest=("small", "paid"), models=MODELS):
    """Long prompts are paid for; the rest is tried at home first."""
    routes = (
        Route(name="long", chain=("paid",), tokens_over=over),
        Route(name="code", chain=code, tasks=frozenset({"code"}), pass_at=pass_at),
        Route(name="rest", chain=rest, pass_at=pass_at),
    )
    return Policy(routes=routes, models=models, token_limits=token_limits(routes, models.values()))


TODAY = policy()
LARGE = replace(MODELS["small"], name="large", id="l")


class Ask:
    """One request and the truth of it."""

    def __init__(
        self, random, *, bad=0.005, bad_code=0.0, bad_long=0.0, bad_from=6000, long_share=0.3, task=None
    ):
        self.task = task or random.choice(TASKS)
        long = random.random() < long_share  # most of these are not much longer
        self.tokens = 4001 + int(5000 * random.random() ** 1.25) if long else random.randrange(100, 4001)
        wrong = bad_code if self.task == "code" else bad_long if self.tokens > bad_from else bad
        self.good = random.random() >= wrong
        # a check sees most wrong answers, and doubts some good ones
        self.score = random.uniform(0.6, 1.0) if random.random() < (0.85 if self.good else 0.3) else 0.52
        self.dice = random.random()
        self.logprob = None
        """How sure the model at home is of its words, where it tells."""


def world(seed, requests, **truth):
    """So many requests."""
    random = Random(seed)
    return [Ask(random, **truth) for _ in range(requests)]


def recorded(ask, today=TODAY, sample=0.3, local_sample=0.3):
    """As a gate with these settings records it, audited by chance."""
    signals = Signals(
        task=ask.task, task_confidence=0.9, task_by="rules", tokens=ask.tokens, tokens_exact=True
    )
    decision = decide(today, FleetView(), Request(id="r", asked="auto", messages=()), signals)
    attempts = []
    for name in decision.chain:
        local = today.models[name].local
        cost = 0.0 if local else (ask.tokens + 500.0) / 1e6
        verdicts = verdicts_on(ask, today.models[name])
        score = min(verdict.score for verdict in verdicts)
        attempts.append(
            Attempt(
                model=name,
                started=0,
                ended=1,
                usage=Usage(input=ask.tokens, output=50),
                cost=cost,
                verdicts=verdicts,
                score=score,
                logprob=ask.logprob if local else None,
                finish="stop",
            )
        )
        if score >= decision.pass_at:
            break
    model = attempts[-1].model
    reason = fallback_reason(decision, attempts, today.models[model], today.models)
    outcome = Outcome(
        id="r",
        received=1.0,
        asked="auto",
        stream=False,
        signals=signals,
        decision=decision,
        attempts=tuple(attempts),
        status="ok",
        model=model,
        fallback=reason and reason[0],
        fallback_limit=reason and reason[1],
        seconds=1,
        usage=attempts[-1].usage,
        cost=sum(attempt.cost for attempt in attempts),
        baseline="paid",
        baseline_cost=None,
    )
    chance = local_sample if today.models[model].local else sample
    found = ()
    if ask.dice < chance:
        rest = 1 / chance - 1
        score = min(verdict.score for verdict in verdicts_on(ask, today.models["small"]))
        found = (Found(model="small", good=ask.good, score=score, speaks_for=rest, squares=rest * rest),)
    return Past(
        example=outcome,
        requests=1,
        costs=tuple(attempt.cost for attempt in attempts),
        prompt=ask.tokens,
        output=50,
        longest=ask.tokens,
        found=found,
    )


def verdicts_on(ask, model):
    """What checks say of a model's answer; of the paid one nothing bad."""
    said = Verdict("not-empty", ask.score if model.local else 1.0)
    least = model.least_confidence(ask.task)
    if not model.local or ask.logprob is None or least is None:
        return (said,)
    return (said, Verdict("confidence", believed(ask.logprob, least), f"{ask.logprob:.3f}"))


def grouped(asks, today=TODAY, **how):
    """The requests as a replay takes them: those that are alike as one."""
    groups = {}
    for ask in asks:
        one = recorded(ask, today, **how)
        key = (ask.task, (ask.tokens - 1) // 500, ask.score >= 0.6, len(one.costs), one.example.model)
        groups.setdefault(key, []).append(one)
    return tuple([merged(group) for group in groups.values()])


def merged(group):
    found = {}
    for one in group:
        for f in one.found:
            key = (f.good, f.score >= 0.6)
            many, rest, squares = found.get(key, (0, 0.0, 0.0))
            found[key] = many + 1, rest + f.speaks_for, squares + f.squares
    return Past(
        example=group[0].example,
        requests=len(group),
        costs=tuple(map(sum, zip(*(one.costs for one in group), strict=True))),
        prompt=sum(one.prompt for one in group),
        output=sum(one.output for one in group),
        longest=max(one.longest for one in group),
        found=tuple(
            Found(model="small", good=good, score=0.8 if high else 0.52, audits=n, speaks_for=r, squares=q)
            for (good, high), (n, r, q) in found.items()
        ),
    )


def truth(asks, settings):
    """Quality and dollars of these requests under some settings, as nobody at the gate can know."""
    good, dollars = 0, 0.0
    for ask in asks:
        signals = Signals(
            task=ask.task, task_confidence=0.9, task_by="rules", tokens=ask.tokens, tokens_exact=True
        )
        decision = decide(settings, FleetView(), Request(id="r", asked="auto", messages=()), signals)
        for name in decision.chain:
            home = settings.models[name].local
            passed = min(verdict.score for verdict in verdicts_on(ask, settings.models[name]))
            if not home or passed >= decision.pass_at:
                good += ask.good if home else 1
                dollars += 0.0 if home else (ask.tokens + 500.0) / 1e6
                break
    return good / len(asks), dollars


def record(seed, requests=3000, today=TODAY, sample=0.3, local_sample=0.3, **kind):
    asks = world(seed, requests, **kind)
    return asks, Record(past=grouped(asks, today, sample=sample, local_sample=local_sample))
