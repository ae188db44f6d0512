"""Items that wait for a provider's batch: how that is written among the results, and what becomes of them.

An item that a model at home could not answer well has a result like any other, "incomplete", whose reason begins with the
words by which it is known here. So a person who reads the file sees what it waits for, and a batch that goes on does too.
"""

from msgspec.structs import replace

from headgate.batches.types import Mark
from headgate.core.runs import Run

WAITS = "waits for a batch of "


def put_aside(run: Run, model: str) -> Run:
    """The run of an item whose next model is asked in a batch."""
    reason = f"{WAITS}{model}; {run.reason}" if run.reason else f"{WAITS}{model}"
    return replace(run, status="incomplete", reason=reason)


def waits(mark: Mark) -> bool:
    """Whether a result is one of an item that waits."""
    return mark.status == "incomplete" and mark.reason.startswith(WAITS)


def after_waiting(run: Run, mark: Mark) -> Run:
    """The run of an item that has waited: escalated, where a model at home had tried before."""
    _, _, before = mark.reason.partition("; ")
    if run.status == "ok" and before:
        return replace(run, status="escalated", reason=before)
    return run


def together(first: Run, then: Run) -> Run:
    """One run out of two of the same input: the output of the better one, the money and the time of both."""
    best = then if then.status in ("ok", "escalated") or first.status == "failed" else first
    cost = None if first.cost is None or then.cost is None else first.cost + then.cost
    reasons = [run.reason for run in (first, then) if run.reason]
    good = best.status in ("ok", "escalated")
    return replace(
        best,
        status="escalated" if good else best.status,
        reason=first.reason if good else "; ".join(dict.fromkeys(reasons)),
        cost=cost,
        seconds=first.seconds + then.seconds,
        tokens_in=first.tokens_in + then.tokens_in,
        tokens_out=first.tokens_out + then.tokens_out,
        requests=(*first.requests, *then.requests),
    )
