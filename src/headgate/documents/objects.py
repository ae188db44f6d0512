"""JSON Lines: one document a line, a JSON object with fields or a JSON string that is the text. Read one line at a time."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from headgate.core.blocks import Block
from headgate.documents.letters import Binary, lines, look_through
from headgate.documents.rows import shown
from headgate.documents.types import Document, Read, Trouble


def read(path: Path, source: str) -> Iterator[Read]:
    """Read a file of JSON Lines.

    Raises:
        OSError: the file cannot be read.
        LineTooLongError: it is no text.
    """
    letters = look_through(path)
    if isinstance(letters, Binary):
        yield letters.trouble(source)
        return
    yield from letters.troubles(source)
    number = 0
    for line, text in enumerate(lines(path, letters), start=1):
        if not text.strip():
            continue
        number += 1
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            yield Trouble(source=source, message=f"not JSON ({error}); left out", line=line)
            continue
        if not isinstance(value, dict | str):
            yield Trouble(source=source, message="neither a JSON object nor a string; left out", line=line)
            continue
        fields = {name: _text(inner) for name, inner in value.items()} if isinstance(value, dict) else {}
        said = value if isinstance(value, str) else shown(fields)
        if not said.strip():
            yield Trouble(source=source, message="there is no text in it; left out", line=line)
            continue
        block = Block(kind="text", text=said, line=line, last_line=line)
        yield Document(source=f"{source}#{number}", blocks=(block,), fields=fields, encoding=letters.encoding)


def _text(value: object) -> str:
    """A field as text: a string as it is, nothing for null, the rest as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
