"""The list of prices in a process of its own: with the library that reads it, it takes 14 MB, and a gate needs it for a moment only.

    with list_apart() as find:
        find("gpt-4o", "openai", None, "chat", None)      as `find_price` would

The child reads the list when the context begins, while its parent is busy with something else, answers each line of JSON with one, and
is gone at the end. This module is also what it runs.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec

from headgate.config.prices import PriceFinder, find_price, read_list
from headgate.core.types import Price
from headgate.core.words import ModelKind

Asked = tuple[str, str | None, str | None, ModelKind, datetime | None]
"""What a finder is asked, in a line of JSON."""


@contextmanager
def list_apart() -> Iterator[PriceFinder]:
    """Finds prices in a child as long as the context lasts; here, if that cannot be started or was ended."""
    try:
        child = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        child = None
    if child is None:
        yield find_price
        return
    try:
        yield lambda *asked: _ask(child, asked)
    finally:
        child.kill()
        child.communicate()


def _ask(child: subprocess.Popen[bytes], asked: Asked) -> Price | None:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(msgspec.json.encode(asked) + b"\n")
        child.stdin.flush()
        return msgspec.json.decode(child.stdout.readline(), type=Price | None)
    except (OSError, msgspec.DecodeError):
        return find_price(*asked)


def main() -> None:
    """The child."""
    read_list()
    for line in sys.stdin.buffer:
        price = find_price(*msgspec.json.decode(line, type=Asked))
        sys.stdout.buffer.write(msgspec.json.encode(price) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
