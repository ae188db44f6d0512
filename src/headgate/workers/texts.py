"""The long text in a request: which part of the last message it is, and how another is put in its place.

A template puts words around an input; these are repeated with every part of it. Of several fields the longest is cut, and the others go
with every part.
"""

import re

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.subagent import Agent
from headgate.core.templates import PIECE
from headgate.core.types import Message, Request


class LongText(Struct, frozen=True):
    """A text in the last message of a request."""

    request: Request
    before: str
    text: str
    after: str

    def with_part(self, part: str) -> Request:
        """The request with a part in the place of the whole."""
        said = self.request.messages
        message = Message("user", f"{self.before}{part}{self.after}")
        return replace(self.request, messages=(*said[:-1], message), raw_messages=None, raw_system=None)


def long_text(agent: Agent, request: Request) -> LongText:
    """The longest field of the agent's template in the last message, or all of it where it does not stand in the template."""
    whole = request.messages[-1].text
    found = pattern_of(agent.template).fullmatch(whole)
    if found is None or not found.groups():
        return LongText(request, "", whole, "")
    longest = max(range(1, len(found.groups()) + 1), key=lambda group: len(found[group]))
    start, end = found.span(longest)
    return LongText(request, whole[:start], whole[start:end], whole[end:])


def pattern_of(template: str) -> re.Pattern[str]:
    """What a filled template looks like, each field a group."""
    written, at = "", 0
    for piece in PIECE.finditer(template):
        written += re.escape(template[at : piece.start()])
        written += "(.*?)" if piece[1] is not None else re.escape(piece[0][0])
        at = piece.end()
    return re.compile(written + re.escape(template[at:]), re.DOTALL)
