"""How far judges are trusted: agreement with labels, chance taken off, contradictory labels, and who is in force."""

import pytest

from headgate.core.audits import Opinion
from headgate.core.judges.agreement import Told, agreement, agreements, kappa
from headgate.core.judges.standing import RANKS, in_force, label_of
from headgate.core.judges.trust import skill, trust
from headgate.core.words import JUDGES


def says(judge, verdict, by=""):
    return Opinion(verdict=verdict, judge=judge, by=by)


def told(*pairs, judge="local model", by="llama", longer=None):
    return [Told(judge, by, label, said, longer) for label, said in pairs]


def test_every_judge_has_a_rank():
    assert sorted(judge for judges in RANKS for judge in judges) == sorted(JUDGES)


def test_a_person_goes_before_a_caller_and_a_caller_before_every_judge():
    spoken = [says("exact", "good"), says("caller", "missed"), says("local model", "good")]
    assert in_force(spoken).judge == "caller"
    assert in_force([*spoken, says("person", "good")]).judge == "person"
    assert in_force(spoken[::2]).judge == "exact"
    assert in_force([]) is None


def test_an_unclear_opinion_counts_only_where_nobody_is_sure():
    assert in_force([says("cloud model", "unclear"), says("similarity", "good")]).judge == "similarity"
    assert in_force([says("local model", "unclear")]).verdict == "unclear"
    assert label_of([says("person", "unclear"), says("caller", "good")]).judge == "caller"


def test_agreement_is_counted_for_each_model_with_an_interval():
    mine = told((True, True), (True, True), (False, True), (False, None))
    other = told((True, False), by="mistral")
    first, second = agreement([*mine, *other])
    assert (first.by, first.pairs, first.good, first.agreed, first.unclear) == ("llama", 3, 2, 2, 1)
    assert (first.false_good, first.false_bad) == (1, 0)
    assert first.rate == pytest.approx(2 / 3)
    assert first.low == pytest.approx(0.2077, abs=1e-3)
    assert first.high == pytest.approx(0.9385, abs=1e-3)
    assert (second.by, second.rate, second.false_bad) == ("mistral", 0.0, 1)


def test_kappa_takes_off_what_chance_would_agree():
    always_good = told(*[(True, True)] * 9, (False, True))
    assert kappa(always_good) == pytest.approx(0.0)
    assert kappa(told((True, True), (False, False))) == pytest.approx(1.0)
    assert kappa(told((True, False), (False, True))) == pytest.approx(-1.0)
    assert kappa(told((True, True), (True, True))) is None, "all of one kind leaves no room for chance"
    assert kappa([]) is None


def test_judges_are_measured_against_labels_and_nothing_else():
    found = agreements(
        [
            (says("exact", "good"), says("person", "good")),
            (says("exact", "good"), says("local model", "missed", "llama")),
            (says("local model", "unnecessary", "llama"), says("caller", "necessary")),
            (says("caller", "unclear"), says("exact", "unnecessary")),
        ]
    )
    assert found.labelled == 2
    assert [(one.judge, one.pairs, one.agreed) for one in found.judges] == [
        ("exact", 1, 1),
        ("local model", 1, 0),
    ]


def test_labels_that_contradict_each_other_are_counted_and_the_person_is_believed():
    found = agreements([(says("exact", "good"), says("person", "good"), says("caller", "missed"))])
    assert (found.labelled, found.contradictions) == (1, 1)
    assert found.judges[0].agreed == 1


def test_errors_that_go_to_the_longer_answer_show_a_bias():
    errors = told(*[(False, True)] * 10, longer=True)
    (biased,) = agreement(errors)
    assert (biased.errors_for_longer, biased.errors_with_longer, biased.prefers_longer) == (10, 10, True)
    (even,) = agreement([*errors[:5], *told(*[(False, True)] * 5, longer=False)])
    assert not even.prefers_longer
    (right,) = agreement(told(*[(True, True)] * 10, longer=True))
    assert not right.prefers_longer, "to prefer the longer answer where it is better is no error"


def seen(good, bad, unclear=0):
    """A judge that is right of so many of so many good answers, and of bad ones."""
    (right, of), (right_bad, of_bad) = good, bad
    pairs = [(True, True)] * right + [(True, False)] * (of - right)
    pairs += [(False, False)] * right_bad + [(False, True)] * (of_bad - right_bad)
    (found,) = agreement(told(*pairs, *[(True, None)] * unclear))
    return found


def test_who_calls_everything_good_has_no_skill_however_often_it_agrees():
    flattered = seen((90, 90), (0, 10))
    assert flattered.rate == 0.9
    assert skill(flattered).expected == 0
    assert skill(seen((30, 30), (30, 30))).expected == 1
    assert skill(seen((3, 3), (0, 0))) is None, "of one kind alone nothing is known"


@pytest.mark.parametrize(
    ("good", "bad", "trusted"),
    [
        ((26, 30), (26, 30), True),
        ((25, 30), (24, 30), False),  # 82 % right, and that may be luck
        ((30, 30), (20, 30), False),
        ((90, 90), (0, 10), False),
        ((3, 3), (3, 3), False),
        ((8, 8), (8, 8), True),
        ((0, 0), (30, 30), False),
    ],
)
def test_trust_takes_both_rates_and_enough_pairs(good, bad, trusted):
    assert trust(seen(good, bad, unclear=5)).trusted is trusted


def test_labels_take_trust_away_only_where_there_are_enough_of_either_kind():
    able = seen((29, 30), (29, 30))
    assert trust(able, seen((0, 9), (0, 40))).trusted
    assert not trust(able, seen((5, 10), (5, 10))).trusted
    assert trust(able, seen((8, 10), (8, 10))).trusted
    assert not trust(seen((5, 10), (5, 10)), seen((10, 10), (10, 10))).trusted, "labels do not grant it"
