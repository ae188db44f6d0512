"""Where the engines on this machine keep their models, so that the disk behind it can be looked at.

An engine may have been told otherwise in a way that we cannot see (a service with an environment of its own); what is
found here is where its models lie unless somebody did. It does not look into the folders.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from headgate.config.places import data_home
from headgate.core.words import EngineKind

OLLAMA_SERVICES = (Path("/usr/share/ollama/.ollama/models"), Path("/var/lib/ollama/models"))
"""Where Ollama keeps its models when the system runs it as a user of its own."""


def folder_of(kind: EngineKind) -> Path | None:
    """The folder of an engine of this kind on this machine; None for a kind that has no fixed one."""
    if kind == "ollama":
        return ollama_folder()
    if kind == "lmstudio":
        return lmstudio_folder()
    return data_home() / "models" if kind == "llamacpp" else None


def ollama_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Ollama's folder: as the environment says, the service's, or the user's own."""
    named = environment.get("OLLAMA_MODELS")
    if named:
        return Path(named).expanduser()
    own = Path("~/.ollama/models").expanduser()
    return next((place for place in (own, *OLLAMA_SERVICES) if _is_there(place)), own)


def lmstudio_folder() -> Path:
    """LM Studio's folder: the one that its settings name, or its default."""
    home = next(
        (
            place
            for name in ("~/.lmstudio", "~/.cache/lm-studio")
            if (place := Path(name).expanduser()).is_dir()
        ),
        Path("~/.lmstudio").expanduser(),
    )
    try:
        settings = msgspec.json.decode((home / "settings.json").read_bytes())
        named = settings["downloadsFolder"]
    except (OSError, msgspec.MsgspecError, KeyError, TypeError):
        named = None
    return Path(named) if isinstance(named, str) and named else home / "models"


def is_this_machine(url: str | None) -> bool:
    """Whether an engine at this address runs here, beside us. None is our own child process."""
    if url is None:
        return True
    host = (urlsplit(url).hostname or "").lower()
    return host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost")


def _is_there(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError:
        return False  # the folder of another user
