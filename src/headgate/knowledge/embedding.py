"""Texts of a base → vectors, whatever their length. It does not know which model embeds, or what becomes of the vectors."""

from typing import Final

from headgate.core.errors import EngineError, HeadgateError
from headgate.core.runs import Embedder
from headgate.knowledge.vectors import mean

SHORT: Final = 400
"""Characters that every embedding model takes; what fails with fewer does not fail for its length."""
PROBE: Final = "probe"
"""A text that every embedding model takes: whether it is there at all."""


async def embed(embedder: Embedder, texts: list[str]) -> list[bytes]:
    """A vector for each text, as little-endian float32. One too long for the model is embedded in halves, and has their mean.

    Raises:
        EngineError: there is another reason why they cannot be embedded.
    """
    try:
        return await embedder.embed(texts, batch=True)
    except HeadgateError as error:
        if len(texts) == 1 and len(texts[0]) < SHORT:
            raise EngineError(error.message, error.hint) from error
    await embedder.embed([PROBE], batch=True)
    if len(texts) > 1:
        half = len(texts) // 2
        return [*await embed(embedder, texts[:half]), *await embed(embedder, texts[half:])]
    text = texts[0]
    middle = text.rfind(" ", 1, len(text) // 2) + 1 or len(text) // 2
    return [mean([(await embed(embedder, [half]))[0] for half in (text[:middle], text[middle:])])]
