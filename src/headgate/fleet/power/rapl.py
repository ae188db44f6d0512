"""The processor's own counters of energy (RAPL), as Linux shows them under /sys/class/powercap, for Intel and AMD.

Only whole packages are counted, and the memory beside them where it has a counter of its own; their parts (cores, uncore) are
in the packages already, and "psys" counts everything twice. The counters are the whole processor's: of the other programs
that run on it, too. Many systems let only root read them.
"""

import os
from collections.abc import Callable
from pathlib import Path

from headgate.core.power import counted

POWERCAP = Path("sys/class/powercap")
PACKAGE, MEMORY = "package", "dram"


class Rapl:
    """The counters of this machine, held open. A reading takes a few microseconds.

    Args:
        zones: folders of counters (`find_zones`).
        clock: seconds of a steady clock.

    Raises:
        OSError: one of them cannot be read.
    """

    source = "cpu"
    quick = True

    def __init__(self, zones: tuple[Path, ...], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._files: list[int] = []
        try:
            for zone in zones:
                self._files.append(os.open(zone / "energy_uj", os.O_RDONLY))
            self._ends = [int((zone / "max_energy_range_uj").read_text()) + 1 for zone in zones]
            self._last = [_number(file) for file in self._files]
        except BaseException:
            self.close()
            raise
        self._at = clock()

    def read(self, *, busy: bool) -> int | None:  # noqa: ARG002 - what a sensor is asked
        """Microjoules since it was last read; None when a counter has gone."""
        try:
            found = [_number(file) for file in self._files]
        except (OSError, ValueError):
            return None
        now = self._clock()
        passed, self._at = now - self._at, now
        before, self._last = self._last, found
        return sum(counted(a, b, end, passed) for a, b, end in zip(before, found, self._ends, strict=True))

    def close(self) -> None:
        """Close the counters."""
        while self._files:
            os.close(self._files.pop())


def find_zones(root: Path) -> tuple[Path, ...]:
    """The folders of the counters that make up a processor's draw.

    Args:
        root: the folder that holds sys.
    """
    zones = []
    try:
        found = sorted((root / POWERCAP).glob("intel-rapl:*"))
    except OSError:
        return ()
    for zone in found:
        name = _name(zone)
        whole = zone.name.count(":") == 1
        if (whole and name.startswith(PACKAGE)) or (not whole and name == MEMORY):
            zones.append(zone)
    return tuple(zones)


def _name(zone: Path) -> str:
    try:
        return (zone / "name").read_text().strip()
    except OSError:
        return ""


def _number(file: int) -> int:
    return int(os.pread(file, 32, 0))
