"""Mails: `.eml`, one, and `.mbox`, many, read one at a time.

Subject, From, To, Cc and Date are fields, and the subject is the first heading. Of a mail in two forms the plain one is read, else
the HTML. Quoted older mail is kept as quotes, attachments are named in `fields["attachments"]`. What a mail's sender has
broken (boundaries, encodings, letter sets) is named, and whatever can be read still is.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from headgate.core.blocks import Block
from headgate.documents.letters import Binary, Letters, byte_lines, decode, look_at
from headgate.documents.markup import blocks_of as html_blocks
from headgate.documents.quoted import split_quotes
from headgate.documents.types import Document, Read, Trouble

HEADERS = {"subject": "Subject", "from": "From", "to": "To", "cc": "Cc", "date": "Date"}
LARGEST = 100_000_000
"""Bytes of a mail in an mbox; a larger one is left out."""
BEGIN = re.compile(rb"From \S.*\d{4}\s*$")
"""The line before each mail of an mbox: "From ann@example.org Mon Jan  5 10:00:00 2026"."""
ESCAPED = re.compile(rb">+From ")
"""How an mbox keeps a line of a mail from looking like a beginning."""
BROKEN = {
    "StartBoundaryNotFoundDefect": "the boundary that it names is not in it: its parts cannot be told apart",
    "NoBoundaryInMultipartDefect": "it says that it has parts and not where they begin: read as one text",
    "CloseBoundaryNotFoundDefect": "it breaks off before its last part is closed; the end may be lost",
    "InvalidBase64PaddingDefect": "an encoded part is cut: its end may be lost",
    "InvalidBase64CharactersDefect": "an encoded part has letters that do not belong there; some of it may be wrong",
    "InvalidBase64LengthDefect": "an encoded part is cut: its end may be lost",
    "InvalidMultipartContentTransferEncodingDefect": "it says that its parts together are encoded, which no mail may",
    "MissingHeaderBodySeparatorDefect": "a line among its headers is none; what follows is read as text",
    "FirstHeaderLineIsContinuationDefect": "its first line continues a header that is not there",
    "UndecodableBytesDefect": "it has bytes of an unknown letter set",
}


def read(path: Path, source: str) -> Iterator[Read]:
    """Read one mail.

    Raises:
        OSError: the file cannot be read.
    """
    yield from _mail(path.read_bytes(), source, 1)


def read_box(path: Path, source: str) -> Iterator[Read]:
    """Read the mails of an mbox.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        kept: list[bytes] = []
        size = number = 0
        line = begins = 1
        empty_before = True
        for text in byte_lines(file):
            if empty_before and BEGIN.match(text):
                if number:
                    yield from _of_box(kept, size, f"{source}#{number}", begins)
                elif b"".join(kept).strip():
                    yield Trouble(
                        source=source,
                        message="what stands before the first mail is left out",
                        line=1,
                        refused=False,
                    )
                kept, size, number, begins = [], 0, number + 1, line + 1
            else:
                size += len(text)
                if size <= LARGEST:
                    kept.append(text[1:] if ESCAPED.match(text) else text)
            empty_before = not text.strip()
            line += text.endswith(b"\n")
        if number:
            yield from _of_box(kept, size, f"{source}#{number}", begins)
        else:
            yield Trouble(
                source=source,
                message='no mail begins in it: none of its lines is like "From ann@example.org Mon Jan …"',
            )


def _of_box(kept: list[bytes], size: int, source: str, line: int) -> Iterator[Read]:
    if size > LARGEST:
        message = f"a mail of {size / 1e6:,.0f} MB; mails are read up to {LARGEST / 1e6:,.0f} MB"
        yield Trouble(source=source, message=message, line=line)
    else:
        yield from _mail(b"".join(kept), source, line)


def _mail(data: bytes, source: str, line: int) -> Iterator[Read]:
    mail = message_from_bytes(data, policy=policy.default)
    fields = {name: value for name, header in HEADERS.items() if (value := _header(mail, header))}
    attachments: list[str] = []
    body: list[Block] = []
    broken = _sentences(mail)
    encoding = ""
    for part in _leaves(mail, attachments, broken):
        letters, blocks = _part(part, data, line, broken)
        encoding = encoding or (letters.encoding if letters else "")
        body.extend(blocks)
    if attachments:
        fields["attachments"] = ", ".join(attachments)
    for message in dict.fromkeys(broken):
        yield Trouble(source=source, message=message, line=line, refused=False)
    if not (fields or body):
        yield Trouble(source=source, message="not a mail: it has no header and no text", line=line)
        return
    subject = fields.get("subject", "")
    heading = [Block(kind="heading", text=subject, level=1, line=line, last_line=line)] if subject else []
    yield Document(source=source, blocks=(*heading, *body), title=subject, fields=fields, encoding=encoding)


def _header(mail: Message, name: str) -> str:
    """A header's value on one line. Python raises many kinds of errors over headers that are not what they should be."""
    try:
        value = str(mail[name] or "")
    except Exception:  # noqa: BLE001  # see above; the raw words are better than none
        value = next((str(raw) for key, raw in mail.raw_items() if key.lower() == name.lower()), "")
    return " ".join(value.encode("utf-8", "replace").decode().split())


def _leaves(mail: Message, attachments: list[str], broken: list[str]) -> Iterator[Message]:
    """The parts that are its text, in order. Of the forms of one text the plain one, unless it is empty."""
    if mail.is_multipart() and mail.get_content_maintype() == "multipart":
        parts = [part for part in cast("list[Message]", mail.get_payload()) if isinstance(part, Message)]
        broken.extend(said for part in parts for said in _sentences(part))
        if mail.get_content_subtype() == "alternative":
            parts = sorted(parts, key=_plainness)
        for part in parts:
            found = list(_leaves(part, attachments, broken))
            yield from found
            if found and mail.get_content_subtype() == "alternative":
                return
    elif mail.is_multipart() or mail.get_content_disposition() == "attachment":
        attachments.append(_name(mail))
    elif mail.get_content_maintype() in {"text", "multipart"}:
        if _bytes(mail).strip():
            yield mail
    elif mail.get_content_disposition() is None or _filename(mail):
        attachments.append(_name(mail))


def _plainness(part: Message) -> int:
    kinds = [inner.get_content_type() for inner in part.walk()]
    return 0 if "text/plain" in kinds else 1 if "text/html" in kinds else 2


def _filename(part: Message) -> str:
    try:
        return part.get_filename() or ""
    except Exception:  # noqa: BLE001  # as with headers
        return ""


def _name(part: Message) -> str:
    """What a person calls an attachment: its file's name, the subject of a mail, or its kind."""
    if name := _filename(part):
        return " ".join(name.split())
    inner = part.get_payload()
    if part.get_content_type() == "message/rfc822" and isinstance(inner, list) and inner:
        return f"mail: {_header(cast('Message', inner[0]), 'Subject') or 'no subject'}"
    return part.get_content_type()


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _part(part: Message, mail: bytes, line: int, broken: list[str]) -> tuple[Letters | None, list[Block]]:
    """One part's text as blocks with their lines in the file."""
    data = _bytes(part)
    broken.extend(_sentences(part))
    letters = _letters(part, data, broken)
    if letters is None:
        return None, []
    text = decode(data, letters)
    as_written = str(part.get("content-transfer-encoding", "7bit")).strip().lower() in {
        "7bit",
        "8bit",
        "binary",
        "",
    }
    raw = data if as_written else str(part.get_payload()).encode("ascii", "replace")
    at = mail.find(raw) if raw else -1
    begins = line + mail.count(b"\n", 0, at) if at >= 0 else line
    ends = begins + max(raw.strip().count(b"\n"), 0)
    blocks = html_blocks(text) if part.get_content_subtype() == "html" else split_quotes(text)
    if at >= 0 and as_written:
        return letters, [_moved(block, begins - 1) for block in blocks]
    return letters, [_placed(block, begins, ends) for block in blocks]


def _moved(block: Block, by: int) -> Block:
    return replace(block, line=(block.line or 1) + by, last_line=(block.last_line or 1) + by)


def _placed(block: Block, line: int, last_line: int) -> Block:
    """A block of an encoded part: its lines are not the file's, so its place is the whole part."""
    return replace(block, line=line, last_line=last_line)


def _letters(part: Message, data: bytes, broken: list[str]) -> Letters | None:
    """How a part is written: as it says, unless that cannot be."""
    try:
        said = part.get_content_charset() or ""
    except Exception:  # noqa: BLE001  # as with headers
        said = ""
    wrong = ""
    if said and said != "unknown-8bit":
        try:
            data.decode(said)
            return Letters(encoding=said)
        except (LookupError, ValueError):
            wrong = said
    seen = look_at(data)
    if isinstance(seen, Binary):
        broken.append("a part that says it is text is none; it is left out")
        return None
    if wrong:
        broken.append(
            f"says it is written in {wrong} and is not; read as {seen.encoding}, so letters may be wrong"
        )
    return seen


def _sentences(part: Message) -> list[str]:
    """What is broken in a part, for people; one defect only says that there is another."""
    names = [type(defect).__name__ for defect in part.defects]
    return [
        BROKEN.get(name, f"broken as a mail ({name})")
        for name in names
        if name != "MultipartInvariantViolationDefect"
    ]
