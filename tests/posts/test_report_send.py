"""`headgate report --send` as a person uses it, and a gate that sends by itself."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from headgate.ledger.posts import all_posts
from headgate.ledger.writer import LedgerWriter

PAGE = """
[server]
listen = "127.0.0.1:0"
[engines.home]
kind = "ollama"
url = "http://127.0.0.1:9"
[models.llama]
engine = "home"
id = "llama3.1:8b"
context = 8192
[[routes]]
name = "all"
try = ["llama"]
[report]
timezone = "utc"
"""


@pytest.fixture
def office(shell, outcomes):
    """A home with a ledger of last week and of this one."""
    now = datetime.now(UTC)
    writer = LedgerWriter(shell.ledger)
    writer.start()
    for outcome in outcomes([(now - timedelta(days=7)).timestamp(), now.timestamp() - 1]):
        writer.put(outcome)
    writer.close()

    def write(*targets, weekly="mon 00:00"):
        words = ", ".join(json.dumps(target) for target in targets)
        (shell.home / "headgate.toml").write_text(f'{PAGE}send_to = [{words}]\nweekly = "{weekly}"\n')

    shell.set_up = write
    return shell


def test_report_send_mails_it_and_says_so_and_a_second_time_only_when_asked(office, mailbox):
    office.set_up(mailbox.address)
    first = office("report", "--week", "last", "--send")
    assert (first.returncode, first.stdout) == (0, "")
    assert "sent to mailto://…" in first.stderr
    second = office("report", "--week", "last", "--send")
    assert "was sent it on" in second.stderr
    assert len(mailbox.mails) == 1
    office("report", "--week", "last", "--send", "--again")
    assert len(mailbox.mails) == 2


def test_a_week_that_is_not_over_is_sent_as_often_as_one_likes(office, mailbox):
    office.set_up(mailbox.address)
    office("report", "--send")
    office("report", "--send")
    assert len(mailbox.mails) == 2
    assert all_posts(office.ledger) == []


def test_a_mail_server_that_cannot_be_reached_is_said_and_an_open_gate_sends_it_later(office, mailbox):
    mailbox.refusing = True
    office.set_up(mailbox.address)
    failed = office("report", "--week", "last", "--send")
    assert failed.returncode == 1
    assert "error: not sent to mailto://…" in failed.stderr
    assert "an open gate tries again" in failed.stderr
    waiting = json.loads(office("report", "--sent", "--json").stdout)
    assert waiting[0]["sent"] is None
    assert waiting[0]["error"]
    assert "waits" in office("report", "--sent").stdout


def test_a_target_on_the_command_line_needs_no_config(office):
    office.set_up()
    assert office("report", "--week", "last", "--to", "file:out").returncode == 0
    (written,) = (office.home / "out").glob("routing-report-*.log")
    assert "WEEKLY ROUTING SUMMARY" in written.read_text()


def test_nobody_to_send_it_to_is_said_with_the_line_to_write(office):
    office.set_up()
    refused = office("report", "--send")
    assert refused.returncode == 2
    assert 'send_to = ["file:reports/"]' in refused.stderr


def test_a_schedule_that_is_none_is_told_with_file_and_line(office):
    office.set_up(weekly="next monday")
    refused = office("report")
    assert refused.returncode == 3
    assert 'headgate.toml, line 17: "next monday" is no moment of the week' in refused.stderr


def test_a_gate_that_is_opened_sends_last_weeks_report_by_itself_and_once(office, mailbox):
    office.set_up(mailbox.address)
    for _ in range(2):
        gate = office.start("up")
        try:
            wait_for(lambda: len(mailbox.mails) == 1 and all_posts(office.ledger)[0].sent is not None)
            time.sleep(0.5)
        finally:
            gate.terminate()
            gate.communicate(timeout=20)
    assert len(mailbox.mails) == 1


def test_a_target_that_stands_for_nothing_is_a_note_and_the_gate_opens(office):
    office.set_up("env:NOBODY")
    gate = office.start("up", "--json")
    try:
        opened = json.loads(gate.stdout.readline())
    finally:
        gate.terminate()
        gate.communicate(timeout=20)
    assert any("NOBODY is not set" in note for note in opened["notes"])


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_doctor_says_what_could_not_be_sent_and_which_target_stands_for_nothing(office, mailbox):
    mailbox.refusing = True
    office.set_up(mailbox.address, "env:NOBODY")
    office("report", "--week", "last", "--to", mailbox.address)
    findings = json.loads(office("doctor", "--json").stdout)["checks"]
    told = [(one["state"], one["found"]) for one in findings if one["check"] == "reports"]
    assert [state for state, _ in told] == ["FAIL", "FAIL"]
    assert "NOBODY is not set" in told[0][1]
    assert "could not be sent after 1 try" in told[1][1]
