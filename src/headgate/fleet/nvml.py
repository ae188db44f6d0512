"""Ask NVIDIA's own library what cards there are, by ctypes: no package, and no program to start.

Nothing here raises: a library that is not there is no card, and a card that fails in the middle is a line for people. It
does not know other vendors.
"""

import ctypes
from collections.abc import Callable
from typing import Any

from headgate.core.hardware import Gpu

Load = Callable[[], Any]
"""Loads the library, or raises OSError where there is none."""

_PLACES = {
    "win32": ("nvml.dll", r"C:\Windows\System32\nvml.dll"),
    "linux": ("libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"),
}

NOT_SUPPORTED, NO_PERMISSION, NOT_LOADED, LOST, MISMATCH = 3, 4, 9, 15, 18
REMEDIES = {
    NO_PERMISSION: "run as a user who may use the card (group video or render)",
    NOT_LOADED: "load the driver: sudo modprobe nvidia",
    LOST: "the card fell off its bus: power the machine off and check that it is seated",
    MISMATCH: "the driver was updated while it ran: restart the machine",
}
"""What to do about the library's errors, by its numbers."""


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def loader(system: str) -> Load:
    """How the library is loaded on this system."""

    def load() -> Any:
        for place in _PLACES.get(system, ()):
            try:
                return ctypes.CDLL(place)
            except OSError:
                continue
        raise OSError

    return load


def nvidia_gpus(load: Load) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """NVIDIA's cards, and a line for each thing that could not be asked."""
    try:
        library = load()
        start = library.nvmlInit_v2
    except (OSError, AttributeError):
        return (), ()
    failed = start()
    if failed:
        return (), (_line(library, "NVIDIA's driver cannot be asked", failed),)
    try:
        return _ask(library)
    except AttributeError as error:  # a library older than what we call
        return (), (f"NVIDIA's library lacks a function ({error}); update the driver",)
    finally:
        library.nvmlShutdown()


def _ask(library: Any) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    count = ctypes.c_uint()
    failed = library.nvmlDeviceGetCount_v2(ctypes.byref(count))
    if failed:
        return (), (_line(library, "NVIDIA's cards cannot be counted", failed),)
    text = ctypes.create_string_buffer(96)
    driver = "" if library.nvmlSystemGetDriverVersion(text, len(text)) else _read(text)
    gpus, notes = [], []
    for index in range(count.value):
        gpu = _card(library, index, driver)
        if isinstance(gpu, Gpu):
            gpus.append(gpu)
        else:
            notes.append(gpu)
    return tuple(gpus), tuple(notes)


def _card(library: Any, index: int, driver: str) -> Gpu | str:
    handle = ctypes.c_void_p()
    failed = library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle))
    if failed:
        return _line(library, f"NVIDIA card {index} does not answer", failed)
    text = ctypes.create_string_buffer(96)
    failed = library.nvmlDeviceGetName(handle, text, len(text))
    name = f"NVIDIA card {index}" if failed else _read(text)
    memory = _Memory()
    failed = library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
    if failed == NOT_SUPPORTED:  # it has none of its own, like a Jetson's
        return Gpu(name=name, vendor="nvidia", driver=driver, unified=True)
    if failed:
        return _line(library, f"{name} does not tell its memory", failed)
    return Gpu(name=name, vendor="nvidia", total=memory.total, free=memory.free, driver=driver)


def _read(text: "ctypes.Array[ctypes.c_char]") -> str:
    return text.value.decode(errors="replace")


def _line(library: Any, what: str, failed: int) -> str:
    """One line: what happened in the library's words, and what to do."""
    try:
        say = library.nvmlErrorString
        say.restype = ctypes.c_char_p
        said = (say(failed) or b"").decode(errors="replace")
    except AttributeError:
        said = ""
    remedy = REMEDIES.get(failed, "nvidia-smi may tell more")
    return f"{what}: {said or f'error {failed}'}; {remedy}"
