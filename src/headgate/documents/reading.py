"""Which format a file has, and everything that can go wrong before and around its reading.

    read(path) → the reader of its format → Document … or Trouble

A file's format is its name's ending. This module knows no format from the inside.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import cast

from msgspec import Struct

from headgate.documents.letters import LineTooLongError
from headgate.documents.types import Document, Read, Trouble

Reader = Callable[[Path, str], Iterator[Read]]
"""Of one format: the file, and what it is to be called."""

MEGABYTE = 1_000_000
LIMIT_MB = 200
EXTRA = 'pip install "headgate[documents]"'


class Format(Struct, frozen=True, gc=False):
    """How a format is read."""

    reader: str
    """The module in this package and its function."""
    whole_mb: int | None = None
    """The largest file, in megabytes, of a format that has to be held in memory as a whole; None is read piece by piece."""


TEXT = Format("plain:read")
FORMATS = {
    ".txt": TEXT,
    ".text": TEXT,
    ".log": TEXT,
    ".json": TEXT,
    ".md": Format("markdown:read", whole_mb=10),
    ".markdown": Format("markdown:read", whole_mb=10),
    ".rst": Format("restructured:read", whole_mb=20),
    ".html": Format("markup:read", whole_mb=20),
    ".htm": Format("markup:read", whole_mb=20),
    ".eml": Format("mail:read", whole_mb=100),
    ".mbox": Format("mail:read_box"),
    ".csv": Format("rows:read"),
    ".tsv": Format("rows:read"),
    ".jsonl": Format("objects:read"),
    ".ndjson": Format("objects:read"),
    ".vtt": Format("captions:read", whole_mb=20),
    ".srt": Format("captions:read", whole_mb=20),
    ".pdf": Format("pdf:read", whole_mb=LIMIT_MB),
    ".docx": Format("word:read", whole_mb=100),
}
"""By the ending of a file's name."""
SAVE_AS = {
    ".doc": "save it as .docx",
    ".odt": "save it as .docx",
    ".rtf": "save it as .docx",
    ".xls": "save each sheet as .csv",
    ".xlsx": "save each sheet as .csv",
    ".ods": "save each sheet as .csv",
    ".ppt": "save it as .pdf",
    ".pptx": "save it as .pdf",
    ".epub": "save it as .html",
    ".msg": "save the mail as .eml",
}
"""What helps with a kind of file that is not read."""


def kind_of(path: Path) -> str:
    """What a file's name says of its format: its ending in small letters; "" without one.

    `os.rst.txt` is what a documentation builder calls the source `os.rst`, so a `.txt` behind another known ending is nothing.
    """
    ending = path.suffix.lower()
    if ending == ".txt" and (before := Path(path.stem).suffix.lower()) in FORMATS:
        return before
    return ending


def format_of(path: Path) -> Format | None:
    """How a file is read; None if it is not. A name without an ending (README, LICENSE) is a text until its bytes say no."""
    ending = kind_of(path)
    return FORMATS.get(ending) if ending else TEXT


def read(path: Path | str, *, limit_mb: int = LIMIT_MB) -> Iterator[Read]:
    """Read one file: its documents in their order, and what is wrong with it. Nothing is raised for a bad file.

    Args:
        path: the file; its documents are called what it is called here.
        limit_mb: files beyond it, in megabytes, are refused where the format has to be held in memory as a whole. Some formats
            have a smaller limit of their own; txt, csv, jsonl and mbox are read piece by piece and have none.
    """
    source, path = str(path), Path(path)
    form = format_of(path)
    if form is None:
        hint = SAVE_AS.get(kind_of(path), f"read are {', '.join(FORMATS)}")
        yield Trouble(source=source, message=f"{kind_of(path)} files are not read", hint=hint)
        return
    try:
        if trouble := _at_the_door(path, source, form, limit_mb):
            yield trouble
        else:
            yield from _read(path, source, form)
    except OSError as error:
        yield Trouble(source=source, message=f"cannot be read: {error.strerror or error}")


def _at_the_door(path: Path, source: str, form: Format, limit_mb: int) -> Trouble | None:
    if path.is_dir():
        return Trouble(source=source, message="a folder, not a file")
    if path.exists() and not path.is_file():
        return Trouble(source=source, message="not a file but a device, a pipe or a socket")
    size = path.stat().st_size
    if not size:
        return Trouble(source=source, message="an empty file")
    if form.whole_mb is None:
        return None
    limit = min(limit_mb, form.whole_mb)
    if size > limit * MEGABYTE:
        return Trouble(
            source=source,
            message=f"{size / MEGABYTE:,.0f} MB; {kind_of(path)} files are read up to {limit:,} MB",
            hint="split it, or save it as .txt, which is read piece by piece",
        )
    return None


def _read(path: Path, source: str, form: Format) -> Iterator[Read]:
    """What the format's reader finds; a file in which it finds nothing at all is named."""
    module, _, function = form.reader.partition(":")
    try:
        reader = cast("Reader", getattr(import_module(f"headgate.documents.{module}"), function))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "headgate":
            raise
        yield Trouble(
            source=source,
            message=f"{kind_of(path)} files need the package {error.name}, which is not installed",
            hint=EXTRA,
        )
        return
    silent = True
    try:
        for found in reader(path, source):
            if isinstance(found, Document) and not found.blocks:
                continue
            silent = silent and not isinstance(found, Document) and not found.refused
            yield found
    except LineTooLongError as error:
        silent = False
        yield Trouble(
            source=source,
            message="a line of more than 16 million characters: not a text that can be read",
            line=error.line,
        )
    if silent:
        yield Trouble(source=source, message="there is no text in it")
