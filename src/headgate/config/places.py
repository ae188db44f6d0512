"""Where things lie on this machine: the user's config, data and keys.

Read only when asked for; nothing here runs at import. `HEADGATE_CONFIG` and `HEADGATE_DATA` win over the platform's own
places.
"""

import os
import sys
from pathlib import Path

from headgate.core.errors import ConfigError

FILE_NAME = "headgate.toml"


def config_places() -> tuple[Path, ...]:
    """Where a config is looked for, best first."""
    named = os.environ.get("HEADGATE_CONFIG")
    if named:
        return (Path(named).expanduser(),)
    return (Path.cwd() / FILE_NAME, config_home() / FILE_NAME)


def find_config(given: str | None = None) -> Path | None:
    """The config file to use, or None when there is none.

    Raises:
        ConfigError: a file was named, but is not there.
    """
    if given is not None or os.environ.get("HEADGATE_CONFIG"):
        path = Path(given).expanduser() if given is not None else config_places()[0]
        if not path.is_file():
            raise ConfigError(f"there is no file {path}", "headgate init writes one")
        return path
    return next((path for path in config_places() if path.is_file()), None)


def config_home() -> Path:
    """The user's folder for configuration."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", "~/AppData/Roaming")).expanduser() / "headgate"
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "headgate"


def data_home() -> Path:
    """The user's folder for data: the ledger, the run file, logs."""
    named = os.environ.get("HEADGATE_DATA")
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "headgate"
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/headgate").expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "headgate"


def read_secret(reference: str) -> str | None:
    """The key behind "env:NAME" or "file:PATH", or None when it is not there.

    Raises:
        ConfigError: the text is not a reference, so it may be the key itself.
    """
    kind, colon, where = reference.partition(":")
    if not colon or kind not in ("env", "file") or not where:
        raise ConfigError(
            "a key is a reference, never the key itself",
            'write key = "env:ANTHROPIC_API_KEY" or key = "file:~/.keys/claude"',
        )
    if kind == "env":
        return os.environ.get(where) or None
    try:
        return Path(where).expanduser().read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
