"""What docs/audits.md shows is what comes out: the report of audited lines, and the example in Python."""

import contextlib
import io
import json
import random

from click.testing import CliRunner
from docs_pages import DOCS, blocks

from headgate.cli.main import command as headgate

PAGE = DOCS / "audits.md"


def lines():
    """A week of two hundred fallbacks and two hundred local answers; every fifth was audited."""
    chance = random.Random(42)
    for n in range(400):
        paid = n % 2 == 0
        tells = round(chance.random(), 2)
        local = {
            "model": "llama3.1",
            "engine": "ollama",
            "latency": 0.3,
            "usage": {"input": 900, "output": 120},
            "checks": [{"check": "grounded", "score": 0.6 * tells if paid else 0.6 + 0.4 * tells}],
            "verdict": "rejected" if paid else "passed",
        }
        answers = [local]
        if paid:
            claude = {
                "model": "claude-sonnet-5-5",
                "engine": "anthropic",
                "started": 0.3,
                "latency": 0.9,
                "usage": {"input": 900, "output": 120},
                "cost": 0.0045,
                "verdict": "passed",
            }
            answers.append(claude)
        line = {
            "time": f"2026-11-{16 + n % 7}T10:{n % 60:02}:00Z",
            "id": f"r{n}",
            "task": "summarization",
            "route": "everything else",
            "attempts": answers,
            "baseline": "gpt-4o",
            "baseline_cost": 0.006,
        }
        if paid:
            line["fallback"] = {"reason": "quality check failed"}
        if n % 10 in (0, 5):
            good = chance.random() < (0.25 if paid else 0.93)
            said = ("unnecessary" if good else "necessary") if paid else ("good" if good else "missed")
            line["audit"] = {"verdict": said, "judge": "local model", "cost": 0.0, "probability": 0.2}
        yield line


def printed_report(folder):
    source, page = folder / "audited.jsonl", folder / "headgate.toml"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines()), encoding="utf-8")
    page.write_text(
        blocks(DOCS / "config.md", "toml")[0].text
        + f'\n[ledger]\npath = "{folder / "ledger.db"}"\n[report]\ntimezone = "utc"\n'
    )
    for words in (("ledger", "import", str(source)), ("report", "--week", "2026-W47")):
        done = CliRunner().invoke(headgate, [*words, "--config", str(page)])
        assert done.exit_code == 0, done.output
    report = done.stdout
    part = report[report.index("WHAT AUDITS FOUND") :]
    return (
        part[: part.index("\n\nWHAT TO CHANGE")]
        if "WHAT TO CHANGE" in part
        else part[: part.index("\n\nWHERE")]
    )


def test_the_report_of_the_page_is_the_one_that_is_printed(tmp_path):
    assert blocks(PAGE, "text")[0].text.strip() == printed_report(tmp_path).strip()


def test_the_example_prints_what_the_page_says():
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(blocks(PAGE, "python")[0].text, {})
    assert blocks(PAGE, "text")[1].text == said.getvalue()
