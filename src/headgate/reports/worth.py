"""What a week at home was worth, as lines that every face shows: cash, energy, hardware, and the cheap cloud beside them.

The figures are those of `savings`; here they only get their words. What is not known says what would make it known.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from headgate.reports.savings import Savings
from headgate.reports.shown import UNKNOWN, count, dollars, dollars_at_least, percent
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
        watts = "" if report.facts.energy else ", and watts if nothing here measures them"
        yield Worth("Net of energy", NOT_KNOWN, f"set [energy] price_per_kwh{watts}")
    else:
        spent = dollars_at_least(saved.energy_cost or 0.0, saved.energy_unknown, 1)
        missed = f"; {count(saved.energy_unknown, 'request')} not measured" if saved.energy_unknown else ""
        yield Worth("Net of energy", _at_most(saved.net_of_energy, saved), f"{spent} of energy{missed}")
    if saved.net_of_hardware is None:
        needed = "hardware" if saved.net_of_energy is not None else "price_per_kwh and hardware"
        yield Worth("Net of energy and hardware", NOT_KNOWN, f"set [energy] {needed}")
    else:
        yield Worth(
            "Net of energy and hardware",
            _at_most(saved.net_of_hardware, saved),
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
    if saved.alternative is None:
        return Worth(label, NOT_KNOWN, "no cheap cloud model is known for these requests")
    whole = saved.net_of_hardware is not None and not saved.energy_unknown
    counted = "" if whole else ", energy and hardware not all counted"
    on = f"on {report.alternative}: " if report.alternative else ""
    margin, missed = saved.against_alternative, saved.alternative_unknown
    figure = dollars_at_least(saved.alternative, missed, 1)
    if margin is None:
        without = f"{missed:,} of {count(saved.requests, 'request')} could not go there"
        return Worth(label, figure, f"{on}who won cannot be said, as {without}")
    if missed:
        verdict = f"home won by at least {dollars(margin)}"
    elif margin < 0:
        verdict = f"home lost by {dollars(-margin)}"
    else:
        verdict = f"home won by {dollars(margin)}" if margin else "home cost the same"
    return Worth(label, figure, f"{on}{verdict}{counted}")


def _at_most(amount: float, saved: Savings) -> str:
    """What is left once energy is paid, of which some may not have been measured."""
    return f"<= {dollars(amount)}" if saved.energy_unknown else dollars(amount)
