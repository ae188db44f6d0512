"""A replay's sums, on requests made up so that the right answer can be told by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headgate.core.expecting import Learning
from headgate.core.goodness import ROUTER_OFF, Answered
from headgate.core.intervals import wilson
from headgate.core.past import Asked, Found, Past, Rates, cuts_of, longest_asked
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


def test_what_the_learned_router_passed_by_is_asked_again_where_its_word_counts_for_less():
    doubted = Signals(
        task="chat",
        task_confidence=0.9,
        task_by="rules",
        tokens=100,
        tokens_exact=True,
        chances={"small": 0.2},
    )
    strict = replace(policy(), learning=Learning(skip_below=0.3))
    decision = decide(strict, FleetView(), Request(id="r", asked="auto", messages=()), doubted)
    assert decision.skipped == {"small": "unlikely"}
    one = recorded(tokens=1100, times=20)  # answered by the paid model alone
    one = replace(one, example=replace(one.example, signals=doubted, decision=decision))
    asked = recorded(scores=(0.9,), times=80)

    def again(then):
        return replay((one, asked), then, strict, {}, wilson).all

    assert (again(strict).unchanged, again(strict).to_home.expected) == (100, 0)
    assert again(replace(policy(), learning=Learning(skip_below=0.1))).to_home.expected == 20
    assert again(replace(policy(), learning=Learning(skip_below=0.25))).to_home.expected == 0


def test_what_was_asked_is_passed_by_where_the_learned_routers_word_counts_for_more():
    sure = Signals(
        task="chat",
        task_confidence=0.9,
        task_by="rules",
        tokens=100,
        tokens_exact=True,
        chances={"small": 0.2},
    )
    one = recorded(scores=(0.9,), times=10)
    one = replace(one, example=replace(one.example, signals=sure))
    all_ = replayed(one, then=replace(policy(), learning=Learning(skip_below=0.3)))
    assert all_.all.to_cloud.low == all_.all.to_cloud.high == 10


def test_another_order_of_the_same_chain_is_another_way():
    hopeless = Signals(
        task="chat",
        task_confidence=0.9,
        task_by="rules",
        tokens=100,
        tokens_exact=True,
        chances={"small": 0.005},
    )
    never = Learning(skip_below=0.0)
    one = recorded(scores=(0.9,), times=10)
    one = replace(one, example=replace(one.example, signals=hopeless))
    ordered = replace(policy(order="expected cost"), learning=never)
    all_ = replay((one,), ordered, replace(TODAY, learning=never), {}, wilson).all
    assert all_.to_cloud.expected == 10, "what hardly ever does is not worth asking"
    assert replay((one,), ordered, ordered, {}, wilson).all.unchanged == 10


def test_a_longer_window_on_another_page_takes_in_what_did_not_fit():
    def page(context):
        models = MODELS | {"small": replace(MODELS["small"], context=context)}
        return replace(policy(over=100_000), models=models)

    narrow, wide = page(1000), page(8000)
    long = recorded(tokens=2000, scores=(0.9,), today=narrow, times=30)
    assert long.example.decision.skipped == {"small": "window"}
    short = recorded(tokens=700, scores=(0.9,), today=narrow, times=60)
    all_ = replay((long, short), wide, narrow, {}, wilson).all
    assert all_.to_home.expected == 30
    assert replay((long, short), narrow, narrow, {}, wilson).all.unchanged == 90
    fewer = replay((short,), page(600), narrow, {}, wilson).all
    assert fewer.to_cloud.expected == 60


# ── Quality ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def audits(many, *, good, model="small", chance=0.1, score=None, **rejected):
    """So many audits that found the same, each of a request that was chosen with that probability."""
    others = 1 / chance - 1
    return Found(
        model=model,
        good=good,
        score=score,
        rejected=tuple(rejected.items()),
        audits=many,
        speaks_for=many * others,
        squares=many * others**2,
    )


def with_audits(past, *found, chances=None):
    return replace(past, found=found, chances=chances or {})


def test_a_paid_answer_is_good_and_one_from_home_is_as_good_as_the_audits_of_its_like_say():
    paid = recorded(tokens=2000, times=500)
    home = with_audits(recorded(times=1000), audits(90, good=True), audits(10, good=False))
    quality = replayed(paid, home, then=TODAY).all.quality
    assert quality.before == quality.after
    assert quality.before.expected == pytest.approx((500 + 900) / 1500)
    low, _ = wilson(90, 100)
    assert (500 + 90 + 900 * low) / 1500 == pytest.approx(quality.before.low, abs=0.01)
    assert quality.before.low < quality.sure < quality.before.expected < quality.before.high
    assert (quality.paid, quality.audited, quality.inferred, quality.unjudged) == (500, 100, 900, 0)


def test_audits_speak_for_those_that_nobody_chose_by_the_inverse_of_their_probability():
    often = with_audits(recorded(times=100), audits(50, good=True, chance=0.5))
    seldom = with_audits(recorded(times=900), audits(9, good=False, chance=0.01))
    found = replayed(often, seldom, then=TODAY)
    (good,) = {answered.now: good for answered, good in found.goods.items()}.values()
    assert good.share == pytest.approx(50 / (50 + 9 * 99))
    assert good.high - good.low > 0.1, "nine audits carry nearly all the weight"


def test_what_was_not_chosen_by_chance_speaks_only_for_itself():
    marked = Found(model="small", good=False, audits=30)
    home = with_audits(recorded(times=1000), audits(100, good=True), marked)
    quality = replayed(home, then=TODAY).all.quality
    assert quality.after.expected == pytest.approx(970 / 1000)
    assert quality.after.high < 970.5 / 1000


def test_where_every_answer_was_audited_nothing_is_left_to_chance():
    home = with_audits(recorded(times=100), audits(97, good=True, chance=1), audits(3, good=False, chance=1))
    quality = replayed(home, then=TODAY).all.quality
    assert quality.after.low == quality.after.expected == quality.after.high == pytest.approx(0.97)


def test_a_lower_bar_risks_what_the_audits_of_the_rejected_answers_say():
    rejected = with_audits(
        recorded(scores=(0.5, 0.9), times=400), audits(30, good=True), audits(10, good=False)
    )
    worse = with_audits(recorded(scores=(0.1, 0.9), times=400), audits(40, good=False))
    all_ = replayed(rejected, worse, then=policy(pass_at=0.4)).all
    assert all_.good.expected == pytest.approx(-(10 + 360 * 0.25)), "those at 0.1 are still rejected"
    assert all_.good.low < -100 < all_.good.high < 0
    assert (all_.quality.before.expected, all_.quality.before.low) == (1, 1)


def test_few_audits_of_exactly_these_answers_are_read_with_all_the_rejected_ones():
    rejected = with_audits(recorded(scores=(0.5, 0.9), times=400), audits(4, good=True))
    worse = with_audits(recorded(scores=(0.1, 0.9), times=400), audits(36, good=False))
    found = replayed(rejected, worse, then=policy(pass_at=0.4))
    assert found.goods[Answered("small", "chat", "rejected", now=True)].share == pytest.approx(0.1)


def test_a_higher_bar_makes_answers_better_by_as_many_as_were_wrong():
    passed = with_audits(recorded(scores=(0.7,), times=300), audits(15, good=True), audits(15, good=False))
    all_ = replayed(passed, then=policy(pass_at=0.8)).all
    assert all_.good.expected == pytest.approx(150)
    assert all_.quality.after.expected == all_.quality.after.low == 1


def test_audits_of_prompts_that_never_went_home_tell_how_a_model_would_do_there():
    short = with_audits(recorded(tokens=100, times=1000), audits(100, good=True))
    passing = audits(30, good=True, score=0.9), audits(10, good=False, score=0.7)
    failing = audits(20, good=False, score=0.1)
    moved = with_audits(recorded(tokens=1500, times=600), *passing, failing)
    found = replayed(short, moved, then=policy(over=2000))
    (rate,) = found.rates.values()
    assert (rate.audited, rate.bound) == (True, False)
    assert rate.share == pytest.approx(2 / 3)
    assert found.all.to_home.expected == pytest.approx(400)
    assert 300 < found.all.to_home.low < 400 < found.all.to_home.high < 500
    assert found.all.good.expected == pytest.approx(-100), "a quarter of those that would pass"
    longer = with_audits(recorded(tokens=2500, times=600), audits(60, good=True, score=0.9))
    assert replayed(short, moved, longer, then=policy(over=2000)).all.good == found.all.good, "they stay"


def test_a_model_that_was_never_asked_for_a_task_is_known_by_audits():
    code = with_audits(
        recorded(task="code", confidence=0.9, times=300),
        audits(20, good=True, model="small", score=0.9),
        audits(20, good=False, model="small", score=0.2),
    )
    moved = Policy(
        routes=(Route(name="code", chain=("small", "paid"), tasks=frozenset({"code"})), *TODAY.routes[2:]),
        models=MODELS,
    )
    all_ = replayed(code, then=moved).all
    assert (all_.unknown, all_.estimated) == (0, 300)
    assert all_.home.expected == pytest.approx(-150)


@pytest.mark.parametrize(("chain", "home"), [(("small", "paid"), 75), (("small", "large", "paid"), 300)])
def test_a_model_that_had_failed_before_another_one_was_compared_passes_no_more_often_than_it_did(
    chain, home
):
    own = audits(10, good=True, score=0.9)
    behind = audits(30, good=True, model="large", score=0.9, small=0.3)
    found = replayed(
        with_audits(recorded(tokens=1500, times=300), own, behind), then=policy(2000, chain=chain)
    )
    assert found.all.to_home.expected == pytest.approx(home)
    busy = with_audits(recorded(tokens=1500, times=300), own, audits(30, good=True, model="large", score=0.9))
    assert replayed(busy, then=policy(2000, chain=chain)).all.to_home.expected == pytest.approx(300)


def test_without_audits_all_answers_from_home_may_be_good_or_none():
    all_ = replayed(recorded(tokens=2000, times=50), recorded(times=50), then=TODAY).all
    assert (all_.quality.after.low, all_.quality.after.high) == (0.5, 1)
    assert (all_.quality.sure, all_.quality.unjudged) == (0.5, 50)
    assert (all_.good.low, all_.good.high) == (0, 0), "nothing moves, whatever they are"


def test_without_audits_the_learned_router_tells_as_far_as_it_may_be_trusted():
    home = with_audits(recorded(times=100), chances={"small": 0.85})
    quality = replayed(home, then=TODAY).all.quality
    assert quality.after.expected == pytest.approx(0.85)
    assert quality.after.low == pytest.approx(0.85 - ROUTER_OFF)
    assert (quality.modelled, quality.unjudged) == (100, 0)


def test_what_nobody_can_tell_moves_no_expected_quality_and_may_end_in_all_or_nothing():
    all_ = replayed(
        recorded(tokens=2000, times=90), recorded(times=10), then=policy(over=5000, chain=("large", "paid"))
    ).all
    assert all_.unknown == 100
    assert (all_.good.low, all_.good.expected) == (-100, 0)
    assert all_.quality.after.low == 0


def test_whoever_left_is_no_question_of_quality_and_whoever_got_nothing_is():
    left = recorded(scores=(None,), status="cancelled", times=50)
    nothing = recorded(scores=(None, None), status="failed", times=10)
    paid = recorded(tokens=2000, times=90)
    quality = replayed(left, nothing, paid, then=TODAY).all.quality
    assert (quality.requests, quality.after.low, quality.after.high) == (100, 0.9, 0.9)


@given(
    good=st.integers(0, 40),
    bad=st.integers(0, 40),
    chance=st.floats(0.01, 1),
    over=st.sampled_from([50, 1000, 3000]),
    pass_at=st.sampled_from([0.3, 0.6, 0.8]),
)
def test_ends_of_quality_are_in_order_and_within_what_is_possible(good, bad, chance, over, pass_at):
    past = (
        with_audits(
            recorded(scores=(0.7,), times=100),
            audits(good, good=True, chance=chance),
            audits(bad, good=False, chance=chance),
        ),
        with_audits(recorded(scores=(0.5, 0.9), times=100), audits(good, good=True, chance=chance)),
        with_audits(recorded(tokens=2000, times=100), audits(bad, good=False, chance=chance, score=0.65)),
    )
    all_ = replayed(*past, then=policy(over=over, pass_at=pass_at)).all
    quality = all_.quality
    for span in (quality.before, quality.after):
        assert 0 <= span.low <= span.expected + 1e-9 <= span.high + 2e-9 <= 1 + 3e-9
    assert quality.after.low - 1e-9 <= quality.sure <= quality.after.expected + 1e-9
    assert all_.good.low <= all_.good.expected + 1e-9 <= all_.good.high + 2e-9
    change = (quality.after.expected - quality.before.expected) * quality.requests
    assert change == pytest.approx(all_.good.expected, abs=1e-6)
