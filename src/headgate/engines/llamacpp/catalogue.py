"""Which models there are to load: the small ones that ship with Headgate, and any GGUF file that the user names.

Reads the head of a file, never its weights, and decides how to run it (threads, context, memory for its prompt cache).
It does not know processes or servers.
"""

import mmap
from importlib import resources
from pathlib import Path

from msgspec import Struct

from headgate.core.errors import EngineError
from headgate.engines.llamacpp.header import Header, read_header

SMALL = 64 * 1024 * 1024
"""Bytes. Below this, a second thread costs more in waiting than it gives (see docs/embedded.md)."""

CONTEXT = 8192
"""Tokens per slot when the user does not say: what fits beside everything else on a plain machine."""


class Shipped(Struct, frozen=True):
    """A model that comes with Headgate: trained by us on synthetic text, for demos and tests, no assistant."""

    file: str
    purpose: str


SHIPPED = {
    "headgate-nano": Shipped("headgate-nano.gguf", "the smallest: labels, sentiment, JSON triage"),
    "headgate-micro": Shipped("headgate-micro.gguf", "five times as big: also copies numbers and summarises"),
    "headgate-embed": Shipped("headgate-embed.gguf", "turns text into vectors"),
}


class File(Struct, frozen=True, kw_only=True):
    """A GGUF file that is there and has a readable head."""

    path: Path
    size: int
    """Bytes."""
    header: Header

    @property
    def small(self) -> bool:
        """One thread is the fastest way to run it."""
        return self.size < SMALL

    @property
    def context(self) -> int:
        """Tokens per slot when the user does not say."""
        return min(self.header.context or CONTEXT, CONTEXT)

    def threads(self, cores: int) -> int:
        """Threads when the user does not say: one core is left to the gate and the rest of the machine."""
        return 1 if self.small else max(1, cores - 1)


def resolve(model: str) -> Path | EngineError:
    """Find a model's file.

    Args:
        model: a shipped model's name, or a path to a GGUF file ("~" is the home folder).
    """
    shipped = SHIPPED.get(model)
    path = shipped_folder() / shipped.file if shipped else Path(model).expanduser()
    if path.is_file():
        return path
    if shipped:
        return EngineError(f"the shipped model {model} is missing: {path}", "reinstall Headgate")
    if path.suffix != ".gguf" and path.name == model:
        return EngineError(
            f"there is no embedded model {model!r}", f"name one of {', '.join(SHIPPED)}, or a GGUF file"
        )
    return EngineError(
        f"the model file {path} does not exist", "check the path, or download a GGUF file to it"
    )


def examine(model: str) -> File | EngineError:
    """Find a model's file and read its head. Blocks for as long as the disk takes."""
    path = resolve(model)
    if isinstance(path, EngineError):
        return path
    try:
        size = path.stat().st_size
        header = _header_of(path) if size else "it is empty"
    except OSError as error:
        return EngineError(f"the model file {path} cannot be read: {error.strerror}", "check its permissions")
    if isinstance(header, str):
        return EngineError(
            f"the model file {path} cannot be used: {header}", "download it again, in GGUF form"
        )
    return File(path=path, size=size, header=header)


def _header_of(path: Path) -> Header | str:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return read_header(data)


def shipped_folder() -> Path:
    """Where the shipped models lie."""
    return Path(str(resources.files("headgate.engines.llamacpp") / "models"))
