"""A data folder of its own, a folder of documents, and the embedding model that ships, through a gate."""

import pytest
from knowledge_desk import PAGE, Counting, write

from headgate.app import open_gate
from headgate.config.load import parse_config


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    monkeypatch.setenv("HEADGATE_DATA", str(folder))
    return folder


@pytest.fixture
async def embedder(tmp_path):
    pytest.importorskip("xllamacpp")
    config = parse_config(PAGE.format(folder=tmp_path), tmp_path / "headgate.toml")
    async with open_gate(config) as gate:
        yield Counting(gate.embedder)


@pytest.fixture
def handbook(tmp_path):
    folder = tmp_path / "handbook"
    write(folder)
    return folder
