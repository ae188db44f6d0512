"""`next_step` and `decide` hold what DESIGN promises, whatever the policy and whatever happens."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.agreement import doubted
from headgate.core.budgets import Allowance, Budget
from headgate.core.cascade import (
    KEPT_BACK,
    LEAST_TIME,
    best_answer,
    fallback_reason,
    money_left,
    next_step,
    skip,
)
from headgate.core.policy import Limits, Policy, Route, decide
from headgate.core.types import (
    Attempt,
    Candidate,
    Decision,
    Deliver,
    Failure,
    FleetView,
    GiveUp,
    Message,
    Model,
    Price,
    Request,
    Signals,
    Try,
    Verdict,
)
from headgate.core.words import FAILURES, SKIPS

NAMES = [f"m{number}" for number in range(6)]

candidates = st.lists(st.sampled_from(NAMES), unique=True, max_size=6).flatmap(
    lambda names: st.tuples(
        *[
            st.builds(
                Candidate,
                model=st.just(name),
                skip=st.none() | st.sampled_from(SKIPS),
                estimate=st.none() | st.just(0.0) | st.floats(0, 0.1),
            )
            for name in names
        ]
    )
)
decisions = st.builds(
    Decision,
    route=st.just("r"),
    why=st.just(""),
    candidates=candidates,
    checks=st.just(()),
    pass_at=st.floats(0, 1),
    mode=st.just("hold"),
    within=st.floats(0, 100),
    attempts_at_most=st.integers(0, 6),
    spend_at_most=st.none() | st.floats(0, 0.2),
    confirm=st.sampled_from(["", "", "itself", *NAMES]),
)
results = st.fixed_dictionaries(
    {
        "failure": st.none() | st.builds(Failure, reason=st.sampled_from(FAILURES), detail=st.just("x")),
        "score": st.none() | st.floats(0, 1),
        "cost": st.none() | st.floats(0, 0.1),
        "takes": st.floats(0, 40),
    }
)


def day(left: float) -> Allowance:
    """What everybody's day leaves."""
    return Allowance(Budget(name="day", per="day", dollars=25.0), left, "2026-11-24 00:00")


def walk(decision: Decision, script: list[dict]) -> tuple[list[Attempt], list[Try], Deliver | GiveUp]:
    """Play a request against a script of results."""
    attempts: list[Attempt] = []
    tries: list[Try] = []
    now = 0.0
    for turn in range(50):
        step = next_step(decision, attempts, now)
        if not isinstance(step, Try):
            return attempts, tries, step
        tries.append(step)
        result = script[turn % len(script)]
        started, now = now, now + min(result["takes"], step.within)
        score = None if result["failure"] else result["score"]
        attempts.append(
            Attempt(
                model=step.model,
                started=started,
                ended=now,
                failure=result["failure"],
                score=score,
                cost=result["cost"],
                confirms=step.confirms,
            )
        )
        if step.confirms and not result["failure"]:
            agree = Verdict("agreement", float(bool(result["score"] is None or result["score"] >= 0.5)))
            attempts[-2:] = [doubted(attempt, agree) for attempt in attempts[-2:]]
    raise AssertionError("the cascade does not end")


@given(decisions, st.lists(results, min_size=1, max_size=6))
def test_a_cascade_always_ends_and_never_exceeds_its_limits(decision, script):
    attempts, tries, _ = walk(decision, script)
    tried = [attempt.model for attempt in attempts if not attempt.confirms]
    assert len(set(tried)) == len(tried)
    assert len(attempts) <= decision.attempts_at_most
    last_resort = {model for model, why in decision.skipped.items() if why == "unlikely"}
    assert set(tried) <= {*decision.chain, *last_resort}
    assert all(LEAST_TIME * (1 - KEPT_BACK) <= step.within <= decision.within for step in tries)
    if decision.spend_at_most is not None:
        for number, step in enumerate(tries):
            left = money_left(decision, attempts[:number])
            estimate = next(c.estimate for c in decision.candidates if c.model == step.model)
            assert estimate is not None
            assert left is not None
            assert estimate <= left


@given(decisions, st.lists(results, min_size=1, max_size=6))
def test_the_first_acceptable_answer_is_delivered_and_nothing_is_tried_after_it(decision, script):
    attempts, _, end = walk(decision, script)
    good = [
        i
        for i, a in enumerate(attempts)
        if a.failure is None and not a.confirms and (a.score is None or a.score >= decision.pass_at)
    ]
    if good:
        assert good == [max(i for i, a in enumerate(attempts) if not a.confirms)]
        assert end == Deliver(good[0], perfect=True)
    elif any(attempt.failure is None and not attempt.confirms for attempt in attempts):
        assert isinstance(end, Deliver)
        assert not end.perfect
        scores = [a.score or 0.0 for a in attempts if a.failure is None and not a.confirms]
        assert (attempts[end.attempt].score or 0.0) == max(scores)
    else:
        assert isinstance(end, GiveUp)
        assert end.reason


@given(decisions, st.lists(results, min_size=1, max_size=6))
def test_models_are_tried_in_the_order_of_the_chain(decision, script):
    attempts, _, _ = walk(decision, script)
    chain = [*decision.chain, *[model for model, why in decision.skipped.items() if why == "unlikely"]]
    order = [chain.index(attempt.model) for attempt in attempts if not attempt.confirms]
    assert order == sorted(order)


@given(decisions, st.lists(results, min_size=1, max_size=6))
def test_what_is_unlikely_is_only_asked_where_no_other_model_gave_an_answer(decision, script):
    attempts, _, _ = walk(decision, script)
    for number, attempt in enumerate(attempts):
        if attempt.model not in decision.chain and not attempt.confirms:
            assert all(before.failure is not None for before in attempts[:number])


@given(decisions, st.lists(results, min_size=1, max_size=6))
def test_a_second_answer_comes_right_after_a_free_one_that_passed_and_somebody_is_left_to_go_to(
    decision, script
):
    attempts, _, end = walk(decision, script)
    estimates = {candidate.model: candidate.estimate for candidate in decision.candidates}
    for number, attempt in enumerate(attempts):
        if not attempt.confirms:
            continue
        first = attempts[number - 1]
        assert not first.confirms
        assert estimates[first.model] == 0.0
        assert attempt.model == (first.model if decision.confirm == "itself" else decision.confirm)
        assert len(attempts[: number + 1]) < decision.attempts_at_most
    if isinstance(end, Deliver):
        assert not attempts[end.attempt].confirms


PRICE = Price(input=2.0, output=10.0)
models = st.lists(st.booleans(), min_size=1, max_size=5).map(
    lambda local: {
        f"m{i}": Model(
            name=f"m{i}",
            engine=f"e{i}",
            engine_kind="ollama" if is_local else "anthropic",
            id=f"m{i}",
            local=is_local,
            price=PRICE,
            context=8192,
        )
        for i, is_local in enumerate(local)
    }
)


@given(
    models,
    st.data(),
    st.sampled_from(["by signal", "by route", "auto:local"]),
    st.sets(st.sampled_from([f"e{i}" for i in range(5)])),
)
def test_a_local_only_request_never_has_a_cloud_candidate(known, data, how, down):
    chain = tuple(data.draw(st.permutations(list(known))))
    policy = Policy(routes=(Route(name="all", chain=chain, local_only=how == "by route"),), models=known)
    signals = Signals(
        task=None,
        task_confidence=0,
        task_by="none",
        tokens=10,
        tokens_exact=False,
        local_only=how != "by route",
    )
    request = Request(id="x", asked="auto", messages=(Message("user", "hi"),))
    decision = decide(policy, FleetView(down=dict.fromkeys(down, "gone")), request, signals)
    assert all(known[name].local for name in decision.chain)
    by_name = decide(policy, FleetView(), Request(id="x", asked=chain[0], messages=request.messages), signals)
    if how != "by route":
        assert all(known[name].local for name in by_name.chain)


@given(models, st.data())
def test_every_candidate_is_fit_or_has_a_reason_from_the_closed_list(known, data):
    chain = tuple(data.draw(st.permutations(list(known))))
    signals = Signals(
        task=None,
        task_confidence=0,
        task_by="none",
        tokens=data.draw(st.integers(0, 20_000)),
        tokens_exact=False,
        images=data.draw(st.integers(0, 1)),
    )
    left = data.draw(st.none() | st.floats(0, 1))
    fleet = FleetView(allowance=None if left is None else day(left), breaker=frozenset({"m1"}))
    policy = Policy(routes=(Route(name="all", chain=chain),), models=known)
    decision = decide(
        policy, fleet, Request(id="x", asked="auto", messages=(Message("user", "hi"),)), signals
    )
    assert [c.model for c in decision.candidates] == list(chain)
    assert all(c.skip is None or (c.skip in SKIPS and c.detail) for c in decision.candidates)


def decision_of(*names: str, **more) -> Decision:
    values = {
        "route": "r",
        "why": "",
        "candidates": tuple(Candidate(model=name, estimate=0.0) for name in names),
        "checks": (),
        "pass_at": 0.6,
        "mode": "hold",
        "within": 60.0,
        "attempts_at_most": 4,
    }
    return Decision(**(values | more))


def attempt(model: str, **more) -> Attempt:
    return Attempt(model=model, started=0.0, ended=1.0, **more)


def test_a_failed_check_moves_on_and_the_better_of_two_bad_answers_is_delivered():
    decision = decision_of("a", "b")
    assert next_step(decision, []) == Try("a", 39.0)
    assert next_step(decision, [attempt("a", score=0.2)], 1.0) == Try("b", 59.0)
    assert next_step(decision, [attempt("a", score=0.2), attempt("b", score=0.6)], 2.0) == Deliver(
        1, perfect=True
    )
    assert next_step(decision, [attempt("a", score=0.5), attempt("b", score=0.1)], 2.0) == Deliver(
        0, perfect=False
    )


def test_an_engine_that_hangs_leaves_time_for_the_next():
    hung = attempt("a", failure=Failure(reason="timeout", detail="x"))
    first = next_step(decision_of("a", "b", within=10.0), [])
    assert first == Try("a", 6.5)
    assert next_step(decision_of("a", "b", within=10.0), [hung], 6.5) == Try("b", 3.5)


def test_without_evidence_against_it_an_answer_passes():
    assert next_step(decision_of("a"), [attempt("a", score=None)], 1.0) == Deliver(0, perfect=True)


def test_of_equally_bad_answers_the_later_is_better_because_chains_rise():
    assert best_answer([attempt("a", score=0.3), attempt("b", score=0.3)]) == 1


def test_a_request_that_gets_nothing_is_told_what_happened_to_every_model():
    decision = skip(decision_of("a", "b", "c"), "b", "busy", "no slot within 3 s")
    failed = attempt("a", failure=Failure(reason="timeout", detail="no first token within 60 s"))
    failed_c = attempt("c", failure=Failure(reason="refused", detail="connection refused"))
    step = next_step(decision, [failed, failed_c], 2.0)
    assert isinstance(step, GiveUp)
    for word in ("a: timeout", "b: skipped, busy", "c: refused", "connection refused"):
        assert word in step.reason


def test_models_that_time_forbids_are_named_when_nothing_is_left():
    step = next_step(
        decision_of("a", "b"), [attempt("a", failure=Failure(reason="timeout", detail="x"))], 59.9
    )
    assert isinstance(step, GiveUp)
    assert "b: not tried, the time" in step.reason


CLOUD = Model(name="c", engine="e", engine_kind="anthropic", id="c", local=False)
HOME = Model(name="a", engine="e", engine_kind="ollama", id="a", local=True)


def test_the_fallback_reason_is_the_first_thing_that_kept_the_request_from_home():
    chain = decision_of("a", "c")
    bad = [attempt("a", score=0.1), attempt("c", score=1.0)]
    gone = [attempt("a", failure=Failure(reason="refused", detail="x")), attempt("c")]
    garbled = [attempt("a", failure=Failure(reason="malformed", detail="x")), attempt("c")]
    why = partial(fallback_reason, models={"a": HOME, "b": HOME, "c": CLOUD})
    assert why(chain, bad, HOME) is None
    assert why(chain, bad, CLOUD) == ("quality check failed", None)
    assert why(chain, garbled, CLOUD) == ("quality check failed", None)
    assert why(chain, gone, CLOUD) == ("engine unavailable", None)
    assert why(skip(chain, "a", "window", ""), [attempt("c")], CLOUD) == ("token count", None)
    assert why(skip(chain, "a", "format", ""), [attempt("c")], CLOUD) == (
        "unsupported output format",
        None,
    )
    assert why(skip(chain, "a", "busy", ""), [attempt("c")], CLOUD) == ("engine busy", None)
    assert why(skip(chain, "a", "down", ""), [attempt("c")], CLOUD) == (
        "engine unavailable",
        None,
    )
    assert why(decision_of("c", tokens_over=4000), [attempt("c")], CLOUD) == ("token count", 4000)
    assert why(decision_of("c", by_name=True), [attempt("c")], CLOUD) == (
        "asked for by name",
        None,
    )
    assert why(decision_of("c"), [attempt("c")], CLOUD) == ("sent by its route", None)


def test_a_paid_models_trouble_is_never_blamed_on_a_local_engine():
    other = Model(name="o", engine="e2", engine_kind="openai", id="o", local=False)
    decision = decision_of("o", "c", tokens_over=4000)
    failed = attempt("o", failure=Failure(reason="timeout", detail="x"))
    assert fallback_reason(decision, [failed, attempt("c")], CLOUD, {"o": other, "c": CLOUD}) == (
        "token count",
        4000,
    )


def test_the_limits_of_a_policy_become_the_limits_of_a_decision():
    policy = Policy(
        routes=(Route(name="all", chain=("a",)),),
        models={"a": HOME},
        limits=Limits(answer_within=30, attempts=2),
    )
    signals = Signals(task=None, task_confidence=0, task_by="none", tokens=1, tokens_exact=False)
    request = Request(id="x", asked="auto", messages=(Message("user", "hi"),), within=5.0)
    decision = decide(policy, FleetView(allowance=day(1.5)), request, signals)
    assert (decision.within, decision.attempts_at_most, decision.spend_at_most) == (5.0, 2, 1.5)
