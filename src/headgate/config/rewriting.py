"""A page that is changed where it lies: whole or not at all, with the page as it was beside it, and never over somebody's own change.

    raw = read_raw(source);   rewrite(source, raw, text) → where the page lies as it was

It does not know what is changed (`changes`).
"""

import os
from codecs import BOM_UTF8
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from headgate.core.errors import ConfigError

BEFORE = ".before-tune"
"""What is put behind the name of the page as it was."""


def read_raw(source: Path) -> bytes:
    """A page as it lies there.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return source.read_bytes()
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}") from error


def text_of(raw: bytes) -> str:
    """Its text, with the ends of its lines as they are."""
    return raw.decode("utf-8-sig")


def rewrite(source: Path, was: bytes, text: str) -> Path:
    """Write a page anew.

    Args:
        source: its file.
        was: what was read from it (`read_raw`).
        text: what is to be in it.

    Returns:
        Where the page lies as it was.

    Raises:
        ConfigError: it has been changed since it was read, or it cannot be written.
    """
    target = source.resolve()  # a link stays one
    kept = target.with_name(target.name + BEFORE)
    try:
        if target.read_bytes() != was:
            raise ConfigError(
                f"{source} has been changed meanwhile", "run the command again: nothing was written"
            )
        if not target.stat().st_mode & 0o222 or not os.access(target, os.W_OK):
            raise ConfigError(f"{source} is read-only", "make the file and its folder writable")
        mark = BOM_UTF8 if was.startswith(BOM_UTF8) else b""
        write_whole(kept, was, target)
        write_whole(target, mark + text.encode(), target)
    except OSError as error:
        raise ConfigError(
            f"{source} cannot be written: {error.strerror}", "make the file and its folder writable"
        ) from error
    return kept


def write_whole(path: Path, content: bytes, like: Path) -> None:
    """Write a file whole or not at all, with the rights of another."""
    with NamedTemporaryFile("wb", dir=path.parent, delete=False) as file:
        fresh = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            fresh.chmod(like.stat().st_mode & 0o777)
            fresh.replace(path)
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise
