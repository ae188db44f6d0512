"""A post as the message that its target gets: a week's report in every form, or the text that it holds."""

from pathlib import Path

from headgate.config.compile import Config
from headgate.ledger.posts import Post
from headgate.ledger.queries import Filter, LedgerReader
from headgate.ledger.reporting import weekly_report
from headgate.notify.sending import Message
from headgate.posts.due import REPORT
from headgate.reports.faces import files
from headgate.reports.mail import mail_html, subject
from headgate.reports.markdown import markdown
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
    return Message(
        title=subject(report),
        text=text(report),
        html=mail_html(report),
        markdown=markdown(report),
        files=files(report),
    )


def any_requests(ledger: Path, since: float, until: float) -> bool:
    """Whether the ledger has requests between two Unix times."""
    with LedgerReader(ledger) as reader:
        return bool(reader.newest(Filter(since=since, until=until), limit=1))
