"""How many tokens a request has: a guess from its bytes, or an exact count where the difference could matter.

Four bytes a token is within 0.73-1.23 of the truth for prose, code and JSON in many languages, and costs nothing. Only
when such a guess lies within 40 % of a limit that a route or a context window sets is the real tokenizer asked; the
caller brings it as an argument, because loading its vocabulary reads a file.
"""

from collections.abc import Callable

from headgate.core.types import Request

Counter = Callable[[str], int]
"""Counts o200k tokens of a text."""

BYTES_PER_TOKEN = 4
PER_MESSAGE = 4
"""Tokens that a chat template adds around each message."""
PER_IMAGE = 800
"""Tokens assumed for an image; providers charge 85 to 1,600."""
PER_DOCUMENT = 2000
"""Tokens assumed for a document that is only named; a page has 1,500 to 3,000."""
ENCODED_BYTES_PER_TOKEN = 40
"""Of a document in base64, where a page is some 100 KB."""
NEAR = 0.40
"""A guess this close to a limit is not good enough."""
ANSWER_ALLOWANCE = 512
"""Tokens kept free in a context window for an answer whose length the caller did not limit."""


def guess(request: Request) -> int:
    """Prompt tokens estimated from bytes."""
    size = 0
    fixed = request.beyond
    for message in request.messages:
        fixed += PER_MESSAGE
        if isinstance(message.content, str):
            size += length(message.content)
        else:
            size += length(message.text)
            fixed += PER_IMAGE * len(message.images)
        for call in message.tool_calls:
            size += length(call.arguments) + length(call.name)
    for tool in request.tools:
        size += len(memoryview(tool.parameters)) + length(tool.description) + length(tool.name)
    return fixed + (size + BYTES_PER_TOKEN - 1) // BYTES_PER_TOKEN


def count(request: Request, counter: Counter) -> int:
    """Prompt tokens counted by a real tokenizer; templates and images stay estimates."""
    total = request.beyond
    for message in request.messages:
        total += PER_MESSAGE + counter(message.text) + PER_IMAGE * len(message.images)
        total += sum(counter(call.name + call.arguments) for call in message.tool_calls)
    for tool in request.tools:
        total += counter(tool.name + tool.description + bytes(tool.parameters).decode("utf-8", "replace"))
    return total


def guess_document(encoded: int, plain: int) -> int:
    """Tokens of a document by its bytes in base64 and its bytes of text; of one that holds neither, those of a page or so."""
    if not encoded and not plain:
        return PER_DOCUMENT
    return encoded // ENCODED_BYTES_PER_TOKEN + plain // BYTES_PER_TOKEN


def longest(request: Request) -> int:
    """Tokens of the longest message alone, estimated from bytes: every text that is embedded needs a window of its own."""
    size = max([length(message.text) for message in request.messages], default=0)
    return (size + BYTES_PER_TOKEN - 1) // BYTES_PER_TOKEN


def estimate(text: str) -> int:
    """Tokens of a text alone, estimated from bytes."""
    return (length(text) + BYTES_PER_TOKEN - 1) // BYTES_PER_TOKEN


def near(tokens: int, limits: tuple[int, ...]) -> bool:
    """Whether a guess is so close to any limit that it could be on the wrong side of it."""
    for limit in limits:  # noqa: SIM110  # a generator costs more
        if abs(tokens - limit) <= NEAR * limit:
            return True
    return False


def length(text: str) -> int:
    """Bytes of a text in UTF-8, without encoding the common case."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
