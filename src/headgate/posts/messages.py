"""A post as the message that its target gets: a week's report in every form, or the text that it holds."""

from pathlib import Path

from headgate.config.compile import Config
from headgate.ledger.posts import Post
from headgate.ledger.queries import Filter, LedgerReader
from headgate.ledger.reporting import weekly_report
from headgate.notify.sending import Message
from headgate.posts.due import REPORT
from headgate.reports.markdown import markdown
from headgate.reports.shown import count, dollars
from headgate.reports.text import text
from headgate.reports.weekly import WeeklyReport


def message_of(config: Config, post: Post) -> Message:
    """What is sent.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if post.text is not None:
        return Message(title=post.subject, text=post.text)
    return report_message(weekly_report(config, post.subject.removeprefix(REPORT)))


def report_message(report: WeeklyReport) -> Message:
    """A week's report as a message."""
    shown = text(report)
    return Message(
        title=title_of(report),
        text=shown,
        markdown=markdown(report),
        files={report.week.file_name: shown.encode()},
    )


def title_of(report: WeeklyReport) -> str:
    """The line by which people know what it is: "Headgate 2026-W47: $932.64 saved, 15,238 requests"."""
    saved = f"{dollars(report.savings.saved)} saved, " if report.savings.baseline else ""
    warned = f", {count(len(report.warnings), 'warning')}" if report.warnings else ""
    return f"Headgate {report.week}: {saved}{count(report.facts.requests, 'request')}{warned}"


def any_requests(ledger: Path, since: float, until: float) -> bool:
    """Whether the ledger has requests between two Unix times."""
    with LedgerReader(ledger) as reader:
        return bool(reader.newest(Filter(since=since, until=until), limit=1))
