"""Sensors of energy: RAPL in a made-up tree, NVIDIA's library and AMD's files made up, and the meters behind a gate."""

import asyncio
import os
from pathlib import Path

import pytest

from headgate.config.energy import EnergySettings
from headgate.core.types import Model
from headgate.fleet.power.sampler import Power
from headgate.fleet.power.sensors import Found, Sources, find_sensors
from headgate.fleet.power.typed import Typed

UJ = 1_000_000


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def zone(root: Path, name: str, called: str, energy: int, most: int = 262_143_328_850) -> Path:
    folder = root / "sys/class/powercap" / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{called}\n")
    (folder / "energy_uj").write_text(f"{energy}\n")
    (folder / "max_energy_range_uj").write_text(f"{most}\n")
    return folder


class Library:
    """NVIDIA's library, as far as it is asked for energy. Energies are millijoules, powers milliwatts."""

    def __init__(self, energies=(), powers=(), *, init=0, broken=0):
        self.energies, self.powers = list(energies), list(powers)
        self.init, self.broken, self.open = init, broken, 0

    def nvmlInit_v2(self):  # noqa: N802 - the library's own names
        self.open += not self.init
        return self.init

    def nvmlShutdown(self):  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetCount_v2(self, number):  # noqa: N802
        number._obj.value = max(len(self.energies), len(self.powers))
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):  # noqa: N802
        handle._obj.value = index.value + 1
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, number):  # noqa: N802
        return self._tell(self.energies, handle, number)

    def nvmlDeviceGetPowerUsage(self, handle, number):  # noqa: N802
        return self._tell(self.powers, handle, number)

    def _tell(self, figures, handle, number):
        if self.broken:
            return self.broken
        if not figures:
            return 3  # not supported
        number._obj.value = figures[handle.value - 1]
        return 0


def no_library():
    raise OSError


def sensors(root, clock, library=None, **settings):
    load = no_library if library is None else lambda: library
    return find_sensors(EnergySettings(**settings), Sources(root=root, nvml=load, clock=clock))


def test_whole_packages_and_their_memory_are_counted_and_nothing_twice(tmp_path, clock):
    package = zone(tmp_path, "intel-rapl:0", "package-0", 5 * UJ)
    memory = zone(tmp_path, "intel-rapl:0:1", "dram", 1 * UJ)
    cores = zone(tmp_path, "intel-rapl:0:0", "core", 1 * UJ)
    everything = zone(tmp_path, "intel-rapl:1", "psys", 1 * UJ)
    (sensor,) = sensors(tmp_path, clock).sensors
    for folder, energy in ((package, 9), (memory, 2), (cores, 3), (everything, 50)):
        (folder / "energy_uj").write_text(f"{energy * UJ}\n")
    clock.now += 1
    assert sensor.read(busy=True) == 5 * UJ
    sensor.close()


def test_a_counter_that_comes_round_goes_on(tmp_path, clock):
    package = zone(tmp_path, "intel-rapl:0", "package-0", 99 * UJ, most=100 * UJ - 1)
    (sensor,) = sensors(tmp_path, clock).sensors
    (package / "energy_uj").write_text(f"{3 * UJ}\n")
    clock.now += 1
    assert sensor.read(busy=False) == 4 * UJ
    sensor.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_counter_that_only_root_may_read_is_told_with_what_to_do(tmp_path, clock):
    package = zone(tmp_path, "intel-rapl:0", "package-0", 5)
    (package / "energy_uj").chmod(0)
    found = sensors(tmp_path, clock)
    assert not found.sensors
    assert "only root may read" in found.notes[0]


def test_a_counter_that_is_forbidden_is_told_with_what_to_do(tmp_path, clock, monkeypatch):
    zone(tmp_path, "intel-rapl:0", "package-0", 5)

    def refuse(path, flags):
        raise PermissionError(path)

    monkeypatch.setattr(os, "open", refuse)
    found = sensors(tmp_path, clock)
    assert not found.sensors
    assert "sudo chmod a+r" in found.notes[0]


def test_rubbish_in_a_counter_is_a_note(tmp_path, clock):
    package = zone(tmp_path, "intel-rapl:0", "package-0", 5)
    (package / "energy_uj").write_text("n/a")
    assert "cannot be read" in sensors(tmp_path, clock).notes[0]


def test_a_machine_without_any_sensor_says_so_only_to_whoever_wants_one(tmp_path, clock):
    assert sensors(tmp_path, clock) == Found()
    assert "type watts" in sensors(tmp_path, clock, measure="cpu").notes[0]
    assert "type watts" in sensors(tmp_path, clock, measure="gpu").notes[0]


def test_cards_that_count_their_energy_are_asked_for_it(tmp_path, clock):
    library = Library(energies=[1_000, 5_000])
    (sensor,) = sensors(tmp_path, clock, library).sensors
    library.energies = [3_000, 5_500]
    clock.now += 2
    assert sensor.read(busy=True) == 2_500_000
    library.energies = [10, 5_500]  # the driver was loaded anew
    assert sensor.read(busy=True) == 0
    sensor.close()
    assert library.open == 0


def test_of_older_cards_the_power_is_taken(tmp_path, clock):
    library = Library(powers=[50_000])
    (sensor,) = sensors(tmp_path, clock, library).sensors
    library.powers = [150_000]
    clock.now += 2
    assert sensor.read(busy=True) == 200 * UJ


def test_a_driver_that_was_updated_is_told_with_what_to_do(tmp_path, clock):
    found = sensors(tmp_path, clock, Library(energies=[1], init=18))
    assert not found.sensors
    assert "restart the machine" in found.notes[0]


def test_a_library_without_the_function_says_so(tmp_path, clock):
    class Old(Library):
        nvmlDeviceGetHandleByIndex_v2 = property()  # noqa: N815

    library = Old(energies=[1])
    assert "update the driver" in sensors(tmp_path, clock, library).notes[0]
    assert library.open == 0


def test_amds_cards_show_their_power(tmp_path, clock):
    device = tmp_path / "sys/class/drm/card1/device"
    (device / "hwmon/hwmon3").mkdir(parents=True)
    (device / "vendor").write_text("0x1002\n")
    power = device / "hwmon/hwmon3/power1_average"
    power.write_text(f"{30 * UJ}\n")
    (sensor,) = sensors(tmp_path, clock).sensors
    power.write_text(f"{90 * UJ}\n")
    clock.now += 2
    assert sensor.read(busy=True) == 120 * UJ


# ── Attempts on meters ───────────────────────────────────────────────────────────────────────────────────────────────

HERE = Model(name="a", engine="here", engine_kind="ollama", id="a", local=True)
THERE = Model(name="b", engine="there", engine_kind="ollama", id="b", local=True)


def test_a_typed_wattage_counts_for_engines_here_and_elsewhere(clock):
    power = Power(Found(typed=Typed(210, 10, clock)), ["here"], idle=10, clock=clock)
    draws = [power.begin(HERE), power.begin(THERE)]
    clock.now += 4
    assert [power.end(draw) for draw in draws] == [400.0, 400.0]
    assert power.end(power.begin(HERE)) == 0.0


def test_an_engine_on_another_machine_is_not_measured_by_our_sensors(tmp_path, clock):
    package = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    power = Power(sensors(tmp_path, clock), ["here"], clock=clock)
    clock.now += 1
    (package / "energy_uj").write_text(f"{20 * UJ}\n")  # 20 W, idle
    elsewhere, here = power.begin(THERE), power.begin(HERE)
    clock.now += 2
    (package / "energy_uj").write_text(f"{240 * UJ}\n")
    assert power.end(here) == pytest.approx(180.0)
    assert power.end(elsewhere) is None


def test_a_sensor_that_fails_in_the_middle_makes_energy_unknown_and_no_attempt_fails(tmp_path, clock):
    library = Library(energies=[1_000])
    power = Power(sensors(tmp_path, clock, library), ["here"], clock=clock)
    draw = power.begin(HERE)
    library.broken = 15
    clock.now += 1
    asyncio.run(power.read())
    assert power.end(draw) is None


def test_what_could_not_be_kept_is_kept_with_the_next(clock):
    rows, full = [], [True]

    def keep(batch):
        if full[0]:
            raise OSError(28, "No space left on device")
        rows.extend(batch)

    async def play():
        power = Power(Found(typed=Typed(110, 10, clock)), ["here"], idle=10, clock=clock)
        power.start(keep)
        draw = power.begin(HERE)
        clock.now += 30
        power.end(draw)
        with pytest.raises(OSError, match="No space"):
            await power.keep()
        clock.now += 30
        await power.read()
        full[0] = False
        await power.close()

    asyncio.run(play())
    assert sum(row.seconds for row in rows) == 60
    assert sum(row.energy for row in rows) == (30 * 110 + 30 * 10) * UJ
    assert sum(row.requests_energy for row in rows) == 30 * 100 * UJ


def test_the_counters_of_this_machine_are_read_if_it_has_any():
    from headgate.fleet.power.sensors import this_machine

    found = find_sensors(EnergySettings(), this_machine())
    for sensor in found.sensors:
        assert sensor.read(busy=False) is not None
        sensor.close()
