"""How a download is shown: as a bar on a terminal, as lines elsewhere, as JSON events for programs.

It is given reports and the time; it does not know where the bytes come from, and measures the speed by itself, because
few engines tell one.
"""

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from headgate.cli.common import put, say
from headgate.cli.models_words import size, span

if TYPE_CHECKING:
    from rich.console import Console

    from headgate.core.engine import Progress

MEMORY = 10.0
"""Seconds over which the speed is measured."""
BEAT = 0.25
"""Seconds between two events or two changes of the bar, unless something more than the figure has changed."""
TENTH = 10


class Pace:
    """How fast bytes come, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def rate(self, completed: int | None, now: float) -> float | None:
        """Bytes per second after a report; None before two of them."""
        if completed is None:
            return None
        self._seen.append((now, completed))
        while len(self._seen) > 2 and now - self._seen[0][0] > MEMORY:
            self._seen.popleft()
        then, before = self._seen[0]
        return (completed - before) / (now - then) if now > then and completed >= before else None


def seconds_left(progress: "Progress", rate: float | None) -> float | None:
    """Until all is there, at this rate; None is unknown."""
    if not rate or progress.total is None or progress.completed is None:
        return None
    return max(progress.total - progress.completed, 0) / rate


class Face(Protocol):
    """Somebody who watches a download."""

    def show(self, progress: "Progress", now: float) -> None:
        """Take the next report."""
        ...

    def close(self) -> None:
        """Leave the screen in order; no report comes any more."""
        ...


class Bar:
    """A bar with size, rate and time left.

    Args:
        console: the terminal.
        label: what is fetched.
        clock: the time that a bar without a total moves by.
    """

    def __init__(self, console: "Console", label: str, clock: Callable[[], float] = perf_counter) -> None:
        from rich import progress

        self.screen = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=28),
            progress.TextColumn("{task.fields[figures]}"),
            console=console,
            get_time=clock,
        )
        self._label = label
        self._task = self.screen.add_task(label, total=None, figures="")
        self._pace = Pace()
        self._step, self._shown = "", 0.0
        self.screen.start()

    def show(self, progress: "Progress", now: float) -> None:
        """Move the bar."""
        rate = self._pace.rate(progress.completed, now)
        over = progress.total is not None and progress.completed == progress.total
        if progress.step == self._step and not over and now - self._shown < BEAT:
            return
        self._step, self._shown = progress.step, now
        self.screen.update(
            self._task,
            description=f"{self._label}  {progress.step}",
            total=progress.total,
            completed=progress.completed or 0,
            figures=figures(progress, rate),
        )

    def close(self) -> None:
        """Let the bar stand as it is."""
        self.screen.stop()


class Lines:
    """A line for each step and for each tenth, where there is no terminal."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._said = ("", 0)

    def show(self, progress: "Progress", now: float) -> None:
        """Say it if it is news."""
        rate = self._pace.rate(progress.completed, now)
        tenth = TENTH * (progress.completed or 0) // progress.total if progress.total else 0
        step, most = self._said
        if step == progress.step and tenth <= most:
            return
        self._said = (progress.step, tenth)
        say(f"{progress.step}  {figures(progress, rate)}".rstrip())

    def close(self) -> None:
        """Nothing is left to be said."""


class Events:
    """A JSON object a line."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._step, self._shown = "", 0.0

    def show(self, progress: "Progress", now: float) -> None:
        """Tell how far it is, a few times a second at most."""
        rate = self._pace.rate(progress.completed, now)
        over = progress.total is not None and progress.completed == progress.total
        if progress.step == self._step and not over and now - self._shown < BEAT:
            return
        self._step, self._shown = progress.step, now
        left = seconds_left(progress, rate)
        put_event(
            "progress",
            step=progress.step,
            file=progress.file,
            completed=progress.completed,
            total=progress.total,
            bytes_per_second=None if rate is None else round(rate),
            seconds_left=None if left is None else round(left, 1),
        )

    def close(self) -> None:
        """The last event is the command's to tell."""


def put_event(event: str, **facts: Any) -> None:
    """One JSON object on stdout, at once."""
    import msgspec

    put(msgspec.json.encode({"event": event, **facts}).decode())


def figures(progress: "Progress", rate: float | None) -> str:
    """Size, rate and time left, as far as they are known: "1.2 of 4.9 GB, 38 MB/s, 1 min 37 s left"."""
    if progress.completed is None:
        return ""
    parts = [size(progress.completed)]
    if progress.total is not None:
        whole, part = size(progress.total), size(progress.completed)
        alike = part.rpartition(" ")[2] == whole.rpartition(" ")[2]
        parts = [whole if part == whole else f"{part.rpartition(' ')[0] if alike else part} of {whole}"]
    if progress.completed == progress.total:
        return parts[0]
    if rate is not None:
        parts.append(f"{size(rate)}/s")
    left = seconds_left(progress, rate)
    if left is not None:
        parts.append(f"{span(left)} left")
    return ", ".join(parts)
