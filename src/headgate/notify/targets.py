"""Targets: where a message goes, as the user writes it, and how it is shown without its secrets.

Nothing is sent here (`sending`). What apprise makes of an address, only apprise knows, so reading one needs the package.
"""

import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

from headgate.core.errors import ConfigError, HeadgateError

FILE: Final = "file:"
ENVIRONMENT: Final = "env:"
EMAIL: Final = ("mailto", "mailtos")

EXAMPLES: Final = (
    'write "file:reports/", "mailto://user:password@mail.example.org?to=team@example.org", "slack://…", or "env:NAME" '
    "for an address that stands in the environment"
)

SERVERS: Final = (*EMAIL, "json", "jsons", "xml", "xmls", "form", "forms")
"""In addresses of these kinds a server's name stands first; in others a token may."""

SHORTEST_SECRET: Final = 4
"""Letters: shorter ones are parts of ordinary words."""

_BETWEEN: Final = re.compile(r"[/:@,;]+")
_SECRET: Final = re.compile(r"(?<=://).*")


class Target(Struct, frozen=True):
    """Where a message goes."""

    word: str
    """As the user wrote it: what posts are kept under, so "env:NAME" keeps its secret."""
    address: str
    """What it stands for: "file:PATH" or an address of apprise."""

    @property
    def folder(self) -> Path | None:
        """The folder of a "file:" target."""
        if not self.address.startswith(FILE):
            return None
        return Path(self.address.removeprefix(FILE)).expanduser()

    @property
    def email(self) -> bool:
        """It takes mail, so it is given HTML."""
        return self.address.split("://", 1)[0] in EMAIL

    @property
    def shown(self) -> str:
        """The word without what may be secret in it: "slack://…"."""
        if not self.word.startswith((FILE, ENVIRONMENT)):
            return _SECRET.sub("…", self.word)
        return self.word

    def without_secrets(self, sentence: str) -> str:
        """A sentence of somebody who was given the address, without what may be secret in it: all but a mail's or webhook's server."""
        scheme, _, rest = self.address.partition("://")
        place, _, asked = rest.partition("?")
        who, _, where = place.rpartition("@")
        server = ""
        if scheme in SERVERS:
            server, _, where = where.partition("/")
        words = [who, where, *[value for _, value in parse_qsl(asked, keep_blank_values=True)]]
        secret = {part for word in words for form in (word, unquote(word)) for part in _BETWEEN.split(form)}
        secret -= set(_BETWEEN.split(server))
        for word in sorted(secret, key=len, reverse=True):
            if len(word) >= SHORTEST_SECRET:
                sentence = sentence.replace(word, "…")
        return sentence

    @property
    def name(self) -> str:
        """What it is kept under: as it is shown, and told from others that are shown alike."""
        if self.shown == self.word:
            return self.word
        return f"{self.shown} ({sha256(self.word.encode()).hexdigest()[:6]})"


def read_target(word: str, base: Path, environment: Mapping[str, str] = os.environ) -> Target:
    """The target that a word stands for.

    Args:
        word: as the user wrote it.
        base: the folder that a relative "file:" path starts from: that of the config.
        environment: where "env:NAME" is looked up.

    Raises:
        ConfigError: it stands for nothing.
    """
    address = word
    if word.startswith(ENVIRONMENT):
        name = word.removeprefix(ENVIRONMENT)
        address = environment.get(name, "").strip()
        if not address:
            raise ConfigError(
                f"the target {word} is empty: {name} is not set", f"export {name}=mailto://…, or take it out"
            )
    if address.startswith(FILE):
        path = Path(address.removeprefix(FILE) or ".").expanduser()
        return Target(word, f"{FILE}{path if path.is_absolute() else base / path}")
    if "://" not in address:
        raise ConfigError(f'the target "{Target(word, address).shown}" is no address', EXAMPLES)
    if not is_known(address):
        scheme = address.split("://", 1)[0]
        raise ConfigError(f"nobody takes messages at {scheme}://… as it is written", EXAMPLES)
    return Target(word, address)


def is_known(address: str) -> bool:
    """Whether apprise knows what to do with an address. Nothing is sent.

    Raises:
        NotifyMissingError: apprise is not installed.
    """
    try:
        import apprise  # noqa: PLC0415  # half a second, and an extra
    except ImportError as error:
        raise NotifyMissingError from error
    return apprise.Apprise.instantiate(address, suppress_exceptions=True) is not None


class NotifyMissingError(HeadgateError):
    """The package that sends messages is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "messages are sent by apprise, which is not installed",
            'pip install "headgate[notify]"; a target "file:reports/" works without it',
        )
