"""What does not fit in the page. It never leaves this package: `load` turns it into a `ConfigError` with file and line."""

from collections.abc import Sequence
from pathlib import Path


class Misfit(Exception):  # noqa: N818  # it is a misfit first
    """Something in the page that does not fit, at `path`; or in a file that the page names, at `line` of `file`."""

    def __init__(
        self,
        path: Sequence[str | int],
        message: str,
        hint: str = "",
        *,
        file: Path | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.hint = hint
        self.file = file
        self.line = line
