"""The stage on which clients are tested, once for all of them."""

import os
from collections.abc import Iterator

import pytest
from client_environments import ASKED
from client_stage import Stage, open_stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if not os.environ.get(ASKED):
        pytest.skip(f"{ASKED}=1 tests other people's clients; the first time it fetches them")
    with open_stage(tmp_path_factory.mktemp("clients")) as opened:
        yield opened
