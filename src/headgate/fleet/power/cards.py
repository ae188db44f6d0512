"""What graphics cards draw: NVIDIA's by its library (NVML), AMD's by sysfs.

A card that counts its energy is asked for its counter; of another, its power is taken now and then, and is thought to be
between two readings what it was on average of both. A card's figures are the card's alone, not those of the machine around it.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headgate.core.power import counted
from headgate.fleet.nvml import REMEDIES, Load

MILLI = 1_000
"""Microjoules in a millijoule, and microwatts in a milliwatt."""
AMD = "0x1002"


class Nvidia:
    """All of NVIDIA's cards, by its library, which stays loaded.

    Args:
        load: loads the library.
        clock: seconds of a steady clock.

    Raises:
        OSError: there is no library, no card, or one that cannot be asked; the message says what to do.
    """

    source = "gpu"
    quick = False

    def __init__(self, load: Load, clock: Callable[[], float]) -> None:
        self._library = load()
        failed = self._library.nvmlInit_v2()
        if failed:
            raise OSError(f"NVIDIA's driver cannot be asked (error {failed}): {_remedy(failed)}")
        try:
            self._meters = [_Card(self._library, handle, clock) for handle in _handles(self._library)]
        except AttributeError as error:
            self._library.nvmlShutdown()
            raise OSError(f"NVIDIA's library lacks a function ({error}): update the driver") from error
        except OSError:
            self._library.nvmlShutdown()
            raise

    def read(self, *, busy: bool) -> int | None:  # noqa: ARG002 - what a sensor is asked
        """Microjoules since it was last read; None when a card does not answer any more."""
        try:
            return sum([card.read() for card in self._meters])
        except OSError:
            return None

    def close(self) -> None:
        """Let go of the library."""
        self._library.nvmlShutdown()


class _Card:
    def __init__(self, library: Any, handle: Any, clock: Callable[[], float]) -> None:
        self._library = library
        self._handle = handle
        self._clock = clock
        self._at = clock()
        self._counts = True
        try:
            self._last = self._ask("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong())
        except OSError:  # cards before Volta do not count
            self._counts = False
            self._last = self._ask("nvmlDeviceGetPowerUsage", ctypes.c_uint())

    def read(self) -> int:
        now = self._clock()
        passed, self._at = now - self._at, now
        if self._counts:
            found = self._ask("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong())
            before, self._last = self._last, found
            return counted(before, found, 0, passed) * MILLI
        found = self._ask("nvmlDeviceGetPowerUsage", ctypes.c_uint())
        before, self._last = self._last, found
        return int((before + found) / 2 * MILLI * passed)

    def _ask(self, function: str, number: Any) -> int:
        failed = getattr(self._library, function)(self._handle, ctypes.byref(number))
        if failed:
            raise OSError(f"{function} failed (error {failed}): {_remedy(failed)}")
        return int(number.value)


def _handles(library: Any) -> list[Any]:
    number = ctypes.c_uint()
    failed = library.nvmlDeviceGetCount_v2(ctypes.byref(number))
    if failed:
        raise OSError(f"NVIDIA's cards cannot be counted (error {failed}): {_remedy(failed)}")
    if not number.value:
        raise OSError("NVIDIA's library finds no card: nvidia-smi may tell more")
    handles = []
    for index in range(number.value):
        handle = ctypes.c_void_p()
        failed = library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle))
        if failed:
            raise OSError(f"NVIDIA card {index} does not answer (error {failed}): {_remedy(failed)}")
        handles.append(handle)
    return handles


def _remedy(failed: int) -> str:
    return REMEDIES.get(failed, "nvidia-smi may tell more")


class Amd:
    """All of AMD's cards, by the power that their driver shows.

    Args:
        files: one file of microwatts for each card (`find_amd`).
        clock: seconds of a steady clock.

    Raises:
        OSError: one of them cannot be read.
    """

    source = "gpu"
    quick = False

    def __init__(self, files: tuple[Path, ...], clock: Callable[[], float]) -> None:
        self._files = files
        self._clock = clock
        self._at = clock()
        self._last = self._power()

    def read(self, *, busy: bool) -> int | None:  # noqa: ARG002 - what a sensor is asked
        """Microjoules since it was last read; None when a card does not answer any more."""
        try:
            power = self._power()
        except (OSError, ValueError):
            return None
        now = self._clock()
        passed, self._at = now - self._at, now
        before, self._last = self._last, power
        return int((before + power) / 2 * passed)

    def close(self) -> None:
        """There is nothing to give back."""

    def _power(self) -> int:
        return sum(int(file.read_text()) for file in self._files)


def find_amd(root: Path) -> tuple[Path, ...]:
    """The files in which AMD's driver shows the power of each card.

    Args:
        root: the folder that holds sys.
    """
    found = []
    for device in sorted((root / "sys/class/drm").glob("card[0-9]*/device")):
        try:
            if (device / "vendor").read_text().strip() != AMD:
                continue
        except OSError:
            continue
        names = ("power1_average", "power1_input")
        files = [file for name in names for file in sorted(device.glob(f"hwmon/hwmon*/{name}"))]
        found += files[:1]
    return tuple(found)
