"""One function computes savings: every surface shows the same cents over the same ledger.

A surface registers itself in `SURFACES`: it is given what was seen of the gate, and returns what it shows as saved.
"""

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from headgate.cli.main import command
from headgate.config.load import load_config
from headgate.ledger.queries import LedgerReader
from headgate.ledger.reporting import weekly_report
from headgate.reports.savings import money_of, savings
from headgate.reports.shown import dollars

HALF = 0.00005
"""Text faces round to four decimals."""


@dataclass
class Seen:
    """What is left of a gate: its page, its ledger, and what its callers were told."""

    page: Path
    headers: list[dict[str, str]]
    metrics: str

    def cli(self, *words: str) -> str:
        result = CliRunner().invoke(command, [*words, "--config", str(self.page)], catch_exceptions=False)
        assert result.exit_code in (0, 5), result.output
        return result.stdout


SURFACES = {}


def surface(name):
    def register(function):
        SURFACES[name] = function
        return function

    return register


def amount(text: str) -> float:
    found = re.search(r"(-?)\$([\d,]+\.\d+)", text)
    assert found, text
    return float(found[1] + found[2].replace(",", ""))


@surface("report --json")
def _(seen):
    return json.loads(seen.cli("report", "--json"))["savings"]["saved"]


@surface("report, text")
def _(seen):
    text = seen.cli("report")
    return amount(next(line for line in text.splitlines() if line.startswith("Savings this week")))


@surface("report, markdown")
def _(seen):
    text = seen.cli("report", "--format", "md")
    return amount(next(line for line in text.splitlines() if "saved" in line.lower() and "$" in line))


@surface("report, html")
def _(seen):
    return shown_in(seen, seen.cli("report", "--format", "html"))


@surface("report, e-mail")
def _(seen):
    return shown_in(seen, seen.cli("report", "--format", "email"))


def shown_in(seen, page):
    """The figure that the page has to show, if it does."""
    saved = weekly_report(load_config(str(seen.page)), "this").savings.saved
    assert dollars(saved) in page
    return saved


@surface("log --json, request by request")
def _(seen):
    lines = seen.cli("log", "--json", "-n", "50").splitlines()
    return sum(json.loads(line)["saved"] for line in lines)


@surface("headers, request by request")
def _(seen):
    return sum(float(headers["x-headgate-saved"]) for headers in seen.headers)


@surface("metrics: baseline minus cost")
def _(seen):
    figures = {"headgate_baseline_dollars_total": 0.0, "headgate_cost_dollars_total": 0.0}
    for line in seen.metrics.splitlines():
        name = re.split(r"[{ ]", line)[0]
        if name in figures:
            figures[name] += float(line.rpartition(" ")[2])
    return figures["headgate_baseline_dollars_total"] - figures["headgate_cost_dollars_total"]


@pytest.fixture
async def seen(open_bench, tmp_path):
    page = tmp_path / "headgate.toml"

    def keep(text):
        page.write_text(text, encoding="utf-8")
        return text

    async with open_bench(change=keep) as bench:
        answers = [await bench.ask(f"Tell me in a few words about day {day}.") for day in range(4)]
        answers.append(await bench.ask("And what does it cost?", model="claude"))
        await bench.written(5)
        metrics = (await bench.send("GET", "/metrics")).body.decode()
    return Seen(page, [answer.headers for answer in answers], metrics)


@pytest.mark.parametrize("name", SURFACES)
async def test_every_surface_shows_the_same_cents(seen, name):
    with LedgerReader(load_config(str(seen.page)).ledger.path) as reader:
        expected = savings(money_of(entry.outcome for entry in reader.newest(limit=50))).saved
    assert expected > 0.0001
    found = await asyncio.to_thread(SURFACES[name], seen)
    assert found == pytest.approx(expected, abs=HALF)
