"""A replay's sums, on requests made up so that the right answer can be told by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headgate.core.past import Asked, Past, Rates, cuts_of, longest_asked
from headgate.core.policy import Limits, Policy, Route, decide, token_limits
from headgate.core.prices import FREE
from headgate.core.replay import replay
from headgate.core.rerun import Rerun, Unknown, rerun
from headgate.core.types import (
    Attempt,
    Failure,
    FleetView,
    Model,
    Outcome,
    Price,
    Request,
    Signals,
    Usage,
    Verdict,
)
from headgate.reports.intervals import wilson

MODELS = {
    "small": Model(name="small", engine="home", engine_kind="ollama", id="s", local=True, price=FREE),
    "large": Model(name="large", engine="home", engine_kind="ollama", id="l", local=True, price=FREE),
    "paid": Model(
        name="paid",
        engine="cloud",
        engine_kind="openai",
        id="p",
        local=False,
        price=Price(input=1.0, output=10.0),
    ),
}


def policy(over=1000, pass_at=0.6, chain=("small", "paid"), confidence=0.5, **more):
    routes = (
        Route(name="long", chain=("paid",), tokens_over=over, pass_at=pass_at),
        Route(name="code", chain=("large", "paid"), tasks=frozenset({"code"}), pass_at=pass_at),
        Route(name="rest", chain=chain, pass_at=pass_at, **more),
    )
    return Policy(
        routes=routes,
        models=MODELS,
        limits=Limits(),
        task_confidence=confidence,
        token_limits=token_limits(routes, MODELS.values()),
    )


TODAY = policy()


def recorded(
    *,
    tokens=100,
    scores=(0.9,),
    task="chat",
    by="rules",
    confidence=0.9,
    times=1,
    exact=True,
    today=TODAY,
    **more,
):
    """A request as today's settings would have recorded it: the chain's models answer with these scores, one after the other."""
    signals = Signals(task=task, task_confidence=confidence, task_by=by, tokens=tokens, tokens_exact=exact)
    request = Request(id="r", asked=more.pop("asked", "auto"), messages=())
    decision = decide(today, more.pop("view", FleetView()), request, signals)
    attempts = []
    for name, score in zip(decision.chain, scores, strict=False):
        usage = Usage(input=tokens, output=50)
        cost = 0.0 if MODELS[name].local else (tokens * 1.0 + 50 * 10.0) / 1e6
        failure = Failure(reason="timeout", detail="too slow") if score is None else None
        told = (Verdict("confidence", score),) if score is not None else ()
        attempts.append(
            Attempt(
                model=name,
                started=0,
                ended=1,
                usage=usage,
                cost=cost,
                failure=failure,
                score=score,
                verdicts=told,
            )
        )
        if score is not None and score >= decision.pass_at:
            break
    passed = attempts and attempts[-1].score is not None and attempts[-1].score >= decision.pass_at
    model = attempts[-1].model if passed else None
    outcome = Outcome(
        id="r",
        received=1.0,
        asked=request.asked,
        stream=False,
        signals=signals,
        decision=decision,
        attempts=tuple(attempts),
        status=more.pop("status", "ok" if passed else "failed"),
        model=more.pop("model", model),
        fallback=None,
        seconds=1,
        cost=sum(attempt.cost for attempt in attempts),
        baseline="paid",
        baseline_cost=None,
    )
    return Past(
        example=outcome,
        requests=times,
        costs=tuple(times * attempt.cost for attempt in attempts),
        prompt=times * tokens if passed else None,
        output=times * 50 if passed else None,
        longest=tokens,
    )


def replayed(*past, then):
    return replay(past, then, TODAY, {}, wilson)


@given(
    tokens=st.integers(1, 5000),
    scores=st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=3),
    task=st.sampled_from(["chat", "code", None]),
    status=st.sampled_from(["ok", "failed", "cancelled", "broken"]),
    down=st.booleans(),
)
def test_under_the_same_settings_nothing_is_ever_different(tokens, scores, task, status, down):
    view = FleetView(down={"home": "it is off"} if down else {})
    one = recorded(tokens=tokens, scores=scores, task=task, status=status, view=view)
    all_ = replayed(one, then=TODAY).all
    assert (all_.unchanged, all_.dollars.expected, all_.home.expected) == (1, 0, 0)


def test_a_lower_bar_saves_what_the_second_answer_cost_to_the_cent():
    all_ = replayed(recorded(scores=(0.5, 0.9), times=40), then=policy(pass_at=0.4)).all
    assert (all_.exact, all_.now_passing, all_.to_home.low, all_.to_home.high) == (40, 40, 40, 40)
    assert all_.dollars.expected == all_.dollars.low == pytest.approx(-40 * 0.0006)


def test_a_higher_bar_rejects_what_passed_and_estimates_who_takes_over():
    all_ = replayed(recorded(scores=(0.7,), times=10), then=policy(pass_at=0.8)).all
    assert (all_.estimated, all_.now_rejected, all_.unknown) == (10, 10, 0)
    assert all_.to_cloud.expected == all_.to_cloud.low == 10, "the last of the chain answers, well or not"
    assert all_.dollars.expected == pytest.approx(10 * 0.0006)


def test_a_model_that_was_not_asked_passes_as_often_as_it_did_with_wilsons_ends():
    past = (
        recorded(tokens=900, scores=(0.9,), times=80),
        recorded(tokens=900, scores=(0.1, 0.9), times=20),
        recorded(tokens=1100, times=50),
    )
    all_ = replayed(*past, then=policy(over=1200)).all
    assert all_.to_home.expected == pytest.approx(50 * 0.8)
    low, high = wilson(80, 100)
    assert all_.to_home.low < 50 * low < 40 < 50 * high < all_.to_home.high
    assert all_.dollars.expected == pytest.approx(-40 * 0.0016)
    assert all_.dollars.low < all_.dollars.expected < all_.dollars.high <= 0


def test_prompts_much_longer_than_all_a_model_was_asked_may_all_fail():
    past = (recorded(tokens=100, scores=(0.9,), times=1000), recorded(tokens=1500, times=50))
    found = replayed(*past, then=policy(over=2000))
    assert (found.all.to_home.low, found.all.to_home.expected) == (0, 50)
    assert [rate.bound for rate in found.rates.values()] == [True]


def test_a_model_that_was_only_asked_after_others_may_do_better_when_it_is_asked_first():
    three = policy(chain=("small", "large", "paid"))
    past = recorded(scores=(0.1, 0.2, 0.9), times=30, today=three)
    first = recorded(scores=(0.9,), times=100, today=three)
    found = replay((past, first), policy(chain=("large", "paid")), three, {}, wilson).all
    assert found.home.expected == pytest.approx(-100)
    assert found.home.high == 0, "they may all pass: those that it saw were the hard ones"


def test_where_nobody_was_asked_before_it_is_unknown_and_no_figure_counts_it():
    found = replayed(recorded(times=7), then=policy(chain=("large", "small", "paid")))
    assert (found.all.unknown, dict(found.unknown)) == (7, {"large was never asked for chat": 7})
    assert (found.all.home.expected, found.all.dollars.expected) == (0, 0)


def test_an_unsure_guess_of_the_task_is_no_evidence_and_the_reverse_cannot_be_told():
    code = recorded(task="code", confidence=0.7, times=3)
    found = replayed(code, then=policy(confidence=0.8))
    assert found.all.unknown == 3, "small was never asked for code"
    unsure = recorded(task=None, by="none", confidence=0.3)
    assert isinstance(rerun(unsure, policy(confidence=0.2), TODAY, {}), Unknown)
    assert replayed(unsure, then=policy(confidence=0.2)).all.unknown == 1
    assert isinstance(rerun(unsure, policy(confidence=0.4), TODAY, {}), Rerun)


def test_a_guessed_length_near_the_new_limit_goes_either_way_and_a_counted_one_does_not():
    guessed = recorded(tokens=1100, exact=False, times=10)
    known = recorded(tokens=1000, scores=(0.9,), times=100)
    all_ = replayed(known, guessed, then=policy(over=1150)).all
    assert (all_.unsure, all_.to_home.low, all_.to_home.expected) == (10, 0, 10)
    counted = replayed(known, recorded(tokens=1100, times=10), then=policy(over=1150)).all
    assert counted.unsure == 0
    assert counted.to_home.low > 9


def test_an_engine_that_was_down_then_is_down_in_the_replay():
    one = recorded(view=FleetView(down={"home": "it is off"}), scores=(0.9,))
    found = rerun(one, policy(chain=("large", "small", "paid")), TODAY, longest_asked([one]))
    assert [step.model for step in found.steps] == ["paid"]


def test_what_must_stay_at_home_does_whatever_is_tried():
    one = recorded(asked="auto:local", view=FleetView())
    kept = one.example
    signals = Signals(
        task="chat", task_confidence=0.9, task_by="rules", tokens=100, tokens_exact=True, local_only=True
    )
    one = replace(one, example=replace(kept, signals=signals))
    found = rerun(one, policy(over=50), TODAY, {})
    assert found.steps == ()


def test_a_name_that_no_config_has_any_more_is_unknown():
    one = recorded()
    asked = replace(one, example=replace(one.example, asked="gone"))
    assert isinstance(rerun(asked, TODAY, TODAY, {}), Unknown)


def test_a_config_that_has_changed_since_is_told_apart_and_not_taken_for_the_new_setting():
    other = policy(over=50)
    found = replay((recorded(times=9),), other, other, {}, wilson)
    assert (found.drifted, found.all.unchanged, found.all.dollars.expected) == (9, 9, 0)


def test_broken_off_attempts_say_nothing_of_a_model():
    good = recorded(scores=(0.9,), times=3)
    left = recorded(scores=(None,), status="cancelled", times=50)
    assert Rates([good, left], wilson).find(Asked("small", "chat", 0.6, after=False, longer=False)).tried == 3


def test_cuts_are_where_any_setting_or_price_makes_a_difference():
    cuts = cuts_of((TODAY, policy(over=2000, pass_at=0.8)))
    assert {1000, 2000} <= set(cuts.tokens)
    assert cuts.scores == (0.6, 0.8)
    assert not cuts.languages


def test_where_time_or_money_ran_out_then_it_does_again():
    one = recorded(scores=(0.1,), status="imperfect", model="small")
    found = rerun(one, TODAY, TODAY, longest_asked([one]))
    assert ([step.model for step in found.steps], found.stays) == (["small"], True)
    whole = recorded(scores=(0.1,), today=policy(chain=("small",)), status="imperfect", model="small")
    more = rerun(whole, TODAY, policy(chain=("small",)), longest_asked([whole]))
    assert [step.model for step in more.steps] == ["small", "paid"], "there was nobody else to ask then"
