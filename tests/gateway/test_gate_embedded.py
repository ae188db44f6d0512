"""The embedded engine behind a gate: real models, loaded as far as they fit, the others when somebody asks for them."""

import pytest

from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.core.types import Message, Request

PAGE = """
[engines.home]
kind = "llamacpp"

[models.nano]
engine = "home"
id = "headgate-nano"

[models.micro]
engine = "home"
id = "headgate-micro"

[fleet]
ram_gb = {ram}

[ledger]
path = "{folder}/ledger.db"

[[routes]]
name = "all"
try = ["nano"]
"""
MAIL = (
    "Classify this support email as billing, technical, feature-request or escalation.\nI was charged twice."
)


def states(gate) -> dict[str, str]:
    return {lane.name: lane.state for lane in gate.road.fleet.admission.scheduler.lanes.values()}


@pytest.mark.parametrize(("ram", "at_once"), [(0.7, {"nano"}), (8, {"nano", "micro"})])
async def test_as_many_as_fit_are_loaded_at_once_and_the_rest_when_asked_for(tmp_path, ram, at_once):
    pytest.importorskip("xllamacpp")
    config = parse_config(PAGE.format(ram=ram, folder=tmp_path), tmp_path / "headgate.toml")
    async with open_gate(config) as gate:
        assert {name for name, state in states(gate).items() if state == "ready"} == at_once
        for name in ("micro", "nano", "micro"):
            request = Request(id=name, asked=name, messages=(Message("user", MAIL),))
            reply, outcome = await gate.ask(request)
            assert (outcome.status, outcome.model) == ("ok", name), outcome.error
            assert reply.text == "billing"
        memory = [
            lane.memory
            for lane in gate.road.fleet.admission.scheduler.lanes.values()
            if lane.state == "ready"
        ]
        assert all(0 < size < 200_000_000 for size in memory), "measured, and not the careful estimate"
