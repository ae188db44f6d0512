"""Verdicts count for what they are worth: a judge's known errors are taken out, and what is not known of them is in the bound, once."""

from random import Random
from statistics import fmean

import pytest
from msgspec.structs import replace

from headgate.core.audits import Opinion
from headgate.core.judge_errors import Errors, Tally, errors_by_judge
from headgate.core.losses import BELIEVED, Evidence, Side, expected_losses, least_lost, most_lost
from headgate.core.past import Found

SURE = Errors(hit=0.93, miss=0.97, hit_variance=0.0, miss_variance=0.0)
LABELLED = Errors(hit=0.93, miss=0.97, hit_variance=0.002, miss_variance=0.0001)
MANY = Evidence(audits=1e9)
"""So much evidence that only the judge is in doubt."""


def side(bad, good, errors, judge="local model", found=()):
    """Ten times as many requests as audits, of which a judge has called some bad and others good."""
    kept = Side("local")
    audits = [
        (
            Found(
                **{"model": "small", "good": said, "judge": judge, "judged": said, **dict(found)},
                audits=many,
                speaks_for=9 * many,
                squares=81 * many,
            ),
            True,
        )
        for said, many in ((False, bad), (True, good))
    ]
    kept.add(10 * (bad + good), "qa", audits, errors)
    return kept


def test_a_judge_that_calls_good_answers_bad_does_not_make_them_bad():
    """Of 10,000 answers 200 are bad; a judge calls 186 of them bad, and 294 of the good ones."""
    errors = {"local model": SURE}
    one = [side(48, 952, errors)]
    assert expected_losses(one, errors) == pytest.approx(200)
    assert expected_losses([side(48, 952, BELIEVED)], BELIEVED) == 480
    assert least_lost(one, errors, 0.05) < 200 < most_lost(one, errors, 0.05) < 350


def test_what_is_taken_out_stretches_what_is_not_audited():
    errors = {"local model": Errors(hit=0.75, miss=0.75, hit_variance=0.0, miss_variance=0.0)}
    one, word = [side(300, 700, errors)], [side(300, 700, BELIEVED)]
    slack = most_lost(one, errors, 0.05) - expected_losses(one, errors)
    assert slack == pytest.approx(2 * (most_lost(word, BELIEVED, 0.05) - 3000))


def test_what_is_not_audited_is_stretched_by_the_errors_of_those_judges_that_called_answers_bad():
    """Most verdicts are another's, whose errors are none: that does not make these surer."""
    errors = {"local model": Errors(hit=0.75, miss=0.75, hit_variance=0.0, miss_variance=0.0)}
    errors["label"] = Errors(hit=1.0, miss=1.0, hit_variance=0.0, miss_variance=0.0)
    slack = []
    for told in (errors, BELIEVED):
        both = side(0, 900, told, "label")
        both.take(side(30, 70, told))
        slack.append(most_lost([both], told, 0.05) - expected_losses([both], told))
    assert 1.9 < slack[0] / slack[1] < 2


def unasked(good, audits):
    return Found(model="small", good=good, audits=audits, by_chance=False), True


def test_what_nobody_chose_by_chance_stands_for_itself_alone():
    told = Side("local")
    told.add(1_500, "qa", [unasked(True, 480), unasked(False, 20)], BELIEVED)
    assert [of([told], BELIEVED, 0.05) for of in (least_lost, most_lost)] == [20, 1_020]
    told.take(side(5, 95, BELIEVED))
    alone = most_lost([side(5, 95, BELIEVED)], BELIEVED, 0.05)
    assert expected_losses([told], BELIEVED) == pytest.approx(20 + 0.05 * 2_000)
    assert most_lost([told], BELIEVED, 0.05) == pytest.approx(20 + 2 * alone)


def test_of_what_nothing_is_known_may_all_be_lost_on_every_side():
    """That is no matter of chance, which would seldom be against it on two sides."""
    stays, comes, known = Side("local"), Side("fallback"), side(5, 95, BELIEVED)
    stays.add(1_000, "qa", (), BELIEVED)
    comes.add(1_000, "code", (), BELIEVED)
    assert most_lost([stays, comes], BELIEVED, 0.05) == 2_000
    both = most_lost([stays, known], BELIEVED, 0.05)
    assert both == pytest.approx(1_000 + most_lost([known], BELIEVED, 0.05))


def test_a_task_of_which_only_callers_have_spoken_may_be_lost():
    told = side(0, 100, BELIEVED)
    told.add(500, "code", [unasked(True, 50)], BELIEVED)
    assert most_lost([told], BELIEVED, 0.05) > 450


def test_the_doubt_in_a_judge_counts_once_on_however_many_sides_it_has_judged():
    """Were it as independent as audits are, two halves would leave less doubt than the whole."""
    errors = {"local model": LABELLED, "facts": LABELLED}

    def doubt(*sides):
        return most_lost(sides, errors, 0.05, MANY) - expected_losses(sides, errors)

    whole = doubt(side(48, 952, errors))
    assert doubt(side(24, 476, errors), side(24, 476, errors)) == pytest.approx(whole, rel=1e-3)
    assert doubt(side(24, 476, errors), side(24, 476, errors, "facts")) == pytest.approx(
        whole / 2**0.5, rel=1e-3
    )


def test_more_audits_do_not_make_a_judge_surer():
    errors = {"local model": LABELLED}
    one = [side(48, 952, errors)]
    slack = [most_lost(one, errors, 0.05, Evidence(many)) - 200 for many in (1, 100, 1e9)]
    assert slack[0] > slack[1] > slack[2] > 150


def test_a_judge_of_which_little_is_known_is_not_believed_much_less_than_at_its_word():
    """No judge is righter about good answers than always."""
    errors = {"local model": Errors(hit=0.95, miss=0.97, hit_variance=0.0001, miss_variance=0.04)}
    unsure = most_lost([side(48, 952, errors)], errors, 0.05, MANY)
    assert unsure < 1.1 * most_lost([side(48, 952, BELIEVED)], BELIEVED, 0.05, MANY)


def test_a_judge_that_is_hardly_better_than_chance_has_said_nothing():
    """It sees four of ten bad answers: at its word less than half of what is lost would be."""
    blind = {"local model": Errors(hit=0.4, miss=0.98, hit_variance=0.0, miss_variance=0.0)}
    assert most_lost([side(40, 960, blind)], blind, 0.05) == 10_000
    other = side(40, 960, blind)
    other.take(side(0, 2_000, blind, "exact"))
    assert expected_losses([other], blind) == 0
    assert other.audits == 2_000


def test_a_judge_that_may_overlook_all_that_is_bad_leaves_nothing_sure():
    errors = {"local model": Errors(hit=0.6, miss=0.97, hit_variance=0.2, miss_variance=0.0)}
    assert most_lost([side(48, 952, errors)], errors, 0.05) >= 9_500


def test_rates_that_are_off_together_are_not_counted_as_if_they_were_not():
    alone = {"local model": LABELLED}
    joint = {"local model": replace(LABELLED, covariance=-((0.002 * 0.0001) ** 0.5))}
    one = [side(48, 952, alone)]
    assert most_lost(one, joint, 0.05, MANY) > most_lost(one, alone, 0.05, MANY)


def week_of(chance, kind, many, share):
    """Audits of some answers, of which so many are bad: whether each is, and is called so by a judge that errs in 3 % of the good ones and 7 % of the bad."""
    found = []
    for _ in range(many):
        bad = chance.random() < share
        found.append((kind, bad, bad != (chance.random() < (0.07 if bad else 0.03))))
    return found


VERDICTS = {"local": {True: "missed", False: "good"}, "fallback": {True: "necessary", False: "unnecessary"}}


def errors_told_by(weeks, labels):
    """What is known of the judge by so many labels of each verdict."""
    tally, left = Tally(), dict.fromkeys(["missed", "good", "necessary", "unnecessary"], labels)
    for kind, bad, called_bad in weeks:
        said, truth = VERDICTS[kind][called_bad], VERDICTS[kind][bad]
        left[said] -= 1
        label = Opinion(verdict=truth, judge="person") if left[said] >= 0 else None
        tally.add(Opinion(verdict=said, judge="local model"), label)
    return errors_by_judge(tally.confusions, "local")


@pytest.mark.parametrize("older", [0, 2_400])
def test_what_a_judge_has_called_bad_by_chance_is_in_doubt_once(older):
    """Its false alarms make its verdicts vary, and what is thought of it in the same direction: half of these are taken out again."""
    chance, off, slack, above = Random(3), [], [], 0
    for _ in range(200):
        latest = week_of(chance, "local", 2_400, 0.014)
        others = week_of(chance, "local", older, 0.014) + week_of(chance, "fallback", 1_200, 0.45)
        told = others + latest
        chance.shuffle(told)
        errors = errors_told_by(told, 48)
        called_bad = sum(said for _, _, said in latest)
        one, truth = [side(called_bad, 2_400 - called_bad, errors)], 0.014 * 24_000
        expected, most = expected_losses(one, errors), most_lost(one, errors, 0.05)
        off.append((expected - truth) ** 2)
        slack.append(most - expected)
        above += truth > most
        assert least_lost(one, errors, 0.05) <= expected <= most
    assert above <= 0.07 * len(off), "one in twenty, and what chance makes of that in 200"
    assert fmean(slack) < 2.2 * fmean(off) ** 0.5, "1.64 would do for a normal distribution"


def test_where_a_judge_can_err_no_less_a_surer_bound_takes_no_more_out():
    """No alarm is false any more well before either bound: what both doubts have in common has come to its end there."""
    errors = Errors(hit=0.9, miss=0.985, hit_variance=1e-4, miss_variance=4e-4)
    apart, common = (
        {"local model": errors},
        {"local model": replace(errors, influence={"local": (0.0, -1 / 2_400)})},
    )
    one = [side(60, 2_340, apart)]
    expected = expected_losses(one, apart)
    taken_out = [
        (most_lost(one, apart, error) - expected) ** 2 - (most_lost(one, common, error) - expected) ** 2
        for error in (0.005, 0.0005)
    ]
    assert taken_out[0] > 0
    assert taken_out[1] == pytest.approx(taken_out[0])


def test_a_label_is_the_truth_only_where_its_judge_is_not_known():
    """People look at bad verdicts more often: were these put right and the others corrected, too many bad ones would be taken out."""
    errors = {"local model": SURE}
    assert expected_losses([side(48, 952, errors, found={"good": True})], errors) == pytest.approx(200)
    assert expected_losses([side(48, 952, BELIEVED, found={"good": True})], BELIEVED) == 0
    assert expected_losses([side(48, 952, errors, judge="", found={"judged": None})], errors) == 480
