"""Tuning, on a made-up agency of which the truth is known: what is proposed holds, and what rests on nothing is not proposed."""

from math import comb
from random import Random
from statistics import NormalDist

import pytest
from msgspec.structs import replace

from headgate.core.bounds import NOTHING, Sample, deviations
from headgate.core.candidates import Seen, cuts_for, round_figures, steps
from headgate.core.effects import Record, Weights
from headgate.core.past import Found
from headgate.core.proposals import Labels, Proposal, Refusal
from headgate.core.settings import Setting, setting_of, with_settings
from headgate.core.tuning import searched_before, tune
from headgate.core.watching import AppliedChange, judge_change
from tuning_world import LARGE, MODELS, TODAY, grouped, policy, record, truth, world

LONG = "routes.long"


def sample(hits, total):
    kept = Sample()
    for index in range(total):
        kept.add(Found(model="small", good=True), index < hits)
    return kept.share()


def tuned(seed=1, floor=0.98, today=TODAY, **kind):
    (_, older), (asks, newer) = record(seed, today=today, **kind), record(1000 + seed, today=today, **kind)
    return asks, tune(older, newer, today, floor=floor)


def words(found):
    assert isinstance(found, Proposal), found
    return [setting.word for setting in found.settings]


@pytest.mark.parametrize(("hits", "total"), [(0, 10), (2, 30), (5, 50), (30, 400), (399, 400)])
@pytest.mark.parametrize("error", [0.05, 0.0004])
def test_bounds_are_exact(hits, total, error):
    """Of observations that weigh the same: at the bound so few hits have exactly the chance that it may be wrong."""
    top = sample(hits, total).upper(error)
    few = sum(comb(total, k) * top**k * (1 - top) ** (total - k) for k in range(hits + 1))
    assert few == pytest.approx(error, rel=1e-6)
    assert sample(total - hits, total).lower(error) == pytest.approx(1 - top, abs=1e-9)


def test_of_nothing_nothing_is_known():
    assert (NOTHING.upper(0.05), NOTHING.lower(0.05), sample(3, 3).upper(0.05)) == (1.0, 0.0, 1.0)
    assert Sample().share() == NOTHING


def test_a_bound_is_right_where_bad_ones_weigh_less_than_others_and_where_they_weigh_more():
    """Two strata, of which one is audited four times as often; the bad ones are in either."""
    chance = Random(3)
    for often, seldom in ((0.06, 0.004), (0.004, 0.03)):
        truth = (1000 * often + 4000 * seldom) / 5000
        wrong, slack = 0, 0.0
        for _ in range(200):
            kept = Sample()
            for requests, probability, rate in ((1000, 0.2, often), (4000, 0.05, seldom)):
                others = 1 / probability - 1
                one = Found(model="small", good=True, speaks_for=others, squares=others * others)
                for _ in range(round(requests * probability)):
                    kept.add(one, chance.random() < rate)
            bound = kept.share().upper(0.05)
            wrong += bound < truth
            slack += (bound - truth) / 200
        assert wrong <= 18, "5 % of 200, and what chance may add"
        assert slack < 1.2 * truth


def test_deviations_are_those_of_the_normal_distribution():
    for error in (0.5, 0.2, 0.05, 0.0025, 1e-5):
        assert deviations(error) == pytest.approx(NormalDist().inv_cdf(1 - error), abs=1e-6)


def test_prompts_that_home_answers_well_come_home_by_a_bounded_step():
    asks, found = tuned(bad=0.005)
    assert words(found) == ["routes.long.tokens_over=6000"], "1.5 times 4000, and no further"
    quality, dollars = truth(asks, with_settings(TODAY, found.settings))
    judged = found.judged
    assert judged.quality.low <= quality <= judged.quality.high
    saved = dollars - truth(asks, TODAY)[1]
    assert judged.dollars.low <= saved <= judged.dollars.high < 0
    assert found.before == (Setting(LONG, "tokens_over", 4000),)


def test_it_stops_where_home_answers_badly():
    _, found = tuned(floor=0.985, bad=0.003, bad_long=0.9, bad_from=5000, long_share=0.4)
    assert words(found) == ["routes.long.tokens_over=5000"]


def test_nothing_is_proposed_that_the_floor_forbids():
    _, found = tuned(floor=0.99, bad=0.003, bad_long=0.9, bad_from=4000, long_share=0.4)
    assert not any("tokens_over" in word for word in (words(found) if isinstance(found, Proposal) else ()))


def test_a_bad_task_is_sent_away_where_the_rest_pays_for_it():
    asks, found = tuned(bad=0.02, bad_code=0.3)
    assert {one.table for one in found.settings} == {LONG, "routes.code"}
    settings = with_settings(TODAY, found.settings)
    assert truth(asks, settings)[0] >= 0.98
    assert truth(asks, settings)[1] < truth(asks, TODAY)[1]


def test_a_broken_floor_is_mended_whatever_that_costs():
    asks, found = tuned(bad=0.01, bad_code=0.9)
    assert found.aim == "safer"
    assert found.now.quality.high < 0.98 <= found.judged.quality.low
    assert truth(asks, with_settings(TODAY, found.settings))[0] >= 0.98


def test_a_floor_that_is_likelier_broken_than_not_is_mended_too():
    kind = {"bad": 0.01, "bad_code": 0.15, "long_share": 0.0, "local_sample": 0.1}
    found = tune(record(1, 2000, **kind)[1], record(2, 2000, **kind)[1], TODAY)
    assert found.now.quality.expected < 0.98 <= found.now.quality.high
    assert found.aim == "safer"
    assert found.judged.quality.expected > found.now.quality.expected


def test_proposals_over_the_same_weeks_share_one_error():
    (_, older), (_, newer) = record(1, bad=0.005), record(1001, bad=0.005)
    first = tune(older, newer, TODAY)
    floor = first.judged.quality.low - 1e-4
    assert isinstance(tune(older, newer, TODAY, floor=floor), Proposal)
    tenth = tune(older, newer, TODAY, floor=floor, searched=9)
    assert not isinstance(tenth, Proposal) or tenth.settings != first.settings


def test_an_earlier_proposal_counts_by_how_much_of_the_judging_part_it_had_seen():
    assert searched_before((), 4, 8) == searched_before((3, 4), 4, 8) == 0
    assert searched_before((5, 6, 7), 4, 8) == pytest.approx(1.5)
    assert searched_before((8, 9), 4, 8) == pytest.approx(2), "all of it"
    assert searched_before((9,), 8, 8) == 0, "there is none"


def test_what_goes_wrong_only_lately_is_mended_by_what_is_seen_lately():
    older, newer = record(1, bad=0.001)[1], record(2, bad=0.01, bad_code=0.9)[1]
    found = tune(older, newer, TODAY, floor=0.98)
    assert found.aim == "safer"
    assert found.judged.quality.expected > found.now.quality.expected + 0.01
    asks = world(3, 6000, bad=0.01, bad_code=0.9)
    assert truth(asks, with_settings(TODAY, found.settings))[0] > truth(asks, TODAY)[0] + 0.01


def test_a_model_at_home_is_put_before_a_paid_one_where_audits_know_it():
    today = policy(code=("paid",))
    _, found = tuned(today=today, bad=0.002)
    assert setting_of(with_settings(today, found.settings), "routes.code", "try").value == ("small", "paid")


def test_without_audits_of_a_task_it_is_not_moved():
    (_, older), (_, newer) = record(1, bad=0.0), record(2, bad=0.0)
    bare = [
        Record(
            past=tuple(
                [one if one.example.signals.tokens <= 4000 else replace(one, found=()) for one in part.past]
            )
        )
        for part in (older, newer)
    ]
    found = tune(*bare, TODAY)
    assert not any("tokens_over" in word for word in (words(found) if isinstance(found, Proposal) else ()))


def test_audits_that_were_chosen_rarely_make_the_bound_wide():
    asks = world(5, 3000, bad=0.0)
    many, few = (
        Weights(Record(past=grouped(asks, local_sample=share)), TODAY).effect(TODAY).quality.low
        for share in (0.5, 0.02)
    )
    assert few < 0.97 < many


def test_who_audits_is_weighed_by_how_likely_he_was_chosen():
    """Half of the bad ones were chosen surely, all others hardly: counted plainly, quality would be far too low."""
    _, part = record(7, 2000, bad=0.0, long_share=0.0)
    rare = [
        replace(
            one, found=(Found(model="small", good=True, score=0.8, audits=2, speaks_for=78, squares=3042),)
        )
        for one in part.past
    ]
    sure = replace(rare[0], found=(*rare[0].found, Found(model="small", good=False, score=0.8, audits=30)))
    quality = Weights(Record(past=(sure, *rare[1:])), TODAY).effect(TODAY).quality.expected
    assert quality > 0.97


def test_the_same_record_gives_the_same_proposal():
    assert tuned(3, bad=0.01)[1] == tuned(3, bad=0.01)[1]


def test_what_was_rolled_back_is_not_tried_again():
    (_, older), (_, newer) = record(1, bad=0.005), record(2, bad=0.005)
    avoid = frozenset(Setting(LONG, "tokens_over", tokens) for tokens in (4500, 5000, 6000))
    found = tune(older, newer, TODAY, avoid=avoid)
    assert not isinstance(found, Proposal) or all(one.key != "tokens_over" for one in found.settings)


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(older, newer, **more):
    found = tune(older, newer, TODAY, **more)
    assert isinstance(found, Refusal), found
    return found


def test_ten_rows_are_too_few_and_it_says_how_many_are_wanted():
    found = refused(record(1, 5)[1], record(2, 5)[1])
    assert (found.reason, found.needs[0].many, found.needs[0].what) == ("too few requests", 190, "requests")


def test_without_audits_it_says_so():
    found = refused(record(1, sample=0, local_sample=0)[1], record(2, sample=0, local_sample=0)[1])
    assert (found.reason, found.needs[0].many) == ("no audits", 60)


def test_a_few_audits_are_too_few():
    found = refused(
        record(1, sample=0.005, local_sample=0.005)[1], record(2, sample=0.005, local_sample=0.005)[1]
    )
    assert found.reason == "too few audits"
    assert 0 < found.needs[0].many < 60


def test_where_all_is_at_home_nothing_can_be_cheaper():
    kind = {"bad": 0.0, "long_share": 0.0}
    at_home = policy(rest=("small",), code=("small",))
    parts = [Record(past=grouped(world(seed, 500, **kind), at_home)) for seed in (1, 2)]
    found = tune(*parts, at_home)
    assert (found.reason, found.now.dollars_before) == ("one class", 0)


def test_contradicting_labels_are_no_ground():
    parts = record(1)[1], record(2)[1]
    found = refused(*parts, labels=Labels(twice=40, contradicting=20))
    assert found.reason == "labels contradict"
    assert "20 of 40" in found.why
    assert isinstance(tune(*parts, TODAY, labels=Labels(twice=40, contradicting=4)), Proposal)


def test_audits_of_a_model_that_vanished_tell_nothing():
    parts = [record(seed)[1] for seed in (1, 2)]
    other = replace(MODELS["small"], name="other", id="o")
    models = {"other": other, "paid": MODELS["paid"]}
    today = policy(rest=("other", "paid"), code=("other", "paid"), models=models)
    found = tune(*parts, today, known=MODELS)
    assert found.reason == "model vanished"
    assert "small" in found.why
    assert found.needs[0].many == 60


def test_an_unsure_floor_says_how_many_audits_would_make_it_sure():
    found = refused(
        record(1, local_sample=0.02, bad=0.0)[1], record(2, local_sample=0.02, bad=0.0)[1], floor=0.995
    )
    assert found.reason == "floor not sure"
    many = next(need.many for need in found.needs if need.what == "audits of local answers")
    assert 100 < many < 2000


# ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_steps_are_round_and_bounded():
    assert round_figures(4000 / 1.5, 6000) == [3000, 3500, 4000, 4500, 5000, 6000]
    for setting in steps(TODAY, TODAY, Seen()):
        if setting.key == "tokens_over":
            assert setting.value in (3500, 4500)
        if setting.key == "pass_at":
            assert setting.value in (0.55, 0.65)
    at_most = with_settings(
        TODAY, (Setting(LONG, "tokens_over", 6000), Setting("routes.rest", "pass_at", 0.5))
    )
    far = {setting.word for setting in steps(at_most, TODAY, Seen())}
    assert "routes.long.tokens_over=7000" not in far
    assert "routes.rest.pass_at=0.45" not in far


def test_no_model_at_home_takes_the_place_of_another_one_there():
    today = policy(rest=("small", "large", "paid"), code=("paid",), models={**MODELS, "large": LARGE})
    homes = {"rest": frozenset({"small", "large"}), "code": frozenset({"small"})}
    chains = {one.table: one.value for one in steps(today, today, Seen(homes=homes)) if one.key == "try"}
    assert chains == {"routes.rest": ("small", "paid", "large"), "routes.code": ("small", "paid")}


def test_the_record_is_cut_wherever_a_step_may_lead():
    cuts = cuts_for(TODAY)
    assert {3000, 3500, 4000, 4500, 5000, 6000} <= set(cuts.tokens)
    assert {0.5, 0.55, 0.6, 0.65, 0.7} <= set(cuts.scores)


# ── Watching ─────────────────────────────────────────────────────────────────────────────────────────────────────────

DAY = 86_400.0


def change():
    settings = (Setting(LONG, "tokens_over", 6000),)
    judged = tuned(bad=0.005)[1].judged
    before = tuple(setting_of(TODAY, one.table, one.key) for one in settings)
    return AppliedChange(applied=0.0, settings=settings, before=before, floor=0.98, expected=judged)


def seen_since(requests, bad, seed=1):
    after = with_settings(TODAY, change().settings)
    return after, record(seed, requests, today=after, bad=bad)[1]


def test_a_change_that_was_wrong_is_rolled_back_and_a_good_one_kept():
    after, bad = seen_since(2000, bad=0.25)
    judged = judge_change(change(), bad, after, 3 * DAY, worked=3)
    assert judged.verdict == "roll back"
    assert judged.look.quality.high < 0.98
    after, good = seen_since(3000, bad=0.0)
    assert judge_change(change(), good, after, 8 * DAY, worked=8).verdict == "keep"
    assert judge_change(change(), good, after, 3 * DAY, worked=3).verdict == "keep watching", (
        "a week at least"
    )


def test_a_change_is_not_taken_back_to_settings_that_would_be_no_better():
    """A model has become another one meanwhile: short prompts are answered badly, too, and what was made safer is not to blame."""
    safer = (Setting(LONG, "tokens_over", 3000),)
    was = replace(change(), settings=safer, before=(setting_of(TODAY, LONG, "tokens_over"),))
    after = with_settings(TODAY, safer)
    bad = record(1, 2000, today=after, bad=0.5)[1]
    judged = judge_change(was, bad, after, 3 * DAY, worked=3)
    assert judged.look.quality.high < 0.98
    assert judged.verdict == "keep watching"
    assert "no better" in judged.why


def test_a_few_audits_are_no_look_and_looks_get_rarer():
    after, little = seen_since(30, bad=0.5)
    judged = judge_change(change(), little, after, DAY, worked=1)
    assert (judged.verdict, judged.look) == ("keep watching", None)
    after, some = seen_since(200, bad=0.02)
    first = judge_change(change(), some, after, DAY, worked=1).look
    again = replace(change(), looks=(first,))
    assert judge_change(again, some, after, 2 * DAY, worked=2).look is None
    assert judge_change(again, some, after, 29 * DAY, worked=29).verdict == "keep"
    closed = judge_change(again, some, after, 90 * DAY, worked=2)
    assert closed.verdict == "keep watching", "weeks in which the gate was closed say nothing for it"


def test_looking_every_day_rolls_a_good_change_back_in_fewer_than_5_percent():
    """The truth lies exactly at the floor's edge: the worst case of a change that is right."""
    wrong = 0
    for seed in range(20):
        watched = change()
        asks = world(seed, 1500, bad=0.047)  # 70 % of these come out at home: quality is 0.98 and a bit
        after = with_settings(TODAY, watched.settings)
        for day in range(1, 15, 2):
            part = Record(past=grouped(asks[: 100 * day], after))
            judged = judge_change(watched, part, after, day * DAY, worked=day)
            if judged.verdict == "roll back":
                wrong += 1
                break
            if judged.look is not None:
                watched = replace(watched, looks=(*watched.looks, judged.look))
    assert wrong <= 1


def test_each_look_has_its_share_of_the_error():
    after, part = seen_since(600, bad=0.02)
    first = judge_change(change(), part, after, DAY, worked=1).look
    assert first.quality == Weights(part, after).effect(after, 0.05 / 2).quality
    early = replace(first, audits=10)
    second = judge_change(replace(change(), looks=(early,)), part, after, DAY, worked=1).look
    assert second.quality == Weights(part, after).effect(after, 0.05 / 6).quality


# ── What holds a proposal back ───────────────────────────────────────────────────────────────────────────────────────


def test_what_the_judging_part_is_not_sure_of_is_not_proposed():
    _, older = record(1, bad=0.0)
    _, newer = record(2, 2400, bad=0.0, sample=0.06, local_sample=0.5)
    step = policy(over=6000)
    judged = Weights(newer, TODAY).effect(step)
    assert judged.quality.low < 0.985 < judged.quality.expected
    assert judged.audits_moved >= 10
    found = tune(older, newer, TODAY, floor=0.985)
    assert not any("6000" in word for word in (words(found) if isinstance(found, Proposal) else ()))


def test_a_task_that_no_audit_tells_of_may_be_all_wrong():
    _, part = record(3, 1000, bad=0.0, long_share=0.0)
    past = [replace(one, found=()) if one.example.signals.task == "code" else one for one in part.past]
    quality = Weights(Record(past=tuple(past)), TODAY).effect(TODAY).quality
    assert quality.expected == 1.0
    assert quality.low < 0.85, "a quarter of the requests, of which most are answered at home"


def test_what_mends_quality_and_costs_more_than_it_spares_is_not_called_cheaper():
    found = tuned(bad=0.02, bad_code=0.3, long_share=0.02)[1]
    assert not (isinstance(found, Proposal) and found.aim == "cheaper")


def test_a_handful_of_audits_moves_nothing():
    _, older = record(1, bad=0.0)
    _, newer = record(2, bad=0.0, sample=0.01)
    found = tune(older, newer, TODAY, floor=0.5)
    assert not any("tokens_over" in word for word in (words(found) if isinstance(found, Proposal) else ()))


def test_a_bad_answer_that_its_checks_would_reject_costs_no_quality():
    _, part = record(3, 400, bad=0.0)
    caught = Found(model="small", good=False, score=0.3, audits=5, speaks_for=20, squares=80)
    past = [replace(one, found=(caught,)) if one.example.signals.tokens > 4000 else one for one in part.past]
    effect = Weights(Record(past=tuple(past)), TODAY).effect(policy(over=9000))
    assert (effect.quality.expected, effect.home.expected) == (1.0, effect.home_before)
