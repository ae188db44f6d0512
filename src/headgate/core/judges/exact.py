"""Are two answers the same text, but for what means nothing?

Spaces, the form of quotes and dashes, Markdown's emphasis, a capital at the beginning and a full stop at the end mean nothing. Inside
fences only spaces at the ends of lines do; JSON and code that differ in their writing are for `fields` and `code` to compare.
"""

import unicodedata

from headgate.core.audits import Pair
from headgate.core.checks.material import said
from headgate.core.judges.found import Ruling

_MARKS = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "−": "-"}
)


def exact(pair: Pair) -> Ruling | None:
    """As good if both say the same; None otherwise, since two good answers may differ."""
    if pair.local.tool_calls or pair.paid.tool_calls:
        return None
    local = normal(pair.local.text)
    return Ruling(True, "both say the same", 1.0) if local and local == normal(pair.paid.text) else None


def normal(text: str) -> str:
    """A text without what means nothing."""
    text = unicodedata.normalize("NFC", said(text)).translate(_MARKS)
    if "```" in text:
        return "\n".join([line.rstrip() for line in text.strip().splitlines()])
    text = " ".join(text.replace("**", "").replace("__", "").split()).rstrip(" .")
    return text[:1].casefold() + text[1:]
