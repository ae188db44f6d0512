"""Judging a week, and its faces for programs and for chats."""

import json

import pytest
from msgspec.structs import replace
from report_samples import USERS_WEEK, WEEK

from headgate.reports.facts import TaskFacts
from headgate.reports.intervals import wilson
from headgate.reports.markdown import markdown
from headgate.reports.plain import plain
from headgate.reports.weekly import weekly


def flagged(tried, failed, **how):
    task = TaskFacts(task="code", requests=tried, tried_locally=tried, failed_locally=failed)
    return weekly(WEEK, replace(USERS_WEEK, tasks=(task,)), **how).tasks[0].failing


def test_a_task_is_flagged_when_more_than_a_tenth_of_its_local_answers_failed():
    assert flagged(1_000, 101)
    assert not flagged(1_000, 100)


def test_a_task_is_not_flagged_on_fewer_than_thirty_requests():
    assert not flagged(29, 29)
    assert flagged(30, 4)


def test_the_limit_and_the_least_number_are_the_users_to_set():
    assert flagged(10, 3, at_least=10)
    assert not flagged(1_000, 150, warn_over=0.20)


def test_every_flag_is_a_warning_with_its_figures():
    report = weekly(WEEK, USERS_WEEK)
    assert [warning.partition(":")[0] for warning in report.warnings] == ["code", "classification"]
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
    assert data["fallbacks"]["reasons"][0] == {"reason": "token count", "limit": 4000, "requests": 2_841}
    assert data["tasks"][1]["failing"] is True


def test_unnecessary_fallbacks_are_null_until_they_are_measured():
    assert plain(weekly(WEEK, replace(USERS_WEEK, audits=())))["fallbacks"]["unnecessary"] is None


def test_the_markdown_face_says_the_same_and_no_name_is_taken_for_markup():
    odd = replace(USERS_WEEK.served[0], shown="a|b (Ollama) [stand-in]")
    report = markdown(weekly(WEEK, replace(USERS_WEEK, served=(odd, *USERS_WEEK.served[1:]))))
    assert "| a\\|b (Ollama) \\[stand-in] | 6,412 |" in report
    assert "Savings this week: **$932.64** (76.5% of the baseline)" in report
    assert "**12.6%, over 10%**" in report
    rows = [line for line in report.splitlines() if line.startswith("|")]
    assert all(row.endswith(" |") for row in rows)


def test_a_week_under_two_baselines_names_both():
    notes = weekly(WEEK, replace(USERS_WEEK, baselines={"GPT-4o": 15_000, "gpt-5": 238})).notes
    assert any("GPT-4o (15,000), gpt-5 (238)" in note for note in notes)
