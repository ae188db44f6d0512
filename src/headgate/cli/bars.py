"""A bar for work whose end is known: on a terminal, a line that fills; elsewhere nothing, since the summary says it all."""

import sys
from typing import Any, Self

from headgate.cli.common import console


class Bar:
    """How far some work is. Use it in a `with` block.

    Args:
        what: the work, in a word or two.
    """

    def __init__(self, what: str) -> None:
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich import progress

            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(bar_width=28),
                progress.TaskProgressColumn(),
                progress.TextColumn("{task.fields[figures]}"),
                progress.TimeRemainingColumn(),
                console=console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(what, total=1.0, figures="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, share: float, figures: str) -> None:
        """Move it, and say something beside it."""
        if self._bar is not None:
            self._bar.update(self._task, completed=share, figures=figures)
