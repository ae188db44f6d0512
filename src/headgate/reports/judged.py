"""How a report's judgements look in every face: a task's flag, unnecessary fallbacks, shares of a task's requests."""

from headgate.reports.shown import percent
from headgate.reports.weekly import TaskLine, WeeklyReport

NOT_MEASURED = "not measured yet"


def flagged(line: TaskLine, warn_over: float, at_least: int) -> str:
    """What the rate and its interval support: "over 10%", "may be over 10%", or that there are too few; else ""."""
    if line.flag is None:
        return ""
    if line.flag == "few":
        return f"too few to say ({at_least:,} needed)"
    return f"{'over' if line.flag == 'over' else 'may be over'} {warn_over:.0%}"


def unnecessary(report: WeeklyReport) -> str:
    """Fallbacks that a local model could have spared: counted, or estimated from the audited ones."""
    audited = report.unnecessary
    if audited is None:
        return NOT_MEASURED
    if audited.whole:
        return f"{audited.number:,} ({percent(audited.rate)} of fallbacks)"
    low, high = audited.ends
    return f"about {audited.number:,} ({percent(audited.rate)} of fallbacks; {low:,} to {high:,})"


def share(part: int, whole: int) -> str:
    """A share without decimals, "<1%" and ">99%" where it is not quite nothing or all."""
    if not whole or part in (0, whole):
        return "100%" if whole and part else "0%"
    return f"{part / whole:.0%}" if 0.01 <= part / whole <= 0.99 else "<1%" if part / whole < 0.5 else ">99%"
