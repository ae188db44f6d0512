"""The shell of the tests of batches."""

import pytest
from batch_shell import BatchShell


@pytest.fixture
def shell(tmp_path):
    return BatchShell(tmp_path / "home")
