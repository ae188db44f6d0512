"""Prompts and answers that are kept for audits, sealed with a key of the user's (Fernet: AES-128-CBC and HMAC-SHA256).

What was written before there was a key stays readable, and says by its first byte that it is not sealed. This module does not know
what it seals.
"""

from typing import Final

from headgate.config.audit import AuditSettings
from headgate.core.errors import ConfigError, LedgerError

PLAIN: Final = b"{"
"""How JSON begins. A Fernet token begins with its version, 0x80, which is "g" in base64."""


class Seal:
    """Seals bytes, and opens what it has sealed.

    Args:
        key: 32 bytes in URL-safe base64, as `cryptography.fernet.Fernet.generate_key` makes them.

    Raises:
        ConfigError: the key is no such key, or the package is missing.
    """

    def __init__(self, key: str) -> None:
        try:
            from cryptography.fernet import Fernet  # noqa: PLC0415  # an extra, and slow to load
        except ImportError as error:
            raise ConfigError(
                "[audit] key seals with the package cryptography, which is not installed",
                'pip install "headgate[seal]", or take key out of [audit]',
            ) from error
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise ConfigError(
                "the key of [audit] is no Fernet key: it has to be 32 bytes in URL-safe base64",
                'make one: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"',
            ) from error

    def close(self, plain: bytes) -> bytes:
        """The bytes, sealed."""
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """The bytes that were sealed.

        Raises:
            LedgerError: they were sealed with another key, or have been changed.
        """
        from cryptography.fernet import InvalidToken  # noqa: PLC0415  # as above

        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise LedgerError(
                "what was kept for this audit was sealed with another key",
                "give [audit] the key from before, or let it expire",
            ) from error


def seal_of(settings: AuditSettings) -> Seal | None:
    """The seal that [audit] wants; None where it wants none.

    Raises:
        ConfigError: the key is not where the page says, is no Fernet key, or the package is missing.
    """
    if settings.key_reference is None:
        return None
    if settings.key is None:
        raise ConfigError(
            f"the key of [audit] is not there: {settings.key_reference}",
            "put it there, or take key out of [audit] in headgate.toml: then prompts are kept as they are",
        )
    return Seal(settings.key)


def is_sealed(kept: bytes) -> bool:
    """Whether the bytes are sealed."""
    return not kept.startswith(PLAIN)


def opened(kept: bytes, seal: Seal | None) -> bytes:
    """What was kept, sealed or not.

    Raises:
        LedgerError: it is sealed, and there is no key or another one.
    """
    if not is_sealed(kept):
        return kept
    if seal is None:
        raise LedgerError(
            "what was kept for this audit is sealed", "give [audit] in headgate.toml its key again"
        )
    return seal.open(kept)
