"""Checks of what energy costs: whether anything tells how much is drawn at home, and whether there is a price for it."""

from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, passed, warned

if TYPE_CHECKING:
    from headgate.cli.checkup.world import World
    from headgate.config.energy import EnergySettings
    from headgate.fleet.power.sensors import Found

TYPED = "write watts and idle_watts under [energy] in headgate.toml"


async def check_energy(world: "World") -> list[Finding]:
    """Which sensors there are, and why not the others."""
    from headgate.cli.checkup.world import in_thread
    from headgate.fleet.power.sensors import find_sensors, this_machine

    config = world.config
    if not any(model.local for model in config.policy.models.values()):
        return [passed("energy", "no model runs at home")]
    found = await in_thread(lambda: find_sensors(config.energy, this_machine()))
    for sensor in found.sensors:
        sensor.close()
    return judge_energy(config.energy, found)


def judge_energy(settings: "EnergySettings", found: "Found") -> list[Finding]:
    """Unknown energy is no fault unless the config wants it known: then a report lacks what it asks for."""
    wanted = settings.price_per_kwh is not None or settings.measure in ("gpu", "cpu")
    measured = [f"the {'cards' if sensor.source == 'gpu' else 'processor'}" for sensor in found.sensors]
    if found.typed is not None:
        measured.append("the typed watts")
    price = "" if settings.price_per_kwh is None else f", at ${settings.price_per_kwh:g} per kilowatt-hour"
    if found.notes and wanted:
        return [warned("energy", note, "energy that can be read", TYPED) for note in found.notes]
    if not measured and settings.measure != "none" and wanted:
        return [warned("energy", "nothing tells what this machine draws", "a sensor or typed watts", TYPED)]
    if not measured:
        why = f" ({'; '.join(found.notes)})" if found.notes else ""
        return [passed("energy", f"not measured{why}")]
    return [passed("energy", f"told by {' and '.join(measured)}{price}")]
