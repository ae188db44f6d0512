"""What a decision makes of a learned router's chances: models not worth asking are passed by, and trusted ones may come first.

A model of which the router says nothing stays as the rules have it. Something is always left to ask: the last candidate that can serve
is never passed by. This module does not know where chances come from (`router`), nor which models a route names (`policy`).
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.types import Candidate, Model


class Learning(Struct, frozen=True, kw_only=True):
    """What a learned router may do, by the user's leave."""

    use: bool = True
    """Whether a router that was turned on is asked at all."""
    skip_below: float = 0.1
    """A model at home whose chance is lower is passed by; 0 is never."""
    brings_home: bool = False
    """Whether a trusted model at home goes first where the rules would send a request to a paid one."""
    floor: float = 0.95
    """The share of such requests that has to be good, at the lower end of what is known of them, before a model is trusted."""


def chance_of(model: Model, chances: Mapping[str, float]) -> float | None:
    """A model's chance; a longer lane has that of its model. None is unknown."""
    return chances.get(model.lane_of or model.name)


def skip_unlikely(
    candidates: Sequence[Candidate], models: Mapping[str, Model], chances: Mapping[str, float], below: float
) -> list[Candidate]:
    """The candidates, those at home passed by whose answer would hardly be acceptable."""
    left = sum([candidate.skip is None for candidate in candidates])
    found: list[Candidate] = []
    for candidate in candidates:
        model = models[candidate.model]
        chance = chance_of(model, chances) if model.local and candidate.skip is None else None
        if chance is not None and chance < below and left > 1:
            left -= 1
            detail = f"its answer is acceptable with a chance of {chance:.2f}, by the learned router; {below:.2f} is asked for"
            found.append(replace(candidate, skip="unlikely", detail=detail))
        else:
            found.append(candidate)
    return found


def put_first(candidates: Sequence[Candidate], trusted: Candidate) -> list[Candidate]:
    """The candidates with a trusted one before them."""
    return [trusted, *[candidate for candidate in candidates if candidate.model != trusted.model]]
