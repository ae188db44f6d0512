"""Usages as they are taken together: by their services, and added up.

It does not know whose words a usage came in (`wire.upstream.usage`), nor what it costs (`prices`).
"""

from collections.abc import Sequence
from math import ceil
from typing import Final

from headgate.core.types import Usage

BATCH: Final = "batch"
"""The service of a provider's batch API."""
MIXED: Final = "mixed"
"""Of several attempts that were served in different ways."""


def tokens_in(texts: Sequence[str]) -> int:
    """Tokens of texts that nobody counted: bytes/4."""
    return ceil(sum([len(text.encode("utf-8", "replace")) for text in texts]) / 4)


def added(usages: Sequence[Usage]) -> Usage:
    """The tokens of several attempts together. What was charged is known only if each of them says it."""
    if len(usages) == 1:
        return usages[0]
    services = {usage.service for usage in usages}
    charges = [usage.charged for usage in usages]
    estimated = 0
    for usage in usages:
        estimated |= usage.estimated
    return Usage(
        input=sum([usage.input for usage in usages]),
        cache_read=sum([usage.cache_read for usage in usages]),
        cache_write_5m=sum([usage.cache_write_5m for usage in usages]),
        cache_write_1h=sum([usage.cache_write_1h for usage in usages]),
        output=sum([usage.output for usage in usages]),
        reasoning=sum([usage.reasoning for usage in usages]),
        images=sum([usage.images for usage in usages]),
        audio=sum([usage.audio for usage in usages]),
        audio_output=sum([usage.audio_output for usage in usages]),
        searches=sum([usage.searches for usage in usages]),
        service=services.pop() if len(services) == 1 else MIXED if services else "",
        charged=None if None in charges or not charges else sum([one for one in charges if one is not None]),
        estimated=estimated,
    )
