"""[energy]: what a kilowatt-hour costs, how the draw of the machines at home is known, and what they were bought for."""

from datetime import UTC, date, datetime
from typing import Literal

from msgspec import Struct

from headgate.config.misfit import Misfit
from headgate.config.values import not_negative
from headgate.core.purchase import Purchase

Measure = Literal["auto", "gpu", "cpu", "none"]


class HardwareTable(Struct, forbid_unknown_fields=True, frozen=True):
    """hardware = { dollars = 1800, bought = 2026-03-01, years = 4 }: what the machine that answers was bought for."""

    dollars: float
    bought: date
    years: float = 4.0


class EnergyTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[energy]: what answering at home costs beside API dollars."""

    price_per_kwh: float | None = None
    """Dollars for a kilowatt-hour."""
    watts: float | None = None
    """What the machine draws while it answers, all of it, where that is known better than sensors know it."""
    idle_watts: float | None = None
    """What it draws while it waits for requests."""
    measure: Measure = "auto"
    hardware: HardwareTable | None = None


class EnergySettings(Struct, frozen=True, kw_only=True):
    """The same, checked."""

    price_per_kwh: float | None = None
    watts: float | None = None
    idle_watts: float | None = None
    measure: Measure = "auto"
    purchase: Purchase | None = None


def energy_from(table: EnergyTable) -> EnergySettings:
    """The table, if it fits together.

    Raises:
        Misfit: a price or a wattage is negative, less is drawn by answering than by waiting, or the purchase makes no sense.
    """
    for key in ("price_per_kwh", "watts", "idle_watts"):
        not_negative(("energy", key), getattr(table, key))
    if table.watts is not None and table.idle_watts is not None and table.watts < table.idle_watts:
        raise Misfit(
            ("energy", "watts"),
            f"watts is {table.watts:g}, less than the {table.idle_watts:g} of idle_watts",
            "watts is all that the machine draws while it answers, what it draws anyway included",
        )
    return EnergySettings(
        price_per_kwh=table.price_per_kwh,
        watts=table.watts,
        idle_watts=table.idle_watts,
        measure=table.measure,
        purchase=None if table.hardware is None else _purchase(table.hardware),
    )


def _purchase(table: HardwareTable) -> Purchase:
    place = ("energy", "hardware")
    not_negative((*place, "dollars"), table.dollars)
    if not 0 < table.years <= 100:
        raise Misfit(
            (*place, "years"),
            f"years is {table.years:g}, but must be more than 0, and 100 at most",
            "the years after which it is worth nothing any more: years = 4",
        )
    if table.bought > datetime.now(UTC).astimezone().date():
        raise Misfit(
            (*place, "bought"),
            f"bought is {table.bought.isoformat()}, a day that has not come yet",
            "write the day of the purchase: bought = 2026-03-01",
        )
    return Purchase(table.dollars, table.bought, table.years)
