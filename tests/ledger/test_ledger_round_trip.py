"""What was written is what is read, up to the rounding that docs/ledger.md lists."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_samples import MODELS, plain, realistic
from msgspec import UNSET
from msgspec.structs import replace

from headgate.core.types import Attempt, Candidate, Decision, Failure, Outcome, Signals, Usage, Verdict
from headgate.core.words import FAILURES, FALLBACKS, SKIPS, STATUSES, TASKS
from headgate.ledger.dimensions import LONGEST
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter

sentences = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x1a"), max_size=40)
words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
names = st.sampled_from([model.name for model in MODELS] + ["a model that nobody described"])


def scaled(low, high, scale):
    return st.integers(low * scale, high * scale).map(lambda number: number / scale)


durations = scaled(0, 3600, 1_000_000)
money = scaled(0, 100, 1_000_000_000)
scores = scaled(0, 1, 10_000)
counts = st.integers(0, 2_000_000)


def maybe(strategy):
    return st.none() | strategy


usages = st.builds(
    Usage,
    input=counts,
    cache_read=counts,
    cache_write_5m=counts,
    cache_write_1h=counts,
    output=counts,
    reasoning=counts,
    images=counts,
    audio=counts,
    audio_output=counts,
    searches=counts,
    service=st.sampled_from(["", "batch", "flex"]),
    charged=maybe(money),
    estimated=st.integers(0, 511),
)
failures = st.builds(
    Failure,
    reason=st.sampled_from(FAILURES),
    detail=sentences,
    status=maybe(st.integers(100, 599)),
    retry_after=maybe(durations),
    usage=maybe(usages),
    first_token=maybe(durations),
    seconds=durations,
    text=sentences,
)
attempts = st.builds(
    Attempt,
    model=names,
    started=durations,
    ended=durations,
    queued=durations,
    first_token=maybe(durations),
    usage=maybe(usages),
    cost=maybe(money),
    failure=maybe(failures),
    verdicts=st.lists(st.builds(Verdict, words, maybe(scores), sentences), max_size=4).map(tuple),
    score=maybe(scores),
    logprob=maybe(scaled(-20, 0, 10_000)),
    finish=maybe(st.sampled_from(["stop", "length", "tool_calls", "content_filter"])),
    late=st.booleans(),
)
signals = st.builds(
    Signals,
    task=maybe(st.sampled_from(TASKS)),
    task_confidence=scaled(0, 1, 1_000),
    task_by=st.sampled_from(["caller", "rules", "none"]),
    tokens=counts,
    tokens_exact=st.booleans(),
    format=st.sampled_from(["text", "json", "schema"]),
    tools=st.integers(0, 60),
    images=st.integers(0, 9),
    language=st.sampled_from(["", "en", "zh"]),
    code_blocks=st.integers(0, 9),
    labels=st.lists(words, max_size=3).map(tuple),
    local_only=st.booleans(),
)
candidates = st.builds(
    Candidate, model=names, skip=maybe(st.sampled_from(SKIPS)), detail=sentences, estimate=maybe(money)
)
decisions = st.builds(
    Decision,
    route=words,
    why=sentences,
    candidates=st.lists(candidates, max_size=4).map(tuple),
    checks=st.lists(words, max_size=4).map(tuple),
    pass_at=st.floats(0, 1),
    mode=st.sampled_from(["hold", "peek", "pass"]),
    within=st.floats(0, 600),
    attempts_at_most=st.integers(1, 9),
    spend_at_most=maybe(money),
    by_name=st.booleans(),
    tokens_over=maybe(counts),
)
outcomes = st.builds(
    Outcome,
    id=words,
    received=scaled(1_000_000_000, 2_000_000_000, 1_000_000),
    asked=sentences,
    stream=st.booleans(),
    signals=signals,
    decision=decisions,
    attempts=st.lists(attempts, max_size=3).map(tuple),
    status=st.sampled_from(STATUSES),
    model=maybe(names),
    fallback=maybe(st.sampled_from(FALLBACKS)),
    fallback_limit=maybe(counts),
    seconds=durations,
    first_token=maybe(durations),
    usage=maybe(usages),
    cost=maybe(money),
    baseline=names,
    baseline_cost=maybe(money),
    prices_as_of=st.sampled_from(["", "2026-11-23"]),
    error=sentences,
    prompt=st.just(UNSET) | sentences,
    answer=st.just(UNSET) | sentences,
)


def without_bodies(outcome):
    """What is left of an outcome whose prompt and answer are not kept."""
    if outcome.prompt is not UNSET or outcome.answer is not UNSET:
        return outcome
    return replace(
        outcome,
        signals=replace(outcome.signals, labels=()),
        attempts=tuple(
            attempt
            if attempt.failure is None
            else replace(attempt, failure=replace(attempt.failure, text=""))
            for attempt in outcome.attempts
        ),
    )


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    writer = LedgerWriter(path)
    writer.start()
    writer.describe(MODELS)
    with LedgerReader(path) as reader:
        yield writer, reader
    writer.close()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(written=st.lists(outcomes, max_size=6))
def test_what_is_read_is_what_was_written(ledger, written):
    writer, reader = ledger
    before = reader.last_number()
    for outcome in written:
        assert writer.put(outcome)
    assert writer.flush()
    assert writer.lost == 0
    assert [entry.outcome for entry in reader.after(before)] == [
        without_bodies(outcome) for outcome in written
    ]


def test_durations_and_money_are_rounded_to_their_unit_and_no_further(store, read):
    (outcome,) = realistic(1, attempts=1)
    exact = replace(outcome, seconds=1.23456789, cost=0.12345678912, received=1_760_313_600.12345678)
    store([exact])
    (got,) = read()
    assert (got.seconds, got.cost) == (1.234568, 0.123456789)
    assert abs(got.received - exact.received) <= 1e-6


def test_a_sentence_is_stored_in_full_once_or_twice_and_by_number_from_then_on(store, path, read):
    written = list(realistic(50, attempts=2))
    store(written)
    assert [outcome.decision.why for outcome in read()] == [outcome.decision.why for outcome in written]
    import sqlite3

    db = sqlite3.connect(path)
    stories = [msgspec.json.decode(story) for (story,) in db.execute("SELECT story FROM requests ORDER BY n")]
    db.close()
    assert isinstance(stories[0]["w"], str)
    assert isinstance(stories[-1]["w"], int)


def told(outcomes):
    """What the stories say, which need no rounding."""
    return [(o.id, o.asked, o.decision, o.usage, [a.verdicts for a in o.attempts]) for o in outcomes]


@pytest.mark.parametrize("number", [1, 23, 24, 25, 48, 500])
def test_what_repeats_from_request_to_request_is_read_as_it_was_written(store, read, number):
    written = [o for pair in zip(plain(number), realistic(number), strict=True) for o in pair]
    store(written)
    assert told(read()) == told(written)


def test_a_chain_in_which_the_same_models_are_skipped_for_other_reasons_is_another_chain(store, read):
    written = []
    for i, outcome in enumerate(plain(60)):
        first, second = outcome.decision.candidates
        skipped = (first, replace(second, skip="busy" if i % 2 else "budget", detail=f"for {i % 3} reasons"))
        written.append(replace(outcome, decision=replace(outcome.decision, candidates=skipped)))
    store(written)
    assert told(read()) == told(written)


def test_an_overlong_sentence_is_cut_and_says_so(store, read):
    (outcome,) = realistic(1, attempts=1)
    store([replace(outcome, error="x" * 5000)])
    (got,) = read()
    assert len(got.error) == LONGEST
    assert got.error.endswith("…")


def test_a_figure_that_is_no_number_is_stored_as_unknown(store, read):
    (outcome,) = realistic(1, attempts=1)
    odd = replace(outcome.attempts[0], logprob=float("nan"), score=float("inf"))
    unsure = replace(outcome.signals, task_confidence=float("nan"))
    store([replace(outcome, attempts=(odd,), signals=unsure, cost=float("nan"))])
    (got,) = read()
    assert (got.attempts[0].logprob, got.attempts[0].score, got.cost) == (None, None, None)
    assert got.signals.task_confidence == 0
    assert got.attempts[0].verdicts == outcome.attempts[0].verdicts


def test_prompts_and_answers_are_not_stored_unless_they_are_handed_over(store, path):
    (outcome,) = realistic(1, attempts=1)
    secret = replace(outcome, signals=replace(outcome.signals, labels=("a label out of the prompt",)))
    store([secret])
    assert b"a label out of the prompt" not in path.read_bytes()
