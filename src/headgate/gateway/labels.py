"""What a subagent's labels ask of an engine, and what is made of its answer: the alternatives beside each token.

The caller gets them only as far as he asked for them himself. A model whose engine refuses to tell them is remembered, and not
asked again. How probable a label is, is worked out elsewhere (`core.agent_answers`).
"""

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from headgate.core.agent_answers import weigh
from headgate.core.probability import MANY
from headgate.core.types import Failure, Model, Reply, Request
from headgate.gateway.road import Road

REFUSED = frozenset({400, 422})
"""Statuses of an engine that does not take a field."""

decode_tokens = msgspec.json.Decoder(list[dict[str, Any]]).decode


def with_alternatives(road: Road, request: Request, model: Model) -> Request:
    """A subagent's request as its engine is asked: with alternatives where there are labels."""
    if not request.labels or model.name in road.silent:
        return request
    return replace(request, logprobs=True, top_logprobs=MANY)


def note_refusal(road: Road, model: Model, failure: Failure) -> None:
    """Remember a model whose engine refuses to tell alternatives."""
    if failure.status in REFUSED and "logprob" in failure.detail.lower():
        road.silent.add(model.name)


def weighed(road: Road, request: Request, model: Model, reply: Reply) -> Reply:
    """The reply with its labels' probabilities, and with no more alternatives than the caller asked for."""
    temperature = road.temperatures.get((request.agent, model.name), 1.0)
    reply = weigh(road.policy.agents[request.agent], reply, temperature)
    if reply.logprobs is None or not request.labels:
        return reply
    return replace(reply, logprobs=cut(reply.logprobs, request.top_logprobs) if request.logprobs else None)


def cut(logprobs: Raw, most: int | None) -> Raw:
    """Log-probabilities with at most so many alternatives beside each token."""
    tokens = decode_tokens(logprobs)
    for token in tokens:
        token["top_logprobs"] = (token.get("top_logprobs") or [])[: most or 0]
    return Raw(msgspec.json.encode(tokens))
