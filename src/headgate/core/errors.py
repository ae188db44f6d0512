"""Errors that reach a person: each says what is wrong and what to do about it.

    HeadgateError
    ├── UsageError      exit 2   the command line or the request is wrong
    ├── ConfigError     exit 3   headgate.toml is wrong: file, line, word
    ├── EngineError     exit 4   an engine cannot be reached or started
    └── LedgerError     exit 1   the ledger cannot be opened or read

Expected failures of a call are not here: they are values (`types.Failure`).
"""


class HeadgateError(Exception):
    """An error with a hint.

    Args:
        message: what is wrong, without a full stop.
        hint: what to do, a command where there is one.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(HeadgateError):
    """The caller asked for something that does not exist or does not fit together."""

    exit_code = 2


class ConfigError(HeadgateError):
    """The configuration cannot be used."""

    exit_code = 3


class EngineError(HeadgateError):
    """An engine cannot be reached, started or used."""

    exit_code = 4


class LedgerError(HeadgateError):
    """The ledger cannot be opened, written or read."""
