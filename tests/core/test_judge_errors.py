"""How judges err, by labels: of which verdicts they are, whoever chose them, and how sure it is."""

from itertools import islice, repeat
from random import Random

import pytest
from msgspec.structs import replace

from headgate.core.alternating import alternating
from headgate.core.audits import Opinion
from headgate.core.judge_errors import Confusion, Group, Verdicts, confusions, errors_by_judge, rates_of


def says(judge, verdict):
    return Opinion(verdict=verdict, judge=judge)


def labelled(judge, verdict, label, by="person"):
    return (says(judge, verdict), says(by, label))


def test_verdicts_are_counted_by_kind_and_by_what_was_said_whether_labelled_or_not():
    found = confusions(
        [
            (says("local model", "good"), says("exact", "unclear")),
            labelled("local model", "good", "missed"),
            labelled("local model", "missed", "missed"),
            labelled("local model", "unnecessary", "unnecessary"),
            (says("person", "good"),),
        ]
    )
    assert list(found) == ["local model"]
    fallbacks, local = found["local model"].groups
    assert (fallbacks.good, fallbacks.bad) == (Verdicts(1, 1, 1), Verdicts())
    assert (local.good, local.bad) == (Verdicts(2, 1, 0), Verdicts(1, 1, 1))
    assert (found["local model"].labelled, found["local model"].right) == (3, 2)


RARE = Confusion(
    (
        Group(good=Verdicts(9_526, 40, 40), bad=Verdicts(474, 47, 18)),
        Group(good=Verdicts(2_140, 50, 45), bad=Verdicts(1_860, 50, 48), source="fallback"),
    )
)
"""3 % of the good answers are called bad and 10 % of the bad ones good; of 10,000 answers from home 200 are bad, of 4,000 others 2,000."""


def test_a_label_stands_for_all_verdicts_that_say_the_same():
    """Among labels, a quarter of the good answers was called bad, since those that were are looked at more often."""
    errors = errors_by_judge({"facts": RARE}, "local")["facts"]
    assert errors.miss == pytest.approx(0.97, abs=0.005)
    assert errors.hit == pytest.approx(0.90, abs=0.015)
    assert 0.002 < errors.miss_variance**0.5 < 0.01
    other = errors_by_judge({"facts": RARE}, "fallback")["facts"]
    assert (other.hit, other.miss) == (errors.miss, errors.hit), "a hit is what the other kind has for none"


def test_verdicts_that_nobody_has_labelled_move_what_is_thought_of_a_judge():
    """With fifty more answers from home that it calls bad more of its alarms are false, and so far as `influence` says."""
    before = errors_by_judge({"facts": RARE}, "local")["facts"]
    local, fallbacks = RARE.groups
    more = replace(local, good=Verdicts(9_476, 40, 40), bad=Verdicts(524, 47, 18))
    after = errors_by_judge({"facts": Confusion((more, fallbacks))}, "local")["facts"]
    hit, miss = before.influence["local"]
    assert 50 * miss == pytest.approx(after.miss - before.miss, rel=0.1)
    assert 50 * hit == pytest.approx(after.hit - before.hit, rel=0.2)
    assert miss == pytest.approx(-29 / 47 / 9_800, rel=0.1), "29 of the 47 that were labelled were good"
    other = errors_by_judge({"facts": RARE}, "fallback")["facts"]
    assert other.influence["local"] == (miss, hit)
    assert abs(before.influence["fallback"][1]) < abs(miss) / 2, (
        "half of those are bad, and tell little of good ones"
    )


def test_where_labels_confirm_hardly_any_alarm_nothing_is_said_of_how_verdicts_move_the_rates():
    """Of twenty alarms that were labelled four were right: by chance it might have been none, and all would seem false."""
    local, fallbacks = RARE.groups
    for right, told in ((4, {"fallback"}), (5, {"local", "fallback"})):
        few = replace(local, bad=Verdicts(474, 20, right))
        errors = errors_by_judge({"facts": Confusion((few, fallbacks))}, "local")["facts"]
        assert set(errors.influence) == told


def test_a_verdict_counts_for_what_is_true_on_average():
    errors = errors_by_judge({"facts": RARE}, "local")["facts"]
    called = {1.0: 474, 0.0: 9_526}
    assert sum(many * errors.corrected(said) for said, many in called.items()) == pytest.approx(200, rel=0.1)


def test_a_judge_that_was_never_seen_to_err_may_err():
    never = Confusion((Group(Verdicts(500, 20, 20), Verdicts(100, 20, 20)),))
    more = Confusion((Group(Verdicts(500, 100, 100), Verdicts(100, 100, 100)),))
    few, many = (errors_by_judge({"label": one}, "fallback")["label"] for one in (never, more))
    assert few.hit < many.hit < 1
    assert few.miss < many.miss < 1
    assert few.hit_variance > many.hit_variance > 0


@pytest.mark.parametrize("labels", [(4, 30), (30, 4), (0, 0)])
def test_labels_of_one_verdict_alone_tell_nothing(labels):
    good, bad = labels
    assert errors_by_judge({"facts": Confusion((Group(Verdicts(90, good, good), Verdicts(90, bad, bad)),))}, "local") == {}  # fmt: skip
    assert errors_by_judge({"facts": Confusion()}, "local") == {}


def test_labels_that_fit_together_in_two_ways_tell_nothing():
    """In one group nearly all that it calls bad is, in the next half of what it calls good is bad, and a third speaks against both."""
    groups = (
        Group(good=Verdicts(142, 3, 0), bad=Verdicts(2_556, 23, 20)),
        Group(good=Verdicts(1_448, 449, 249), bad=Verdicts(10_868, 62, 62)),
        Group(good=Verdicts(16_075, 262, 262), bad=Verdicts(47_939, 0, 0)),
    )
    assert errors_by_judge({"facts": Confusion(groups)}, "local") == {}


def test_what_callers_label_of_their_own_accord_does_not_make_a_judge_look_blind():
    """They speak up where an answer was bad: of those that the judge had called good, too, but of none that is."""
    audited = [(says("facts", "good"),)] * 900 + [(says("facts", "missed"),)] * 60
    audited += [labelled("facts", "good", "good")] * 30 + [labelled("facts", "missed", "missed")] * 30
    complaints = [labelled("facts", "good", "missed", "caller")] * 5
    complaints += [labelled("facts", "missed", "missed", "caller")] * 45
    errors = errors_by_judge(confusions([*audited, *complaints]), "local")["facts"]
    assert errors.hit == pytest.approx(0.9, abs=0.04)
    asked = [labelled("facts", said.verdict, label.verdict) for said, label in complaints]
    blind = errors_by_judge(confusions([*audited, *asked]), "local")["facts"]
    assert blind.hit < 0.7, "had a person been shown these, every seventh good verdict were wrong"


def test_what_is_left_when_callers_have_taken_bad_answers_out_tells_nothing_of_these():
    """Of 100 bad answers a judge sees 80. Of either sort every second is reported, and people see the others."""
    seen = [labelled("facts", "good", "good")] * 900
    for by in ("person", "caller"):
        seen += [labelled("facts", "good", "missed", by)] * 10 + [
            labelled("facts", "missed", "missed", by)
        ] * 40
    assert errors_by_judge(confusions(seen), "local")["facts"].hit == pytest.approx(0.8, abs=0.02)


def test_a_few_labels_of_very_many_verdicts_are_fitted_to_the_end():
    """Of 50,000 answers that it called bad every fourth is good, and of as many others every twentieth is bad: by 20 labels of either."""
    good, bad, *_ = rates_of([Group(good=Verdicts(50_000, 20, 19), bad=Verdicts(50_000, 20, 15))])
    assert good[0] == pytest.approx(0.95 / 1.2, abs=0.025)
    assert bad[0] == pytest.approx(0.75 / 0.8, abs=0.025)


def test_the_rates_lie_as_near_to_the_truth_as_their_variances_say():
    chance, off = Random(8), []
    truth = {False: 0.03, True: 0.08}
    for _ in range(80):
        groups = []
        for many, share in ((3_000, 0.015), (800, 0.5)):
            verdicts = {True: [], False: []}
            for _ in range(many):
                bad = chance.random() < share
                verdicts[bad != (chance.random() < truth[bad])].append(bad)
            good, worse = (
                Verdicts(len(verdicts[said]), 25, sum(bad == said for bad in verdicts[said][:25]))
                for said in (False, True)
            )
            groups.append(Group(good, worse))
        good, bad, *_ = rates_of(groups)
        off += [(good[0] - 0.97) / good[1] ** 0.5, (bad[0] - 0.92) / bad[1] ** 0.5]
    assert sum(abs(one) <= 1.96 for one in off) >= 0.9 * len(off)
    assert sum(one * one for one in off) > 0.6 * len(off), "and they are no wider than they have to be"


def test_verdicts_take_turns_and_missed_ones_have_two_of_three():
    asked = {"good": ["a", "b", "c"], "missed": ["d", "D"], "unclear": ["e", "f"], "necessary": ["g"]}
    assert "".join(alternating(asked)) == "edDgafbc"
    assert list(alternating({})) == []
    many = {verdict: repeat(verdict) for verdict in ("missed", "unnecessary", "necessary", "good")}
    shown = list(islice(alternating(many), 36))
    assert [shown.count(verdict) for verdict in many] == [24, 4, 4, 4]
    assert shown[:3] == ["missed", "unnecessary", "missed"]
