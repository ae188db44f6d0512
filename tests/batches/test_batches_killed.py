"""Killed at random, a batch ends complete, with each item exactly once, and no model is asked again for what was answered.

The engine is the embedded one, the ledger that of the gate; nobody plays anything.
"""

import random
import subprocess
from collections import Counter
from contextlib import contextmanager
from time import sleep

import pytest
from batch_shell import NANO

from headgate.ledger.queries import LedgerReader

AT_ONCE = 4


def mails(many: int) -> list[str]:
    """Short e-mails, each another."""
    problems = (
        "I was charged twice",
        "The app crashes",
        "Please add a dark mode",
        "I want to speak to a manager",
    )
    return [f"{problems[n % 4]}, order {n}." for n in range(many)]


def requests(shell) -> dict[str, str]:
    """The requests that the ledger knows, by their ids, each with the order that was asked about."""
    with LedgerReader(shell.home / "data" / "ledger.db") as ledger:
        outcomes = [entry.outcome for entry in ledger.all()]
    return {one.id: one.prompt.rpartition("order ")[2].partition(".")[0] for one in outcomes}


@pytest.mark.timeout(600)
def test_ten_thousand_items_killed_five_times_are_each_answered_exactly_once(shell):
    pytest.importorskip("xllamacpp")
    many, kills, chance = 10_000, 5, random.Random()
    shell.write(NANO)
    shell.items(mails(many))
    command = shell.batch("--at-once", str(AT_ONCE))
    kept: dict[int, dict] = {}
    for target in sorted(chance.sample(range(1, many - 500), kills)):
        process = shell.start(*command)
        shell.wait_for_lines(process, target)
        sleep(chance.uniform(0, 0.05))
        process.kill()
        process.communicate()
        for line in shell.results():
            assert kept.setdefault(line["item"], line) == line, "what was answered stays as it is"
    said = shell(*command)
    assert said.code == 0, said.err
    lines = shell.results()
    assert [line["item"] for line in lines] == list(range(1, many + 1))
    assert {line["status"] for line in lines} == {"ok"}
    assert all(kept[item] == lines[item - 1] for item in kept)
    answered = {line["requests"][0]: str(line["item"] - 1) for line in lines}
    assert len(answered) == many, "one request each"
    known = requests(shell)
    assert all(known.get(request, order) == order for request, order in answered.items())
    in_vain = known.keys() - answered.keys()
    assert len(in_vain) <= AT_ONCE * kills, "asked again is only what was under way when it was killed"
    lost = answered.keys() - known.keys()
    assert len(lost) < 100 * kills, "the ledger may lack what was answered some milliseconds before"
    assert f"{many - len(kept):,} items answered now" in said.out


@contextmanager
def open_gate_of(shell):
    gate = shell.start("up")
    try:
        while " is open at " not in (line := gate.stderr.readline()):
            assert line, "the gate did not open"
        yield
    finally:
        gate.terminate()
        gate.communicate()


@pytest.mark.timeout(120)
def test_beside_an_open_gate_a_killed_batch_asks_nothing_twice(shell):
    pytest.importorskip("xllamacpp")
    many = 800
    shell.write(NANO)
    shell.items(mails(many))
    with open_gate_of(shell):
        for target in (150, 400, 650):
            process = shell.start(*shell.batch("--at-once", "8"))
            shell.wait_for_lines(process, target)
            process.kill()
            process.communicate()
        said = shell(*shell.batch("--at-once", "8"))
        assert said.code == 0, said.err
    assert [line["item"] for line in shell.results()] == list(range(1, many + 1))
    asked = Counter(requests(shell).values())
    assert len(asked) == many
    assert set(asked.values()) == {1}, "the gate repeats an answer that could not be written"


def test_a_second_batch_on_the_same_file_is_refused_with_the_first_ones_number(shell):
    pytest.importorskip("xllamacpp")
    shell.write(NANO)
    shell.items(mails(2000))
    with shell.start(*shell.batch()) as first:
        shell.wait_for_lines(first, 5)
        said = shell(*shell.batch())
        assert said.code == 2
        assert f"process {first.pid} is writing it" in said.err
        first.terminate()
        _, err = first.communicate()
        assert "stopping: what is under way is still answered" in err
    assert first.returncode == 130


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_says_how_to_go_on_and_nothing_is_lost(shell, presses):
    import signal

    pytest.importorskip("xllamacpp")
    shell.write(NANO)
    shell.items(mails(3000))
    process = shell.start(*shell.batch())
    shell.wait_for_lines(process, 50)
    for _ in range(presses):
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "the batch is not through" in out
    assert "next: headgate agents run kind --batch in.jsonl --out results.jsonl\n" in out
    there = shell.results()
    assert 50 <= len(there) < 3000
    shell.items(mails(len(there) + 20))
    said = shell(*shell.batch("--json"))
    assert said.code == 0, said.err
    summary = said.events[-1]
    assert (summary["event"], summary["kept"], summary["answered"]) == ("summary", len(there), 20)


def test_a_pipe_that_ends_does_not_end_the_batch(shell):
    pytest.importorskip("xllamacpp")
    shell.write(NANO)
    with shell.start(*shell.batch(inputs="-"), stdin=subprocess.PIPE) as process:
        out, err = process.communicate("I was charged twice.\nThe app crashes.\n", timeout=60)
    assert process.returncode == 0, err
    assert [line["label"] for line in shell.results()] == ["billing", "technical"], out


def test_on_a_terminal_a_bar_says_how_far_it_is(shell):
    pty = pytest.importorskip("pty")
    pytest.importorskip("xllamacpp")
    import os
    import re
    import sys

    shell.write(NANO)
    shell.items(mails(60))
    ours, theirs = pty.openpty()
    order = [sys.executable, "-m", "headgate", *shell.batch("--yes")]
    env = shell.env | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        order, cwd=shell.home, env=env, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True
    ) as process:
        os.close(theirs)
        out, _ = process.communicate(timeout=60)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side is closed, and all was read
            break
        if not part:
            break
        seen += part
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "60/60 ok 60" in text
    assert re.search(r"\d+/s  \$0\.00", text)
    assert out.startswith("results.jsonl has a line for each of 60 items, in their order\n  ok 60\n")
