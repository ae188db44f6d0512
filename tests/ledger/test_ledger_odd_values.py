"""Values that no row can hold: the request is in the ledger all the same, with what cannot be kept as unknown."""

from math import inf, nan
from types import UnionType
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_samples import MODELS, plain, realistic
from msgspec import UNSET, Struct
from msgspec.structs import fields, replace

from headgate.core.types import Failure
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter

ODD = {
    float: st.floats() | st.sampled_from([1.7e308, -1.7e308, 9.3e9, 1.6e16, -7.1e16]),
    int: st.integers(-(2**80), 2**80) | st.sampled_from([2**31, 2**53, 2**63 - 1, 2**63, -(2**63)]),
    str: st.text(st.characters(), max_size=9)
    | st.sampled_from(["\ud83d", "cut \udc80", "\0", "\x1a", "9" * 5000]),
}
"""What may stand in a field, by its kind. Texts may have halves of characters."""


def kind_of(field):
    """Whether it is a field for a figure or a text, and which; closed words are neither."""
    kinds = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
    return next((kind for kind in ODD if kind in kinds), None)


def with_one_odd(value, odd):
    """The same, with one figure or text that is odd, once for each that it has."""
    if isinstance(value, tuple):
        for at, part in enumerate(value):
            yield from ((*value[:at], other, *value[at + 1 :]) for other in with_one_odd(part, odd))
    elif isinstance(value, Struct):
        for field in fields(value):
            if kind_of(field) is type(odd):
                yield replace(value, **{field.name: odd})
            else:
                inside = with_one_odd(getattr(value, field.name), odd)
                yield from (replace(value, **{field.name: other}) for other in inside)


def odder(draw, value):
    """The same, with some of its figures and texts made odd."""
    if isinstance(value, tuple):
        return tuple(odder(draw, part) for part in value)
    if not isinstance(value, Struct):
        return value
    changes = {}
    for field in fields(value):
        kind = kind_of(field)
        if kind is None:
            changes[field.name] = odder(draw, getattr(value, field.name))
        elif draw(st.integers(0, 3)) == 0:
            changes[field.name] = draw(ODD[kind])
    return replace(value, **changes)


@st.composite
def odd_outcomes(draw):
    """Outcomes of which some values are odd."""
    (outcome,) = draw(st.sampled_from([plain, realistic]))(1, seed=draw(st.integers(0, 30)))
    failure = Failure(reason="http_error", detail="", status=500, retry_after=1.0, usage=outcome.usage)
    if draw(st.booleans()):
        outcome = replace(
            outcome, attempts=(replace(outcome.attempts[0], failure=failure), *outcome.attempts)
        )
    return odder(draw, outcome)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    writer = LedgerWriter(path, flush_every=0.001)
    writer.start()
    writer.describe(MODELS)
    with LedgerReader(path) as reader:
        yield writer, reader
    writer.close()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(odd=st.lists(odd_outcomes(), min_size=1, max_size=4))
def test_no_request_is_lost_whatever_its_figures_and_texts_are_and_all_can_be_read(ledger, odd):
    writer, reader = ledger
    before = reader.last_number()
    usual = list(plain(2))
    for outcome in (usual[0], *odd, usual[1]):
        assert writer.put(outcome)
    assert writer.flush()
    assert writer.lost == 0
    first, *between, last = [entry.outcome for entry in reader.after(before)]
    assert (first.id, len(between), last.id) == (usual[0].id, len(odd), usual[1].id)
    for written, got in zip(odd, between, strict=True):
        assert got.status == written.status
        assert len(got.attempts) == len(written.attempts)


@pytest.mark.parametrize("odd", [nan, inf, -inf, 1e308, 2**63, -(2**63) - 1, 2**70, "half \ud83d", "\0"])
def test_no_request_is_lost_for_one_odd_value_wherever_it_stands(store, read, odd):
    (usual,) = realistic(1, attempts=2)
    failure = Failure(reason="http_error", detail="HTTP 500", status=500, usage=usual.usage)
    usual = replace(usual, attempts=(replace(usual.attempts[0], failure=failure), *usual.attempts))
    written = list(with_one_odd(usual, odd))
    assert len(written) > 20
    store(written)
    assert [got.status for got in read()] == [outcome.status for outcome in written]


TOO_LATE = 1.6779432294539916e16
"""Seconds, of a batch that a caller says was handed over then."""


def test_what_can_be_kept_of_an_odd_request_is_kept(store, read):
    (outcome,) = realistic(1, attempts=2)
    failure = Failure(reason="http_error", detail="busy \ud83d", status=503, retry_after=1e300)
    first, second = outcome.attempts
    odd = replace(
        outcome,
        received=TOO_LATE,
        seconds=inf,
        cost=nan,
        key="a \udc80 key",
        usage=replace(outcome.usage, charged=1e300),
        attempts=(replace(first, failure=failure), replace(second, ended=TOO_LATE)),
        prompt="half of \ud83d",
    )
    store([odd])
    (got,) = read()
    assert (got.received, got.seconds, got.cost, got.key) == (0.0, 0.0, None, "a ? key")
    assert (got.model, got.decision, got.signals) == (outcome.model, outcome.decision, outcome.signals)
    assert got.usage == outcome.usage
    assert got.attempts[0].failure == replace(failure, detail="busy ?", retry_after=None)
    assert got.attempts[1].verdicts == second.verdicts
    assert (got.prompt, got.answer) == ("half of ?", UNSET)
