"""Where the engines on this machine keep their models: for those who look for models, and for a look at the disk.

An engine may have been told otherwise in a way that we cannot see (a service with an environment of its own). It does not look
into the folders.
"""

import os
from pathlib import Path

import msgspec

from headgate.config.places import data_home
from headgate.core.words import EngineKind


def folder_of(kind: EngineKind) -> Path | None:
    """Where an engine of this kind puts what it fetches; None for a kind that fetches nothing."""
    match kind:
        case "ollama":
            return _first_there(ollama_folders())
        case "lmstudio":
            return _first_there(lmstudio_folders())
        case "llamacpp":
            return own_folder()
    return None


def own_folder() -> Path:
    """Where models are pulled to, and where the user may put more."""
    return data_home() / "models"


def ollama_folders() -> tuple[Path, ...]:
    """Where Ollama keeps models: the user's place, and that of its service."""
    named = os.environ.get("OLLAMA_MODELS")
    users = Path(named).expanduser() if named else Path("~/.ollama/models").expanduser()
    return users, Path("/usr/share/ollama/.ollama/models")


def lmstudio_folders() -> tuple[Path, ...]:
    """Where LM Studio keeps models: the place that its settings name, and that of its newer and its older versions."""
    homes = (Path("~/.lmstudio").expanduser(), Path("~/.cache/lm-studio").expanduser())
    named = (_named_in(home / "settings.json") for home in homes)
    return tuple(dict.fromkeys([*filter(None, named), *(home / "models" for home in homes)]))


def _named_in(settings: Path) -> Path | None:
    try:
        named = msgspec.json.decode(settings.read_bytes())["downloadsFolder"]
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
        return None
    return Path(named) if isinstance(named, str) and named else None


def _first_there(folders: tuple[Path, ...]) -> Path:
    return next((folder for folder in folders if _is_there(folder)), folders[0])


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False  # another user's
