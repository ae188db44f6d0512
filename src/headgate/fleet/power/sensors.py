"""Which sensors this machine has, and why not the others, in sentences for people."""

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from msgspec import Struct

from headgate.config.energy import EnergySettings
from headgate.fleet.nvml import Load, loader
from headgate.fleet.power.cards import Amd, Nvidia, find_amd
from headgate.fleet.power.rapl import POWERCAP, Rapl, find_zones
from headgate.fleet.power.sensor import Sensor
from headgate.fleet.power.typed import Typed

READABLE = f"sudo chmod a+r /{POWERCAP}/intel-rapl:*/energy_uj, after each start of the machine"


class Sources(Struct, frozen=True, kw_only=True):
    """Where sensors are looked for."""

    root: Path
    """The folder that holds sys."""
    nvml: Load
    clock: Callable[[], float] = perf_counter


def this_machine() -> Sources:
    """The machine that we run on."""
    return Sources(root=Path("/"), nvml=loader(sys.platform))


class Found(Struct, frozen=True):
    """The sensors of this machine."""

    sensors: tuple[Sensor, ...] = ()
    typed: Typed | None = None
    """The wattage that the user types, if he does."""
    notes: tuple[str, ...] = ()
    """What could not be asked, and what to do about it."""


def find_sensors(settings: EnergySettings, sources: Sources) -> Found:
    """The sensors that the user wants and this machine has. A typed wattage is the user's own word, and goes before "auto"."""
    typed = None
    if settings.watts is not None:
        typed = Typed(settings.watts, settings.idle_watts or 0.0, sources.clock)
    if settings.measure == "none" or (typed is not None and settings.measure == "auto"):
        return Found(typed=typed)
    sensors: list[Sensor] = []
    notes: list[str] = []
    if settings.measure in ("auto", "gpu"):
        found, said = _cards(sources)
        sensors += found
        notes += said
        if settings.measure == "gpu" and not found and not said:
            notes.append("no graphics card tells what it draws; type watts under [energy]")
    if settings.measure in ("auto", "cpu"):
        cpu = _processor(sources)
        if isinstance(cpu, Rapl):
            sensors.append(cpu)
        elif cpu:
            notes.append(cpu)
        elif settings.measure == "cpu":
            notes.append(
                f"the processor tells nothing of its energy (no /{POWERCAP}/intel-rapl*); type watts under [energy]"
            )
    return Found(tuple(sensors), typed, tuple(notes))


def _cards(sources: Sources) -> tuple[list[Sensor], list[str]]:
    sensors: list[Sensor] = []
    notes: list[str] = []
    try:
        load = sources.nvml()
    except OSError:  # no library is no card
        pass
    else:
        try:
            sensors.append(Nvidia(lambda: load, sources.clock))
        except OSError as error:
            notes.append(f"the energy of NVIDIA's cards is unknown: {error}")
    files = find_amd(sources.root)
    if files:
        try:
            sensors.append(Amd(files, sources.clock))
        except (OSError, ValueError) as error:
            notes.append(f"the energy of AMD's cards is unknown: {error}")
    return sensors, notes


def _processor(sources: Sources) -> Rapl | str:
    zones = find_zones(sources.root)
    if not zones:
        return ""
    try:
        return Rapl(zones, sources.clock)
    except PermissionError:
        return f"only root may read the processor's energy: {READABLE}; or type watts under [energy]"
    except (OSError, ValueError) as error:
        return f"the processor's energy cannot be read: {error}; type watts under [energy]"
