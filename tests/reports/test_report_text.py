"""The text report in the layout it was ordered in."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from report_samples import NOT_AUDITED, POLICY, USERS_OWN_WEEK, USERS_WEEK, WEEK, audits_of, served

from headgate.reports.facts import WeeklyFacts
from headgate.reports.markdown import markdown
from headgate.reports.savings import Money
from headgate.reports.text import text
from headgate.reports.weekly import weekly

GOLDEN = Path(__file__).parents[1] / "data" / "reports" / "routing-report-2025-week-42.log"
EMPTY = WeeklyFacts(since=USERS_WEEK.since, until=USERS_WEEK.until)


def shown(facts=USERS_WEEK, **how):
    return text(weekly(WEEK, facts, **how))


def test_the_users_own_week_looks_as_he_drew_it():
    assert text(weekly(USERS_OWN_WEEK, USERS_WEEK, policy=POLICY)) == GOLDEN.read_text(encoding="utf-8")


def test_the_rules_and_the_columns_of_the_summary_end_at_the_same_place():
    lines = shown().splitlines()
    table = lines[lines.index("") + 1 : lines.index("FALLBACK ANALYSIS") - 1]
    assert {len(line) for line in table if line} == {60}
    bars = [[m.start() for m in re.finditer(r"\|", line)] for line in table if "|" in line]
    assert all(places == bars[0] for places in bars)


def test_a_long_name_widens_its_column_and_the_rules_with_it():
    long = served("a-model-with-a-remarkably-long-name-for-a-column (API)", 1_234_567, 1.0, 1_234_567.89)
    lines = shown(replace(USERS_WEEK, served=(*USERS_WEEK.served, long))).splitlines()
    header = next(line for line in lines if line.startswith("Model"))
    assert lines[lines.index(header) + 1] == "-" * len(header)


def test_what_was_not_measured_is_not_shown_as_zero():
    assert "  Unnecessary:      not measured yet" in shown(replace(USERS_WEEK, **NOT_AUDITED))
    assert "  Unnecessary:      0 (0.0% of fallbacks)" in shown(
        replace(USERS_WEEK, **audits_of(0, 4_105, probability=None))
    )


def test_negative_savings_are_printed_as_such():
    dear = replace(USERS_WEEK, money=Money(requests=15_238, cost=286.40, baseline=200.0))
    assert re.search(r"^Savings this week: +-\$86\.40$", shown(dear), re.MULTILINE)
    assert re.search(r"Cash saved: +-\$86\.40  -43\.2% of the baseline", shown(dear))


def test_a_week_without_requests_has_a_friendly_report_without_empty_tables():
    report = shown(EMPTY, baseline="GPT-4o")
    assert "Total requests:  0" in report
    assert "No requests this week" in report
    assert "Requests lost by the ledger: 0." in report
    assert "|" not in report
    assert "unknown" not in report


def test_an_unknown_cost_is_neither_zero_nor_hidden():
    part = served("claude-sonnet-5-5 (API)", 10, 1.0, 2.5, local=False, unknown=4)
    none = served("mystery (API)", 3, 1.0, 0.0, local=False, unknown=3)
    facts = replace(
        USERS_WEEK,
        requests=13,
        served=(part, none),
        cost=2.5,
        cost_unknown=7,
        money=Money(6, 2.5, 9.0, unknown=7),
    )
    report = shown(facts)
    assert ">= $2.50" in report
    assert re.search(r"mystery \(API\).*unknown", report)
    assert "The cost of 7 requests is unknown and in no sum" in report
    assert "Savings leave out 7 requests" in report


def test_when_no_request_can_be_compared_savings_are_unknown():
    facts = replace(USERS_WEEK, money=Money(unknown=15_238))
    assert re.search(r"^Savings this week: +unknown$", shown(facts), re.MULTILINE)


def test_requests_without_an_answer_are_in_the_total_and_in_a_note():
    facts = replace(USERS_WEEK, requests=15_250, statuses={"ok": 15_238, "failed": 9, "cancelled": 3})
    report = shown(facts)
    assert re.search(r"^TOTAL +\| +15,250 \|", report, re.MULTILINE)
    assert "TOTAL includes 12 requests without an answer" in report
    assert "9 failed; 3 cancelled by the caller" in report


def test_a_stand_in_is_called_one():
    stand_in = served("claude-sonnet-5-5 (API) [stand-in]", 4_105, 0.9, 286.4, local=False)
    report = shown(replace(USERS_WEEK, served=(*USERS_WEEK.served[:3], stand_in)))
    assert "claude-sonnet-5-5 (API) [stand-in] |" in report
    assert "  - [stand-in]: so labelled by the user" in report


@pytest.mark.parametrize(
    ("as_of", "said"), [(None, False), (USERS_WEEK.until, False), (USERS_WEEK.until - 1, True)]
)
def test_a_week_that_is_not_over_says_so(as_of, said):
    assert ("The week is not over yet." in shown(as_of=as_of)) is said


def test_a_week_to_come_says_that_it_has_not_begun():
    report = shown(EMPTY, as_of=EMPTY.since - 1)
    assert "The week has not begun." in report
    assert "not over yet" not in report


def test_a_week_without_an_answer_has_no_empty_tables():
    facts = replace(EMPTY, requests=2, statuses={"failed": 2}, money=Money(requests=2))
    report = shown(facts)
    assert re.search(r"^TOTAL +\| +2 \|", report, re.MULTILINE)
    assert not any(title in report for title in ("LATENCY", "WHERE", "ATTEMPTS", "WHAT TO CHANGE"))
    chat = markdown(weekly(WEEK, facts))
    assert not any(title in chat for title in ("## Where", "## Attempts"))


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (0, None),
        (1, "1 run ended without closing: about a quarter of a second of requests before its end"),
        (2, "2 runs ended without closing: about a quarter of a second of requests before each end"),
    ],
)
def test_runs_that_were_killed_are_told_beside_what_was_lost(runs, said):
    note = weekly(WEEK, replace(USERS_WEEK, unclosed=runs)).notes[-1]
    assert note.startswith("Requests lost by the ledger: 0.")
    assert (said in note) if said else ("run" not in note)


@pytest.mark.parametrize(
    ("imperfect", "said"),
    [
        (
            1,
            "1 of the 10 answers failed a check and was delivered as the best there was; it counts as served.",
        ),
        (
            3,
            "3 of the 10 answers failed a check and were delivered as the best there was; they count as served.",
        ),
    ],
)
def test_the_note_on_savings_counts_imperfect_answers(imperfect, said):
    notes = weekly(WEEK, replace(USERS_WEEK, statuses={"ok": 10 - imperfect, "imperfect": imperfect})).notes
    assert any(note.startswith("Savings: ") and note.endswith(said) for note in notes)


def test_the_report_is_ascii_and_no_line_ends_in_a_space():
    report = shown()
    assert report.isascii()
    assert not any(line.endswith(" ") for line in report.splitlines())
