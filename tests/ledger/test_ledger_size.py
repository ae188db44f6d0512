"""Rows stay narrow."""

from ledger_samples import realistic


def test_a_request_with_its_attempts_takes_less_than_400_bytes_on_disk_indexes_included(store):
    path = store(realistic(5_000))
    assert path.stat().st_size / 5_000 < 400


def test_a_request_with_two_attempts_each_takes_less_than_400_bytes_too(store):
    path = store(realistic(5_000, attempts=2))
    assert path.stat().st_size / 5_000 < 400
