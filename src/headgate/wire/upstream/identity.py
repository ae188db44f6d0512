"""Did the model that was asked for answer? A comparison of names that knows how engines decorate them.

It does not know aliases: an engine whose names mean nothing gets `"off"` in its profile.
"""

import re
from typing import Literal

Identity = Literal["loose", "dated", "off"]
"""How a reply's model must match: up to paths and variants, also up to a date or version at the end, or not at all."""

QUANT = re.compile(r"[-_.](?:i?q\d\w*|bf16|f16|f32|fp8|fp16|mxfp4|int[48]|[2-8]bit|gguf|mlx|awq|gptq)$")
DATE = re.compile(r"-(?:\d{4}-?\d{2}-?\d{2}|\d{3,6}|latest|preview|exp)(?:-\d+)*")
INSTANCE = re.compile(r":(?:\d{1,2}|latest)$")


def same_model(asked: str, answered: str, identity: Identity = "loose") -> bool:
    """Whether `answered` names the model `asked`. An engine that names none ("") is believed."""
    if identity == "off" or not answered or asked == answered:
        return True
    if identity == "dated" and _dated(asked.lower(), answered.lower()):
        return True
    wanted, got = _Name(asked), _Name(answered)
    if wanted.quant and got.quant and wanted.quant != got.quant:
        return False
    if wanted.publisher and got.publisher and wanted.publisher != got.publisher:
        return False
    return bool(wanted.names & got.names)


def _dated(asked: str, answered: str) -> bool:
    asked, answered = asked.rpartition("/")[2], answered.rpartition("/")[2]
    asked = asked.removesuffix("-latest")
    return asked == answered or (answered.startswith(asked) and bool(DATE.fullmatch(answered[len(asked) :])))


class _Name:
    """A model's name, taken apart: `publisher/key@quant:instance`, or the path of a file."""

    __slots__ = ("names", "publisher", "quant")

    def __init__(self, name: str) -> None:
        key, _, self.quant = INSTANCE.sub("", name.lower().replace("\\", "/")).partition("@")
        segments = [segment for segment in key.split("/") if segment]
        self.publisher = segments[0] if len(segments) == 2 else ""
        self.names = frozenset(
            _bare(segment) for segment in (segments[-2:] if len(segments) > 2 else segments[-1:])
        )


def _bare(name: str) -> str:
    while True:
        shorter = QUANT.sub("", name)
        if shorter == name or not shorter:
            return name
        name = shorter
