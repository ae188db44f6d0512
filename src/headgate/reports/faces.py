"""Every face of the weekly report by its name, and the files that an archive keeps of each week.

This module does not write files; whoever does, writes each of them whole (`notify.sending.write_whole`).
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from headgate.reports.mail import letter
from headgate.reports.markdown import markdown
from headgate.reports.page import page
from headgate.reports.plain import plain
from headgate.reports.table import table
from headgate.reports.text import text
from headgate.reports.weekly import WeeklyReport

ENDINGS: Final[Mapping[str, str]] = {
    "text": ".log",
    "md": ".md",
    "json": ".json",
    "csv": ".csv",
    "html": ".html",
    "email": ".eml",
}
"""Face → how its files end."""
KEPT: Final = ("text", "json", "html")
"""The faces that an archive keeps of each week."""


def face(report: WeeklyReport, form: str) -> str:
    """The report in one of the forms of `ENDINGS`, lines ending in a newline."""
    return _FACES[form](report)


def file_name(report: WeeklyReport, form: str) -> str:
    """The name of that face's file: "routing-report-2026-week-47.html"."""
    return f"{report.week.stem}{ENDINGS[form]}"


def files(report: WeeklyReport) -> dict[str, bytes]:
    """What an archive keeps of a week, by the name of the file."""
    return {file_name(report, form): face(report, form).encode() for form in KEPT}


def _json(report: WeeklyReport) -> str:
    return msgspec.json.format(msgspec.json.encode(plain(report)), indent=2).decode() + "\n"


_FACES: Final[Mapping[str, Callable[[WeeklyReport], str]]] = {
    "text": text,
    "md": markdown,
    "json": _json,
    "csv": table,
    "html": page,
    "email": letter,
}
