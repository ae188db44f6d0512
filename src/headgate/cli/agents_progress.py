"""How many of some inputs are done, as a bar on a terminal."""

import sys
from typing import Any, Self


class Bar:
    """How many inputs are done, on a terminal; nothing elsewhere, nor for a single one."""

    def __init__(self, total: int, label: str = "") -> None:
        self._shown: Any = None
        self._task: Any = None
        if total > 1 and sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            from headgate.cli.common import console

            self._shown = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=28),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console(stderr=True),
                redirect_stdout=False,  # what is printed meanwhile is data, and may go into a file
                transient=True,
            )
            self._task = self._shown.add_task(label, total=total)

    def __enter__(self) -> Self:
        if self._shown is not None:
            self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown.stop()

    def step(self) -> None:
        """One more is done."""
        if self._shown is not None:
            self._shown.advance(self._task)
