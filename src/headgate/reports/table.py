"""The weekly report as a table, for a spreadsheet: a row for each day, task and model, as CSV.

Such a table can be filtered and summed by any of its columns; nothing in it is a sum of other rows. Figures have no
thousands separators and a point before the decimals (RFC 4180, UTF-8).
"""

import csv
from io import StringIO
from typing import Final

from headgate.reports.weekly import WeeklyReport

COLUMNS: Final = ("week", "day", "task", "model", "place", "requests", "cost_usd", "baseline_usd")
RISKY: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would take for a formula."""


def table(report: WeeklyReport) -> str:
    """The rows under their header; the header alone for a week without requests."""
    lines = StringIO()
    rows = csv.writer(lines)
    rows.writerow(COLUMNS)
    for day in report.facts.days:
        rows.writerow(
            (
                str(report.week),
                day.day,
                _cell(day.task or ""),
                _cell(day.shown or ""),
                "" if day.local is None else "home" if day.local else "paid",
                day.requests,
                f"{day.cost:.6f}",
                f"{day.baseline:.6f}",
            )
        )
    return lines.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(RISKY) else text
