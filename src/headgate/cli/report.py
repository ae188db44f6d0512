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
    "--format",
    "form",
    type=click.Choice(["text", "md", "json", "csv", "html", "email"]),
    help="How to show it; text by default.",
)
@click.option(
    "--out",
    metavar="DIR|FILE",
    help="Write it there in place of the screen: into a folder as .log, .json and .html, or into one file.",
)
@click.option("--check", is_flag=True, help="Exit 5 when a warning fires, for cron and CI.")
@click.option("--send", is_flag=True, help="Send it to those whom [report] send_to names.")
@click.option("--to", "targets", multiple=True, metavar="TARGET", help="Send it to this target instead.")
@click.option("--again", is_flag=True, help="Send it also to those who were sent it before.")
@click.option("--sent", is_flag=True, help="Show what was sent to whom, and what waits.")
@with_config
@with_json
def command(
    config_file: str | None,
    word: str,
    form: str | None,
    out: str | None,
    targets: tuple[str, ...],
    *,
    check: bool,
    send: bool,
    again: bool,
    sent: bool,
    as_json: bool,
) -> None:
    """Requests and latency per model, cost, savings, fallbacks, task categories that fail locally, and what to change.

    A warning fires when a task category surely fails locally more often than [report] warn allows; it is told on stderr.
    With --check the exit code is then 5.
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
    form = "json" if as_json else form
    if out is not None:
        for path in write(report, Path(out).expanduser(), form):
            say(f"written to {path}")
    elif form == "json":
        from headgate.reports.plain import plain

        put_json(plain(report))
    else:
        from headgate.reports.faces import face

        put(face(report, form or "text").rstrip())
    for warning in report.warnings:
        say(f"warning: {warning}")
    if check and report.warnings:
        sys.stdout.flush()
        raise click.exceptions.Exit(5)


def write(report: "WeeklyReport", out: Path, form: str | None) -> "tuple[Path, ...]":
    """Write the report into a file whose ending says its form, or into a folder; the files."""
    from headgate.notify.sending import write_whole
    from headgate.reports.faces import ENDINGS, face, file_name, files

    by_ending = {ending: name for name, ending in ENDINGS.items()} | {".txt": "text", ".htm": "html"}
    named = by_ending.get(out.suffix.lower())
    if named is not None and not out.is_dir():
        contents = {out: face(report, form or named).encode()}
    elif out.suffix and not out.is_dir():
        from headgate.core.errors import UsageError

        raise UsageError(f"{out.name} names no format", f"{', '.join(by_ending)}; or a folder that is there")
    elif form is not None:
        contents = {out / file_name(report, form): face(report, form).encode()}
    else:
        contents = {out / name: content for name, content in files(report).items()}
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    return tuple(contents)
