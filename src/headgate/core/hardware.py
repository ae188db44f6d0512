"""What a machine has: its GPUs, memory and processor as values, and the room that they leave for models.

Pure: `fleet.hardware` looks at the machine. Bytes throughout; None is unknown.
"""

from typing import Literal

from msgspec import Struct

from headgate.core.fit import Room
from headgate.core.memory import GIB, MIB

Vendor = Literal["nvidia", "amd", "apple", "unknown"]

CARD_RESERVE = 512 * MIB
"""Left alone on each card, for its driver and a desktop."""
SYSTEM_RESERVE = 2 * GIB
"""Left alone of the RAM at least, for the system and the gate; an eighth of it where that is more."""


class Gpu(Struct, frozen=True, kw_only=True):
    """A graphics processor that can run models."""

    name: str
    vendor: Vendor
    total: int | None = None
    """Bytes of its memory; of a unified one what it may use of the machine's."""
    free: int | None = None
    driver: str = ""
    unified: bool = False
    """It shares the machine's memory."""


class Hardware(Struct, frozen=True, kw_only=True):
    """A machine as it was found, or as somebody thinks of buying it."""

    gpus: tuple[Gpu, ...] = ()
    ram_total: int | None = None
    ram_available: int | None = None
    """What new programs may take, without swapping."""
    disk_free: int | None = None
    """In the folder that was asked about."""
    processor: str = ""
    cores: int = 1
    """Physical ones that this process may use."""
    features: tuple[str, ...] = ()
    """Of the processor's features those that models run faster with."""
    system: str = ""
    """"linux", "darwin" or "win32"."""
    inside: tuple[str, ...] = ()
    """What stands between us and the machine: "container", "wsl"."""
    notes: tuple[str, ...] = ()
    """What could not be found out and why, a line each, for people."""
    imagined: bool = False
    """It is not there: somebody asked what would fit."""


def imagine(vram: int, ram: int | None = None) -> Hardware:
    """A machine to plan for, with one card of so many bytes (0 is none).

    Args:
        vram: bytes of the card.
        ram: bytes of the RAM; None is what such machines usually have: twice the card's, and 16 GiB at least.
    """
    assumed = max(16 * GIB, 2 * vram) if ram is None else ram
    card = Gpu(name="a card to plan for", vendor="unknown", total=vram, free=vram)
    return Hardware(
        gpus=(card,) if vram else (),
        ram_total=assumed,
        ram_available=assumed,
        notes=()
        if ram is not None
        else (f"{memory_words(assumed)} of RAM are assumed; --ram says another size",),
        imagined=True,
    )


def room_of(hardware: Hardware, held: int = 0) -> Room:
    """The memory that models may take on this machine: what is free, less a reserve.

    Cards of one vendor are added up, because models are spread over them; of two vendors the one with more memory counts.

    Args:
        hardware: the machine; memory of unknown size is not planned with.
        held: bytes of the GPU that models hold now and that planning may have back.
    """
    vendors = {gpu.vendor for gpu in hardware.gpus}
    cards = max(
        ([gpu for gpu in hardware.gpus if gpu.vendor == vendor] for vendor in vendors),
        key=lambda ours: sum(gpu.total or 0 for gpu in ours),
        default=[],
    )
    unified = any(gpu.unified for gpu in cards)
    gpu = sum(map(free_on, cards))
    most = sum(max(0, (one.total or 0) - CARD_RESERVE) for one in cards)
    total = hardware.ram_total or hardware.ram_available or 0
    reserve = max(SYSTEM_RESERVE, total // 8)
    ram = max(
        0, min(total - reserve, hardware.ram_available if hardware.ram_available is not None else total)
    )
    return Room(gpu=min(most, gpu + held), ram=max(ram, gpu) if unified else ram, unified=unified)


def free_on(gpu: Gpu) -> int:
    """Bytes of one card that models may take; a card that does not say has none to plan with."""
    if gpu.total is None:
        return 0
    return max(0, min(gpu.total - CARD_RESERVE, gpu.free if gpu.free is not None else gpu.total))


def memory_words(size: int | None) -> str:
    """Memory as people read it: "4.6 GiB", under one GiB "270 MiB"."""
    if size is None:
        return "unknown"
    return f"{size / GIB:,.1f} GiB" if size >= GIB else f"{size / MIB:,.0f} MiB"
