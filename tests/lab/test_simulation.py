"""The simulation itself, and what the loop does on a few of its agencies; `benchmarks/loop.py` runs hundreds."""

from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from headgate.core.effects import Record, Weights
from headgate.core.estimates import estimate
from headgate.core.intervals import wilson
from headgate.core.past import Past
from headgate.core.replay import replay
from headgate.core.tuning import searched_before, tune
from headgate.lab.simulation import loop
from headgate.lab.simulation.auditing import INFALLIBLE, Auditing, Auditor, chosen, compare
from headgate.lab.simulation.loop import run
from headgate.lab.simulation.playing import Player, Recorded, together
from headgate.lab.simulation.proof import (
    FLOOR,
    One,
    Proof,
    Shifted,
    as_markdown,
    back,
    one_run,
    one_shift,
    page,
)
from headgate.lab.simulation.truth import Hindsight, crowd_of, truth_of
from headgate.lab.simulation.world import LENGTHS, SCORES, USUAL, make_world

PAGE = page()
WORLD = replace(make_world(Random(3)), volume=6_000.0)


def a_week(how=Auditing(right=INFALLIBLE), seed=1):  # noqa: B008 - a frozen value
    """A week of an agency: its requests, its player, its record, its audits."""
    chance, record, auditor = Random(seed), Recorded(), Auditor(how)
    player = Player(PAGE, WORLD.works_by_task())
    requests = WORLD.week(0, chance)
    return requests, player, record, auditor.audit(player, requests, record, chance), auditor


# ── The world ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_week_is_drawn_as_it_is_expected():
    drawn, expected = WORLD.week(0, Random(5)), WORLD.expected(0)
    assert sum(drawn.values()) == pytest.approx(sum(expected.values()), rel=0.1)
    for task in {kind.task for kind in expected}:
        for good in (True, False):

            def share(kinds, task=task, good=good):
                return sum(
                    n for kind, n in kinds.items() if kind.task == task and kind.small_good == good
                ) / sum(n for kind, n in kinds.items() if kind.task == task)

            assert share(drawn) == pytest.approx(share(expected), abs=0.04)


def test_scores_hint_at_the_truth_and_do_not_tell_it():
    good, bad = Counter(), Counter()
    for kind, many in WORLD.expected(0).items():
        (good if kind.small_good else bad)[SCORES[kind.small]] += many

    def passing(scores):
        return sum(n for score, n in scores.items() if score >= 0.6) / sum(scores.values())

    assert passing(good) > 0.9
    assert 0.1 < passing(bad) < 0.3


# ── The road ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_recorded_replays_as_it_went():
    requests, _, record, _, _ = a_week()
    past = tuple(record.past())
    all_ = replay(past, PAGE, PAGE, {}, wilson).all
    assert (all_.requests, all_.unchanged) == (sum(requests.values()),) * 2
    assert all_.dollars.low == all_.dollars.high == 0


def test_the_record_tells_what_a_gate_would_and_nothing_of_the_truth():
    _, _, record, _, _ = a_week()
    for one in record.past():
        asked = [attempt.model for attempt in one.example.attempts]
        assert asked == list(one.example.decision.chain)[: len(asked)]
        assert one.cost == pytest.approx(sum(a.cost for a in one.example.attempts) * one.requests)
        assert one.longest == one.example.signals.tokens


def test_weeks_are_put_together_without_losing_a_request_or_an_audit():
    _, _, record, _, _ = a_week()
    past = tuple(record.past())
    both = together([past, past])
    assert len(both) == len(past)
    assert Record(past=both).requests == 2 * Record(past=past).requests
    assert Record(past=both).audits == 2 * Record(past=past).audits
    for one, twice in zip(past, both, strict=True):
        assert twice.cost == pytest.approx(2 * one.cost)
        assert isinstance(twice, Past)


# ── Audits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_request_is_chosen_with_its_probability():
    chance, places = Random(2), Counter()
    for _ in range(2_000):
        places.update(chosen([3, 0, 40], 0.05, chance))
    assert places[0] == pytest.approx(2_000 * 3 * 0.05, rel=0.15)
    assert places[1] == 0
    assert places[2] == pytest.approx(2_000 * 40 * 0.05, rel=0.05)
    assert list(chosen([2, 1], 1.0, chance)) == [0, 0, 1]
    assert list(chosen([5], 0.0, chance)) == []


def test_an_audit_of_a_fallback_compares_what_home_would_have_said():
    requests, player, _, _, _ = a_week()
    rejected = long = 0
    for kind in requests:
        played = player.play(kind)
        audited = compare(PAGE, kind, played)
        model, good, score = audited.model, audited.good, audited.score
        both = not played.local and played.route in ("long", "everything else")
        behind = both and (model == "large" or score < 0.6)
        other = ("small", SCORES[kind.small]) if model == "large" else ("large", SCORES[kind.large])
        assert audited.rejected == ((other,) if behind else ())
        assert good == (kind.small_good if model == "small" else kind.large_good)
        if played.local:
            assert model == played.model
        elif played.route == "long":
            long += 1
            assert (model == "small") == (
                SCORES[kind.small] >= 0.6 or SCORES[kind.small] > SCORES[kind.large]
            )
        else:
            rejected += 1
            assert score < 0.6
    assert rejected > 10
    assert long > 10


def test_judges_err_as_often_as_they_are_said_to_and_a_person_does_not():
    how = Auditing(sample=1.0, local_sample=1.0, labels=1_000, right=dict.fromkeys(INFALLIBLE, (0.9, 0.7)))
    _, _, _, audited, auditor = a_week(how)
    groups = [group for one in auditor.confusions.values() for group in one.groups]
    assert sum(group.good.labelled + group.bad.labelled for group in groups) == 1_000
    labelled = [one for one in audited.findings if one.judge == "person"]
    assert len(labelled) == 1_000
    by_judges = Counter(one.judged for one in labelled)
    assert by_judges["missed"] == pytest.approx(500, abs=3), (
        "every other one, and the others as often as each other"
    )
    assert max(by_judges.values()) == by_judges["missed"]
    assert min(by_judges.values()) >= 166
    wrong = [one for one in labelled if one.verdict != one.judged]
    assert len([one for one in wrong if one.judged == "missed"]) > 125, "most of them are good"
    assert len([one for one in wrong if one.judged == "good"]) < 50
    missed = sum((one.judged or one.verdict) == "missed" for one in audited.findings)
    assert missed > 2 * audited.missed, "a tenth of all good ones"


def test_missed_escalations_are_estimated_though_judges_call_as_many_good_answers_bad_as_there_are_bad_ones():
    chance, auditor, findings, populations, missed = Random(4), Auditor(Auditing()), [], [], 0
    player = Player(PAGE, WORLD.works_by_task())
    for week in range(8):
        audited = auditor.audit(player, WORLD.week(week, chance), Recorded(), chance)
        findings += audited.findings
        populations += audited.populations
        missed += audited.missed
    told = estimate(findings, populations, "local", auditor.confusions).all.number
    assert told.low <= missed <= told.high
    assert told.high - told.low < 1.5 * missed, "and it says something"
    said = [
        one if one.judged is None else replace(one, verdict=one.judged, judge=one.judged_by)
        for one in findings
    ]
    assert estimate(said, populations, "local").all.number.low > missed, "as judges have it"


# ── Truth ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_best_in_hindsight_keeps_the_floor_and_no_thresholds_are_cheaper():
    works = {work.task: work for work in USUAL}
    crowd = crowd_of(WORLD, 0)
    hindsight = Hindsight(PAGE, works)
    best = hindsight.best(crowd, FLOOR)
    assert best.quality >= FLOOR
    now = truth_of(Player(PAGE, works), crowd)
    assert now.quality < FLOOR or best.dollars <= now.dollars
    assert hindsight.best(crowd, 0.0).dollars < best.dollars < hindsight.best(crowd, 0.99).dollars
    assert hindsight.best(crowd, 1.0) is None


def test_what_the_search_is_told_agrees_with_the_truth():
    how = Auditing(sample=1.0, local_sample=1.0, right=INFALLIBLE)
    requests, player, record, _, _ = a_week(how)
    effect = Weights(Record(past=tuple(record.past())), PAGE).effect(PAGE)
    good = sum(
        n * (not played.local or compare(PAGE, k, played).good)
        for k, n in requests.items()
        if (played := player.play(k))
    )
    assert effect.quality.expected == pytest.approx(good / sum(requests.values()))
    assert effect.dollars_before == pytest.approx(sum(n * player.play(k).cost for k, n in requests.items()))


# ── The loop ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def agency():
    return one_run(3, "judges that never err")


def test_its_intervals_cover_the_truth(agency):
    assert agency.unnecessary
    assert agency.missed


def test_its_proposals_keep_the_floor_and_come_near_the_best_in_hindsight(agency):
    assert agency.applied >= 1
    assert agency.broke is None
    assert agency.quality >= FLOOR
    assert agency.dollars < agency.before / 2
    assert agency.dollars <= 1.2 * agency.best


def test_the_same_agency_twice_is_the_same():
    chance = [Random(9), Random(9)]
    first, second = (run([WORLD] * 5, PAGE, one, Auditing(right=INFALLIBLE)) for one in chance)
    assert first == second


def test_a_search_is_told_of_the_proposals_that_have_seen_its_weeks(monkeypatch):
    told = []

    def spy(*parts, searched, **more):
        told.append(searched)
        return tune(*parts, searched=searched, **more)

    monkeypatch.setattr(loop, "tune", spy)
    changes = run([WORLD] * 7, PAGE, Random(9), Auditing(right=INFALLIBLE)).changes
    assert [change.week for change in changes if change.week < 7], "else there is nothing to tell of"
    earlier = [[change.week for change in changes if change.week < week] for week in range(4, 4 + len(told))]
    assert told == [
        searched_before(before, week // 2, week)
        for before, week in zip(earlier, range(4, 4 + len(told)), strict=True)
    ]
    assert any(told)


def test_another_model_under_the_same_name_is_noticed_and_the_loop_goes_to_the_safe_side():
    found = one_shift(2, "a worse digest of the small model")
    assert found.calm >= FLOOR > found.hit
    assert found.noticed_after == 1
    assert found.final >= FLOOR


def test_from_when_on_the_floor_is_kept_again():
    assert back([0.99, 0.985]) == 0
    assert back([0.97, 0.99, 0.97, 0.981]) == 3
    assert back([0.97, 0.99, 0.97]) is None


def test_the_page_says_what_was_found_and_how_sure_that_is():
    one = One(
        seed=1,
        unnecessary=True,
        missed=False,
        applied=2,
        broke=None,
        rolled_back=1,
        quality=0.985,
        before=100.0,
        dollars=44.0,
        best=40.0,
    )
    hit = Shifted(seed=1, calm=0.985, hit=0.96, final=0.99, back_after=3, noticed_after=2, reachable=True)
    text = as_markdown(
        Proof(steady={"any": (one, replace(one, unnecessary=False))}, shifted={"a storm": (hit,)})
    )
    assert "| the interval of unnecessary fallbacks covers the truth | 50.0% (9.5% to 90.5%) |" in text
    assert "| cost above the best in hindsight, all runs together | +10% |" in text
    assert "| a storm | 1 | 98.50% | 96.00% | 99.00% | 100.0% | 100.0% | 3 |" in text


def test_prompts_are_on_both_sides_of_every_limit_that_a_search_may_try():
    assert all(WORLD.works[1].tokens(place) not in LENGTHS for place in range(len(LENGTHS)))
