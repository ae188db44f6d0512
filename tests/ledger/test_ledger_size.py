"""Rows stay narrow."""

from ledger_samples import realistic

REQUESTS = 5_000


def bytes_a_request(store, attempts):
    """Bytes on disk for each request, without those of an empty ledger."""
    empty = store([]).stat().st_size
    return (store(realistic(REQUESTS, attempts=attempts)).stat().st_size - empty) / REQUESTS


def test_a_request_with_its_attempts_takes_less_than_400_bytes_on_disk_indexes_included(store):
    assert bytes_a_request(store, 1) < 400


def test_a_request_with_two_attempts_each_takes_less_than_400_bytes_too(store):
    assert bytes_a_request(store, 2) < 400
