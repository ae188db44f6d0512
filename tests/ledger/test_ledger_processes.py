"""Reading in processes of their own: they give way to live requests, and one that fails is told of."""

import os
import sqlite3
import sys

import pytest

from headgate.core.errors import LedgerError
from headgate.ledger.processes import NICE, in_turn

WORK = """
import os
from headgate.ledger.processes import serve

def work(db, *numbers):
    for number in numbers:
        yield os.nice(0) if number is None else 6 / number

serve(work)
"""


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    (tmp_path / "some_work.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    sqlite3.connect(tmp_path / "ledger.db").close()
    return tmp_path / "ledger.db"


def test_each_finds_in_turn_what_its_job_asks_for(ledger):
    assert list(in_turn("some_work", ledger, [(1, 2), (3,), (6, 4)])) == [6.0, 2.0, 1.0, 3.0, 1.5]


@pytest.mark.skipif(sys.platform == "win32", reason="processes have no niceness there")
def test_they_give_way_to_whatever_else_the_machine_does(ledger):
    assert list(in_turn("some_work", ledger, [(None,)])) == [min(os.nice(0) + NICE, 19)]


def test_one_that_fails_is_an_error_that_says_why(ledger):
    with pytest.raises(LedgerError, match=r"cannot be read: ZeroDivisionError: (float )?division by zero"):
        list(in_turn("some_work", ledger, [(1,), (0,)]))
