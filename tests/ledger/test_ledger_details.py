"""The days of a week, the local models behind each task, and what is odd, as one counts them by hand from the outcomes."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from ledger_samples import MODELS, MONDAY, plain, realistic
from msgspec.structs import replace

from headgate.ledger.facts import count_facts
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter
from headgate.reports.week import Week

WEEK = Week(2025, 42)
NAMES = {
    "llama": "llama3.1 (Ollama)",
    "phi": "phi-3-mini (LM Studio)",
    "coder": "qwen2.5-coder (Ollama)",
    "claude": "claude-sonnet-5-5 (API)",
}


def detailed(path, zone=UTC, week=WEEK):
    with LedgerReader(path) as ledger:
        return count_facts(ledger, *week.bounds(zone), zone)


@pytest.fixture
def outcomes():
    return list(realistic(400, seed=5))


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu")])
def test_each_request_is_on_the_day_that_it_was_there(store, outcomes, zone):
    facts = detailed(store(outcomes), zone)
    since, until = WEEK.bounds(zone)
    by_hand = Counter(
        (datetime.fromtimestamp(o.received, zone).date().isoformat(), o.signals.task, NAMES.get(o.model))
        for o in outcomes
        if since <= o.received < until
    )
    assert {(day.day, day.task, day.shown): day.requests for day in facts.days} == by_hand


def test_the_money_of_the_days_is_the_money_of_the_week(store, outcomes):
    facts = detailed(store(outcomes))
    assert sum(day.cost for day in facts.days) == pytest.approx(facts.cost, abs=1e-9)
    assert sum(day.baseline for day in facts.days) == pytest.approx(facts.money.baseline, abs=1e-9)
    assert sum(fallback.cost for fallback in facts.fallbacks) == pytest.approx(
        sum(o.cost for o in outcomes if o.fallback), abs=1e-6
    )


def test_a_tasks_local_models_are_told_with_their_calls_and_failures(store, outcomes):
    facts = detailed(store(outcomes))
    calls, failed = Counter(), Counter()
    for outcome in outcomes:
        for attempt in outcome.attempts:
            if attempt.model != "claude":
                key = (outcome.signals.task, NAMES[attempt.model])
                calls[key] += 1
                rejected = attempt.score is not None and attempt.score < outcome.decision.pass_at
                failed[key] += bool(attempt.failure) or rejected
    told = {(task.task, tried.shown): tried for task in facts.tasks for tried in task.models}
    assert {key: tried.attempts for key, tried in told.items()} == calls
    assert {key: tried.failed for key, tried in told.items()} == {key: failed[key] for key in calls}
    assert sum(failed.values())


def test_prompts_that_a_token_limit_sent_away_are_told_by_the_window_that_holds_them(store):
    def long(outcome, tokens):
        return replace(
            outcome,
            fallback="token count",
            fallback_limit=4000,
            signals=replace(outcome.signals, tokens=tokens),
        )

    rows = [
        long(one, size) for one, size in zip(plain(5), (4_001, 7_680, 7_681, 40_000, 900_000), strict=True)
    ]
    assert detailed(store(rows)).too_long == {8_192: 2, 16_384: 1, 65_536: 1, 1_048_576: 1}


def test_a_price_that_changed_within_the_week_is_told_and_one_that_was_only_read_again_is_not(path):
    dearer = tuple(
        replace(model, price=replace(model.price, input=6.0)) if model.name == "claude" else model
        for model in MODELS
    )
    again = tuple(
        replace(model, price=replace(model.price, date="2025-10-15")) if model.price.date else model
        for model in MODELS
    )
    for models, repriced in ((again, ()), (dearer, ("claude-sonnet-5-5 (API)",))):
        writer = LedgerWriter(path)
        writer.start()
        for half, described in enumerate((MODELS, models)):
            writer.describe(described)
            for outcome in realistic(40, seed=half):
                writer.put(replace(outcome, id=f"{half}{models is dearer}{outcome.id}"))
        writer.close()
        assert detailed(path).repriced == repriced


def test_a_model_that_was_renamed_is_told_under_both_names(path):
    renamed = tuple(replace(m, display="Llama") if m.name == "llama" else m for m in MODELS)
    writer = LedgerWriter(path)
    writer.start()
    for half, described in enumerate((MODELS, renamed)):
        writer.describe(described)
        for outcome in plain(5, seed=half):
            writer.put(outcome)
    writer.close()
    assert detailed(path).renamed == (("llama3.1 (Ollama)", "Llama (Ollama)"),)


@pytest.mark.parametrize(("back", "jumps"), [(0.0, 0), (30.0, 0), (7200.0, 1)])
def test_a_clock_that_was_set_back_while_the_gate_was_open_is_counted(path, back, jumps):
    now = [MONDAY + 86_400.0]
    writer = LedgerWriter(path, clock=lambda: now[0])
    writer.start()
    writer.describe(MODELS)
    for outcome in plain(3):
        writer.put(outcome)
        assert writer.flush()
    now[0] -= back
    for outcome in plain(3, seed=1):
        writer.put(outcome)
        assert writer.flush()
    writer.close()
    assert detailed(path).clock_jumps == jumps


def test_a_clock_that_was_set_back_between_two_runs_is_counted(path):
    for at in (MONDAY + 86_400.0, MONDAY + 3_600.0):
        writer = LedgerWriter(path, clock=lambda at=at: at)
        writer.start()
        writer.close()
    assert detailed(path).clock_jumps == 1
