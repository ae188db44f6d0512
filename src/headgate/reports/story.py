"""The whole story of one request, and its one line in a list.

    story    what was measured, decided, tried and judged, and what it cost: `headgate log show ID`
    line     the same in one row: `headgate log`

Figures that are unknown are called so. This module does not know where outcomes come from.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from headgate.core.audits import Opinion
from headgate.core.judges.standing import in_force
from headgate.core.parts import WHOLE, named
from headgate.core.types import Attempt, Candidate, Model, Outcome, Price, Signals, Usage
from headgate.reports.savings import saved_by
from headgate.reports.shown import (
    columns,
    count,
    dollars_alike,
    fallback_reason,
    fine_dollars,
    full_name,
    labelled,
    milliseconds,
    nano_dollars,
)

Models = Mapping[str, Model]
"""Models by their name in the config, as they were described when the request was written down."""


class LogLine(Struct, frozen=True, kw_only=True):
    """One request in a list. Money is dollars, durations are seconds, None is unknown."""

    id: str
    received: float
    """Unix time."""
    task: str | None
    route: str
    model: str | None
    """The model that answered, with its label; None when none did."""
    status: str
    fallback: str
    """Why a paid model answered, "" when none did."""
    attempts: int
    tokens_in: int | None
    tokens_out: int | None
    exact: bool
    """The tokens are the engine's figures, not our estimate."""
    seconds: float
    first_token: float | None
    cost: float | None
    saved: float | None


def line(outcome: Outcome, models: Models) -> LogLine:
    """The request as one row."""
    usage = outcome.usage
    model = outcome.model
    return LogLine(
        id=outcome.id,
        received=outcome.received,
        task=outcome.signals.task,
        route=outcome.decision.route,
        model=None if model is None else labelled(model, models.get(model)),
        status=outcome.status,
        fallback=""
        if outcome.fallback is None
        else fallback_reason(outcome.fallback, outcome.fallback_limit),
        attempts=len(outcome.attempts),
        tokens_in=None if usage is None else usage.prompt,
        tokens_out=None if usage is None else usage.output,
        exact=usage is not None and usage.exact,
        seconds=outcome.seconds,
        first_token=outcome.first_token,
        cost=outcome.cost,
        saved=saved_by(outcome),
    )


def plain_story(outcome: Outcome, models: Models, said: Sequence[Opinion] = ()) -> dict[str, Any]:
    """The story as JSON values: the outcome's own fields, what it saved, what was said of it, and the models that it names."""
    story: dict[str, Any] = msgspec.to_builtins(outcome)
    for told in (story, *story["attempts"], *(attempt["failure"] or {} for attempt in story["attempts"])):
        if told.get("usage") is not None:
            told["usage"]["estimated"] = named(told["usage"]["estimated"])
    story["saved"] = saved_by(outcome)
    story["opinions"] = msgspec.to_builtins(said)
    story["models"] = {
        name: {
            "shown": full_name(model, name),
            "local": model.local,
            "label": model.label,
            "price": msgspec.to_builtins(model.price),
        }
        for name, model in models.items()
    }
    return story


def story(outcome: Outcome, models: Models, zone: tzinfo, said: Sequence[Opinion] = ()) -> str:
    """The story as text, lines ending in a newline.

    Args:
        outcome: what became of the request.
        models: that it names.
        zone: of the times.
        said: what judges, people and its caller said of its answer.
    """
    parts = [
        _ending(outcome, models, zone),
        _signals(outcome),
        _decision(outcome, models),
        _attempts(outcome, models),
        _cost(outcome, models),
        _opinions(said),
        _bodies(outcome),
    ]
    return "\n\n".join("\n".join(part) for part in map(tuple, parts) if part) + "\n"


def _ending(outcome: Outcome, models: Models, zone: tzinfo) -> Iterator[str]:
    yield f"REQUEST {outcome.id}: {_STATUS.get(outcome.status, outcome.status)}"
    received = datetime.fromtimestamp(outcome.received, zone)
    yield _field("received", f"{received:%Y-%m-%d %H:%M:%S %Z}")
    yield _field("asked for", outcome.asked + (", as a stream" if outcome.stream else ""))
    answered = "nobody" if outcome.model is None else full_name(models.get(outcome.model), outcome.model)
    yield _field("answered by", f"{answered}, after {count(len(outcome.attempts), 'attempt')}")
    if outcome.fallback is not None:
        yield _field("fallback", fallback_reason(outcome.fallback, outcome.fallback_limit))
    first = "" if outcome.first_token is None else f", first byte after {milliseconds(outcome.first_token)}"
    yield _field("took", milliseconds(outcome.seconds) + first)
    for sentence in outcome.adjusted:
        yield _field("adjusted", sentence)
    if outcome.error:
        yield _field("error", outcome.error)


def _signals(outcome: Outcome) -> Iterator[str]:
    signals = outcome.signals
    yield "SIGNALS"
    named = {"caller": "named by the caller", "rules": "by rules", "none": "no evidence"}[signals.task_by]
    task = "none" if signals.task is None else f"{signals.task} ({signals.task_confidence:.2f}, {named})"
    yield _field("task", task)
    yield _field("tokens", f"{signals.tokens:,} ({'counted' if signals.tokens_exact else 'estimated'})")
    yield _field("format", signals.format)
    more = (
        (f"language {signals.language}", signals.language),
        (count(signals.tools, "tool"), signals.tools),
        (count(signals.images, "image"), signals.images),
        (count(signals.code_blocks, "code block"), signals.code_blocks),
        (count(len(signals.labels), "label"), signals.labels),
        ("local models only", signals.local_only),
        (
            f"the turn before was answered by {signals.keeps_to}, which has {signals.cached:,} tokens cached",
            signals.keeps_to,
        ),
    )
    found = ", ".join(said for said, is_so in more if is_so)
    if found:
        yield _field("also", found)
    if signals.chances:
        yield _field("expected", chances_shown(signals))


def chances_shown(signals: Signals) -> str:
    """What the learned router said of each model."""
    return ", ".join(
        f"{model} {chance:.2f}" + (" (trusted)" if model in signals.trusted else "")
        for model, chance in signals.chances.items()
    )


def _decision(outcome: Outcome, models: Models) -> Iterator[str]:
    decision = outcome.decision
    yield "DECISION"
    yield _field("route", f"{decision.route}: {decision.why}")
    if not decision.is_known:
        yield _field("unknown", "it was imported without what else was decided")
        return
    yield _field(
        "checks",
        f"{', '.join(decision.checks) or 'none'}; pass at {decision.pass_at:g}; mode {decision.mode}",
    )
    spend = "" if decision.spend_at_most is None else f", {fine_dollars(decision.spend_at_most)}"
    seconds = "1 second" if decision.within == 1 else f"{decision.within:g} seconds"
    yield _field("at most", f"{seconds}, {count(decision.attempts_at_most, 'attempt')}{spend}")
    yield "  candidates"
    tried = {attempt.model for attempt in outcome.attempts}
    rows = [
        (
            labelled(c.model, models.get(c.model)),
            _fate(c, tried),
            f"about {fine_dollars(c.estimate)}",
            c.detail,
        )
        for c in decision.candidates
    ]
    yield from (f"    {row}" for row in _table(rows, "<<><"))


def _fate(candidate: Candidate, tried: set[str]) -> str:
    if candidate.skip is not None:
        return f"skipped: {candidate.skip}"
    return "tried" if candidate.model in tried else "not needed"


def _attempts(outcome: Outcome, models: Models) -> Iterator[str]:
    yield "ATTEMPTS"
    if not outcome.attempts:
        yield "  none"
    for number, attempt in enumerate(outcome.attempts, 1):
        when = f"{milliseconds(attempt.started)} to {milliseconds(attempt.ended)}"
        yield f"  {number}. {labelled(attempt.model, models.get(attempt.model))}: {_result(attempt, outcome)}"
        queued = f", {milliseconds(attempt.queued)} of it queued" if attempt.queued >= 0.001 else ""
        first = (
            "" if attempt.first_token is None else f", first token after {milliseconds(attempt.first_token)}"
        )
        yield f"     {when}{queued}{first}"
        yield f"     {_tokens(attempt.usage)}, {fine_dollars(attempt.cost)}"
        if attempt.logprob is not None:
            yield f"     mean log-probability {attempt.logprob:.3f}"
        rows = [
            (
                verdict.check,
                "no evidence" if verdict.score is None else f"{verdict.score:.2f}",
                verdict.reason,
            )
            for verdict in attempt.verdicts
        ]
        yield from (f"       {row}" for row in _table(rows, "<><"))


def _result(attempt: Attempt, outcome: Outcome) -> str:
    if attempt.failure is not None:
        status = f" (HTTP {attempt.failure.status})" if attempt.failure.status else ""
        return f"failed, {attempt.failure.reason}{status}: {attempt.failure.detail}"
    if attempt.score is None:
        return "answered, no check had evidence" if attempt.finish else "ended without an answer"
    late = ", judged after it was sent" if attempt.late else ""
    verdict = "passed" if attempt.score >= outcome.decision.pass_at else "rejected"
    return f"{verdict} with {attempt.score:.2f}{late}"


def _tokens(usage: Usage | None) -> str:
    if usage is None:
        return "tokens unknown"
    parts = [f"{count(usage.prompt, 'token')} in"]
    cached = (
        ("read from a cache", usage.cache_read),
        ("written to one", usage.cache_write_5m + usage.cache_write_1h),
    )
    inside = ", ".join(f"{number:,} {said}" for said, number in cached if number)
    if inside:
        parts[0] += f" ({inside})"
    parts.append(f"{usage.output:,} out" + (f" ({usage.reasoning:,} to reason)" if usage.reasoning else ""))
    if usage.searches:
        parts.append(f"{count(usage.searches, 'search', 'searches')} of the web")
    if usage.service:
        parts.append(f"served as {usage.service}")
    return ", ".join(parts) + _estimated(usage)


def _estimated(usage: Usage) -> str:
    if usage.exact:
        return ""
    if usage.estimated & WHOLE == WHOLE:
        return ", estimated"
    return f" (estimated: {', '.join(name.replace('_', ' ') for name in named(usage.estimated))})"


def _cost(outcome: Outcome, models: Models) -> Iterator[str]:
    yield "COST"
    if outcome.model is None and outcome.baseline_cost is None:
        yield f"  this request  {fine_dollars(outcome.cost)}"
        yield "  nothing was answered, so nothing was saved"
    else:
        cost, baseline = _printed(outcome.cost), _printed(outcome.baseline_cost)
        saved = _printed(saved_by(replace(outcome, cost=cost, baseline_cost=baseline)))
        figures = dollars_alike((outcome.cost, outcome.baseline_cost, saved))
        rows = list(zip(("this request", f"on {outcome.baseline}", "saved"), figures, strict=True))
        yield from (f"  {row}" for row in _table(rows, "<>"))
        yield from _comparison(outcome)
    yield from _energy(outcome)
    paid = {
        name: model.price for name, model in models.items() if model.price is not None and not model.local
    }
    prices = [(labelled(name, models[name]), *_rates(price)) for name, price in sorted(paid.items())]
    if prices:
        as_of = f" as of {outcome.prices_as_of}" if outcome.prices_as_of else ""
        yield f"  prices{as_of}, per million tokens:"
        yield from (f"    {row}" for row in _table(prices, "<>><"))


def _comparison(outcome: Outcome) -> Iterator[str]:
    """What the baseline was charged for, and what the cheap cloud would have taken."""
    usage, prompt, answer = outcome.usage, outcome.baseline_input, outcome.baseline_output
    if usage is not None and outcome.baseline_cost is not None:
        reported = f"{usage.prompt:,} in, {usage.output:,} out"
        if prompt is None and answer is None:
            yield f"  tokens on {outcome.baseline}: as reported, {reported}; not re-counted"
        else:
            told = f"{usage.prompt if prompt is None else prompt:,} in, {usage.output if answer is None else answer:,} out"
            half = "prompt" if prompt is None else "answer" if answer is None else ""
            yield (
                f"  tokens on {outcome.baseline}: {told}, re-counted (reported: {reported})"
                + (f"; the {half} as reported" if half else "")
            )
    if outcome.alternative and outcome.alternative_cost is not None:
        cost = nano_dollars(outcome.alternative_cost)
        yield f"  on {outcome.alternative}, the cheapest cloud model that could have taken it: {cost}"


def _energy(outcome: Outcome) -> Iterator[str]:
    if outcome.energy is None:
        yield "  energy at home: unknown"
    elif outcome.energy:
        cost = "" if outcome.energy_cost is None else f", {nano_dollars(outcome.energy_cost)}"
        yield f"  energy at home: {outcome.energy:,.2f} J{cost}"


def _printed(amount: float | None) -> float | None:
    """The amount as it stands on the page, so that what is worked out from it there comes out right."""
    return None if amount is None else round(amount, 6)


def _rates(price: Price) -> tuple[str, str, str]:
    source = ", ".join(word for word in (price.source, price.date) if word)
    return (
        f"{fine_dollars(price.input)} in",
        f"{fine_dollars(price.output)} out",
        f"({source})" if source else "",
    )


def _opinions(said: Sequence[Opinion]) -> Iterator[str]:
    if not said:
        return
    yield "SAID OF ITS ANSWER"
    counts = in_force(said)
    rows = [
        (
            f"{one.judge} {one.by}".strip(),
            _word(one) + (" (in force)" if one is counts and one.verdict != "unclear" else ""),
            one.reason,
        )
        for one in said
    ]
    yield from (f"  {row.rstrip()}" for row in _table(rows, "<<<"))


def _word(said: Opinion) -> str:
    """A verdict; of a caller his thumb too, which of a paid answer is all that he says."""
    if said.judge != "caller" or said.score is None:
        return said.verdict
    thumb = "thumb up" if said.score else "thumb down"
    return thumb if said.verdict == "unclear" else f"{thumb}: {said.verdict}"


def _bodies(outcome: Outcome) -> Iterator[str]:
    for title, body in (("PROMPT", outcome.prompt), ("ANSWER", outcome.answer)):
        if body is not UNSET:
            yield f"{title} ({count(len(body), 'character')})"
            yield from (f"  {row}" for row in body.splitlines())


_STATUS = {
    "ok": "answered",
    "imperfect": "answered imperfectly (no answer passed its checks; the best one was delivered)",
    "failed": "failed",
    "broken": "broken (the stream ended after its first byte)",
    "cancelled": "cancelled by the caller",
}


def _field(name: str, value: str) -> str:
    return f"  {name:<12} {value}"


def _table(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    return columns(rows, sides, gap="  ") if rows else []
