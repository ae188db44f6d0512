"""Reports reach people: by mail, into a folder and to a webhook; once each week, after any downtime, and never lost."""

import http.server
import json
import socketserver
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from headgate.config.load import load_config
from headgate.core.errors import ConfigError
from headgate.ledger.posts import all_posts
from headgate.ledger.writer import LedgerWriter
from headgate.notify import sending
from headgate.notify.targets import read_target
from headgate.posts.due import PAUSES
from headgate.posts.starting import poster_of

PAGE = """
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
[ledger]
path = "{ledger}"
[report]
timezone = "utc"
weekly = "mon 08:00"
send_to = [{targets}]
"""

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC).timestamp()
WEEK = timedelta(days=7).total_seconds()


@pytest.fixture
def ledger(tmp_path, outcomes):
    """A ledger with one request in each of the weeks 46, 47 and 48."""
    path = tmp_path / "ledger.db"
    writer = LedgerWriter(path)
    writer.start()
    for outcome in outcomes([MONDAY - 10 * 86_400, MONDAY - 3 * 86_400, MONDAY + 4 * 86_400]):
        writer.put(outcome)
    writer.close()
    return path


@pytest.fixture
def poster(tmp_path, ledger):
    """Make the poster of a config with these targets, at a time that the test sets."""

    def make(*targets, now=MONDAY):
        page = tmp_path / "headgate.toml"
        words = ", ".join(json.dumps(target) for target in targets)
        page.write_text(PAGE.format(ledger=ledger, targets=words))
        made, troubles = poster_of(load_config(str(page)))
        assert troubles == ()
        made.clock = lambda: made.now
        made.now = now
        return made

    return make


def subjects(mailbox):
    return [mail["subject"] for mail in mailbox.mails]


def test_the_report_of_the_week_before_is_mailed_on_monday_at_eight(poster, mailbox):
    post = poster(mailbox.address, now=MONDAY - 1)
    assert post.round() == []
    post.now = MONDAY
    (sent,) = post.round()
    assert sent.error is None
    (mail,) = mailbox.mails
    assert mail["subject"] == "Headgate 2026-W47: 1 request"
    assert mail["to"] == "team@example.org"
    (attached, *_) = [part.get_filename() for part in mail.walk() if part.get_filename()]
    assert attached == "routing-report-2026-week-47.log"


def test_each_week_is_mailed_once_however_often_the_gate_is_opened(poster, mailbox):
    for _ in range(3):
        poster(mailbox.address).round()
    later = poster(mailbox.address, now=MONDAY + WEEK)
    later.round()
    later.round()
    assert [subject.split(":")[0] for subject in subjects(mailbox)] == [
        "Headgate 2026-W47",
        "Headgate 2026-W48",
    ]


def test_a_gate_that_was_closed_for_weeks_mails_what_was_missed_oldest_first(poster, mailbox):
    poster(mailbox.address, now=MONDAY - WEEK).round()
    poster(mailbox.address, now=MONDAY + WEEK + 3 * 86_400).round()
    assert [subject.split(":")[0][-3:] for subject in subjects(mailbox)] == ["W46", "W47", "W48"]


def test_nobody_is_mailed_a_week_from_before_the_first_request(poster, mailbox):
    poster(mailbox.address, now=MONDAY - 4 * WEEK).round()
    assert mailbox.mails == []


def test_a_mail_server_that_turns_us_away_is_told_and_tried_again_and_nothing_is_lost(
    poster, mailbox, caplog
):
    mailbox.refusing = True
    post = poster(mailbox.address)
    (sent,) = post.round()
    assert "127.0.0.1" in sent.error
    assert "it is tried again" in caplog.text
    assert list(post.troubles.values()) == [sent.error]
    post.now += PAUSES[0] - 1
    assert post.round() == []
    mailbox.refusing = False
    reopened = poster(mailbox.address, now=MONDAY + PAUSES[0])
    (again,) = reopened.round()
    assert (again.error, len(mailbox.mails), reopened.troubles) == (None, 1, {})


def test_a_gate_that_was_killed_while_it_sent_tries_again(poster, mailbox, monkeypatch, ledger):
    post = poster(mailbox.address)
    with monkeypatch.context() as patched:
        patched.setattr("headgate.posts.poster.send", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            post.round()
    assert [one.sent for one in all_posts(ledger)] == [None]
    poster(mailbox.address, now=MONDAY + PAUSES[0]).round()
    assert len(mailbox.mails) == 1


def test_two_gates_on_one_ledger_mail_a_report_once(poster, mailbox):
    gates = [poster(mailbox.address), poster(mailbox.address)]
    threads = [threading.Thread(target=gate.round) for gate in gates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mailbox.mails) == 1


def test_a_folder_gets_the_report_as_a_file_beside_the_config(poster, tmp_path):
    poster("file:reports/").round()
    written = (tmp_path / "reports" / "routing-report-2026-week-47.log").read_text()
    assert "Total requests:  1\n" in written


def test_a_folder_that_cannot_be_written_does_not_keep_the_mail_back(poster, mailbox, tmp_path):
    (tmp_path / "reports").write_text("a file, where a folder should be")
    post = poster("file:reports/", mailbox.address)
    post.round()
    assert len(mailbox.mails) == 1
    assert "reports" in post.troubles["file:reports/"]


def test_a_webhook_is_posted_the_report(poster):
    bodies = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        poster(f"json://127.0.0.1:{server.server_port}/hook").round()
        server.shutdown()
    assert bodies[0]["title"] == "Headgate 2026-W47: 1 request"
    assert "Weekly routing summary" in bodies[0]["message"]


def test_an_alert_is_sent_once_for_each_subject(poster, mailbox):
    post = poster(mailbox.address, now=MONDAY - WEEK - 86_400)
    for _ in range(2):
        post.tell("budget day: 80% of $25.00 spent", "Models at home go on.")
    post.round()
    (mail,) = mailbox.mails
    assert mail["subject"] == "budget day: 80% of $25.00 spent"
    assert "Models at home go on." in mail.get_body(("plain", "html")).get_content()


def test_a_server_that_answers_without_end_does_not_keep_the_others_waiting(poster, mailbox, monkeypatch):
    monkeypatch.setattr("headgate.notify.sending.PATIENCE", 1.0)
    over = threading.Event()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65_536)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nx: ")
            while not over.wait(0.1):
                with suppress(OSError):
                    self.request.sendall(b"x")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        post = poster(f"json://127.0.0.1:{server.server_address[1]}/reports", mailbox.address)
        begun = time.monotonic()
        hung, mailed = post.round()
        assert time.monotonic() - begun < 10
        assert hung.error == "json://…: no answer within 1 seconds"
        assert mailed.error is None
        assert len(mailbox.mails) == 1
        over.set()
        server.shutdown()


def test_a_send_is_given_up_before_another_gate_may_take_it():
    assert PAUSES[0] > sending.PATIENCE


@pytest.mark.parametrize(
    "title",
    [
        "Headgate: 80 % of a/b's month from 2026-11-01 are spent",
        "Headgate: 80 % of ../../out's month",
        'a:b*c?"d<e>f|g\\h',
        "Headgate: 80 % of " + "\N{GRINNING FACE}" * 200,
    ],
)
def test_an_alert_with_an_odd_title_is_a_file_in_its_folder(title, poster, tmp_path):
    post = poster("file:reports", now=MONDAY - WEEK - 86_400)
    post.tell(title, "Models at home go on.")
    (sent,) = post.round()
    assert sent.error is None
    (file,) = (tmp_path / "reports").iterdir()
    assert file.read_text() == "Models at home go on."
    assert not set(file.name) & set('/\\:*?"<>|')


def test_long_titles_that_begin_alike_are_files_of_their_own():
    assert sending.file_name("a" * 300) != sending.file_name("a" * 299)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("json://bob:hunter2@example.org/token-1234?+x-key=abcd9876", "the server example.org: …:… … …"),
        (
            "slack://tokenA1234/tokenB1234/tokenC1234/#general",
            "the server …: bob:hunter2 token-1234 abcd9876",
        ),
    ],
)
def test_a_plug_in_that_repeats_an_address_tells_no_secret(address, told, tmp_path):
    target = read_target("env:TEAM", tmp_path, {"TEAM": address})
    said = "the server {}: bob:hunter2 token-1234 abcd9876"
    host = "example.org" if address.startswith("json") else "tokenA1234"
    assert target.without_secrets(said.format(host)) == told.replace("…:…", "bob:…")


def test_a_clock_that_was_years_ahead_keeps_no_later_report_back(poster, mailbox):
    post = poster(mailbox.address, now=MONDAY)
    post.round()
    post.now = MONDAY + 200 * WEEK
    post.round()
    mailbox.mails.clear()
    post.now = MONDAY + WEEK
    post.round()
    assert any("48" in subject for subject in subjects(mailbox)), subjects(mailbox)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("reports", "is no address"),
        ("nonsense://user:secret@host", "nobody takes messages at nonsense://"),
        ("env:NOT_SET", "NOT_SET is not set"),
        ("mailto://", "nobody takes messages"),
    ],
)
def test_a_target_that_stands_for_nothing_is_told_without_its_secret(word, said, tmp_path):
    with pytest.raises(ConfigError) as error:
        read_target(word, tmp_path, {})
    assert said in error.value.message
    assert "secret" not in error.value.message


def test_a_secret_stays_in_the_environment_and_out_of_the_ledger(tmp_path):
    target = read_target("env:TEAM", tmp_path, {"TEAM": "mailto://bob:secret@example.org?to=a@example.org"})
    assert (target.name, target.email) == ("env:TEAM", True)
    typed = read_target("mailto://bob:secret@example.org?to=a@example.org", tmp_path, {})
    assert typed.name.startswith("mailto://… (")


def test_targets_that_are_shown_alike_are_told_apart(tmp_path):
    names = {read_target(f"json://host/{name}", tmp_path, {}).name for name in ("a", "b")}
    assert len(names) == 2


def test_weeks_begin_in_the_zone_of_the_report(poster, mailbox):
    post = poster(mailbox.address, now=datetime(2026, 11, 23, 8, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp())
    (sent,) = post.round()
    assert sent.post.subject == "report 2026-W46"  # in UTC, it is Sunday evening, and week 47 goes on
