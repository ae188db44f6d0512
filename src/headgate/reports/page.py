"""The weekly report as one HTML file: it opens offline, prints on two sheets of A4, and runs no script.

A template is code that is kept beside this module and read when it is first needed, like a module. What the page shows was
found by `weekly`; here and in the template stands only how it looks.
"""

from functools import cache
from typing import TYPE_CHECKING

from headgate.reports import cards
from headgate.reports.audited import for_the_others, lines
from headgate.reports.charts import by_day, colours, curve_chart, latency_bar, legend, span
from headgate.reports.judged import NOT_MEASURED, flagged, share, unnecessary
from headgate.reports.shown import (
    count,
    dollars,
    dollars_at_least,
    fallback_reason,
    milliseconds,
    percent,
    task_name,
)
from headgate.reports.weekly import WeeklyReport
from headgate.reports.worth import worth

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE = "report.html"
CURVES = 2
"""Checks whose curves are drawn; the sheets have room for no more."""
FURTHEST = 0.25
"""The least rate at which the axis of "where local fails" ends; the wide intervals of a few requests may leave it."""


def page(report: WeeklyReport) -> str:
    """The whole file."""
    facts = report.facts
    colour = colours((served.shown, served.local) for served in facts.served)
    furthest = max(
        [FURTHEST, *(line.interval[1] for line in report.tasks if line.interval and line.flag != "few")]
    )
    longest = max((served.latency.p95 or 0.0 for served in facts.served), default=0.0)
    return (
        environment()
        .get_template(TEMPLATE)
        .render(
            report=report,
            facts=facts,
            saved=report.savings,
            colour=colour,
            legend=legend(colour),
            days=by_day(report.week.days, facts.days, colour),
            spans={
                line.facts.task: span(line.rate, line.interval, report.warn_over, min(1.0, furthest))
                for line in report.tasks
                if line.rate is not None and line.interval is not None
            },
            curves=[curve_chart(curve) for curve in report.audited.curves[:CURVES] if curve.priced],
            unpriced=[curve for curve in report.audited.curves[:CURVES] if not curve.priced],
            bars={served.shown: latency_bar(served.latency, longest) for served in facts.served},
        )
    )


@cache
def environment() -> "Environment":
    """The templates and the words that they may use."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  # a gate may never show a page

    made = Environment(
        loader=PackageLoader("headgate.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.update(
        cards=cards,
        count=count,
        dollars=dollars,
        dollars_at_least=dollars_at_least,
        for_the_others=for_the_others,
        fallback_reason=fallback_reason,
        flagged=flagged,
        milliseconds=milliseconds,
        percent=percent,
        share=share,
        task_name=task_name,
        unnecessary=unnecessary,
        audit_lines=lines,
        worth=worth,
        not_measured=NOT_MEASURED,
    )
    made.filters["number"] = "{:,}".format
    return made
