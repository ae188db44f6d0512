"""One message to one target. It waits for the network or the disk: call it from a thread.

What went wrong is a sentence, not an exception: whoever sends tries again later and tells it meanwhile. This module does
not know what a message says, nor when it is due (`posts`).
"""

import logging
import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from threading import Thread
from typing import Final

from msgspec import Struct

from headgate.notify.targets import NotifyMissingError, Target

PATIENCE: Final = 45.0
"""Seconds that one send may take: a server that takes a byte now and then must not keep the others waiting."""

MOST_LETTERS: Final = 60
"""Of a title in a file's name: file systems count bytes, up to 255, and a letter may have four."""

_UNFIT: Final = re.compile(r"[^\w .,%$()+=\'-]+")
"""What a file name on some system cannot hold."""


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
    """Send a message; None when it has been taken, else why not, in one sentence.

    What takes longer than `PATIENCE` is given up; its thread ends with the process at the latest.
    """
    said: list[str | None] = []
    thread = Thread(target=lambda: said.append(_send(message, target)), name="headgate-send", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return said[0] if said else f"{target.shown}: no answer within {PATIENCE:.0f} seconds"


def _send(message: Message, target: Target) -> str | None:
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
    try:
        with capture as said, TemporaryDirectory() as place:
            attached = _attachments(message, place) if target.email else None
            taken = bool(service.notify(body=body, title=message.title, body_format=form, attach=attached))
            reason = " ".join(said.getvalue().split())
    except Exception as error:  # noqa: BLE001 - a plug-in of a hundred, or a full disk; whatever it is, the message waits
        taken, reason = False, f"{error}"
    return None if taken else f"{target.shown}: {target.without_secrets(reason) or 'it was not taken'}"


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
    files = message.files or {f"{file_name(message.title)}.txt": message.text.encode()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content)
    except OSError as error:
        return f"{folder}: {error.strerror or error}"
    return None


def file_name(title: str) -> str:
    """A title as the name of a file: no folder in it, nothing that some system refuses, and not too long."""
    name = _UNFIT.sub("-", title).strip(" .")
    if len(name) <= MOST_LETTERS:
        return name
    return f"{name[:MOST_LETTERS]}-{sha256(title.encode()).hexdigest()[:8]}"


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
