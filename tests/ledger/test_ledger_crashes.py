"""A killed gate loses about its last flush interval, and the next start says what it found."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ledger_samples import realistic

from headgate.ledger.facts import count_facts
from headgate.ledger.queries import LedgerReader
from headgate.ledger.runs import is_alive
from headgate.ledger.writer import LedgerWriter

FLUSH = 0.25
SLOW = 0.35  # seconds that writing one batch may take on a busy machine


def kill_at(path, requests):
    """Kill a gate (`kill -9`) once it has put so many requests; all (count, time) that it managed to say."""
    gate = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("crashing_gate.py")), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    said = []
    for line in gate.stdout:
        count, at = line.split()
        said.append((int(count), float(at)))
        if int(count) >= requests:
            gate.kill()
            break
    rest = gate.stdout.read().splitlines(keepends=True)
    gate.stdout.close()
    gate.wait()
    said += [(int(count), float(at)) for count, at in (line.split() for line in rest if line.endswith("\n"))]
    return gate.pid, said


@pytest.mark.parametrize("requests", [200, 3_000])
def test_kill_9_under_load_loses_about_the_last_flush_interval_and_corrupts_nothing(path, requests):
    pid, said = kill_at(path, requests)
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    ids = [id_ for (id_,) in db.execute("SELECT id FROM requests ORDER BY n")]
    orphans = "SELECT count(*) FROM attempts WHERE request NOT IN (SELECT n FROM requests)"
    assert db.execute(orphans).fetchone() == (0,)
    db.close()
    assert ids == [f"{number:06}" for number in range(len(ids))], "what is there is all there, in order"
    died = said[-1][1]
    safe = max((count for count, at in said if at < died - FLUSH - SLOW), default=0)
    assert len(ids) >= safe

    found = LedgerWriter(path)
    (crash,) = found.start().crashes
    found.close()
    assert (crash.pid, crash.written, crash.lost) == (pid, len(ids), 0)


def test_a_killed_run_is_told_in_the_report_before_and_after_the_next_start(path):
    def unclosed():
        with LedgerReader(path) as ledger:
            return count_facts(ledger, now - 86_400, now + 86_400).unclosed

    now = time.time()
    kill_at(path, 200)
    assert unclosed() == 1
    writer = LedgerWriter(path)
    writer.start()
    assert unclosed() == 1, "the run that is open now is not one that was killed"
    writer.close()
    assert unclosed() == 1


def test_the_next_start_says_what_it_found_and_the_one_after_has_nothing_to_say(path):
    pid, _ = kill_at(path, 2_000)
    writer = LedgerWriter(path)
    sentences = writer.start().sentences
    (outcome,) = realistic(1)
    writer.put(outcome)
    writer.close()
    with LedgerReader(path) as ledger:
        safe = ledger.last_number() - 1
        assert ledger.one("last").outcome.id == outcome.id
    assert f"process {pid}" in sentences[0]
    assert f"{safe:,} requests are safe" in sentences[0]
    assert "about 250 ms of requests before the end may be missing" in sentences[0]
    assert sentences[1] == "the ledger was checked and is sound"
    again = LedgerWriter(path)
    assert again.start().sentences == ()
    again.close()


def test_a_gate_that_still_runs_is_not_taken_for_a_crashed_one(path):
    writer = LedgerWriter(path)
    writer.start()
    script = (
        "import sys; from pathlib import Path; from headgate.ledger.writer import LedgerWriter;"
        "writer = LedgerWriter(Path(sys.argv[1])); print(writer.start().sentences); writer.close()"
    )
    second = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    writer.close()
    assert "seems to write to this ledger too" in second.stdout
    assert "ended without closing" not in second.stdout


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells how a process is")
def test_a_process_that_has_ended_unnoticed_does_not_live():
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    assert is_alive(child.pid) is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has taken notice
    assert is_alive(child.pid) is False
    child.communicate()
