"""What a week at home was worth, as lines that every face shows: cash, energy, hardware, and the cheap cloud beside them.

The figures are those of `savings`; here they only get their words. What is not known says what would make it known.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from headgate.reports.shown import UNKNOWN, dollars, percent
from headgate.reports.weekly import WeeklyReport

NOT_KNOWN: Final = "not known"


class Worth(Struct, frozen=True):
    """One line of it."""

    label: str
    figure: str
    remark: str = ""


def worth(report: WeeklyReport) -> Iterator[Worth]:
    """The lines, from cash to the cheap cloud."""
    saved = report.savings
    if not saved.requests:
        yield Worth("Cash saved", UNKNOWN, "no request has a cost and a baseline")
        return
    yield Worth("Cash saved", dollars(saved.saved), f"{percent(saved.share)} of the baseline")
    if saved.net_of_energy is None:
        yield Worth("Net of energy", NOT_KNOWN, "set [energy] price_per_kwh")
    else:
        yield Worth("Net of energy", dollars(saved.net_of_energy), f"{dollars(saved.energy_cost)} of energy")
    if saved.net_of_hardware is None:
        needed = "hardware" if saved.net_of_energy is not None else "price_per_kwh and hardware"
        yield Worth("Net of energy and hardware", NOT_KNOWN, f"set [energy] {needed}")
    else:
        yield Worth(
            "Net of energy and hardware",
            dollars(saved.net_of_hardware),
            f"{dollars(saved.hardware_cost)} of hardware",
        )
        yield Worth(
            "Hardware paid for on",
            report.facts.break_even or NOT_KNOWN,
            report.facts.break_even_why,
        )
    yield _cheap_cloud(report)


def _cheap_cloud(report: WeeklyReport) -> Worth:
    """The honest competitor of home, and plainly who won."""
    label, saved = "All in the cheap cloud", report.savings
    if saved.alternative is None or saved.against_alternative is None:
        return Worth(label, NOT_KNOWN, "no cheap cloud model is known for these requests")
    counted = "" if saved.net_of_hardware is not None else ", energy and hardware not all counted"
    on = f"on {report.alternative}: " if report.alternative else ""
    margin = saved.against_alternative
    if margin < 0:
        verdict = f"home lost by {dollars(-margin)}"
    else:
        verdict = f"home won by {dollars(margin)}" if margin else "home cost the same"
    return Worth(label, dollars(saved.alternative), f"{on}{verdict}{counted}")
