"""What audits of some requests say of all of them, case by case; whether the ends are right is `test_estimates_coverage`."""

import pytest
from msgspec.structs import replace

from headgate.core.audits import Finding
from headgate.core.estimates import estimate
from headgate.core.judge_errors import Confusion, Group, Verdicts
from headgate.core.shares import share_ends
from headgate.core.strata import Population, weigh


def found(
    verdicts,
    *,
    probability=0.1,
    route="long",
    task="qa",
    cause="json",
    cost=0.02,
    judge="label",
    kind="fallback",
    judged=None,
):
    return [
        Finding(
            request=n,
            kind=kind,
            verdict=verdict,
            judge="person" if judged else judge,
            judged=judged,
            judged_by=judge if judged else "",
            probability=probability,
            route=route,
            task=task,
            cause=cause,
            cost=cost,
        )
        for n, verdict in enumerate(verdicts)
    ]


def of(requests, *, route="long", task="qa", cost=2.0, kind="fallback"):
    return Population(kind=kind, route=route, task=task, requests=requests, cost=cost)


def test_each_finding_stands_for_as_many_requests_as_its_chance_says():
    findings = [
        *found(["unnecessary"] * 10, probability=0.1),
        *found(["necessary"] * 10, probability=0.5),
    ]
    made = estimate(findings, [of(120)], "fallback").all
    assert made.number.expected == pytest.approx(100)
    assert made.dollars.expected == pytest.approx(2.0 * 100 / 120)
    assert (made.judged, made.unclear, made.found, made.whole) == (20, 0, 10, False)
    assert made.number.low < 85
    assert 110 < made.number.high <= 120


def test_what_was_audited_whole_is_counted_and_has_no_ends():
    findings = found(["unnecessary"] * 3 + ["necessary"] * 7, probability=None)
    made = estimate(findings, [of(10, cost=0.2)], "fallback").all
    assert made.whole
    assert (made.number.low, made.number.expected, made.number.high) == (3, 3, 3)
    assert made.dollars.low == made.dollars.high == pytest.approx(0.06)


def test_what_nobody_chose_by_chance_speaks_for_no_other_request():
    made = estimate(found(["unnecessary"] * 4, probability=None), [of(50)], "fallback").all
    assert (made.number, made.dollars, made.found, made.judged) == (None, None, 4, 4)


def test_a_callers_word_speaks_for_no_other_request_either_though_the_request_was_chosen():
    complaints = found(["missed"] * 5, judge="caller", kind="local", cost=None)
    checked = found(["good"] * 20, kind="local", cost=None)
    made = estimate([*complaints, *checked], [of(205, kind="local")], "local").all
    assert made.number.low == made.number.expected == 5
    assert 5 < made.number.high < 45


def test_without_any_audit_nothing_is_estimated():
    made = estimate([], [of(50)], "fallback")
    assert made.all.number is None
    assert made.all.requests == 50
    assert made.by_cause == {}


def test_findings_of_the_other_kind_are_passed_over():
    made = estimate(found(["good", "missed"], kind="local"), [of(50)], "fallback")
    assert made.all.number is None
    assert made.all.judged == 0


def test_unclear_findings_are_told_with_what_they_could_change():
    findings = found(["unnecessary"] * 5 + ["necessary"] * 5 + ["unclear"] * 10)
    made = estimate(findings, [of(200)], "fallback").all
    assert (made.judged, made.unclear) == (10, 10)
    assert made.number.expected == pytest.approx(100)
    assert made.if_unclear == (pytest.approx(50), pytest.approx(150))


def test_small_strata_are_put_together_and_nothing_is_left_out():
    findings, populations = [], []
    for task in ("qa", "code", "chat", "summarization"):
        findings += found(["unnecessary", "necessary", "necessary"], task=task)
        populations.append(of(30, task=task, cost=0.6))
    populations.append(of(40, task="writing", cost=0.8))
    made = estimate(findings, populations, "fallback")
    assert made.all.number.expected == pytest.approx(160 / 3)
    assert made.by_stratum["long", "qa"].number.expected == pytest.approx(10)
    assert made.by_stratum["long", "writing"].number is None
    weights = weigh(findings, populations, "fallback")
    assert sum(one.weight for one in weights) == pytest.approx(160)


def test_a_large_stratum_weighs_by_its_requests_and_not_by_its_findings():
    findings = [*found(["unnecessary"] * 20, task="qa"), *found(["necessary"] * 20, task="code")]
    made = estimate(findings, [of(900, task="qa"), of(100, task="code")], "fallback").all
    assert made.number.expected == pytest.approx(900)


def test_causes_add_up_to_all_of_it():
    findings = [
        *found(["unnecessary"] * 6 + ["necessary"] * 4, cause="json"),
        *found(["unnecessary"] * 1 + ["necessary"] * 9, cause="token count"),
    ]
    made = estimate(findings, [of(200)], "fallback")
    assert list(made.by_cause) == ["json", "token count"]
    assert made.by_cause["json"].number.expected == pytest.approx(60)
    assert made.by_cause["json"].requests == 100
    assert sum(cause.number.expected for cause in made.by_cause.values()) == pytest.approx(
        made.all.number.expected
    )


def test_none_seen_is_not_none_for_sure():
    made = estimate(found(["necessary"] * 20), [of(200)], "fallback").all
    assert made.number.expected == made.number.low == 0
    assert 10 < made.number.high < 40


def test_the_more_of_all_requests_were_audited_the_surer_it_is():
    verdicts = ["unnecessary"] * 20 + ["necessary"] * 20
    widths = [
        (made := estimate(found(verdicts, probability=p), [of(round(40 / p))], "fallback").all).number.high
        / made.requests
        - made.number.low / made.requests
        for p in (0.1, 0.5, 0.8, 1.0)
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0


def labelled(*, good, called_good, bad, called_bad):
    """What labels say of a judge all of whose verdicts have one."""
    said_good, said_bad = called_good + bad - called_bad, called_bad + good - called_good
    return Confusion(
        (Group(Verdicts(said_good, said_good, called_good), Verdicts(said_bad, said_bad, called_bad)),)
    )


def test_a_judge_with_few_labels_or_no_better_than_chance_is_believed_as_it_is():
    findings, all_of_them = found(["unnecessary"] * 10 + ["necessary"] * 10), [of(200)]
    plain = estimate(findings, all_of_them, "fallback").all
    few = labelled(good=40, called_good=40, bad=4, called_bad=4)
    guessing = labelled(good=50, called_good=30, bad=50, called_bad=30)
    for confusion in (few, guessing):
        assert estimate(findings, all_of_them, "fallback", {"label": confusion}).all == plain
    known = labelled(good=400, called_good=360, bad=400, called_bad=400)
    corrected = estimate(findings, all_of_them, "fallback", {"label": known}).all
    assert corrected.number.expected == pytest.approx(100 / 0.9, rel=0.01)
    assert corrected.number.high - corrected.number.low > plain.number.high - plain.number.low


def test_an_error_is_taken_out_of_the_cause_that_it_was_made_in_and_of_no_other():
    findings = [
        *found(["unnecessary"] * 20 + ["necessary"] * 20, cause="json"),
        *found(["necessary"] * 40, cause="length"),
    ]
    errors = {"label": labelled(good=400, called_good=360, bad=400, called_bad=380)}
    made = estimate(findings, [of(800)], "fallback", errors).by_cause
    json = made["json"].number.expected
    assert json == pytest.approx(400 * (0.5 - 0.05) / (0.9 + 0.95 - 1), rel=0.02)
    assert made["length"].number.expected == 0, "there are no fewer than none"


def test_labels_that_a_person_was_asked_for_where_a_judge_found_something_do_not_move_the_estimate():
    """Half of what a judge calls missed is not; a person has looked at all of that, and at a tenth of the rest."""
    groups = (
        Group(good=Verdicts(900, 90, 90), bad=Verdicts(100, 100, 50)),
        Group(good=Verdicts(1_000, 50, 45), bad=Verdicts(1_000, 50, 50)),
    )
    errors, all_of_them = {"label": Confusion(groups)}, [of(10_000, kind="local")]
    nobody = found(["missed"] * 100 + ["good"] * 900, kind="local")
    somebody = [
        *found(["missed"] * 50 + ["good"] * 50, kind="local", judged="missed"),
        *found(["good"] * 90, kind="local", judged="good"),
        *found(["good"] * 810, kind="local"),
    ]
    before, after = (estimate(one, all_of_them, "local", errors).all.number for one in (nobody, somebody))
    assert 480 < before.expected < 620
    assert after.expected == pytest.approx(before.expected, rel=0.03)


def test_what_callers_say_of_one_verdict_does_not_let_labels_of_the_other_count_more():
    """Every third good verdict is confirmed by its caller; half of the bad ones are wrong, and a person has seen forty of a hundred."""
    known = {"facts": Confusion((Group(Verdicts(900, 60, 60), Verdicts(100, 100, 50)),))}
    seen = found(["good"] * 20 + ["missed"] * 20, judge="facts", kind="local", judged="missed")
    said = found(["good"] * 600 + ["missed"] * 60, judge="facts", kind="local")
    praise = found(["good"] * 300, judge="facts", kind="local", judged="good")
    praise = [replace(one, judge="caller") for one in praise]
    made = estimate([*seen, *said, *praise], [of(1_000, kind="local")], "local", known).all
    unlabelled = found(["good"] * 600 + ["missed"] * 100, judge="facts", kind="local")
    same = estimate([*unlabelled, *praise], [of(1_000, kind="local")], "local", known).all
    assert made.number.expected == pytest.approx(same.number.expected)


def test_where_a_person_has_judged_all_only_his_word_counts():
    errors = {"label": labelled(good=30, called_good=25, bad=30, called_bad=25)}
    findings = [
        *found(["unnecessary"] * 10, judged="necessary"),
        *found(["necessary"] * 30, judged="unnecessary"),
    ]
    made = estimate(findings, [of(400)], "fallback", errors).all.number
    assert made.expected == pytest.approx(100)
    assert made == estimate(findings, [of(400)], "fallback").all.number


def test_ends_of_a_share_are_those_of_beta_distributions():
    assert share_ends(0.0, 20)[0] == 0.0
    assert share_ends(0.0, 20)[1] == pytest.approx(0.144356198, abs=1e-6)
    assert share_ends(0.3, 10) == (pytest.approx(0.079334471, abs=1e-6), pytest.approx(0.629498131, abs=1e-6))
    assert share_ends(0.4, float("inf")) == (0.4, 0.4)
    assert share_ends(0.4, 0) == (0.0, 1.0)
