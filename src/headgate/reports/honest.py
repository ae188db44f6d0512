"""What the money at home really comes to, in sentences for every face of a report: energy, hardware, the cheap cloud.

Nothing is judged twice here: the figures are those of `savings`, and what is unknown is said to be.
"""

from collections.abc import Mapping

from headgate.reports.facts import WeeklyFacts
from headgate.reports.savings import Savings
from headgate.reports.shown import UNKNOWN, count, dollars


def true_cost(saved: Savings, facts: WeeklyFacts) -> list[tuple[str, str]]:
    """Savings in cash, net of energy, and net of hardware too, as pairs of a name and a figure; a level that is unknown says so.

    Without any word on energy in the config there is only the first.
    """
    rows = [("Cash saved", dollars(saved.saved) if saved.requests else UNKNOWN)]
    if saved.energy_cost is not None or facts.energy:
        rows.append(("Net of energy", dollars(saved.net_of_energy)))
    if saved.hardware_cost is not None:
        rows.append(("Net of energy and hardware", dollars(saved.net_of_hardware)))
    return rows


def sentences(saved: Savings, facts: WeeklyFacts) -> list[str]:
    """What is to be known of these figures: what they are made of, what they lack, and how home does against the cheap cloud."""
    return [one for one in (_energy(saved, facts), _hardware(saved, facts), against(saved, facts)) if one]


def _energy(saved: Savings, facts: WeeklyFacts) -> str:
    if saved.energy_cost is None:
        return ""
    parts = f"{dollars(facts.money.energy_cost)} for requests"
    if facts.home.idle_cost is not None:
        parts += f", {dollars(facts.home.idle_cost)} while waiting"
    unknown = facts.money.energy_unknown
    lacks = f" The energy of {count(unknown, 'request')} is unknown and not in it." if unknown else ""
    return f"Energy at home cost {dollars(saved.energy_cost)}: {parts}.{lacks}"


def _hardware(saved: Savings, facts: WeeklyFacts) -> str:
    if saved.hardware_cost is None:
        return ""
    used = f"This time used up {dollars(saved.hardware_cost)} of the hardware's price."
    if facts.break_even is not None:
        return f"{used} It has paid for itself by {facts.break_even}: {facts.break_even_why}."
    return f"{used} When it has paid for itself: {facts.break_even_why}." if facts.break_even_why else used


def against(saved: Savings, facts: WeeklyFacts) -> str:
    """How home does against the cheapest capable cloud model; "" where there is none to compare with."""
    if saved.alternative is None or saved.against_alternative is None:
        return ""
    compared = facts.money.requests - facts.money.alternative_unknown
    ours = saved.alternative - saved.against_alternative
    what = (
        f"On the cheapest capable cloud model ({_names(facts.alternatives)}) {count(compared, 'request')} would have cost "
        f"{dollars(saved.alternative)}; here all of them cost {dollars(ours)}{_made_of(saved)}."
    )
    if facts.money.alternative_unknown:
        left = count(facts.money.alternative_unknown, "request")
        what += f" {left} had no such model; what they cost here is in the comparison all the same."
    if saved.against_alternative < 0:
        return f"{what} Home loses by {dollars(-saved.against_alternative)}."
    return f"{what} Home wins by {dollars(saved.against_alternative)}."


def _made_of(saved: Savings) -> str:
    if saved.energy_cost is None:
        return ", without their energy, which is unknown"
    return ", energy included" if saved.hardware_cost is None else ", energy and hardware included"


def _names(alternatives: Mapping[str, int]) -> str:
    first, *others = alternatives or {"several": 0}
    return first if not others else f"mostly {first}"
