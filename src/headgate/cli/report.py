"""`headgate report`: the weekly routing report, from the ledger."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
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
@click.option("--send", is_flag=True, help="Send it to those whom [report] send_to names.")
@click.option("--to", "targets", multiple=True, metavar="TARGET", help="Send it to this target instead.")
@click.option("--again", is_flag=True, help="Send it also to those who were sent it before.")
@click.option("--sent", is_flag=True, help="Show what was sent to whom, and what waits.")
@with_config
@with_json
def command(
    config_file: str | None,
    word: str,
    form: str,
    out: str | None,
    targets: tuple[str, ...],
    *,
    send: bool,
    again: bool,
    sent: bool,
    as_json: bool,
) -> None:
    """Requests and latency per model, cost, savings, fallbacks, and task categories that fail locally.

    Exit 5 when a task category fails locally more often than [report] warn allows.
    """
    from headgate.ledger.reporting import weekly_report

    config = load(config_file)
    if sent:
        from headgate.cli.report_send import show_sent

        show_sent(config, as_json=as_json)
        return
    report = weekly_report(config, word)
    if send or targets:
        from headgate.cli.report_send import exit_unless, send_report

        exit_unless(send_report(config, report, targets, again=again))
        return
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
