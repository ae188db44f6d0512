"""The weekly report as JSON values, for programs.

Money is dollars, durations are seconds, shares are 0-1, and null is unknown: `unnecessary` is null until audits measure
it. Names of fields are kept from one version to the next. `local_models` is there once a local model was measured.
"""

from typing import Any

import msgspec

from headgate.reports.weekly import WeeklyReport


def plain(report: WeeklyReport) -> dict[str, Any]:
    """The report as JSON values."""
    facts, saved = report.facts, report.savings
    known = saved.requests > 0
    measured = {"local_models": [msgspec.to_builtins(card) for card in facts.cards]} if facts.cards else {}
    return {
        "week": str(report.week),
        "period": report.week.period,
        "since": facts.since,
        "until": facts.until,
        "complete": report.complete,
        "requests": facts.requests,
        "unanswered": report.unanswered,
        "statuses": dict(facts.statuses),
        "models": [msgspec.to_builtins(served) for served in facts.served],
        "latency": msgspec.to_builtins(facts.latency),
        "first_token": msgspec.to_builtins(facts.first_token),
        "cost": facts.cost,
        "cost_unknown": facts.cost_unknown,
        "savings": {
            "baseline_model": report.baseline,
            "baseline": saved.baseline if known else None,
            "cost": saved.cost if known else None,
            "saved": saved.saved if known else None,
            "share": saved.share,
            "requests": saved.requests,
            "unknown": saved.unknown,
        },
        "fallbacks": {
            "triggered": report.fallbacks,
            "unnecessary": facts.unnecessary,
            "reasons": [msgspec.to_builtins(fallback) for fallback in facts.fallbacks],
        },
        "tasks": [
            {
                **msgspec.to_builtins(line.facts),
                "rate": line.rate,
                "interval": line.interval and list(line.interval),
                "failing": line.failing,
            }
            for line in report.tasks
        ],
        "attempts": [msgspec.to_builtins(tried) for tried in facts.attempts],
        "baselines": dict(facts.baselines),
        "estimated": facts.estimated,
        "lost": facts.lost,
        "unclosed": facts.unclosed,
        "prices_as_of": list(facts.prices_as_of),
        "warn_over": report.warn_over,
        "at_least": report.at_least,
        "warnings": list(report.warnings),
        "notes": list(report.notes),
        **measured,
    }
