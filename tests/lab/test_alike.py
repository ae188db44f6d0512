"""Requests that a replay puts together are alike in every figure: what is packed into one integer is never mistaken for another."""

import sqlite3
from bisect import bisect_right
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.past import Cuts
from headgate.lab.alike import LARGEST, Alike, figures, pack, reached

sizes = st.lists(st.one_of(st.integers(1, 40), st.just(2**20)), min_size=1, max_size=12)
rows_of_sizes = sizes.flatmap(
    lambda below: st.tuples(
        st.just(below), st.lists(st.tuples(*[st.integers(0, most - 1) for most in below]), max_size=8)
    )
)


def ask(query, *given):
    with closing(sqlite3.connect(":memory:")) as db:
        return db.execute(query, given).fetchone()


@given(rows_of_sizes)
def test_packed_figures_are_others_where_any_figure_is_another(made):
    below, rows = made
    packed = pack([(f"?{i + 1}", most) for i, most in enumerate(below)])
    assert all(room <= LARGEST for _, room in packed)
    seen = {}
    for row in [*rows, tuple(most - 1 for most in below)]:
        found = ask(f"SELECT {', '.join(figure for figure, _ in packed)}", *row)
        assert all(0 <= one < room for one, (_, room) in zip(found, packed, strict=True))
        assert seen.setdefault(found, row) == row


@given(st.lists(st.integers(0, 8), unique=True, max_size=9).map(sorted), st.none() | st.integers(-1, 9))
def test_a_figure_lies_between_the_edges_that_it_has_and_has_not_reached(edges, figure):
    query, below = reached("?1", edges)
    (found,) = ask(f"SELECT {query}", figure)
    assert found == (len(edges) + 1 if figure is None else bisect_right(edges, figure))
    assert 0 <= found < below


def test_as_many_attempts_as_a_request_can_have_are_packed_as_well():
    cuts = Cuts(tokens=tuple(range(100, 5_000, 100)), scores=tuple(i / 100 for i in range(100)))
    assert len(pack(figures(cuts, 12))) < len(list(figures(cuts, 12)))
    assert all(room <= LARGEST for _, room in pack(figures(cuts, 20)))
    with closing(sqlite3.connect(":memory:")) as db:
        from headgate.ledger.opening import make_tables

        make_tables(db)
        for attempts in (0, 1, 12):
            for statement in (Alike(cuts, attempts).grouped, Alike(cuts, attempts).audits):
                assert db.execute(statement, (0, 10, 0, 10)).fetchall() == []
