"""Finding requests again."""

from collections import Counter

import pytest
from ledger_samples import MODELS, MONDAY, realistic
from msgspec.structs import replace

from headgate.core.errors import LedgerError
from headgate.ledger.queries import Filter, LedgerReader
from headgate.ledger.writer import LedgerWriter


@pytest.fixture
def week():
    return list(realistic(400, seed=5))


@pytest.fixture
def ledger(store, week):
    with LedgerReader(store(week)) as reader:
        yield reader


def test_the_newest_come_first(ledger, week):
    found = [entry.outcome.id for entry in ledger.newest(limit=3)]
    assert found == [week[-1].id, week[-2].id, week[-3].id]


@pytest.mark.parametrize(
    ("which", "fits"),
    [
        (Filter(model="claude"), lambda outcome: outcome.model == "claude"),
        (Filter(task="code"), lambda outcome: outcome.signals.task == "code"),
        (Filter(route="sentiment"), lambda outcome: outcome.decision.route == "sentiment"),
        (Filter(fallback="engine unavailable"), lambda outcome: outcome.fallback == "engine unavailable"),
        (Filter(status="ok"), lambda outcome: True),
        (Filter(status="failed"), lambda outcome: False),
        (Filter(since=MONDAY + 86400), lambda outcome: outcome.received >= MONDAY + 86400),
        (Filter(until=MONDAY + 86400), lambda outcome: outcome.received < MONDAY + 86400),
        (Filter(model="claude", task="chat"), lambda o: (o.model, o.signals.task) == ("claude", "chat")),
        (Filter(model="nobody"), lambda outcome: False),
    ],
)
def test_a_filter_keeps_what_fits_and_nothing_else(ledger, week, which, fits):
    found = [entry.outcome.id for entry in ledger.all(which)]
    assert found == [outcome.id for outcome in week if fits(outcome)]


def test_text_is_found_in_kept_prompts_and_answers_literally(store):
    plain, prompt, answer = realistic(3, seed=6)
    prompt = replace(prompt, prompt="100% of the invoice", answer="")
    answer = replace(answer, prompt="", answer="no percent sign, 100 of them")
    with LedgerReader(store([plain, prompt, answer])) as ledger:
        found = [entry.outcome.id for entry in ledger.all(Filter(text="100%"))]
        assert found == [prompt.id]
        assert [entry.outcome.id for entry in ledger.all(Filter(text="of the inv"))] == [prompt.id]
        assert [entry.outcome.id for entry in ledger.all(Filter(text="100 of"))] == [answer.id]


def test_one_request_is_found_by_its_id_by_a_unique_beginning_and_as_the_last(ledger, week):
    assert ledger.one(week[7].id).outcome.id == week[7].id
    assert ledger.one(week[7].id[:14]).outcome.id == week[7].id
    assert ledger.one("last").outcome.id == week[-1].id


def test_an_id_that_begins_another_id_still_finds_its_own_request(store):
    first, second = realistic(2)
    with LedgerReader(store([replace(second, id="req_12"), replace(first, id="req_1")])) as ledger:
        assert ledger.one("req_1").outcome.id == "req_1"


@pytest.mark.parametrize("word", ["req_", "nothing", "", "%"])
def test_an_id_that_is_unknown_or_not_unique_is_an_error_with_a_hint(ledger, word):
    with pytest.raises(LedgerError) as caught:
        ledger.one(word)
    assert caught.value.hint


def test_an_empty_ledger_has_no_last_request(store):
    with LedgerReader(store([])) as ledger:
        assert ledger.newest() == []
        assert ledger.last_number() == 0
        with pytest.raises(LedgerError):
            ledger.one("last")


def test_a_reader_can_follow_the_writer(path):
    writer = LedgerWriter(path)
    writer.start()
    first, second, third = realistic(3)
    writer.put(first)
    writer.flush()
    with LedgerReader(path) as ledger:
        seen = ledger.last_number()
        assert ledger.after(seen) == []
        writer.put(second)
        writer.describe(MODELS)
        writer.put(third)
        writer.flush()
        new = ledger.after(seen)
        assert [entry.outcome.id for entry in new] == [second.id, third.id]
        assert (
            new[0].models,
            "llama" in new[1].models or "phi" in new[1].models or "coder" in new[1].models,
        ) == ({}, True)
    writer.close()


def test_requests_are_counted_by_category(ledger, week):
    by_task = ledger.count_by_task()
    assert by_task["code"] == sum(outcome.signals.task == "code" for outcome in week)
    assert ledger.count_by_status() == {"ok": 400}
    fallbacks = ledger.count_by_fallback(Filter(task="code"))
    assert sum(fallbacks.values()) == by_task["code"]
    assert None in fallbacks


def test_a_reader_cannot_write(ledger):
    with pytest.raises(LedgerError), ledger.connect() as db:
        db.exec_driver_sql("DELETE FROM requests")
    assert ledger.last_number() == 400


def test_how_many_each_model_answered_since_a_moment(ledger, week):
    since = week[150].received
    wanted = Counter(outcome.model for outcome in week[150:] if outcome.model is not None)
    assert ledger.answered_since(since) == wanted
    assert ledger.answered_since(week[-1].received + 1) == {}
