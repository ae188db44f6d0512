"""The demo's own folder: its headgate.toml, its ledger, and the stand-in's key. Made anew by each demo.

Nothing outside of it is read or written, so a demo never touches the user's own config or ledger.
"""

from importlib import resources
from pathlib import Path
from secrets import token_urlsafe
from string import Template

import msgspec
from msgspec import Struct

from headgate.core.errors import UsageError
from headgate.engines.llamacpp.shipped import shipped_folder

CONFIG_FILE = "headgate.toml"
LEDGER_FILE = "ledger.db"
KEY_FILE = "stand-in.key"


class Evaluated(Struct, frozen=True):
    """What was measured on a shipped model, as far as the demo needs it."""

    threshold: float | None = None
    """The least mean log-probability at which its answers are worth believing."""


class Evaluation(Struct, frozen=True):
    """evaluation.json beside the shipped models."""

    models: dict[str, Evaluated]


class DemoFolder(Struct, frozen=True):
    """A fresh folder for one demo."""

    path: Path
    config: Path
    """The demo's headgate.toml; not written yet."""
    key: str
    """The only key that the stand-in accepts."""

    def write_config(self, *, listen: str, stand_in: str) -> None:
        """Write the demo's page.

        Args:
            listen: host and port of the gate.
            stand_in: the stand-in's address.
        """
        blanks = {"folder": self.path.as_posix(), "listen": listen, "stand_in": stand_in, **thresholds()}
        self.config.write_text(Template(template()).substitute(blanks), encoding="utf-8")


def make_folder(path: Path, config: Path | None = None) -> DemoFolder:
    """Make the folder, or empty it of what an earlier demo left there.

    Args:
        path: the folder.
        config: the config, if it shall lie elsewhere.

    Raises:
        UsageError: a config or ledger is there that no demo wrote, or the folder cannot be written.
    """
    path = path.expanduser().absolute()
    config = config.expanduser().absolute() if config is not None else path / CONFIG_FILE
    try:
        path.mkdir(parents=True, exist_ok=True)
        config.parent.mkdir(parents=True, exist_ok=True)
        if (foreign := not_ours(path, config)) is not None:
            raise UsageError(
                f"{foreign} is not from a demo, so the demo leaves it alone",
                "headgate demo --keep DIR, with a folder of its own",
            )
        for old in (config, *(path / f"{LEDGER_FILE}{end}" for end in ("", "-wal", "-shm"))):
            old.unlink(missing_ok=True)
        key = token_urlsafe(24)
        (path / KEY_FILE).write_text(key, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the demo cannot write {error.filename or path}: {error.strerror}", "headgate demo --keep DIR"
        ) from error
    return DemoFolder(path, config, key)


def not_ours(path: Path, config: Path) -> Path | None:
    """A file that is in the way and was not left there by a demo, or None."""
    if config.exists() and not config.read_text(encoding="utf-8").startswith(mark()):
        return config
    ledger = path / LEDGER_FILE
    return ledger if ledger.exists() and not (path / KEY_FILE).exists() else None


def template() -> str:
    """The page with its blanks."""
    return resources.files("headgate.demo").joinpath("demo.toml").read_text(encoding="utf-8")


def mark() -> str:
    """The line by which a demo's config is known."""
    return template().partition("\n")[0]


def thresholds() -> dict[str, float]:
    """The least confidence that was measured for each shipped chat model, by the name of its blank in the page."""
    measured = msgspec.json.decode((shipped_folder() / "evaluation.json").read_bytes(), type=Evaluation)
    return {
        f"{name}_threshold": seen.threshold
        for name, seen in measured.models.items()
        if seen.threshold is not None
    }
