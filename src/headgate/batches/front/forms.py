"""A form with a file in it (multipart/form-data), read where it lies on the disk: the file is never in memory as a whole.

It knows RFC 7578 as far as clients send it: fields, and one file. Nested forms and other encodings are not read.
"""

import mmap
import re
from typing import BinaryIO

from msgspec import Struct

from headgate.wire.faults import Fault

BOUNDARY = re.compile(r'multipart/form-data;.*?boundary="?([^";,]+)"?', re.IGNORECASE)
WORD = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
LONGEST_HEAD = 8192
"""Bytes of the head of one part."""
LONGEST_FIELD = 4096
MOST_PARTS = 20


class Part(Struct, frozen=True):
    """The file of a form: where it lies."""

    name: str
    start: int
    end: int


class Form(Struct, frozen=True):
    """What a form holds."""

    fields: dict[str, str]
    file: Part | None


def read_form(content_type: str, file: BinaryIO) -> Form | Fault:
    """Read a form.

    Args:
        content_type: the header that names the boundary.
        file: the body, with a real file behind it.
    """
    found = BOUNDARY.match(content_type)
    if found is None:
        return wrong(
            "a file is uploaded as a form", 'send it as multipart/form-data with "file" and "purpose"'
        )
    file.flush()
    if not file.seek(0, 2):
        return wrong("the form is empty", 'send the fields "file" and "purpose"')
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        return parse(body, b"--" + found[1].strip().encode("latin-1"))


def parse(body: mmap.mmap, edge: bytes) -> Form | Fault:
    """The parts between the edges."""
    fields: dict[str, str] = {}
    kept: Part | None = None
    at = body.find(edge)
    for _ in range(MOST_PARTS):
        if at < 0:
            break
        start = at + len(edge)
        if body[start : start + 2] == b"--":
            return Form(fields, kept)
        head_end = body.find(b"\r\n\r\n", start, start + LONGEST_HEAD)
        end = body.find(b"\r\n" + edge, head_end + 2)
        if head_end < 0 or end < 0:
            break
        words = dict(WORD.findall(disposition(body[start:head_end])))
        if "filename" in words:
            kept = Part(words["filename"], head_end + 4, max(head_end + 4, end))
        elif end - head_end - 4 <= LONGEST_FIELD:
            fields[words.get("name", "")] = body[head_end + 4 : end].decode("utf-8", "replace")
        at = end + 2
    return wrong("the form is cut off, or none", "send it again as multipart/form-data")


def disposition(head: bytes) -> str:
    """The line of a part's head that names it."""
    lines = head.decode("utf-8", "replace").split("\r\n")
    return next((line for line in lines if line.lower().startswith("content-disposition:")), "")


def wrong(message: str, hint: str) -> Fault:
    """What is wrong with a form."""
    return Fault(status=400, message=message, code="invalid_form", hint=hint)
