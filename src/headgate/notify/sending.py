"""One message to one target. It waits for the network or the disk: call it from a thread.

What went wrong is a sentence, not an exception: whoever sends tries again later and tells it meanwhile. This module does
not know what a message says, nor when it is due (`posts`).
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from msgspec import Struct

from headgate.notify.targets import NotifyMissingError, Target


class Message(Struct, frozen=True, kw_only=True):
    """What is sent, in the forms that targets take."""

    title: str
    text: str
    """Plain text."""
    markdown: str = ""
    """For chats; the plain text where it is empty."""
    html: str = ""
    """For mail: a page without scripts; the plain text where it is empty."""
    files: Mapping[str, bytes] = {}
    """By name: written into a folder, attached to mail."""


def send(message: Message, target: Target) -> str | None:
    """Send a message; None when it has been taken, else why not, in one sentence."""
    folder = target.folder
    if folder is not None:
        return _write(message, folder)
    try:
        import apprise  # noqa: PLC0415  # half a second, and an extra
    except ImportError:
        return NotifyMissingError().message
    service = apprise.Apprise()
    if not service.add(target.address):
        return f"{target.shown} is no address that apprise knows"
    form, body = _form(message, target)
    capture = apprise.LogCapture(level=logging.WARNING, fmt="%(message)s")  # type: ignore[no-untyped-call]  # it has no types
    with capture as said, TemporaryDirectory() as place:
        attached = _attachments(message, place) if target.email else None
        try:
            taken = service.notify(body=body, title=message.title, body_format=form, attach=attached)
        except Exception as error:  # noqa: BLE001 - a plug-in of a hundred; whatever it raised, the message waits
            return f"{target.shown}: {error}"
        reason = " ".join(said.getvalue().split())
    return None if taken else f"{target.shown}: {reason or 'it was not taken'}"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of either."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.close()
            os.chmod(file.name, 0o644)  # noqa: PTH101 - a report is read by others; temporary files are not
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _write(message: Message, folder: Path) -> str | None:
    files = message.files or {f"{message.title}.txt": message.text.encode()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content)
    except OSError as error:
        return f"{folder}: {error.strerror or error}"
    return None


def _form(message: Message, target: Target) -> tuple[str, str]:
    if target.email and message.html:
        return "html", message.html
    if not target.email and message.markdown:
        return "markdown", message.markdown
    return "text", message.text


def _attachments(message: Message, place: str) -> list[str]:
    paths = []
    for name, content in message.files.items():
        path = Path(place) / name
        path.write_bytes(content)
        paths.append(str(path))
    return paths
