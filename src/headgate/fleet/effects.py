"""What the scheduler wants done, and what it is told of an engine's memory: values, without any thought in them."""

from msgspec import Struct


class Start(Struct, frozen=True):
    """Serve this request now, in that lane."""

    ticket: int
    lane: str


class Refuse(Struct, frozen=True):
    """Wait no longer, for this reason."""

    ticket: int
    why: str
    down: bool
    """Because the model cannot be loaded, and not because others are served."""


class Load(Struct, frozen=True):
    """Load this lane; tell `loaded` or `load_failed`."""

    lane: str


class Unload(Struct, frozen=True):
    """Unload this lane; tell `unloaded`."""

    lane: str


Effect = Start | Refuse | Load | Unload
Effects = tuple[Effect, ...]


class Resident(Struct, frozen=True):
    """A model that an engine says it has in memory."""

    weights: str
    context: int | None = None
    memory: int | None = None
