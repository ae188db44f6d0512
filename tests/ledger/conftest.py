from datetime import UTC

import pytest
from ledger_samples import MODELS

from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "ledger.db"


@pytest.fixture
def store(path):
    """Write outcomes to the ledger and close it."""

    def write(outcomes, models=MODELS):
        writer = LedgerWriter(path)
        writer.start()
        writer.describe(models)
        for outcome in outcomes:
            assert writer.put(outcome)
        writer.close()
        assert writer.lost == 0
        return path

    return write


@pytest.fixture
def read(path):
    """All outcomes of the ledger, oldest first."""

    def outcomes():
        with LedgerReader(path) as ledger:
            return [entry.outcome for entry in ledger.all()]

    return outcomes


@pytest.fixture
def zone():
    return UTC
