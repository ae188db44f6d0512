"""Judging a week, and its faces for programs and for chats."""

import csv
import io
import json
import re
from email import message_from_string
from email.policy import default as default_policy
from itertools import pairwise
from pathlib import Path

import jsonschema_rs
import pytest
from msgspec.structs import replace
from report_samples import (
    KNOWN_COSTS,
    NOT_AUDITED,
    POLICY,
    USERS_OWN_WEEK,
    USERS_WEEK,
    WEEK,
    audits_of,
    served,
)

from headgate.core.intervals import wilson
from headgate.core.judge_errors import Confusion, Group, Verdicts
from headgate.core.judges.agreement import Agreement
from headgate.reports.faces import ENDINGS, face
from headgate.reports.facts import TaskFacts, WeeklyFacts
from headgate.reports.mail import letter
from headgate.reports.markdown import markdown
from headgate.reports.plain import plain, schema
from headgate.reports.savings import Money
from headgate.reports.table import table
from headgate.reports.text import text
from headgate.reports.weekly import weekly
from headgate.reports.worth import worth
from schemas import told

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


def judged(tried, failed, **how):
    task = TaskFacts(task="code", requests=tried, tried_locally=tried, failed_locally=failed)
    return weekly(WEEK, replace(USERS_WEEK, tasks=(task,)), **how).tasks


@pytest.mark.parametrize(
    ("tried", "failed", "flag"),
    [
        (1_000, 100, None),  # not above a tenth
        (1_000, 101, "maybe"),  # above it, as luck would have it: the interval begins at 8.4 %
        (1_000, 121, "over"),  # the interval begins at 10.2 %
        (30, 4, "maybe"),
        (30, 9, "over"),
        (29, 29, "few"),
        (0, 0, None),
    ],
)
def test_a_task_is_flagged_only_as_far_as_its_interval_and_its_number_support_it(tried, failed, flag):
    (line,) = judged(tried, failed)
    assert (line.flag, line.failing) == (flag, flag == "over")


def test_the_limit_and_the_least_number_are_the_users_to_set():
    assert judged(10, 7, at_least=10)[0].failing
    assert not judged(1_000, 150, warn_over=0.20)[0].flag


def test_every_flag_is_a_warning_with_its_figures():
    report = weekly(WEEK, USERS_WEEK)
    assert [warning.partition(":")[0] for warning in report.warnings] == ["code"]
    assert "366 of 2,900" in report.warnings[0]


def test_a_task_that_never_ran_locally_has_no_rate():
    reasoning = next(line for line in weekly(WEEK, USERS_WEEK).tasks if line.facts.task == "reasoning")
    assert (reasoning.rate, reasoning.interval, reasoning.failing) == (None, None, False)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 10, 0.0179, 0.4042), (50, 100, 0.4038, 0.5962)],
)
def test_wilsons_interval_is_that_of_the_textbook(hits, total, low, high):
    assert wilson(hits, total) == pytest.approx((low, high), abs=1e-4)


def test_of_nothing_there_is_no_interval():
    assert wilson(0, 0) is None


def test_the_json_face_holds_the_users_figures_and_survives_a_round_trip():
    data = json.loads(json.dumps(plain(weekly(WEEK, USERS_WEEK))))
    assert data["week"] == "2025-W42"
    assert data["requests"] == 15_238
    assert [model["requests"] for model in data["models"]] == [6_412, 2_187, 2_534, 4_105]
    assert data["savings"]["saved"] == pytest.approx(932.64)
    assert data["savings"]["share"] == pytest.approx(0.765, abs=5e-4)
    assert data["fallbacks"]["triggered"] == 4_105
    assert data["fallbacks"]["reasons"][0] == {
        "reason": "token count",
        "limit": 4000,
        "requests": 2_841,
        "cost": 198.21,
    }
    assert [task["flag"] for task in data["tasks"]] == [None, "over", "maybe", None, "few"]
    assert data["tasks"][1]["failing"] is True


def test_unnecessary_fallbacks_are_null_until_they_are_measured():
    assert plain(weekly(WEEK, replace(USERS_WEEK, **NOT_AUDITED)))["fallbacks"]["unnecessary"] is None


def test_the_markdown_face_says_the_same_and_no_name_is_taken_for_markup():
    odd = replace(USERS_WEEK.served[0], shown="a|b (Ollama) [stand-in]")
    report = markdown(weekly(WEEK, replace(USERS_WEEK, served=(odd, *USERS_WEEK.served[1:]))))
    assert "| a\\|b (Ollama) \\[stand-in] | 6,412 |" in report
    assert "Savings this week: **$932.64** (76.5% of the baseline)" in report
    assert "**12.6%, over 10%** | 11.5% - 13.9%" in report
    rows = [line for line in report.splitlines() if line.startswith("|")]
    assert all(row.endswith(" |") for row in rows)


def test_a_week_under_two_baselines_names_both():
    notes = weekly(WEEK, replace(USERS_WEEK, baselines={"GPT-4o": 15_000, "gpt-5": 238})).notes
    assert any("GPT-4o (15,000), gpt-5 (238)" in note for note in notes)


def audited(*numbers, **how):
    return weekly(WEEK, replace(USERS_WEEK, **audits_of(*numbers, **how)))


def test_unnecessary_fallbacks_are_counted_where_each_was_audited():
    report = audited(328, 3_777, probability=None)
    assert (report.unnecessary.whole, report.unnecessary.number) == (True, 328)
    assert "  Unnecessary:      328 (8.0% of fallbacks)" in text(report)


def test_from_a_sample_unnecessary_fallbacks_are_an_estimate_with_its_interval_its_size_and_its_judge():
    report = audited(16, 184, unclear=10)
    assert (report.unnecessary.whole, report.unnecessary.number) == (False, 328)
    assert "  Unnecessary:      about 328 (8.0% of fallbacks; 197 to 509)" in text(report)
    note = report.notes[0]
    assert "16 of 200 judged, 95% interval 4.8% to 12.4%" in note
    assert "210 of 4,105 audited, 10 of them unclear, by gpt-5." in note
    assert plain(report)["fallbacks"]["audit"]["interval"] == pytest.approx([0.0481, 0.1239], abs=1e-3)


def test_audits_of_local_answers_say_nothing_of_fallbacks():
    assert audited(0, 0, good=40).unnecessary is None
    assert audited(0, 0, unclear=7).unnecessary is None


def test_what_nobody_chose_by_chance_is_no_estimate_and_that_is_said():
    report = audited(3, 5, probability=None)
    assert report.unnecessary is None
    assert "3 of 8 audited, not chosen by chance: they tell nothing of the others" in text(report)


def test_the_report_says_how_many_of_how_many_at_what_cost_and_by_which_check():
    report = audited(16, 184, good=95, missed=5)
    for shown in (text(report), markdown(report)):
        assert "about 328 (197 to 509) of 4,105 fallbacks, $22.91" in shown
        assert "by json" in shown
        assert "about 557 (" in shown
        assert "of 11,133 local answers" in shown
        assert "gpt-5 (no labels yet)" in shown
        assert "The check json alone, at each threshold (300 judged answers)" in shown
    found = plain(report)["audited"]
    assert found["fallbacks"]["by_cause"][0]["cause"] == "json"
    assert found["fallbacks"]["by_stratum"][0]["task"] == "summarization"
    assert found["local"]["all"]["found"] == 5
    points = found["curves"][0]["points"]
    assert [point["pass_at"] for point in points] == pytest.approx([step / 10 for step in range(11)])
    assert points[0]["dollars"] == 0
    assert points[0]["at_home"] == pytest.approx(15_238)
    for one, next_ in pairwise(points):
        assert one["dollars"] <= next_["dollars"]
        assert one["failures"]["expected"] >= next_["failures"]["expected"]


def agreed(judge, good, false_bad, bad, false_good):
    pairs = good + bad
    agreed = pairs - false_bad - false_good
    return Agreement(
        judge=judge,
        by="gpt-5",
        pairs=pairs,
        unclear=0,
        good=good,
        agreed=agreed,
        rate=agreed / pairs,
        low=0.8,
        high=0.99,
        kappa=0.8,
        false_good=false_good,
        false_bad=false_bad,
    )


def test_known_errors_of_a_judge_are_taken_out_and_that_is_said():
    facts = replace(
        USERS_WEEK,
        **audits_of(400, 1_600, judge="cloud model"),
        agreement=(agreed("cloud model", 50, 5, 50, 2),),
        confusions={"cloud model": Confusion((Group(Verdicts(47, 47, 45), Verdicts(53, 53, 48)),))},
    )
    report = weekly(WEEK, facts)
    assert report.unnecessary.number == pytest.approx(4_105 * (0.2 - 0.04) / (0.9 + 0.96 - 1), rel=0.02)
    assert (
        "cloud model (93.0% of 100 labels) corrected known errors of cloud model are taken out"
        in " ".join(text(report).split())
    )


def test_what_audits_found_stands_in_lines_that_can_be_read():
    facts = replace(USERS_WEEK, **audits_of(400, 1_600, judge="cloud model"))
    many = tuple(agreed(f"judge number {n} with a long name", 50, 5, 50, 2) for n in range(9))
    report = weekly(WEEK, facts)
    found = replace(report.audited, judges=tuple(one.judge for one in many))
    lines = text(replace(report, audited=found)).splitlines()
    begin = lines.index("WHAT AUDITS FOUND")
    shown = lines[begin : lines.index("", begin)]
    assert sum("judge number" in line for line in shown) > 3
    assert max(map(len, shown)) < 120


def test_where_nothing_is_audited_the_report_says_what_to_do_first():
    shown = text(weekly(WEEK, replace(USERS_WEEK, **NOT_AUDITED)))
    assert "  Nothing is audited yet  [audit] sample = 0.03" in shown
    assert "judges about 100 of 4,105 fallbacks; 100 tell a share to 10 points" in shown
    assert "[audit] local_sample, paid_per_week" in shown


@pytest.mark.parametrize("facts", [USERS_WEEK, KNOWN_COSTS, WeeklyFacts(since=0.0, until=1.0)])
def test_every_report_fits_the_schema_that_the_docs_show(facts):
    shown = json.loads(json.dumps(plain(weekly(USERS_OWN_WEEK, facts, policy=POLICY))))
    shipped = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema_rs.validator_for(shipped).validate(shown)


def test_the_schema_that_the_docs_show_is_the_codes_own():
    shipped = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert told(shipped) == told(json.loads(json.dumps(schema()))), "run scripts/report_schema.py --write"


def test_a_field_of_another_kind_does_not_fit_the_schema():
    shown = plain(weekly(WEEK, USERS_WEEK)) | {"requests": "many"}
    assert not jsonschema_rs.validator_for(schema()).is_valid(shown)


def test_the_table_has_every_request_once_and_opens_in_a_spreadsheet():
    rows = list(csv.DictReader(io.StringIO(table(weekly(USERS_OWN_WEEK, USERS_WEEK)))))
    assert sum(int(row["requests"]) for row in rows) == 15_238
    assert sum(float(row["cost_usd"]) for row in rows) == pytest.approx(286.40, abs=1e-3)
    assert sum(float(row["baseline_usd"]) for row in rows) == pytest.approx(1_219.04)
    assert {row["place"] for row in rows} == {"home", "paid"}
    assert {row["day"] for row in rows} == {f"2025-10-{day}" for day in range(14, 21)}


def test_no_models_name_is_a_formula_in_a_spreadsheet():
    day = replace(USERS_WEEK.days[0], shown="=HYPERLINK(1)")
    assert ",'=HYPERLINK(1)," in table(weekly(WEEK, replace(USERS_WEEK, days=(day,))))


def test_the_letter_holds_the_text_and_a_page_without_scripts_styles_or_pictures_from_elsewhere():
    report = weekly(USERS_OWN_WEEK, KNOWN_COSTS, policy=POLICY)
    mail = message_from_string(letter(report), policy=default_policy)
    assert mail["Subject"] == "Headgate 2025-W42: $932.64 saved, 15,238 requests, 1 warning"
    assert mail.get_body(("plain",)).get_content() == text(report)
    shown = mail.get_body(("html",)).get_content()
    assert "$932.64" in shown
    assert not re.search(r"<script|<style|<link|<svg|<img|src=|url\(|class=", shown)
    assert letter(report) == letter(report)


@pytest.mark.parametrize("form", ENDINGS)
def test_every_face_of_an_empty_week_and_of_a_single_request_is_whole(form):
    nothing = weekly(WEEK, WeeklyFacts(since=0.0, until=1.0), baseline="GPT-4o")
    one = replace(
        WeeklyFacts(since=0.0, until=1.0),
        requests=1,
        served=(served("llama3.1 (Ollama)", 1, 0.3),),
        tasks=(TaskFacts(task="chat", requests=1, tried_locally=1, failed_locally=0),),
        money=Money(requests=1, baseline=0.002, energy_unknown=1, alternative_unknown=1),
        statuses={"ok": 1},
        baselines={"GPT-4o": 1},
    )
    assert face(nothing, form)
    shown = face(weekly(WEEK, one), form)
    assert shown.endswith("\n")
    assert form == "csv" or "llama3.1 (Ollama)" in shown


def test_what_home_was_worth_says_what_is_not_known_and_what_would_make_it_known():
    shown = {line.label: (line.figure, line.remark) for line in worth(weekly(WEEK, USERS_WEEK))}
    assert shown["Net of energy"] == (
        "not known",
        "set [energy] price_per_kwh, and watts if nothing here measures them",
    )
    assert shown["All in the cheap cloud"][0] == "not known"


def test_what_home_was_worth_says_plainly_when_the_cheap_cloud_would_have_been_cheaper():
    lost = list(worth(weekly(WEEK, KNOWN_COSTS)))[-1]
    assert lost.remark == "on gemini-2.5-flash-lite (API): home lost by $204.34"
    dear = replace(KNOWN_COSTS, money=replace(KNOWN_COSTS.money, alternative=400.0))
    assert "home won by $90.91" in list(worth(weekly(WEEK, dear)))[-1].remark


def test_requests_whose_energy_nobody_knows_are_told_even_where_the_known_ones_drew_nothing():
    money = replace(USERS_WEEK.money, energy_cost=0.0, energy_unknown=11_000)
    report = weekly(WEEK, replace(USERS_WEEK, money=money))
    assert report.savings.net_of_energy is not None
    assert "Energy leaves out 11,000 requests for which it was not measured." in report.notes


def test_who_won_is_not_said_where_requests_that_must_stay_at_home_leave_it_open():
    def shown(**money):
        return list(worth(weekly(WEEK, replace(KNOWN_COSTS, money=replace(KNOWN_COSTS.money, **money)))))[-1]

    open_ = shown(alternative_unknown=9_000)
    assert open_.figure == ">= $104.75"
    assert "who won cannot be said, as 9,000 of 15,238 requests could not go there" in open_.remark
    assert "home won by at least $90.91" in shown(alternative=400.0, alternative_unknown=9_000).remark


def test_energy_that_was_not_measured_is_said_where_the_figure_stands():
    facts = replace(KNOWN_COSTS, money=replace(KNOWN_COSTS.money, energy_unknown=15_000))
    shown = {line.label: (line.figure, line.remark) for line in worth(weekly(WEEK, facts))}
    assert shown["Net of energy"] == ("<= $921.49", ">= $11.15 of energy; 15,000 requests not measured")
    assert shown["Net of energy and hardware"][0] == "<= $909.95"
    told = plain(weekly(WEEK, facts))["savings"]
    assert told["energy_unknown"] == 15_000


def test_notes_do_not_speak_of_a_comparison_where_nothing_could_be_compared():
    facts = replace(USERS_WEEK, money=Money(unknown=15_238))
    assert any(note.endswith("is unknown; none is left to compare.") for note in weekly(WEEK, facts).notes)


def test_names_cannot_write_markdown_of_their_own():
    name = "[x](javascript:1) `a` <img> | b (Ollama)"
    facts = replace(USERS_WEEK, baselines={name: 15_238}, repriced=(name,))
    shown = face(weekly(WEEK, facts), "md")
    assert "[x](" not in shown.replace("\\[x](", "")
    assert "<img>" not in shown
    assert " `a`" not in shown
