"""`headgate audit status`, and what it says of a gate that was killed in the middle."""

import json
import sqlite3
import time
import urllib.request
from contextlib import closing

import pytest

from headgate.ledger.audit_jobs import AuditJobs
from headgate.testing import AnthropicDouble

AUDIT = '\n[audit]\nsample = 1.0\nlocal_sample = 1.0\npaid_per_week = 1.0\nidle_for = "1h"\n'
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

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"

[[routes]]
name = "everything else"
try = ["nano", "claude"]

[ledger]
flush = "20ms"
"""
MAIL = (
    "Classify this support email as billing, technical, feature-request or escalation.\nI was charged twice."
)


def ledger_of(shell):
    return shell.home / ".local" / "share" / "headgate" / "ledger.db"


def page_of(world):
    return (world.shell.home / "headgate.toml").read_text()


def ask(url, text):
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]}).encode()
    call = urllib.request.Request(f"{url}/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(call, timeout=60) as said:
        return said.headers["x-headgate-model"]


def wait_for(path, number):
    """Until so many requests are in the ledger."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with closing(sqlite3.connect(path)) as db:
            if db.execute("SELECT count(*) FROM requests").fetchone() == (number,):
                return
        time.sleep(0.02)
    pytest.fail("the requests were not written")


def test_a_request_that_was_chosen_survives_the_gate_that_is_killed(shell):
    pytest.importorskip("xllamacpp")
    with AnthropicDouble(answer="It is a fine day.").in_thread() as claude:
        shell.write(EMBEDDED.format(claude=claude.url) + AUDIT)
        gate = shell.start("up", "--json")
        try:
            url = json.loads(gate.stdout.readline())["url"]
            assert ask(url, MAIL) == "nano"
            wait_for(ledger_of(shell), 1)
        finally:
            gate.kill()
            gate.communicate()
    told = shell("audit", "status", "--json").json
    assert (told["waiting"], told["judged"], told["failed"]) == ({"local": 1}, {}, {})
    assert told["kept"] == 1
    assert told["until"] - time.time() == pytest.approx(30 * 86_400, abs=600)
    job = AuditJobs(ledger_of(shell)).take(time.time())
    assert job.material.request.messages[0].text == MAIL
    (said,) = job.material.said
    assert (said.model, said.text) == ("nano", "billing")


def test_it_says_what_to_do_first_where_there_are_no_audits(world):
    off = world.shell("audit", "status")
    assert off.code == 0
    assert "audits are off: write sample = 0.05 under [audit]" in off.err
    world.shell.write(page_of(world) + "\n[audit]\nsample = 0.5\nlocal_sample = 0.1\n")
    none = world.shell("audit", "status")
    assert "no request was chosen yet: headgate up opens the gate" in none.err
    assert (
        "local answers are not checked: that takes a paid model, and paid_per_week under [audit] is 0"
        in none.err
    )
    assert none.out.splitlines()[0].split() == ["chosen", "0"]
    told = world.shell("audit", "status", "--json").json
    assert (told["on"], told["local_answers"], told["chosen"]) == (True, False, {})


def test_it_counts_what_was_chosen_and_says_until_when_it_is_kept(world):
    world.shell.write(page_of(world) + AUDIT)
    gate = world.shell.start("up", "--json")
    try:
        url = json.loads(gate.stdout.readline())["url"]
        assert ask(url, "How are you?") == "llama"
        assert ask(url, "The minutes of the day. " * 900) == "claude"
        wait_for(ledger_of(world.shell), 2)
        lines = dict(line.split(maxsplit=1) for line in world.shell("audit", "status").out.splitlines())
    finally:
        gate.terminate()
        gate.communicate(timeout=20)
    assert lines["chosen"] == "2  1 fallback, 1 local answer"
    assert lines["waiting"].startswith("2  1 fallback, 1 local answer; the next is due now")
    assert "in prompts and answers of 2 requests, not sealed, until 20" in lines["kept"]
    assert (lines["judged"], lines["failed"], lines["cost"]) == ("0", "0", "$0.0000")
    jobs = AuditJobs(ledger_of(world.shell))
    jobs.fail(jobs.take(time.time()), "claude: refused", time.time())
    said = world.shell("audit", "status").out
    assert "1 was tried in vain and will be tried again: claude: refused" in said


def test_audits_that_were_imported_are_counted_apart(world):
    verdicts = ["necessary"] * 3 + ["unnecessary"]
    lines = [
        {
            "time": f"2025-10-14T08:0{n}:00Z",
            "id": f"old-{n}",
            "route": "long",
            "attempts": [{"model": "claude", "engine": "anthropic", "latency": 1.0, "cost": 0.01}],
            "fallback": {"reason": "token count", "limit": 4000},
            "audit": {"verdict": verdict, "judge": "local model", **({"probability": 0.5} if n else {})},
        }
        for n, verdict in enumerate(verdicts)
    ]
    (world.shell.home / "old.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    world.shell.write(page_of(world) + AUDIT)
    assert world.shell("ledger", "import", "old.jsonl").code == 0
    said = world.shell("audit", "status")
    assert "imported        4  3 necessary, 1 unnecessary; 1 without the probability" in said.out
    assert "no request was chosen here yet" in said.err
    told = world.shell("audit", "status", "--json").json
    assert (told["imported"], told["without_chance"]) == ({"necessary": 3, "unnecessary": 1}, 1)
    assert told["judged"] == {}, "this gate has judged none"


def test_the_doctor_says_whether_what_is_kept_can_be_sealed(world):
    page = page_of(world)

    def audits(**env):
        checks = world.shell("doctor", "--json", **env).json["checks"]
        return next(check for check in checks if check["check"] == "audits")

    world.shell.write(page + AUDIT)
    assert (
        audits()["found"]
        == "100% of paid requests and 100% of local answers; 0 requests wait; what they need is not sealed"
    )
    world.shell.write(page + AUDIT + 'key = "env:AUDIT_KEY"\n')
    missing = audits()
    assert (missing["state"], missing["found"]) == ("FAIL", "the key of [audit] is not there: env:AUDIT_KEY")
    assert "no Fernet key" in audits(AUDIT_KEY="short")["found"]
    from cryptography.fernet import Fernet

    assert audits(AUDIT_KEY=Fernet.generate_key().decode())["state"] == "ok"
    closed = world.shell("up", AUDIT_KEY="short")
    assert closed.code == 3
    assert "error: the key of [audit] is no Fernet key" in closed.err
    assert "hint: make one:" in closed.err
