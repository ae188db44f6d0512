"""What the ledger counts in SQL is what one counts by hand from the outcomes."""

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC

import pytest
from ledger_samples import MODELS, MONDAY, realistic
from msgspec.structs import replace

from headgate.core.parts import WHOLE
from headgate.core.types import Attempt, Failure
from headgate.ledger.facts import count_facts
from headgate.ledger.queries import LedgerReader
from headgate.reports.savings import money_of
from headgate.reports.week import Week

WEEK = Week(2025, 42)


def hurt(i, outcome):
    """What may go wrong, each thing now and then."""
    if i % 30 == 0:
        return replace(
            outcome, model=None, status="failed", cost=0.01, baseline_cost=None, usage=None, fallback=None
        )
    if i % 31 == 0:
        return replace(outcome, cost=None)
    if i % 37 == 0:
        return replace(outcome, baseline_cost=None)
    if i % 41 == 0:
        return replace(outcome, model=None, status="cancelled", cost=None, baseline_cost=None, fallback=None)
    if i % 43 == 0:
        return replace(outcome, status="imperfect")
    if i % 7 == 0 and outcome.fallback:
        return replace(outcome, fallback="token count", fallback_limit=4000 if i % 2 else 5000)
    return outcome


@pytest.fixture
def outcomes():
    """A week with everything that can go wrong in it."""
    return [hurt(i, outcome) for i, outcome in enumerate(realistic(900, seed=3))]


@pytest.fixture
def facts(store, outcomes, zone):
    with LedgerReader(store(outcomes)) as ledger:
        return count_facts(ledger, *WEEK.bounds(zone))


def test_requests_and_their_ends_are_counted_once_each(facts, outcomes):
    assert facts.requests == len(outcomes)
    assert facts.statuses == Counter(outcome.status for outcome in outcomes)
    assert sum(served.requests for served in facts.served) == sum(o.model is not None for o in outcomes)


def test_the_money_is_the_sum_of_what_the_savings_rule_says_of_each_request(facts, outcomes):
    by_hand = money_of(outcomes)
    assert (facts.money.requests, facts.money.unknown) == (by_hand.requests, by_hand.unknown)
    assert facts.money.cost == pytest.approx(by_hand.cost, abs=1e-6)
    assert facts.money.baseline == pytest.approx(by_hand.baseline, abs=1e-6)
    assert facts.cost == pytest.approx(sum(o.cost for o in outcomes if o.cost is not None), abs=1e-6)
    assert facts.cost_unknown == sum(o.cost is None for o in outcomes)


def test_each_models_row_is_that_of_the_requests_it_answered(facts, outcomes):
    (claude,) = [served for served in facts.served if served.shown == "claude-sonnet-5-5 (API)"]
    own = [outcome for outcome in outcomes if outcome.model == "claude"]
    assert (claude.requests, claude.local) == (len(own), False)
    assert claude.latency.mean == pytest.approx(sum(o.seconds for o in own) / len(own), abs=1e-6)
    in_order = sorted(o.seconds for o in own)
    assert claude.latency.p50 == pytest.approx(in_order[(len(own) + 1) // 2 - 1], rel=0.0051)
    assert claude.cost_unknown == sum(o.cost is None for o in own)


def test_percentiles_of_the_week_are_those_of_all_answered_requests(facts, outcomes):
    in_order = sorted(o.seconds for o in outcomes if o.model is not None)
    assert facts.latency.requests == len(in_order)
    assert facts.latency.p95 == pytest.approx(in_order[-(-len(in_order) * 95 // 100) - 1], rel=0.0051)


@pytest.mark.parametrize(
    "seconds",
    [0.0, 0.000007, 0.009999, 0.010024, 0.0104, 0.099974, 0.1234567, 0.9994, 1.002501, 59.9, 7200.0],
)
def test_percentiles_from_rows_are_within_half_a_percent(store, zone, seconds):
    template = next(realistic(1, attempts=2))
    with LedgerReader(store([replace(template, seconds=seconds)])) as ledger:
        latency = count_facts(ledger, *WEEK.bounds(zone), from_rows=True).latency
    assert latency.mean == pytest.approx(seconds, abs=5e-7)
    assert latency.p50 == latency.p95 == pytest.approx(seconds, rel=0.00501, abs=1e-6)


def test_a_task_fails_locally_when_a_local_model_was_called_and_its_answer_failed_or_was_rejected(
    facts, outcomes
):
    code = next(task for task in facts.tasks if task.task == "code")
    own = [outcome for outcome in outcomes if outcome.signals.task == "code"]
    local = [[a for a in o.attempts if a.model != "claude"] for o in own]
    assert code.requests == len(own)
    assert code.tried_locally == sum(bool(attempts) for attempts in local)
    bad = [any(a.failure or (a.score is not None and a.score < 0.6) for a in attempts) for attempts in local]
    assert code.failed_locally == sum(bad)
    assert 0 < code.failed_locally < code.tried_locally


def test_attempts_are_counted_apart_from_requests(facts, outcomes):
    attempts = [attempt for outcome in outcomes for attempt in outcome.attempts]
    assert sum(tried.attempts for tried in facts.attempts) == len(attempts)
    refused = sum(tried.failures.get("refused", 0) for tried in facts.attempts)
    assert refused == sum(attempt.failure is not None for attempt in attempts)
    assert sum(tried.input for tried in facts.attempts) == sum(a.usage.prompt for a in attempts if a.usage)
    assert sum(tried.output for tried in facts.attempts) == sum(a.usage.output for a in attempts if a.usage)
    assert sum(tried.cost for tried in facts.attempts) == pytest.approx(sum(a.cost for a in attempts))


def test_a_call_is_counted_once_with_its_request_if_that_took_no_other_and_cost_the_same(store):
    alone, dearer, failed, two = [*realistic(2, attempts=1), *realistic(2, seed=1, attempts=2)]
    broken = Attempt(
        model="llama", started=0.0, ended=0.1, failure=Failure(reason="refused", detail="no", seconds=0.1)
    )
    outcomes = [
        alone,
        replace(dearer, cost=0.5),  # as a line may say that is imported
        replace(failed, attempts=(broken,), model=None, cost=None, status="error"),
        two,
    ]
    path = store(outcomes)
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT request, variant IS NULL FROM attempts ORDER BY request, position")
        assert list(rows) == [(1, 1), (2, 0), (3, 1), (4, 0), (4, 0)]
    with LedgerReader(path) as ledger:
        facts = count_facts(ledger, *WEEK.bounds(UTC), from_rows=True)
    attempts = [attempt for outcome in outcomes for attempt in outcome.attempts]
    assert sum(tried.attempts for tried in facts.attempts) == len(attempts) == 5
    assert sum(tried.cost for tried in facts.attempts) == pytest.approx(sum(a.cost or 0 for a in attempts))
    assert sum(tried.cost_unknown for tried in facts.attempts) == 1
    assert sum(sum(tried.failures.values()) for tried in facts.attempts) == sum(
        a.failure is not None for a in attempts
    )


def test_fallbacks_are_counted_by_reason_and_limit_the_commonest_first(facts, outcomes):
    by_hand = Counter((o.fallback, o.fallback_limit) for o in outcomes if o.fallback)
    assert {(f.reason, f.limit): f.requests for f in facts.fallbacks} == by_hand
    assert [f.requests for f in facts.fallbacks] == sorted(by_hand.values(), reverse=True)


def test_only_the_weeks_own_requests_are_counted(store, zone):
    since, until = WEEK.bounds(zone)
    template = next(realistic(1))
    times = [since - 1e-6, since, until - 1e-6, until]
    with LedgerReader(store([replace(template, received=at) for at in times])) as ledger:
        assert count_facts(ledger, since, until).requests == 2


def test_an_empty_week_has_facts_too(store, zone):
    with LedgerReader(store([])) as ledger:
        facts = count_facts(ledger, *WEEK.bounds(zone))
    assert (facts.requests, facts.served, facts.latency.mean, facts.money.requests) == (0, (), None, 0)


def test_a_model_described_anew_keeps_its_row_but_a_new_label_makes_another(path, zone):
    from headgate.ledger.writer import LedgerWriter

    claude = next(model for model in MODELS if model.name == "claude")
    one, two, three = realistic(3, attempts=2)
    writer = LedgerWriter(path)
    writer.start()
    writer.describe(MODELS)
    writer.put(one)
    writer.describe([replace(claude, price=replace(claude.price, input=4.0))])
    writer.put(two)
    writer.describe([replace(claude, label="stand-in")])
    writer.put(three)
    writer.close()
    with LedgerReader(path) as ledger:
        facts = count_facts(ledger, *WEEK.bounds(zone))
    rows = {served.shown: served.requests for served in facts.served}
    assert rows == {"claude-sonnet-5-5 (API)": 2, "claude-sonnet-5-5 (API) [stand-in]": 1}


def test_requests_lost_by_a_run_of_that_week_are_told(path, zone):
    from headgate.ledger.writer import LedgerWriter

    writer = LedgerWriter(path, queue_size=2, clock=lambda: MONDAY + 60)
    for outcome in realistic(5):
        writer.put(outcome)
    writer.start()
    writer.close()
    with LedgerReader(path) as ledger:
        assert count_facts(ledger, *WEEK.bounds(zone)).lost == 3
        assert count_facts(ledger, *Week(2025, 40).bounds(zone)).lost == 0


def test_a_request_with_estimated_tokens_is_counted_as_such(store, zone):
    (outcome,) = realistic(1, attempts=1)
    usage = replace(outcome.usage, estimated=WHOLE)
    guessed = replace(outcome, usage=usage, attempts=(replace(outcome.attempts[0], usage=usage),))
    silent = replace(outcome, usage=None, attempts=(Attempt(model="llama", started=0.0, ended=0.1),))
    with LedgerReader(store([guessed, silent])) as ledger:
        assert count_facts(ledger, *WEEK.bounds(zone)).estimated == 1


@pytest.mark.parametrize("known", [(), (0,), (1,), (0, 1)])
def test_what_energy_and_the_alternative_cost_is_summed_from_rows_for_those_of_which_it_is_known(
    store, zone, known
):
    template = next(realistic(1, attempts=2))
    outcomes = [
        replace(
            template,
            id=f"req_{place}",
            energy=36.0 if place in known else None,
            energy_cost=0.003 if place in known else None,
            alternative="groq-llama" if place in known else "",
            alternative_cost=0.002 if place in known else None,
        )
        for place in (0, 1)
    ]
    with LedgerReader(store(outcomes)) as ledger:
        money = count_facts(ledger, *WEEK.bounds(zone), from_rows=True).money
    many = len(known)
    assert (money.requests, money.energy_unknown, money.alternative_unknown) == (2, 2 - many, 2 - many)
    assert (money.energy_cost, money.alternative) == pytest.approx((0.003 * many, 0.002 * many))
