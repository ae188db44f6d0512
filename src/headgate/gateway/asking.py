"""What a request says outside its body: its headers, the name that it asks for, and whose it is.

Most of what can be wrong there is a word that we do not know, and `refusals` has the words for that.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from headgate.core.policy import Policy, find_model, is_auto
from headgate.core.prefixes import use_in_name
from headgate.core.types import Request
from headgate.core.words import TASKS, TEXT_USES
from headgate.gateway import refusals
from headgate.gateway.caller import Call
from headgate.gateway.keys import holder
from headgate.wire.faults import Fault

PRIORITIES = ("interactive", "batch")
READ_HEADERS = frozenset(
    {
        b"x-headgate-task",
        b"x-headgate-privacy",
        b"x-headgate-priority",
        b"x-headgate-within",
        b"x-headgate-input",
        b"anthropic-beta",
    }
)
"""What a request says in its headers."""

BETA = re.compile(r"[a-z0-9-]+(,\s*[a-z0-9-]+)*")

LATEST = ":latest"
"""The tag that Ollama's clients add to a name without one, and leave out at will."""


def apply_headers(request: Request, headers: Mapping[bytes, bytes]) -> Request | Fault:
    """The request with what the caller says in headers: the task, privacy, a deadline, Anthropic's betas."""
    if READ_HEADERS.isdisjoint(headers):
        return request
    changes: dict[str, Any] = {}
    for name in READ_HEADERS & headers.keys():
        word = headers[name].decode("latin-1").strip()
        if name == b"x-headgate-task":
            if word not in TASKS:
                return refusals.unknown("task", word, TASKS, "x-headgate-task")
            if request.kind == "embedding" and word != "embedding":
                return refusals.not_for_texts("x-headgate-task", word)
            changes["task"] = word
        elif name == b"x-headgate-privacy":
            if word != "local_only":
                return refusals.unknown("privacy", word, ("local_only",), "x-headgate-privacy")
            changes["local_only"] = True
        elif name == b"x-headgate-priority":
            if word not in PRIORITIES:
                return refusals.unknown("priority", word, PRIORITIES, "x-headgate-priority")
            changes["batch"] = word == "batch"
        elif name == b"x-headgate-input":
            if word not in TEXT_USES:
                return refusals.unknown("use of a text", word, TEXT_USES, "x-headgate-input")
            if request.kind != "embedding":
                return Fault(
                    status=400,
                    message="x-headgate-input says what texts to embed are for, and this is no such request",
                    param="x-headgate-input",
                    hint="leave it out, or send the texts to /v1/embeddings",
                )
            changes["use"] = word
        elif name == b"anthropic-beta":
            if request.dialect == "anthropic" and BETA.fullmatch(word):
                changes["beta"] = word
        else:
            seconds = as_seconds(word)
            if seconds is None:
                return Fault(
                    status=400,
                    message=f'"{word[: refusals.LONGEST_WORD]}" is not a number of seconds',
                    param="x-headgate-within",
                    hint="send x-headgate-within: 20",
                )
            changes["within"] = seconds
    return replace(request, **changes)


def as_seconds(word: str) -> float | None:
    """A number of seconds up to a day, or None."""
    try:
        seconds = float(word.replace("_", "?"))  # Python reads 1_0 as 10
    except ValueError:
        return None
    return seconds if 0 < seconds <= 86_400 else None


def by_known_name(policy: Policy, request: Request) -> Request:
    """The request under a name that we know.

    In Ollama's dialect a name without a tag and one with `:latest` are the same; and texts to embed may be for "nomic:query".
    """
    if request.kind == "embedding" and (said := use_in_name(request.asked)) is not None:
        name, use = said
        if is_auto(name) or find_model(policy, known_name(policy, name)) is not None:
            request = replace(request, asked=name, use=use)
    if request.dialect != "ollama":
        return request
    asked = known_name(policy, request.asked)
    return request if asked == request.asked else replace(request, asked=asked)


def known_name(policy: Policy, asked: str) -> str:
    """The name in the config or at an engine that an Ollama client means; `asked` itself if there is none."""
    if not asked or find_model(policy, asked) is not None:
        return asked
    bare = asked.removesuffix(LATEST)
    if bare != asked:
        return bare
    tagged = asked + LATEST
    return tagged if find_model(policy, tagged) is not None else asked


def caller_of(call: Call) -> str:
    """Whose request it is, as far as waiting has to be fair: the name of his key, else as he says, else his key or his address.

    With a key of ours the name that he says does not count: who gives himself many names would be served before the others.
    """
    whose = holder.get()
    if whose.name:
        return whose.name
    headers = call.headers
    word = headers.get(b"x-headgate-caller") or headers.get(b"authorization") or headers.get(b"x-api-key")
    return call.address if word is None else word.decode("latin-1")
