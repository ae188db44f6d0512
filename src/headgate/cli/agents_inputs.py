"""What `headgate agents run` is given: a text, stdin, files and folders, and fields by name.

Each input knows where it came from. What cannot be read is one too, with the reason, so that it is named in the output beside the
others. It does not know what becomes of an input.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from headgate.cli.common import say
from headgate.core.runs import Given

if TYPE_CHECKING:
    from headgate.core.subagent import Agent
    from headgate.documents import Document, Trouble

STDIN = "-"


class Item(Struct, frozen=True, kw_only=True):
    """One input."""

    source: str = ""
    """The file and its part; "" for what was typed or piped in."""
    given: Given = ""
    trouble: str = ""
    """Why there is nothing to give."""


def fields_from(pairs: Sequence[str]) -> dict[str, str]:
    """The fields of `--field name=value`; "@file" as a value is the file's text.

    Raises:
        UsageError: it is no pair, or the file cannot be read.
    """
    from headgate.core.errors import UsageError

    fields = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(
                f'"{pair}" is no field', "write --field client=Acme, or --field facts=@facts.txt"
            )
        if value.startswith("@"):
            value = text_of(Path(value[1:]).expanduser())
        fields[name.strip()] = value
    return fields


def text_of(path: Path) -> str:
    """The text of a file, whatever its format.

    Raises:
        UsageError: it cannot be read.
    """
    from headgate.core.errors import UsageError
    from headgate.documents import Trouble, read

    texts = []
    for found in read(path):
        if not isinstance(found, Trouble):
            texts.append(found.text)
        elif found.refused:
            raise UsageError(f"{found.source}: {said(found)}", found.hint)
        else:
            note(found)
    return "\n\n".join(texts)


def gather(text: str | None, files: Sequence[str], fields: dict[str, str]) -> Iterator[Item]:
    """The inputs, in their order, files in folders by name.

    Raises:
        UsageError: there is none, or a file that was named is not there.
    """
    from headgate.core.errors import UsageError

    if text is not None and files:
        raise UsageError("there are a text and files", "leave out --input, or the files")
    if text is not None:
        yield item("", text, fields)
    elif files:
        for file in files:
            if file == STDIN:
                yield item("", from_stdin(), fields)
            else:
                yield from from_file(Path(file).expanduser(), fields)
    elif fields:
        yield Item(given=fields)
    elif sys.stdin.isatty():
        raise UsageError(
            "there is no input", 'give a text with -i "…", a file, or pipe one in; or --field name=value'
        )
    else:
        yield item("", from_stdin(), fields)


def item(source: str, text: str, fields: dict[str, str]) -> Item:
    """A text with its fields."""
    if not text.strip():
        return Item(source=source, trouble="it is empty")
    return Item(source=source, given={"input": text, **fields} if fields else text)


def from_stdin() -> str:
    """All of stdin.

    Raises:
        UsageError: it is not UTF-8.
    """
    from headgate.core.errors import UsageError

    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"the input is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error


def from_file(path: Path, fields: dict[str, str]) -> Iterator[Item]:
    """The inputs that a file or a folder holds: each mail of an mbox, each row of a CSV.

    Raises:
        UsageError: it is not there.
    """
    from headgate.cli.agents_shown import brief
    from headgate.core.errors import UsageError
    from headgate.documents import Trouble, walk

    if not is_there(path):
        raise UsageError(f"there is no file {brief(str(path), 60)}", 'a text is given with -i "…"')
    for found in walk([path]):
        if not isinstance(found, Trouble):
            yield from_document(found, fields)
        elif found.refused and not (found.source == str(path) and path.is_dir()):
            hint = f" ({found.hint})" if found.hint else ""
            yield Item(source=found.source, trouble=f"{said(found)}{hint}")
        else:  # it is read all the same, or it is one line about the files of a folder that are none for us
            note(found)


def is_there(path: Path) -> bool:
    """Whether there is such a file; one that may not be looked at is there."""
    try:
        return path.exists()
    except PermissionError:
        return True
    except OSError:  # a text in place of a name is too long for one
        return False


def said(trouble: "Trouble") -> str:
    """What is wrong with a file, with its line."""
    return f"line {trouble.line}: {trouble.message}" if trouble.line else trouble.message


def note(trouble: "Trouble") -> None:
    """Tell what is lost of a file that was read."""
    hint = f" ({trouble.hint})" if trouble.hint else ""
    say(f"note: {trouble.source}: {said(trouble)}{hint}")


def from_document(document: "Document", fields: dict[str, str]) -> Item:
    """A document as an input; what is named in it are fields too, those of the command line win."""
    whole = item(document.source, document.text, {**document.fields, **fields})
    return (
        whole
        if not whole.trouble or not document.fields
        else Item(source=document.source, given={**document.fields, **fields})
    )


def missing_fields(agent: "Agent", given: Given) -> tuple[str, ...]:
    """The fields of the agent's template that an input does not have."""
    from headgate.core.templates import WHOLE, Unfit, fields_of

    wanted = fields_of(agent.template)
    if isinstance(wanted, Unfit) or wanted == (WHOLE,):
        return ()
    there = {WHOLE} if isinstance(given, str) else given.keys()
    return tuple(name for name in wanted if name not in there)
