"""The benchmark's own parts: engine, load generator, measuring a process, tables. No time is asserted."""

import os
import sys
from pathlib import Path

import pytest

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")  # programs, not a package
    from beside import gates, load, process, rounds, tables, texts

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or load.compiler() is None, reason="needs Linux and a C compiler"
)

CORE = process.cores()[1] if sys.platform == "linux" else 0


def test_every_request_of_a_closed_loop_is_answered_and_checked(tmp_path):
    with load.upstream(tmp_path, CORE) as port:
        seen = load.send(tmp_path, port, gates.CHAT, "bench", core=CORE, connections=4, requests=200)
    assert seen.answers >= 200
    assert seen.errors == 0
    assert 0 < seen.p50_ms <= seen.p99_ms <= seen.max_ms


def test_an_even_pace_sends_what_was_due_and_no_more(tmp_path):
    with load.upstream(tmp_path, CORE) as port:
        seen = load.send(tmp_path, port, gates.CHAT, "bench", core=CORE, rate=400, seconds=0.5)
    assert seen.errors == 0
    assert 0 < seen.answers <= 200


def test_an_answer_with_other_words_counts_as_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "ANSWER", "Something else entirely.")
    with load.upstream(tmp_path, CORE) as port:
        seen = load.send(tmp_path, port, gates.CHAT, "bench", core=CORE, connections=2, requests=20)
    assert seen.errors == seen.answers


def test_a_gate_is_started_measured_and_stopped(tmp_path):
    headgate = next(gate for gate in gates.GATES if gate.name == "headgate")
    plan = rounds.Plan(rounds=1, warm_up=0.1, saturated=0.3, paced=0.2, memory_after=200)
    with load.upstream(tmp_path, CORE) as engine:
        direct = rounds.measure_direct(tmp_path, engine, plan)
        found = rounds.measure_gate(headgate, engine, direct, plan, memory=True)
    assert found.errors == 0
    assert found.attempts == 1
    assert found.per_second > 0
    assert found.resident_mb > 10
    assert found.added_p50_ms == found.p50_ms - direct.p50_ms


def test_cpu_time_counts_children_that_are_alive():
    mine = process.cpu_seconds(os.getpid())
    assert os.getpid() in process.family(os.getppid())
    assert process.cpu_seconds(os.getppid()) >= mine


def test_medians_leave_out_what_a_round_did_not_measure():
    given = [
        rounds.Round(per_second=rate, p50_ms=1.0, p99_ms=2.0, errors=1, resident_mb=memory)
        for rate, memory in ((100.0, 50.0), (300.0, None), (200.0, None))
    ]
    found = rounds.medians(given)
    assert (found.per_second, found.resident_mb, found.errors, found.cpu_us) == (200.0, 50.0, 3, None)


def test_a_target_that_was_not_measured_is_neither_met_nor_missed():
    ours = rounds.Round(per_second=8000.0, cpu_us=130.0, p50_ms=1.0, p99_ms=2.0, errors=0)
    findings = tables.Findings(
        day="2026-11-23",
        machine={},
        load_before=0.1,
        plan=rounds.Plan(),
        versions={},
        skipped={"litellm": "not installed"},
        gates={"headgate": ours},
        rounds={"headgate": [ours]},
        pieces=[],
    )
    met = {target.promise: target.met for target in tables.targets(findings)}
    assert met["CPU time per request ≤ 120 µs"] is False
    assert met["requests/s ≥ 60 × LiteLLM proxy's"] is None
    assert "litellm: not measured (not installed)" in tables.render(findings)
