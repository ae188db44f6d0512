"""What the gate asks of its child and what comes of it, as values. They know neither processes nor lines."""

import signal
from typing import Literal

from msgspec import Struct

State = Literal["new", "starting", "up", "waiting", "failed", "stopped"]


class Order(Struct, frozen=True, kw_only=True):
    """One model for the child to load."""

    model: str
    """The name that it answers to."""
    path: str
    size: int = 0
    """Bytes; a big file may take longer to load."""
    context: int = 1024
    """Tokens per slot."""
    slots: int = 1
    """Answers at a time."""
    threads: int = 1
    embeds: bool = False
    cache_mib: int = 0
    """Memory for old prompts, in MiB."""


class Loaded(Struct, frozen=True):
    """A model that serves."""

    url: str
    seconds: float
    """How long it took to load."""
    memory: int | None
    """Bytes by which the child grew meanwhile; None where that is not the whole of it."""
    order: Order
    """What was asked for."""


class Broken(Struct, frozen=True):
    """A model that could not be loaded, and why."""

    why: str


class Backoff(Struct, frozen=True, kw_only=True):
    """How long to leave a dead process alone. Seconds."""

    first: float = 0.25
    most: float = 30.0
    healthy: float = 60.0
    """Having served this long, it starts again from `first`."""

    def after(self, previous: float | None, served: float) -> float:
        """The wait after a process that served for `served` seconds, itself started after waiting `previous`."""
        if previous is None or served >= self.healthy:
            return self.first
        return min(previous * 2, self.most)


class Status(Struct, frozen=True, kw_only=True):
    """The child as it is now."""

    state: State
    pid: int | None
    restarts: int
    models: dict[str, Loaded | Broken]
    """What the present process has reported; a model that is missing is not there, or not yet."""
    last_exit: str
    """How the process before this one ended, for people; "" when none has."""

    def describe(self) -> str:
        """Say in one clause why there is nobody to ask."""
        match self.state:
            case "starting" | "new":
                if not self.last_exit:
                    return "the embedded engine is still loading"
                return f"the embedded engine broke off ({self.last_exit}) and is loading again"
            case "waiting":
                return f"the embedded engine broke off ({self.last_exit}) and starts again"
            case "failed":
                return f"the embedded engine cannot run: {self.last_exit}"
            case "stopped":
                return "the embedded engine was stopped"
            case "up":
                broken = [
                    f"{name} could not be loaded: {found.why}"
                    for name, found in self.models.items()
                    if isinstance(found, Broken)
                ]
                return "; ".join(broken) or "the embedded engine has no model loaded"


def describe_exit(code: int) -> str:
    """Say how a process ended, from its return code: negative is a signal's number."""
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"ended with exit code {code if code < 256 else hex(code)}"  # Windows' own codes are read in hex
