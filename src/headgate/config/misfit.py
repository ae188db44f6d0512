"""What does not fit in the page. It never leaves this package: `load` turns it into a `ConfigError` with file and line."""

from collections.abc import Sequence


class Misfit(Exception):  # noqa: N818  # it is a misfit first
    """Something in the page that does not fit, at `path`."""

    def __init__(self, path: Sequence[str | int], message: str, hint: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.hint = hint
