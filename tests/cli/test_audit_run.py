"""`headgate audit run`, and audits over the death of a gate: real processes, a real model at home, doubles of the paid ones."""

import json
import signal
import sqlite3
import time
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from headgate.testing import Answer, AnthropicDouble, OllamaDouble

SAME = "Yes, the figures of the third quarter are complete and were sent on Monday morning."
LONG = "The zebra minutes of the day. " * 700
MAIL = (
    "Classify this support email as billing, technical, feature-request or escalation.\nI was charged twice."
)
AUDIT = """
[audit]
sample = 1.0
local_sample = 1.0
paid_per_week = 1.0
judge = "none"
idle_for = "{idle_for}"
"""
EMBEDDED = """
[server]
listen = "127.0.0.1:0"

[engines.home]
kind = "llamacpp"

[engines.anthropic]
kind = "anthropic"
url = "{claude}"
key = "env:TEST_KEY"

[models.nano]
engine = "home"
id = "headgate-nano"

[models.embed]
engine = "home"
id = "headgate-embed"
kind = "embedding"

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"

[[routes]]
name = "mails"
tasks = ["classification"]
try = ["nano", "claude"]

[[routes]]
name = "everything else"
try = ["claude", "nano"]

[ledger]
flush = "20ms"
"""
FOUND = "SELECT v.text, j.text, cost FROM audits JOIN names v ON v.id = verdict JOIN names j ON j.id = judge ORDER BY request"


def ledger_of(shell):
    (found,) = Path(shell.home).rglob("ledger.db")
    return found


def rows(shell, query):
    with closing(sqlite3.connect(f"file:{ledger_of(shell)}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def until(found, patience=30.0):
    ends = time.monotonic() + patience
    while not (value := found()):
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)
    return value


@contextmanager
def opened(shell, how=signal.SIGTERM):
    """An open gate: its address. It ends by that signal."""
    process = shell.start("up")
    try:
        address = next(word for line in process.stderr for word in line.split() if word.startswith("http://"))
        yield address.rstrip("/.,")
    finally:
        process.send_signal(how)
        process.communicate(timeout=30)


def ask(url, text, model="auto"):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
    asked = urllib.request.Request(f"{url}/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return answer.headers["x-headgate-model"]


@pytest.fixture
def embedded(shell):
    pytest.importorskip("xllamacpp")
    with AnthropicDouble(answer="billing").in_thread() as claude:
        shell.write(EMBEDDED.format(claude=claude.url) + AUDIT.format(idle_for="1h"))
        yield shell, claude


@pytest.mark.parametrize("gate_is_open", [True, False], ids=["by the open gate", "without a gate"])
def test_audits_that_cost_nothing_are_made_without_asking_and_no_others(embedded, gate_is_open):
    shell, claude = embedded
    with opened(shell) as url:
        assert ask(url, MAIL) == "nano", "a local answer is due first, and would be paid for"
        assert ask(url, "How are you today, and what are your plans for the evening?") == "claude"
        until(lambda: rows(shell, "SELECT count(*) FROM audit_jobs") == [(2,)])
        if gate_is_open:
            ran = shell("audit", "run", "--limit", "1", "--json")
    if not gate_is_open:
        ran = shell("audit", "run", "--limit", "1", "--json")
    assert ran.code == 0, ran.err
    assert "1 fallback to audit" in ran.err
    assert [one["kind"] for one in ran.json["audits"]] == ["fallback"]
    assert (ran.json["cost"], len(claude.calls)) == (0, 1)


@pytest.mark.parametrize("gate_is_open", [True, False], ids=["by the open gate", "without a gate"])
def test_waiting_audits_are_made_now_by_a_real_model_at_home(embedded, gate_is_open):
    shell, claude = embedded
    with opened(shell) as url:
        assert ask(url, MAIL) == "nano"
        assert ask(url, "How are you today, and what are your plans for the evening?") == "claude"
        until(lambda: rows(shell, "SELECT count(*) FROM audit_jobs") == [(2,)])
        if gate_is_open:
            refused = shell("audit", "run")
            assert (refused.code, refused.out) == (2, "")
            assert "claude may be paid up to $" in refused.err
            assert "--yes" in refused.err
            ran = shell("audit", "run", "--yes", "--json")
    if not gate_is_open:
        ran = shell("audit", "run", "--yes", "--json")
    assert ran.code == 0, ran.err
    made = {one["kind"]: one for one in ran.json["audits"]}
    assert made["local"]["verdict"] == "good"
    assert made["local"]["model"] == "nano"
    assert made["local"]["cost"] == ran.json["cost"] > 0
    assert made["fallback"]["state"] in ("judged", "later"), (
        "nano may have no story, and nobody here judges one"
    )
    assert len(claude.calls) == 2, "one request, and one audit"
    assert ("good", made["local"]["judge"], round(ran.json["cost"] * 1e9)) in rows(shell, FOUND)
    assert rows(shell, "SELECT count(*) FROM requests") == [(2,)]
    again = shell("audit", "run")
    assert again.code == 0
    assert "no audit is due" in again.err


def test_only_fallbacks_cost_nothing_and_ask_nobody(world):
    world.ollama.answer = world.claude.answer = SAME
    page = (world.shell.home / "headgate.toml").read_text()
    world.shell.write(page + AUDIT.format(idle_for="1h"))
    with opened(world.shell) as url:
        assert ask(url, LONG) == "claude"
        assert ask(url, LONG) == "claude"
        assert ask(url, "How are you?") == "llama"
        until(lambda: rows(world.shell, "SELECT count(*) FROM audit_jobs") == [(3,)])
        ran = world.shell("audit", "run", "--kind", "fallback", "--limit", "1")
        assert (ran.code, ran.err) == (0, "1 fallback to audit\n")
        assert ran.out == "1 fallback: 1 unnecessary\npaid $0\n" or "paid $0" in ran.out
        assert rows(world.shell, "SELECT state, count(*) FROM audit_jobs GROUP BY 1 ORDER BY 1") == [
            ("judged", 1),
            ("waiting", 2),
        ]
        assert len(world.claude.calls) == 2


def test_a_run_that_is_stopped_says_what_it_has_made_and_paid(world):
    world.ollama.answer = world.claude.answer = SAME
    page = (world.shell.home / "headgate.toml").read_text()
    world.shell.write(page + AUDIT.format(idle_for="1h"))
    with opened(world.shell) as url:
        assert ask(url, LONG) == "claude"
        assert ask(url, "How are you?") == "llama"
        until(lambda: rows(world.shell, "SELECT count(*) FROM audit_jobs") == [(2,)])
        world.claude.answer = Answer(SAME, delay=600.0)
        running = world.shell.start("audit", "run", "--yes")
        until(lambda: world.claude.in_flight)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert out == ""
    assert "1 fallback: 1 unnecessary\npaid $0" in err
    assert "stopped" in err.splitlines()[-1]


def test_audits_that_nobody_can_read_are_not_passed_over_in_silence(world):
    world.shell.write((world.shell.home / "headgate.toml").read_text() + AUDIT.format(idle_for="1h"))
    with opened(world.shell) as url:
        assert ask(url, LONG) == "claude"
        until(lambda: rows(world.shell, "SELECT count(*) FROM audit_jobs") == [(1,)])
        with closing(sqlite3.connect(ledger_of(world.shell))) as db:
            db.execute("UPDATE audit_jobs SET material = X'67414141'")
            db.commit()
        ran = world.shell("audit", "run")
        assert (ran.code, ran.out) == (0, "")
        assert ran.err.endswith("note: 1 audit could not be begun; headgate audit status says why\n")
    status = world.shell("audit", "status").out
    assert "1 was tried in vain and will be tried again: what was kept for this audit is sealed" in status


def test_a_gate_killed_at_an_audit_takes_it_up_again_and_counts_what_it_paid(world):
    shell = world.shell
    world.ollama.answer = SAME
    world.claude.answer = Answer(SAME, delay=60.0)
    shell.write((shell.home / "headgate.toml").read_text() + AUDIT.format(idle_for="100ms"))
    with opened(shell, signal.SIGKILL) as url:
        assert ask(url, "How are you?") == "llama"
        until(lambda: world.claude.in_flight)
    ((promised,),) = rows(shell, "SELECT cost FROM audit_payments")
    assert rows(shell, "SELECT state, tries FROM audit_jobs") == [("waiting", 1)]
    world.claude.answer = SAME
    with opened(shell):
        ((verdict, judge, cost),) = until(lambda: rows(shell, FOUND))
        assert (verdict, judge) == ("good", "exact")
        first, second = rows(shell, "SELECT cost FROM audit_payments ORDER BY n")
        assert first[0] == promised > second[0] > 0
        assert cost == first[0] + second[0], "what was promised when it died is counted too"
        until(lambda: rows(shell, "SELECT state FROM audit_jobs") == [("judged",)])
    with opened(shell):
        time.sleep(1.5)
        assert len(rows(shell, FOUND)) == 1
        assert len(world.claude.calls) == 2, "nobody is paid for what has been judged"


def test_a_paid_answer_that_is_there_is_not_paid_for_again_after_a_kill(world):
    shell = world.shell
    world.ollama.answer = world.claude.answer = SAME
    page = (shell.home / "headgate.toml").read_text() + AUDIT.format(idle_for="100ms")
    with OllamaDouble(answer=Answer("", delay=60.0)).in_thread() as judge:
        judging = f'[engines.bench]\nkind = "ollama"\nurl = "{judge.url}"\n\n[models.judge]\nengine = "bench"\nid = "llama3.1:8b"\n'
        page = page.replace("[[routes]]", judging + "\n[[routes]]", 1).replace(
            'judge = "none"', 'judge = "judge"'
        )
        world.claude.answer = (
            "Not at all: in the third quarter no figures were sent to anybody, as far as we know."
        )
        shell.write(page)
        with opened(shell, signal.SIGKILL) as url:
            assert ask(url, "How are you?") == "llama"
            until(lambda: judge.in_flight)
    shell.write(page.replace('judge = "judge"', 'judge = "none"'))
    with opened(shell):
        until(lambda: rows(shell, FOUND) or rows(shell, "SELECT 1 FROM audit_jobs WHERE error IS NOT NULL"))
    assert len(world.claude.calls) == 1
    assert len(rows(shell, "SELECT * FROM audit_payments")) == 1
