"""The lines of an input file: whether they are requests, and the items of a batch that they make.

A line is `{"custom_id", "method": "POST", "url", "body"}`. What is wrong is told with its line, in OpenAI's words.
"""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from headgate.batches.types import Item, Notice

MOST_LINES = 50_000
MOST_TOLD = 100
"""Errors of one file that are told."""
LONGEST_ID = 512


class Line(Struct, frozen=True):
    """A request."""

    custom_id: str
    method: str
    url: str
    body: Raw


class Problem(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with an input file."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


decode_line = msgspec.json.Decoder(Line).decode


class Lines:
    """The requests of an input file as items of a batch. What is given is the line itself.

    Args:
        path: the file; it was found sound.
        total: its requests.
    """

    def __init__(self, path: Path, total: int) -> None:
        self._path = path
        self._total = total

    def __iter__(self) -> Iterator[Item | Notice]:
        """All of them."""
        for number, (place, text) in enumerate(requests_in(self._path), 1):
            custom_id = decode_line(text).custom_id
            yield Item(n=number, given=text.decode(), source=f"line {place}", id=custom_id)

    def total(self) -> int:
        """How many they are."""
        return self._total


def requests_in(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if text := line.strip():
                yield number, text


def check_lines(path: Path, endpoint: str) -> tuple[int, list[Problem]]:
    """How many requests there are, and what is wrong with them."""
    seen: set[bytes] = set()
    problems: list[Problem] = []
    many = 0
    for number, text in requests_in(path):
        many += 1
        problem = problem_with(text, endpoint, number, seen)
        if problem is not None:
            problems.append(problem)
            if len(problems) == MOST_TOLD:
                break
    if not many:
        problems.append(
            Problem(
                code="empty_file", message="The input file has no line: it must have at least one request."
            )
        )
    if many > MOST_LINES:
        said = (
            f"The input file has {many:,} requests; the most is {MOST_LINES:,}: make several batches of it."
        )
        problems.append(Problem(code="too_many_tasks", message=said))
    return many, problems


def problem_with(text: bytes, endpoint: str, number: int, seen: set[bytes]) -> Problem | None:
    """What is wrong with one line."""
    try:
        line = decode_line(text)
        text.decode()
    except msgspec.ValidationError as error:
        said = f"This line is no request: {error}. It needs custom_id, method, url and body."
        return Problem(code="missing_required_parameter", message=said, line=number)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Problem(
            code="invalid_json_line", message=f"This line is not valid JSON: {error}.", line=number
        )
    if not line.custom_id or len(line.custom_id) > LONGEST_ID:
        said = f"custom_id must have 1 to {LONGEST_ID} characters."
        return Problem(code="invalid_custom_id", message=said, param="custom_id", line=number)
    known = blake2b(line.custom_id.encode(), digest_size=16).digest()
    if known in seen:
        said = f'The custom_id "{line.custom_id}" was on an earlier line; each must be another.'
        return Problem(code="duplicate_custom_id", message=said, param="custom_id", line=number)
    seen.add(known)
    if line.method != "POST":
        return Problem(
            code="invalid_method",
            message=f'The method must be "POST", not "{line.method}".',
            param="method",
            line=number,
        )
    if line.url != endpoint:
        said = f'The url "{line.url}" is not the endpoint of the batch, "{endpoint}"; all lines must have that one.'
        return Problem(code="mismatched_endpoint", message=said, param="url", line=number)
    if not bytes(line.body).lstrip().startswith(b"{"):
        return Problem(code="invalid_body", message="The body must be an object.", param="body", line=number)
    return None
