"""The weekly report as a mail: HTML that mail programs show as it is meant, and the plain text beside it.

Mail programs know no scripts, no stylesheets and no SVG: there are tables with inline styles, and bars are cells with a
colour. This module makes the letter; it does not know who gets it, nor how it is sent.
"""

from email.message import EmailMessage
from typing import Final

from headgate.reports.page import environment
from headgate.reports.shown import count, dollars
from headgate.reports.text import text
from headgate.reports.weekly import WeeklyReport

TEMPLATE: Final = "mail.html"
BOUNDARY: Final = "headgate-weekly-report"
"""Between the parts of the letter: always the same, so that the same report is the same letter."""


def mail_html(report: WeeklyReport) -> str:
    """The body of the mail."""
    return (
        environment()
        .get_template(TEMPLATE)
        .render(report=report, facts=report.facts, saved=report.savings, subject=subject(report))
    )


def subject(report: WeeklyReport) -> str:
    """The line by which people know what it is: "Headgate 2026-W47: $932.64 saved, 15,238 requests"."""
    saved = f"{dollars(report.savings.saved)} saved, " if report.savings.baseline else ""
    warned = f", {count(len(report.warnings), 'warning')}" if report.warnings else ""
    return f"Headgate {report.week}: {saved}{count(report.facts.requests, 'request')}{warned}"


def letter(report: WeeklyReport) -> str:
    """The mail as a file that any mail program opens, without sender and recipients (RFC 5322)."""
    made = EmailMessage()
    made["Subject"] = subject(report)
    made["X-Unsent"] = "1"  # a draft, where a mail program opens it
    made.set_content(text(report))
    made.add_alternative(mail_html(report), subtype="html")
    made.set_boundary(BOUNDARY)
    return made.as_string()
