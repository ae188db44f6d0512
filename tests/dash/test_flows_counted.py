"""Where requests went is counted the same from rows as from rollups."""

from collections import Counter
from contextlib import closing

import pytest
from page_ledger import week_of_requests, write_ledger

from headgate.config.load import parse_config
from headgate.dash.flows import read_flows
from headgate.ledger.opening import open_for_writing
from headgate.ledger.queries import LedgerReader
from headgate.ledger.rollups import roll

NOW = 1_795_000_000.0
PAGE = """
[ledger]
path = "{}"

[engines.home]
kind = "ollama"
url = "http://127.0.0.1:9"

[models.llama]
engine = "home"
id = "llama3.1:8b"

[[routes]]
name = "everything else"
try = ["llama"]
"""


def test_flows_are_those_of_the_rows_before_and_after_they_are_rolled_up(tmp_path):
    path = tmp_path / "ledger.db"
    write_ledger(path, week_of_requests(300, NOW))
    config = parse_config(PAGE.format(path), tmp_path / "headgate.toml")
    since, until = NOW - 5 * 86_400 - 77, NOW - 86_400 + 12
    many, cost = Counter(), Counter()
    with LedgerReader(path) as ledger:
        for outcome in (entry.outcome for entry in ledger.all()):
            if since <= outcome.received < until:
                way = (
                    outcome.signals.task,
                    outcome.decision.route,
                    outcome.model,
                    outcome.status,
                    outcome.fallback,
                )
                many[way] += 1
                cost[way] += outcome.cost or 0.0
    assert 0 < many.total() < 300
    for _ in range(3):
        found = read_flows(config, since, until)
        flows = {
            (flow.task, flow.route, flow.model, flow.status, flow.fallback): flow for flow in found.flows
        }
        assert len(flows) == len(found.flows)
        assert {way: flow.requests for way, flow in flows.items()} == many
        assert {way: flow.cost for way, flow in flows.items()} == pytest.approx(cost)
        assert found.requests == many.total() == sum(band.requests for band in found.lengths)
        assert {flow.local for flow in found.flows if flow.model == "claude"} == {False}
        with closing(open_for_writing(path)) as db:
            roll(db, 200)
