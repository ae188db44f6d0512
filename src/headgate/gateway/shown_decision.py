"""A decision as a value, before any model is called: for `headgate route`, and for the page's Ask.

It does not know how the signals were measured, nor what came of it.
"""

from typing import Any

from headgate.core.parts import WHOLE
from headgate.core.policy import Policy
from headgate.core.prices import TYPICAL_ANSWER, baseline_cost
from headgate.core.types import Decision, Price, Request, Signals, Usage


def describe_decision(
    policy: Policy, baseline_price: Price | None, request: Request, signals: Signals, decision: Decision
) -> dict[str, Any]:
    """What was measured, the route that matches, and each candidate with its skip or its estimate. Dollars; None is unknown."""
    answer = min(request.max_tokens or TYPICAL_ANSWER, TYPICAL_ANSWER) if request.kind == "chat" else 0
    usage = Usage(input=signals.tokens, output=answer, estimated=WHOLE)
    fit = [candidate for candidate in decision.candidates if candidate.skip is None]
    return {
        "kind": request.kind,
        "task": signals.task,
        "task_confidence": round(signals.task_confidence, 3),
        "task_by": signals.task_by,
        "tokens": signals.tokens,
        "tokens_exact": signals.tokens_exact,
        "format": signals.format,
        "language": signals.language or None,
        "labels": signals.labels,
        "tools": signals.tools,
        "images": signals.images,
        "local_only": signals.local_only,
        "chances": signals.chances,
        "trusted": signals.trusted,
        "route": decision.route,
        "why": decision.why,
        "mode": decision.mode,
        "checks": decision.checks,
        "pass_at": decision.pass_at,
        "chain": decision.chain,
        "skipped": decision.skipped,
        "candidates": decision.candidates,
        "estimated_cost_usd": fit[0].estimate if fit else None,
        "baseline": policy.baseline,
        "baseline_cost_usd": baseline_cost(usage, baseline_price) if request.kind == "chat" else None,
        "answer_tokens_assumed": answer,
    }
