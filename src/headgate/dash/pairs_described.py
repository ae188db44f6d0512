"""The paths of reviews for /openapi.json. It does not know who answers them (`pairs`)."""

from collections.abc import Mapping
from typing import Any

from headgate.dash.described import UNUSABLE, json, looked, told
from headgate.dash.pairs import OPINION, PAIRS, Given, Pairs, PairsQuery, WireOpinion
from headgate.dash.routing_described import body
from headgate.gateway.openapi import WORD, in_query, whole


def described() -> Mapping[str, Mapping[str, Any]]:
    """Path → method → operation."""
    given = told(
        "post",
        OPINION,
        "What a person says of an answer",
        json(whole(Given)),
        wrong=(*UNUSABLE, 404, 409, 413),
    )
    either = [{"required": ["choice"]}, {"required": ["verdict"]}]
    given["requestBody"] = body({"allOf": [whole(WireOpinion)], "oneOf": either})
    given["parameters"] = [{"name": "request", "in": "path", "required": True, "schema": WORD}]
    pairs = looked(
        PAIRS,
        "Two answers to each request, for a person to compare",
        json(whole(Pairs)),
        asks=in_query(PairsQuery),
        wrong=UNUSABLE,
    )
    return {PAIRS: pairs, OPINION: {"post": given}}
