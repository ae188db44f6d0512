"""What engines say when a model cannot be fetched, loaded or removed → what that means, and what to do about it.

It reads the engine's words, keeps them, and puts a sentence before and a hint behind them. Words that it does not know
stay as they are: a guess would send people the wrong way.
"""

import re

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.types import Failure


class Meaning(Struct, frozen=True):
    """What an engine's words mean; `{engine}`, `{model}` and `{name}` are filled in."""

    words: re.Pattern[str]
    lead: str
    hint: str
    status: int | None = None
    """Only under this HTTP status."""
    quoted: bool = True
    """The engine's own words say more than ours."""


def _meaning(words: str, lead: str, hint: str, status: int | None = None, *, quoted: bool = True) -> Meaning:
    return Meaning(re.compile(words, re.IGNORECASE), lead, hint, status, quoted)


_MISSING = ("{engine} has no {model}", "headgate models pull {model} --engine {name}")


MEANINGS = (
    _meaning(
        r"no space left|disk (is )?full|ENOSPC|(not enough|insufficient) (free )?(disk|storage)",
        "the disk is full",
        "make room (headgate models rm NAME removes a model), then pull again: it goes on where it ended",
    ),
    _meaning(
        r"requires a newer version",
        "{engine} is too old for this model",
        "update {engine}, then pull again",
    ),
    _meaning(
        r"pull model manifest: (file does not exist|.*not found)|(artifact|repository|model) .*(not|could not be) found.*(hub|catalog|hugging)",
        "{engine} finds no {model} to fetch",
        "look the exact name up in {engine}'s catalogue",
    ),
    _meaning(
        r"no such host|dial tcp|network is unreachable|ENOTFOUND|EAI_AGAIN|ECONNRE|TLS handshake|i/o timeout|fetch failed",
        "{engine} cannot reach its catalogue",
        "check the network and the proxy settings of {engine} itself, then pull again: it goes on where it ended",
    ),
    _meaning(
        r"digest mismatch|checksum",
        "what arrived is not what was promised",
        "pull again: {engine} throws the broken part away and fetches it anew",
    ),
    _meaning(
        r"requires more system memory|insufficient system resources|requires approximately|out of memory|"
        r"unable to allocate|failed to allocate|model requires more",
        "there is not enough memory for {model}",
        "free some (headgate models ps, headgate models unload NAME), or load it with a smaller --context",
    ),
    _meaning(
        r"permission denied|EACCES",
        "{engine} may not write its models folder",
        "give the user that {engine} runs as its folder back",
    ),
    _meaning(r"not found|does not exist", *_MISSING, quoted=False),
    _meaning(r"", *_MISSING, status=404, quoted=False),
)
"""The first that fits is believed."""


def explained(failure: Failure, engine: str, name: str, model_id: str) -> Failure:
    """The failure, with what it means if that is known.

    Args:
        failure: as the engine's answer was read.
        engine: the product's name, for people.
        name: the engine's name in the config.
        model_id: what it was about.
    """
    if failure.hint or failure.reason in ("refused", "timeout"):
        return failure
    for meaning in MEANINGS:
        if meaning.status not in (None, failure.status) or not meaning.words.search(failure.detail):
            continue
        facts = {"engine": engine, "model": model_id, "name": name}
        lead, hint = meaning.lead.format(**facts), meaning.hint.format(**facts)
        detail = f"{lead}: {failure.detail}" if meaning.quoted else lead
        return replace(failure, detail=detail, hint=hint)
    return failure
