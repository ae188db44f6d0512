"""`headgate report`: the weekly routing report, from the ledger."""

import sys
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.reports.weekly import WeeklyReport


@click.command("report")
@click.option(
    "--week", "word", default="this", show_default=True, metavar="WEEK", help="2026-W47, 47, this or last."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "md", "json"]), default="text", help="How to print it."
)
@click.option(
    "--out", metavar="DIR", help="Also write it into this folder, as routing-report-YYYY-week-WW.log."
)
@with_config
@with_json
def command(config_file: str | None, word: str, form: str, out: str | None, *, as_json: bool) -> None:
    """Requests and latency per model, cost, savings, fallbacks, and task categories that fail locally.

    Exit 5 when a task category fails locally more often than [report] warn allows.
    """
    config = load(config_file)
    report = weekly_report(config, word)
    if as_json or form == "json":
        from headgate.reports.plain import plain

        put_json(plain(report))
    else:
        put(face(report, form).rstrip())
    if out is not None:
        path = Path(out).expanduser() / report.week.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(face(report, "text"), encoding="utf-8")
        say(f"written to {path}")
    if report.warnings:
        for warning in report.warnings:
            say(f"warning: {warning}")
        sys.stdout.flush()
        raise click.exceptions.Exit(5)


def face(report: "WeeklyReport", form: str) -> str:
    """The report as text or markdown."""
    from headgate.reports.markdown import markdown
    from headgate.reports.text import text

    return markdown(report) if form == "md" else text(report)


def weekly_report(config: "Config", word: str) -> "WeeklyReport":
    """One week of the config's ledger.

    Raises:
        UsageError: the word names no week.
        LedgerError: the ledger cannot be read.
    """
    from headgate.core.errors import LedgerError, UsageError
    from headgate.ledger.facts import count_facts
    from headgate.ledger.queries import LedgerReader
    from headgate.reports.week import parse_week
    from headgate.reports.weekly import weekly

    zone = zone_of(config.timezone)
    now = datetime.now(zone)
    try:
        week = parse_week(word, now.date())
    except ValueError as error:
        raise UsageError(str(error), "headgate report --week 2026-W47, or 47, this, last") from error
    since, until = week.bounds(zone)
    if not config.ledger.path.exists():
        raise LedgerError(
            f"there is no ledger at {config.ledger.path} yet",
            "headgate up opens the gate; headgate demo shows one at work",
        )
    with LedgerReader(config.ledger.path) as reader:
        facts = count_facts(reader, since, until)
    return weekly(
        week,
        facts,
        as_of=now.timestamp(),
        warn_over=config.warn_share,
        at_least=config.warn_count,
        baseline=config.policy.baseline,
    )


def zone_of(name: str) -> tzinfo:
    """The time zone in which weeks begin."""
    return UTC if name == "utc" else (datetime.now().astimezone().tzinfo or UTC)
